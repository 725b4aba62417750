#!/bin/sh
# Installs what is missing, builds the library, and runs the main job: a parallel word count over the project's own
# sources. Arguments go to the word count instead: cmake/run.sh --help
set -eu
. "$(dirname -- "$0")/common.sh"

caller=${OLDPWD:-$root}

step "packages that building needs"
need $build_packages

step "configure into build/release"
cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DYOKE_BUILD_TESTS=OFF

step "build"
cmake --build build/release -j "$jobs"

program=$root/build/release/docs/examples/wordcount
[ -x "$program" ] || fail "the build made no $program"
if [ $# = 0 ]; then
    step "word count over include, core, backends, docs and tests"
    "$program" include core backends docs tests
else
    step "word count: $*"
    cd "$caller"
    "$program" "$@"
fi
step "done"
