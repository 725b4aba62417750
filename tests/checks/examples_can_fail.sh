#!/bin/sh
# The check of examples must not take a call that isn't there. examples_can_fail.sh ROOT WORK COMPILER [FLAG...]
set -eu
root=$1 work=$2
shift 2
rm -rf "$work"
mkdir -p "$work/tree/docs/guide"
cp -r "$root/include" "$root/README.md" "$work/tree"
cp "$root"/docs/guide/*.md "$work/tree/docs/guide"
sh "$root/cmake/check_examples.sh" "$work/tree" "$work/blocks" "$@"
sed 's/yoke_queue_create(/yoke_queue_make(/' "$root/README.md" >"$work/tree/README.md"
if sh "$root/cmake/check_examples.sh" "$work/tree" "$work/blocks" "$@"; then
    echo "examples_can_fail.sh: a call that isn't there was taken" >&2
    exit 1
fi
