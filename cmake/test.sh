#!/bin/sh
# Installs what is missing, builds, and passes all tests. `cmake/test.sh STEP...` runs only the named steps; their names
# stand in `all_steps`. `cmake/test.sh --full [STEP...]` takes hours: every kill point, long random kills, long fuzzing.
set -eu
. "$(dirname -- "$0")/common.sh"

all_steps="packages format gcc package clang tidy sanitize threads fuzz valgrind docs mingw windows other_posix models"
if [ "${1:-}" = --full ]; then
    shift
    export YOKE_CRASH_FULL=1 YOKE_CRASH_STRIDE=1 YOKE_TEST_FULL=1 YOKE_STRESS_SECONDS=600
    test_timeout=86400 fuzz_seconds=600
else
    test_timeout=0 fuzz_seconds=20
fi
[ $# = 0 ] && set -- $all_steps
passed=0
summary=

# What tests may have left behind: shared memory, and started children that still run.
leftovers() {
    find /dev/shm -maxdepth 1 -name '*yoke*' 2>/dev/null | sort
    for command in /proc/[0-9]*/cmdline; do
        # Only those of this tree: others may be testing on this machine too.
        case $(readlink "${command%/cmdline}/exe" 2>/dev/null) in
        "$root"/*) ;;
        *) continue ;;
        esac
        if cat "$command" 2>/dev/null | tr '\0' ' ' | grep -q -- ' --yoke-child='; then
            echo "process ${command%/cmdline}"
        fi
    done
}

# Every closing line of ctest is kept for the end. One test more than there are CPUs: many sleep most of the time.
run_ctest() {
    directory=$1
    shift
    leftovers >"$directory/leftovers.before"
    log=$directory/ctest.log
    code=0
    ctest --test-dir "$directory" -j $((jobs + 1)) --output-on-failure --no-tests=error "$@" >"$log" 2>&1 || code=$?
    grep -E '^ *[0-9]+/[0-9]+ Test|tests passed|tests failed|Total Test time' "$log" || true
    if [ $code != 0 ]; then
        cat "$log" >&2
        fail "tests failed in $directory"
    fi
    leftovers >"$directory/leftovers.after"
    left=$(comm -13 "$directory/leftovers.before" "$directory/leftovers.after")
    [ -z "$left" ] || fail "tests in $directory left behind: $left"
    summary="$summary
$directory: $(grep 'tests passed' "$log")"
}

# configure DIRECTORY C-COMPILER C++-COMPILER OPTION...
configure() {
    directory=$1 cc=$2 cxx=$3
    shift 3
    cmake -S . -B "$directory" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
        -DYOKE_WARNINGS_AS_ERRORS=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DYOKE_TEST_TIMEOUT="$test_timeout" \
        -DYOKE_FUZZ_SECONDS="$fuzz_seconds" "$@"
}

do_packages() {
    step "packages that building and testing need"
    need $test_packages
}

do_format() {
    step "format: clang-format"
    find include core backends tests docs/examples \( -name '*.[ch]' -o -name '*.cpp' \) -print 2>/dev/null |
        sort | xargs clang-format --dry-run --Werror || fail "some files are not formatted: run clang-format -i on them"
}

do_gcc() {
    step "gcc: build with warnings as errors"
    configure build/gcc gcc g++ -DCMAKE_BUILD_TYPE=RelWithDebInfo
    cmake --build build/gcc -j "$jobs"
    step "gcc: all tests, both ways of waiting, all start methods"
    run_ctest build/gcc -LE package
}

do_package() {
    step "package: consumers built from the installed tree"
    run_ctest build/gcc -L package
}

do_clang() {
    step "clang: build with warnings as errors"
    configure build/clang clang clang++ -DCMAKE_BUILD_TYPE=Debug
    cmake --build build/clang -j "$jobs"
    step "clang: unit tests and checks"
    run_ctest build/clang -L '^(unit|check)$'
}

do_tidy() {
    step "tidy: clang-tidy over core and backends"
    [ -f build/clang/compile_commands.json ] || configure build/clang clang clang++ -DCMAKE_BUILD_TYPE=Debug
    find core backends/uv backends/posix backends/helper -name '*.c' -print 2>/dev/null | sort |
        xargs -P "$jobs" -n 1 clang-tidy --quiet -p build/clang 2>build/clang/tidy.log ||
        fail "clang-tidy found something (see above)"
}

do_sanitize() {
    step "sanitize: build with the address and undefined behaviour sanitizers"
    configure build/sanitize gcc g++ -DCMAKE_BUILD_TYPE=Debug -DYOKE_SANITIZE=address,undefined -DYOKE_BUILD_BENCH=OFF
    cmake --build build/sanitize -j "$jobs"
    step "sanitize: all tests but those that step through single instructions"
    run_ctest build/sanitize -LE 'crash|check'
}

# One mapping is all that the thread sanitizer can see: tests whose threads meet in one process. What is suppressed stands
# in tests/support/threads.supp, each with its reason; of the library it is one look, yoke__queue_glance().
threads_tests="stress.queue_threads conformance.pipe_threads conformance.watch conformance.watch_busy
    conformance.watch_ends conformance.watch_native conformance.wait_many conformance.wait_conns
    conformance.wait_listeners conformance.conn_loop conformance.conn_loop_ends
    conformance.listener_loop unit.lock unit.local unit.queue
    unit.queue_close unit.queue_redelivered unit.queue_task stress.shareable unit.shareable unit.semaphore
    unit.permits unit.event unit.condition unit.barrier"

do_threads() {
    step "threads: the thread sanitizer over tests of many threads in one process"
    configure build/threads gcc g++ -DCMAKE_BUILD_TYPE=Debug -DYOKE_SANITIZE=thread -DYOKE_BUILD_BENCH=OFF \
        -DYOKE_BUILD_EXAMPLES=OFF
    # shellcheck disable=SC2086
    cmake --build build/threads -j "$jobs" --target $threads_tests
    TSAN_OPTIONS="suppressions=$root/tests/support/threads.supp ${TSAN_OPTIONS:-}"
    export TSAN_OPTIONS
    run_ctest build/threads -R "^($(echo $threads_tests | tr ' ' '|'))\.(native|parking)$"
    unset TSAN_OPTIONS
}

do_fuzz() {
    step "fuzz: hostile bytes for some seconds each, with sanitizers"
    configure build/fuzz clang clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DYOKE_FUZZ=ON \
        -DYOKE_SANITIZE=address,undefined -DYOKE_BUILD_BENCH=OFF -DYOKE_BUILD_EXAMPLES=OFF -DYOKE_BUILD_SHARED=OFF
    cmake --build build/fuzz -j "$jobs"
    run_ctest build/fuzz
}

# Debian's valgrind has no pidfd_open, so under it the library can't tell who is dead: only tests in which nobody dies.
valgrind_tests="allocator args args_macro args_macro_cpp array backend_registry bell channel code conn_move deadline
    environment error frame handle leak lifeline local local_wait pack record ring value variant"

do_valgrind() {
    step "valgrind: unit tests in which nobody dies"
    [ -f build/gcc/build.ninja ] || fail "the step valgrind needs the step gcc before it"
    for name in $valgrind_tests; do
        echo "build/gcc/tests/unit.$name"
    done >build/gcc/valgrind.list
    count=$(wc -l <build/gcc/valgrind.list)
    xargs -P "$jobs" -n 1 sh cmake/valgrind.sh <build/gcc/valgrind.list ||
        fail "some unit tests are not clean under valgrind (see above)"
    summary="$summary
valgrind: $count passed, 0 failed"
}

do_docs() {
    step "docs: Doxygen, warnings as errors"
    configure build/docs gcc g++ -DYOKE_BUILD_DOCS=ON -DYOKE_BUILD_TESTS=OFF -DYOKE_BUILD_EXAMPLES=OFF \
        -DYOKE_BUILD_BENCH=OFF >/dev/null
    cmake --build build/docs --target docs
    [ -f build/docs/docs/html/index.html ] || fail "Doxygen made no pages"
    echo "pages: build/docs/docs/html/index.html"
}

do_mingw() {
    step "mingw: core compiles for Windows"
    sh cmake/mingw.sh build/mingw
}

do_windows() {
    sh cmake/windows.sh
    summary="$summary
build/windows: $(grep 'tests passed' build/windows/ctest.log)"
}

do_models() {
    step "models: Spin, with planted faults"
    mkdir -p build/models
    sh cmake/models.sh build/models
}

do_other_posix() {
    step "other_posix: the backend compiles without its Linux branches"
    sh cmake/other_posix.sh
}

for name in "$@"; do
    case " $all_steps " in
    *" $name "*) ;;
    *) fail "there is no step '$name'; there are: $all_steps" ;;
    esac
done
for name in "$@"; do
    "do_$name"
    passed=$((passed + 1))
done

step "all done"
echo "$passed steps passed, 0 failed: $*$summary"
