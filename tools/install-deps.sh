#!/bin/sh
# install-deps.sh: installs the Debian packages that building, testing and checking need.
#
#   sh tools/install-deps.sh SET... [--optional SET...]
#
# Sets: build test torch reference checks arm64 musl packages peers go.
#
# Installs only what is missing, with apt-get, as root or through sudo where that asks no password.
# Where it may not install, one message names the packages; the exit status is then 1, unless only
# optional ones are missing. INSTALL_DEPS=0 does nothing. Elsewhere than on Debian the needs are
# named and left to the reader.
set -eu

packages_of() {
    case $1 in
    build) echo build-essential pkg-config libsqlite3-dev libstb-dev libxxhash-dev \
                libjpeg62-turbo-dev libpng-dev libwebp-dev liburing-dev ;;
    test) echo libcmocka-dev libopenblas0-pthread ;;
    torch) echo libtorch-dev libdnnl-dev libcjson-dev ;;
    reference) echo python3-pil ;;
    checks) echo abigail-tools cmake mandoc man-db clang libclang-rt-dev llvm clang-format clang-tidy cppcheck git ;;
    arm64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user ;;
    musl) echo musl-tools ;;
    packages) echo debhelper dh-python lintian fakeroot ;;
    peers) echo g++ libhnswlib-dev libfaiss-dev libblas-dev liblapack-dev libopenblas0-pthread ;;
    go) echo golang-go ;;
    *) echo "install-deps.sh: no such set: $1 (build, test, torch, reference, checks, arm64, musl, packages, peers, go)" >&2; exit 2 ;;
    esac
}

needs_of() {
    case $1 in
    build) echo "a C17 compiler, GNU make, pkg-config, SQLite 3, stb_image, xxHash," \
                "libjpeg(-turbo), libpng, libwebp, liburing (with headers)" ;;
    test) echo "cmocka, OpenBLAS (at run time, for learning a PCA)" ;;
    torch) echo "libtorch, oneDNN 2, cJSON, a C++17 compiler (optional: the torch plugin)" ;;
    reference) echo "Python 3 with Pillow (optional: what resizing is compared with)" ;;
    checks) echo "libabigail (abidiff), clang with its sanitizer runtime, clang-format, clang-tidy," \
                 "cppcheck, git" ;;
    packages) echo "debhelper, dh-python, lintian (make deb, on Debian alone)" ;;
    peers) echo "hnswlib, Faiss (optional: what imgret-bench peers measures)" ;;
    go) echo "Go 1.19 or later with cgo (optional: the tests of bindings/go)" ;;
    musl) echo "musl-gcc (optional: compiling against musl)" ;;
    arm64) echo "a cross compiler for arm64 with its libc, qemu-aarch64 (user mode)" ;;
    esac
}

missing_of() {
    for package in $1; do
        dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed$' || echo "$package"
    done
}

say() { echo "install-deps: $*" >&2; }

# Shows what apt-get says only when it fails: it says a lot.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 ||
        { cat "$log" >&2; return 1; }
}

# True when the package lists are there and younger than a week.
lists_fresh() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -7 2>/dev/null)" ]
}

install() {
    updated=0
    if ! lists_fresh; then
        apt update || return 1
        updated=1
    fi
    apt install -y --no-install-recommends "$@" && return 0
    [ "$updated" = 0 ] || return 1
    say "trying again with new package lists"
    apt update && apt install -y --no-install-recommends "$@"
}

sets='' optional_sets='' optional=0
for word in "$@"; do
    case $word in
    --optional) optional=1 ;;
    *)
        packages_of "$word" >/dev/null
        if [ $optional = 1 ]; then
            optional_sets="$optional_sets $word"
        else
            sets="$sets $word"
        fi ;;
    esac
done

[ "${INSTALL_DEPS:-1}" != 0 ] || exit 0

if ! command -v dpkg >/dev/null || ! command -v apt-get >/dev/null; then
    say "no Debian package manager here. What is needed:"
    for set in $sets $optional_sets; do say "  $set: $(needs_of "$set")"; done
    exit 0
fi

required=''
for set in $sets; do required="$required $(packages_of "$set")"; done
wanted=''
for set in $optional_sets; do wanted="$wanted $(packages_of "$set")"; done
required=$(missing_of "$required" | tr '\n' ' ')
wanted=$(missing_of "$wanted" | tr '\n' ' ')
[ -n "$required$wanted" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=''
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    say "packages are missing and this user may not install them. Please run:"
    say "  sudo apt-get install --no-install-recommends $required$wanted"
    [ -z "$required" ] || exit 1
    say "going on: they are optional"
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# One transaction where all goes well; where it does not, the optional ones must not spoil it.
say "installing $required$wanted"
# shellcheck disable=SC2086
if install $required $wanted; then
    exit 0
fi
if [ -z "$required" ]; then
    say "going on without $wanted(optional)"
    exit 0
fi
# shellcheck disable=SC2086
if [ -n "$wanted" ] && install $required; then
    say "going on without $wanted(optional)"
    exit 0
fi
say "cannot install: $required"
exit 1
