# shellcheck shell=sh disable=SC2034,SC1007
# Sourced by the commands of this folder: saying what is done, failing with a sentence, installing what is missing.

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 1
jobs=$(nproc 2>/dev/null || echo 2)
started=$(date +%s)
step_name=starting

step() {
    step_name=$*
    echo
    echo "== [$(($(date +%s) - started)) s] $*"
}

fail() {
    step_name=
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# With `set -e`, whatever fails ends the command here: it must not end without a sentence.
trap 'code=$?; [ $code = 0 ] || [ -z "$step_name" ] ||
    echo "$(basename "$0"): failed while: $step_name (exit code $code)" >&2' EXIT

# need PACKAGE...: installs with apt those that are missing.
need() {
    command -v dpkg-query >/dev/null || fail "this is no Debian or Ubuntu: please install by hand: $*"
    missing=
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=missing
        [ "$state" = installed ] || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        echo "nothing is missing"
        return
    fi
    echo "missing:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing, and there is neither root nor sudo:$missing"
        as_root=sudo
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
        fail "apt-get update failed: is the network there?"
    # shellcheck disable=SC2086 # the list is meant to be split
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing ||
        fail "apt-get could not install:$missing"
}

build_packages="gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libmsgpack-dev nettle-dev"
test_packages="$build_packages g++ libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy valgrind doxygen
    gcc-mingw-w64-x86-64-win32 spin"
windows_packages="$build_packages dpkg-dev gcc-mingw-w64-x86-64-win32 g++-mingw-w64-x86-64-win32 wine64"
