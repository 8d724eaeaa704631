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
    lib/pkgconfig/imgret.pc lib/cmake/imgret/imgret-config.cmake bin/imgret share/man/man1/imgret.1 \
    share/bash-completion/completions/imgret share/zsh/site-functions/_imgret \
    share/fish/vendor_completions.d/imgret.fish; do
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

# An example against the installed copy, as its first lines say, with either library.
# shellcheck disable=SC2046
${CC:-cc} examples/vectors_only.c -o "$work/example" $(config --cflags --libs)
LD_LIBRARY_PATH="$place/lib" "$work/example" "$work/example.imgret" | grep -q "^16 of 16"

version=$(config --modversion)
mv "$place" "$work/moved"
"$work/moved/bin/imgret" --version | grep -F "$version" ||
    { echo "check-install: the moved command does not run or is not $version" >&2; exit 1; }
# CMake finds the moved tree; programs of both libraries run; a version that does not fit is refused.
if command -v cmake >/dev/null; then
    cmake -S tests/abi/cmake -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/moved" \
        -DCMAKE_C_COMPILER="$(command -v "${CC:-cc}")" -DWANTED="${version%.*}" >"$work/cmake.log" 2>&1 &&
        cmake --build "$work/cmake" >>"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" >&2; exit 1; }
    for kind in shared static; do
        "$work/cmake/$kind" "$work/cmake-$kind.imgret" | grep -q "^16 of 16"
    done
    if readelf -d "$work/cmake/static" | grep libimgret; then
        echo "check-install: CMake's static program loads the shared library" >&2
        exit 1
    fi
    for wanted in 99.0 0.99; do
        if cmake -S tests/abi/cmake -B "$work/cmake-$wanted" -DCMAKE_PREFIX_PATH="$work/moved" \
            -DWANTED=$wanted >/dev/null 2>&1; then
            echo "check-install: CMake found version $wanted" >&2
            exit 1
        fi
    done
else
    echo "check-install: skipped: cmake is not installed, find_package was not tried"
fi
if readelf -d "$work/moved/bin/imgret" "$work/moved/lib/libimgret.so" | grep -F "$PWD"; then
    echo "check-install: the installed files point into the source tree" >&2
    exit 1
fi

mkdir -p "$(dirname "$place")"
mv "$work/moved" "$place"
build uninstall
left=$(find "$root" ! -type d)
[ -z "$left" ] || { echo "check-install: uninstall left: $left" >&2; exit 1; }
# Libraries and headers elsewhere, as a distribution has them.
apart="LIBDIR=$prefix/lib/some-arch INCLUDEDIR=$prefix/include/other BINDIR=/usr/bin"
# shellcheck disable=SC2086
build install $apart
[ -s "$place/lib/some-arch/cmake/imgret/imgret-config.cmake" ] && [ -s "$place/include/other/imgret/imgret.h" ]
place_flags=$(PKG_CONFIG_LIBDIR="$place/lib/some-arch/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
    pkg-config --cflags --libs imgret)
# shellcheck disable=SC2086
${CC:-cc} -std=c11 tests/abi/consumer.c -o "$work/apart" $place_flags
LD_LIBRARY_PATH="$place/lib/some-arch" "$work/apart" "$work/apart.imgret"
"$root/usr/bin/imgret" --version >/dev/null
if command -v cmake >/dev/null; then
    cmake -S tests/abi/cmake -B "$work/cmake-apart" \
        -Dimgret_DIR="$place/lib/some-arch/cmake/imgret" >/dev/null
    cmake --build "$work/cmake-apart" --target shared >/dev/null
fi
# shellcheck disable=SC2086
build uninstall $apart
left=$(find "$root" ! -type d)
[ -z "$left" ] || { echo "check-install: uninstall left: $left" >&2; exit 1; }
echo "check-install: installed, built against, moved, run and uninstalled"
