#!/bin/sh
# Checks that the POSIX backend without its Linux branches is C that compiles: what other systems would build, as far as
# this system's headers can tell. kqueue, which Linux lacks, stays out.
set -eu
count=0
for source in $(find backends/posix backends/uv -name '*.c' | sort); do
    cc -std=c11 -U__linux__ -U__linux -D_GNU_SOURCE -DYOKE_BUILDING -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
        -Wmissing-prototypes -Werror -Iinclude -I. -fsyntax-only "$source" || {
        echo "other_posix.sh: $source does not compile without Linux" >&2
        exit 1
    }
    count=$((count + 1))
done
echo "$count files of the backend compile without Linux"
