# shellcheck shell=sh disable=SC2154
# Sourced by windows.sh: the libraries that yoke and its tests need, built for Windows from Debian's source packages,
# which have no packages of their own for it. Static, into $cache/prefix.

triple=x86_64-w64-mingw32
prefix=$cache/prefix
sources=$cache/sources

# apt with a list of its own, made from the system's: nothing under /etc changes.
source_lists() {
    mkdir -p "$sources/apt/parts" "$sources/apt/lists/partial"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -f "$list" ] && grep -q '/debian' "$list" || continue
        case $list in
        *.sources) sed 's/^Types:.*/Types: deb-src/' "$list" ;;
        *) sed -n 's/^deb /deb-src /p' "$list" ;;
        esac >"$sources/apt/parts/$(basename "$list")"
    done
}

apt_source() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$sources/apt/parts" \
        -o Dir::State::lists="$sources/apt/lists" -o APT::Sandbox::User=root "$@"
}

fetch_sources() {
    source_lists
    apt_source update || fail "apt-get update of source packages failed: is the network there?"
    (cd "$sources" && apt_source source libuv1 cmocka msgpack-c nettle) || fail "apt-get source failed"
}

# source_of PACKAGE: the folder that dpkg-source has unpacked.
source_of() {
    find "$sources" -mindepth 1 -maxdepth 1 -type d -name "$1-*" | head -1
}

# cmake_build PACKAGE TARGET OPTION...
cmake_build() {
    package=$1 target=$2
    shift 2
    cmake -S "$(source_of "$package")" -B "$sources/build-$package" -G Ninja -DCMAKE_SYSTEM_NAME=Windows \
        -DCMAKE_C_COMPILER=$triple-gcc-win32 -DCMAKE_CXX_COMPILER=$triple-g++-win32 \
        -DCMAKE_RC_COMPILER=$triple-windres -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=OFF "$@" >/dev/null
    cmake --build "$sources/build-$package" -j "$jobs" --target "$target" >"$sources/build-$package.log" 2>&1 || {
        tail -30 "$sources/build-$package.log" >&2
        fail "$package does not build for Windows"
    }
}

# describe NAME VERSION LIBS: a pkg-config file.
describe() {
    cat >"$prefix/lib/pkgconfig/$1.pc" <<END
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Description: $1 for Windows, static
Version: $2
Cflags: -I\${includedir}
Libs: -L\${libdir} $3
END
}

# version_of PACKAGE: from the name of its folder.
version_of() {
    basename "$(source_of "$1")" | sed 's/.*-//'
}

build_libuv() {
    cmake_build libuv1 uv_a -DLIBUV_BUILD_TESTS=OFF -DLIBUV_BUILD_BENCH=OFF
    cp "$sources/build-libuv1/libuv_a.a" "$prefix/lib/"
    cp -r "$(source_of libuv1)/include/." "$prefix/include/"
    describe libuv "$(version_of libuv1)" \
        "-luv_a -lws2_32 -liphlpapi -luserenv -lpsapi -ladvapi32 -luser32 -ldbghelp -lole32 -lshell32"
}

build_cmocka() {
    cmake_build cmocka cmocka-static -DWITH_STATIC_LIB=ON -DUNIT_TESTING=OFF -DWITH_EXAMPLES=OFF
    cp "$(find "$sources/build-cmocka" -name 'libcmocka-static.a')" "$prefix/lib/libcmocka.a"
    cp "$(source_of cmocka)"/include/cmocka*.h "$prefix/include/"
    describe cmocka "$(version_of cmocka)" -lcmocka
}

build_msgpack() {
    cmake_build msgpack-c all -DMSGPACK_BUILD_EXAMPLES=OFF -DMSGPACK_BUILD_TESTS=OFF -DMSGPACK_ENABLE_SHARED=OFF
    cp "$(find "$sources/build-msgpack-c" -name 'libmsgpack*.a')" "$prefix/lib/libmsgpackc.a"
    cp -r "$(source_of msgpack-c)/include/." "$sources/build-msgpack-c/include/." "$prefix/include/"
    describe msgpack "$(version_of msgpack-c)" -lmsgpackc
}

# Only the half without public keys, which needs no big numbers.
build_nettle() {
    mkdir -p "$sources/build-nettle"
    # Debian's patches are younger than what autoconf has made, which is not to be made anew.
    for made in aclocal.m4 configure config.h.in stamp-h.in; do
        touch "$(source_of nettle)/$made"
    done
    (cd "$sources/build-nettle" && "$(source_of nettle)/configure" --host=$triple CC=$triple-gcc-win32 --disable-shared \
        --disable-public-key --disable-assembler --disable-openssl --disable-documentation --prefix="$prefix" \
        --libdir="$prefix/lib" && make -j "$jobs" libnettle.a && make install-static install-headers) \
        >"$sources/build-nettle.log" 2>&1 || {
        tail -30 "$sources/build-nettle.log" >&2
        fail "nettle does not build for Windows"
    }
    describe nettle "$(version_of nettle)" -lnettle
}

# Anew only when this file has changed.
make_libraries() {
    stamp=$(cksum <cmake/windows_libraries.sh)
    if [ "$(cat "$cache/libraries" 2>/dev/null)" = "$stamp" ]; then
        echo "made already: $prefix"
        return
    fi
    rm -rf "$prefix" "$sources"
    mkdir -p "$prefix/lib/pkgconfig" "$prefix/include" "$sources"
    fetch_sources
    for library in libuv cmocka msgpack nettle; do
        "build_$library"
    done
    rm -rf "$sources"
    echo "$stamp" >"$cache/libraries"
}
