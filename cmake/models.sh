#!/bin/sh
# models.sh DIRECTORY: checks the Spin models of docs/design/models. A model's first comment tells what to run:
# `run: OPTIONS` must find nothing, `fault: OPTIONS` is a planted fault, and must be found.
set -eu
. "$(dirname -- "$0")/common.sh"

work=$1
step_name="checking models"
checked=0
faults=0

# check MODEL EXPECTED-ERRORS OPTION...
check() {
    model=$1 expected=$2
    shift 2
    rm -rf "$work/pan"
    mkdir -p "$work/pan"
    (
        cd "$work/pan"
        spin -a "$@" "$root/$model" >spin.log 2>&1 || { cat spin.log && exit 1; }
        cc -O2 -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=2000 -o pan pan.c >cc.log 2>&1 || { cat cc.log && exit 1; }
        timeout 120 ./pan -m500000 -w23 >pan.log 2>&1 || true
        grep -q "errors: $expected" pan.log && ! grep -q -E 'out of memory|max search depth too small' pan.log ||
            { cat pan.log && exit 1; }
    ) || fail "$model $*: not $expected errors, as expected"
    echo "$model $*: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1 states/p' "$work/pan/pan.log"), $expected errors as expected"
}

# The lock's has a property over time too, for which the checker is built otherwise. It runs beside the others.
sh docs/design/models/check.sh "$work/lock" >"$work/lock.log" 2>&1 &
lock_check=$!
for model in docs/design/models/*.pml; do
    [ "$(grep -c -E '^ \* (run|fault):' "$model")" -gt 0 ] || continue
    sed -n 's/^ \* \(run\|fault\): */\1 /p' "$model" >"$work/models.list"
    while read -r kind options; do
        case $kind in
        run) expected=0 checked=$((checked + 1)) ;;
        *) expected=1 faults=$((faults + 1)) ;;
        esac
        # shellcheck disable=SC2086 # the options are meant to be split
        check "$model" $expected $options
    done <"$work/models.list"
done
step_name="checking the model of the lock"
wait "$lock_check" || { cat "$work/lock.log" && exit 1; }
checked=$((checked + $(grep -c '^holds:' "$work/lock.log"))) faults=$((faults + $(grep -c '^caught:' "$work/lock.log")))
[ $checked -gt 0 ] || fail "no model says what to run"
step_name=
echo "models: $checked runs passed, $faults planted faults found"
