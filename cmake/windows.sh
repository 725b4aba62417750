#!/bin/sh
# Windows, on a Debian machine: installs the compiler and Wine, builds the libraries that are needed, then builds yoke
# and runs its tests by Wine. What takes long is kept in build/windows-deps, or in $YOKE_CACHE.
# windows.sh            everything
# windows.sh setup      all but building and testing yoke
# windows.sh ARGUMENT.. everything; the arguments go to ctest
set -eu
. "$(dirname -- "$0")/common.sh"

cache=${YOKE_CACHE:-$root/build/windows-deps}
mkdir -p "$cache"
cache=$(CDPATH= cd -- "$cache" && pwd)
export YOKE_CACHE="$cache"
. cmake/windows_libraries.sh

step "windows: packages"
need $windows_packages

step "windows: libraries"
make_libraries

step "windows: a Wine prefix that says Windows 10"
if [ ! -f "$cache/wine-is-ready" ]; then
    rm -rf "$cache/wine"
    sh cmake/wine.sh "$cache/wine" winecfg /v win10 </dev/null >"$cache/wine.log" 2>&1 ||
        fail "Wine does not start (see $cache/wine.log)"
    touch "$cache/wine-is-ready"
fi
sh cmake/wine.sh "$cache/wine" cmd /c ver

[ "${1:-}" = setup ] && exit 0

step "windows: build with warnings as errors"
cmake -S . -B build/windows -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/cmake/mingw-toolchain.cmake" \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DYOKE_WARNINGS_AS_ERRORS=ON -DYOKE_BUILD_BENCH=OFF \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
cmake --build build/windows -j "$jobs"

step "windows: tests by Wine"
code=0
ctest --test-dir build/windows -j "$jobs" --output-on-failure --no-tests=error "$@" >build/windows/ctest.log 2>&1 || code=$?
WINEPREFIX="$cache/wine" /usr/lib/wine/wineserver64 -k || true
[ $code = 0 ] || cat build/windows/ctest.log >&2
grep -E 'tests passed|tests failed|Total Test time' build/windows/ctest.log || true
sh cmake/count_tests.sh build/windows/Testing/Temporary/LastTest.log
[ $code = 0 ] || fail "tests failed by Wine"
