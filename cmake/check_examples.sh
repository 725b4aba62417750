#!/bin/sh
# Compiles the C in README.md, in the comments of the public headers and in the guide, so that no example there goes stale.
# A whole program is taken as it is; of a fragment, functions go outside and statements into a function whose parameters
# are the names that fragments use. check_examples.sh ROOT WORK COMPILER [FLAG...]
set -eu
root=$1 work=$2 compiler=$3
shift 3
rm -rf "$work"
mkdir -p "$work"

# One file for each block, without the comment's stars.
for file in "$root"/README.md "$root"/include/yoke/*.h "$root"/docs/guide/*.md; do
    awk -v out="$work/$(basename "$file" | tr . _)" '
        { sub(/^ \* ?/, "") }
        /^(```c|@code|@code{.c})$/ { name = out "_" ++count ".block"; inside = 1; next }
        /^(```|@endcode)$/ { inside = 0 }
        inside && $0 != "..." { print >name }' "$file"
done

count=0
for block in "$work"/*.block; do
    source=${block%.block}.c
    {
        echo '#include <stdio.h>'
        echo '#include <uv.h>'
        echo '#include <yoke/uv.h>'
        echo '#include <yoke/yoke.h>'
        if grep -q 'int main(' "$block"; then
            cat "$block"
        else
            last=$(grep -n '^}$' "$block" | tail -n 1 | cut -d: -f1)
            head -n "${last:-0}" "$block"
            echo 'static int worker(const yoke_args *args) { return yoke_args_count(args) > 0; }'
            echo 'int example(yoke_queue *queue, yoke_queue *requests, yoke_queue *answers, yoke_process *process,'
            echo '            yoke_watch *watch) {'
            tail -n "+$((${last:-0} + 1))" "$block"
            echo 'return 0; }'
        fi
    } >"$source"
    "$compiler" -std=gnu11 -fsyntax-only -Wall -Wextra -Werror -Wno-unused -Wno-unused-parameter -Wno-uninitialized "$@" \
        "-I$root/include" "$source" || {
        echo "check_examples.sh: $(basename "$block" .block) does not compile" >&2
        exit 1
    }
    count=$((count + 1))
done
[ "$count" -ge 6 ] || {
    echo "check_examples.sh: found only $count examples: is it looking for them in the right way?" >&2
    exit 1
}
echo "$count examples of the documentation compile"
