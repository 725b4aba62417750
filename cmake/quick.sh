#!/bin/sh
# The loop while editing: builds and runs the unit tests and the checks of the tree. Arguments go to ctest:
# cmake/quick.sh -R queue
set -eu
. "$(dirname -- "$0")/common.sh"

step "configure and build into build/quick"
[ -f build/quick/build.ninja ] || cmake -S . -B build/quick -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DYOKE_WARNINGS_AS_ERRORS=ON -DYOKE_BUILD_BENCH=OFF
cmake --build build/quick -j "$jobs"

step "tests"
if [ $# = 0 ]; then
    set -- -L '^(unit|check)$'
fi
ctest --test-dir build/quick -j "$jobs" --output-on-failure --no-tests=error "$@"
