#!/bin/sh
# Compiles core/ for 64-bit Windows, to objects only: it must not depend on any system. The libraries for
# MessagePack and for digests have no Windows package here, so their C headers are taken from where this system has
# them; they are plain C.
# mingw.sh DIRECTORY
set -eu
out=$1
compiler=x86_64-w64-mingw32-gcc
command -v $compiler >/dev/null || {
    echo "mingw.sh: there is no $compiler: install gcc-mingw-w64-x86-64-win32" >&2
    exit 1
}
mkdir -p "$out/include"
for header in /usr/include/msgpack.h /usr/include/msgpack /usr/include/nettle; do
    [ -e "$out/include/$(basename $header)" ] || ln -s $header "$out/include/"
done
count=0
for source in $(find core -name '*.c' | sort); do
    object=$out/$(echo "$source" | tr / _).o
    $compiler -std=c11 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Werror -D__USE_MINGW_ANSI_STDIO=1 -DYOKE_BUILDING -Iinclude -I. -isystem "$out/include" \
        -c "$source" -o "$object" || {
        echo "mingw.sh: $source does not compile for Windows" >&2
        exit 1
    }
    count=$((count + 1))
done
echo "$count files of core compile for Windows"
