#!/bin/sh
# Runs a Windows program by Wine: CTest's emulator.
# wine.sh PREFIX PROGRAM [ARGUMENT...]
#
# The first Wine process of a prefix starts services, which would inherit this one's descriptors; CTest waits until all
# copies of its pipe are closed, and a server that starts inside a test would keep one for good. So the server and the
# services are started here, by one caller at a time, with nothing of ours open, and the server stays.
set -eu
prefix=$1
shift
# Names of files are what the locale makes of them: in the plain one only ASCII has a place.
export LC_ALL=C.UTF-8
export WINEPREFIX="$prefix" WINEARCH=win64 WINEDEBUG="${WINEDEBUG:--all}"
# No dialogues, no .NET, no browser, no menus; and no debugger, so that a crash ends a program at once.
export WINEDLLOVERRIDES='mscoree,mshtml=;winedbg.exe,winemenubuilder.exe=d'
unset DISPLAY
wine=/usr/lib/wine/wine64
server=/usr/lib/wine/wineserver64

# The server answers a connection to its socket; asking by -k0 only looks whether it is there.
warm() {
    WINEPREFIX="$prefix" "$server" -k0 2>/dev/null
}

start() {
    mkdir -p "$prefix"
    "$server" -p </dev/null >/dev/null 2>&1 9>&-
    "$wine" wineboot </dev/null >/dev/null 2>&1 9>&-
}

if [ "${YOKE_WINE_WARM:-}" != 1 ] && ! warm; then
    exec 9>"$prefix.lock"
    flock 9
    warm || start
    exec 9>&-
fi
exec "$wine" "$@"
