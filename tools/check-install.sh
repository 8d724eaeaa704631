#!/bin/sh
# check-install.sh: installs into an empty folder, builds and runs a program against that copy
# through pkg-config, moves the copy and runs its command, and uninstalls it again.
set -eu
cd "$(dirname "$0")/.."
unset MAKEFLAGS MFLAGS # of the make that called this
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root="$work/root" prefix=/opt/imgret
place="$root$prefix"

build() { make --no-print-directory BUILD="${BUILD:-build}" DESTDIR="$root" PREFIX="$prefix" "$@"; }

build install
for file in include/imgret/imgret.h include/imgret/backend.h lib/libimgret.a lib/libimgret.so \
    lib/pkgconfig/imgret.pc bin/imgret; do
    [ -s "$place/$file" ] || { echo "check-install: $file was not installed" >&2; exit 1; }
done

config() {
    PKG_CONFIG_LIBDIR="$place/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" pkg-config "$@" imgret
}
# shellcheck disable=SC2046
${CC:-cc} -std=c11 -Wall -Wextra -Werror tests/abi/consumer.c \
    -o "$work/shared" $(config --cflags --libs)
LD_LIBRARY_PATH="$place/lib" "$work/shared" "$work/shared.imgret"

# The archive instead of the shared library, with what it needs itself.
# shellcheck disable=SC2046
${CC:-cc} -std=c11 tests/abi/consumer.c -o "$work/static" $(config --cflags) \
    "$place/lib/libimgret.a" $(config --static --libs | tr ' ' '\n' | grep -v -e '-limgret$')
"$work/static" "$work/static.imgret"

version=$(config --modversion)
mv "$place" "$work/moved"
"$work/moved/bin/imgret" --version | grep -F "$version" ||
    { echo "check-install: the moved command does not run or is not $version" >&2; exit 1; }
if readelf -d "$work/moved/bin/imgret" "$work/moved/lib/libimgret.so" | grep -F "$PWD"; then
    echo "check-install: the installed files point into the source tree" >&2
    exit 1
fi

mkdir -p "$(dirname "$place")"
mv "$work/moved" "$place"
build uninstall
left=$(find "$root" ! -type d)
[ -z "$left" ] || { echo "check-install: uninstall left: $left" >&2; exit 1; }
echo "check-install: installed, built against, moved, run and uninstalled"
