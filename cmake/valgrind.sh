#!/bin/sh
# Runs one test program under valgrind: no invalid access, no use of what was not set. Children that it
# forks are looked at too, those that it executes are not.
# Leaks are the address sanitizer's part: valgrind's search reads all the address space that a domain reserves, for hours.
# valgrind.sh PROGRAM
set -u
log=$1.valgrind.log
code=0
YOKE_WAIT=native YOKE_VALGRIND=1 YOKE_RESERVE=268435456 timeout -k 10 300 valgrind --quiet --error-exitcode=99 --leak-check=no \
    --child-silent-after-fork=no \
    --suppressions="$(dirname -- "$0")/valgrind.supp" "$1" >"$log" 2>&1 || code=$?
case $code in
0) echo "clean: $1" ;;
77) echo "skipped: $1" ;;
*)
    cat "$log" >&2
    echo "valgrind.sh: $1 ended with $code" >&2
    exit 1
    ;;
esac
