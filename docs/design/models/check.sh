#!/bin/sh
# Runs the models of waiting and their mutants: check.sh [directory for what is built]. Needs spin and a C compiler.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"

# run <compiler options> -- <model options>: 0 no error, 1 an error was found
run() {
    compile=
    while [ "$1" != -- ]; do compile="$compile $1"; shift; done
    shift
    verify="-m2000000"
    case $compile in *NOCLAIM*) ;; *) verify="$verify -a -f" ;; esac
    spin "$@" -a "$here/lock.pml" >spin.log
    # shellcheck disable=SC2086
    ${CC:-cc} -O2 -w -DVECTORSZ=512 -DCOLLAPSE -DNFAIR=4 -DMEMLIM=6000 $compile -o pan pan.c
    # shellcheck disable=SC2086
    ./pan $verify >pan.log
    if grep -q "max search depth too small\|out of memory\|pan: reached" pan.log; then
        cat pan.log
        exit 2
    fi
    grep "states, stored" pan.log | sed 's/^ */    /' | head -n 1
    grep -q "errors: 0" pan.log
}

holds() {
    name=$1
    shift
    echo "holds: $name"
    run "$@" || { echo "FAILED: $name: an error was found"; cat pan.log; exit 1; }
}

caught() {
    name=$1
    shift
    echo "caught: $name"
    if run "$@"; then echo "FAILED: $name: the planted fault was not found"; exit 1; fi
}

safety="-DNOCLAIM -DSAFETY"
for lot in "-DSYSTEM" "-DPARKING"; do
    # Nobody hangs without slices while nobody dies; no two owners, whoever dies.
    holds "wake-ups, $lot" $safety -- $lot -DNO_SLICE
    holds "wake-ups with time-outs, $lot" $safety -- $lot -DNO_SLICE -DGIVE_UP
    holds "exclusion and news, 2 deaths, $lot" $safety -- $lot -DCRASHES=2
    holds "all get through, 1 death, $lot" -DNOREDUCE -- $lot -DCRASHES=1 -DNPROC=2
    caught "no slices, 1 death, $lot" $safety -- $lot -DNO_SLICE -DCRASHES=1
    caught "no takeover, $lot" -DNOREDUCE -- $lot -DCRASHES=1 -DNPROC=2 -DNO_TAKEOVER
    caught "WAITERS cleared early, $lot" $safety -- $lot -DNO_SLICE -DCLEAR_EARLY
    caught "WAITERS dropped after sleeping, $lot" $safety -- $lot -DNO_SLICE -DDROP_WAITERS
    caught "flag never set, $lot" $safety -- $lot -DCRASHES=1 -DNO_FLAG
    caught "test, then set, $lot" $safety -- $lot -DTEST_THEN_SET
done
# Who gives up must leave WAITERS behind: it takes a fourth process to pass by in between.
holds "time-outs, 4 processes" $safety -- -DNO_SLICE -DGIVE_UP -DNPROC=4
caught "leaving without WAITERS, 4 processes" $safety -- -DNO_SLICE -DLEAVE_SILENTLY -DNPROC=4
caught "word not looked at again" $safety -- -DPARKING -DNO_SLICE -DNO_RECHECK
echo "all models hold, and every planted fault was caught"
