#!/bin/sh
# check-musl.sh: the library and imgret-decode compile against musl's headers, without codecs.
#
#   sh tools/check-musl.sh BUILD-FOLDER
#
# Debian has musl but no SQLite built with it, so nothing is linked here. The headers of other packages
# and of the kernel say the same to every libc; they lie in a folder of their own, without glibc's.
set -eu
cd "$(dirname "$0")/.."
build=$1
if ! command -v musl-gcc >/dev/null; then
    echo "check-musl: skipped: musl-gcc is not installed (musl-tools)"
    exit 0
fi
mkdir -p "$build/foreign"
for header in sqlite3.h xxhash.h stb linux asm-generic; do
    ln -sfn "/usr/include/$header" "$build/foreign/$header"
done
ln -sfn "/usr/include/$(uname -m)-linux-gnu/asm" "$build/foreign/asm"
make --no-print-directory BUILD="$build" CC=musl-gcc WERROR=1 WITH_TURBOJPEG=0 WITH_PNG=0 WITH_WEBP=0 WITH_URING=0 \
    WITH_TORCH=0 CPPFLAGS="-isystem $build/foreign" \
    "$build/libimgret.a" "$build/obj/src/decode/worker_main.o"
echo "check-musl: library and imgret-decode compile"
