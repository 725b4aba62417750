#!/bin/sh
# Counts the single tests in what CTest has logged of programs that use CMocka, and names why some were skipped.
# count_tests.sh LOG
set -eu
awk '
    { sub(/\r$/, "") }
    /^\[=+\] [0-9]+ test\(s\) run/ { run += $2 }
    /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
    /^\[  SKIPPED \] [0-9]+ test\(s\), listed/ { skipped += $4 }
    /^skipped: / { why[$0]++ }
    END {
        printf "single tests: %d run, %d passed, %d skipped\n", run, passed, skipped
        for (reason in why)
            printf "    %d %s\n", why[reason], reason
    }' "$1"
