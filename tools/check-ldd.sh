#!/bin/sh
# check-ldd.sh: what the library and the command load at start: no libstdc++, no libtorch. And what the
# library weighs: under 2 MB without what a debugger reads.
#
#   sh tools/check-ldd.sh LIBRARY [PROGRAM...]
#
# ALLOWED (names, spaces between) replaces the list of libraries other than libc that may be needed
# directly: for builds with fewer codecs.
set -eu
failed=0
allowed="${ALLOWED:-libsqlite3.so.0 libjpeg.so.62 libjpeg.so.8 libpng16.so.16 libwebp.so.7
         libwebpdemux.so.2 liburing.so.2}
         libimgret.so.0 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 libgcc_s.so.1
         ld-linux-x86-64.so.2 ld-linux-aarch64.so.1"

complain() { echo "check-ldd: $*" >&2; failed=1; }

[ $# -gt 0 ] || { echo "usage: check-ldd.sh LIBRARY [PROGRAM...]" >&2; exit 2; }
for file in "$@"; do
    needed=$(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p')
    [ -n "$needed" ] || complain "$file: no dynamic section, or it needs not even libc"
    for library in $needed; do
        echo "$allowed" | grep -qwF -e "$library" ||
            complain "$file needs $library, which the core may not"
    done
    loaded=$(ldd "$file") || complain "ldd cannot read $file"
    for forbidden in 'libstdc++' 'libtorch' 'libc10' 'libcjson' 'not found'; do
        case $loaded in
        *"$forbidden"*) complain "$file loads $forbidden: $(echo "$loaded" | grep -F "$forbidden")" ;;
        esac
    done
    echo "check-ldd: $file needs $(echo "$needed" | tr '\n' ' ')"
    case $file in
    *.so*)
        stripped=$(mktemp)
        strip --strip-unneeded -o "$stripped" "$file"
        bytes=$(wc -c <"$stripped")
        rm -f "$stripped"
        [ "$bytes" -lt 2000000 ] || complain "$file has $bytes bytes when stripped, 2,000,000 are too many"
        echo "check-ldd: $file has $bytes bytes when stripped" ;;
    esac
done
exit $failed
