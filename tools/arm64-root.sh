#!/bin/sh
# arm64-root.sh: unpacks Debian's arm64 libraries and headers into a folder, to build against and to
# run with under qemu-aarch64. Nothing is installed and nothing of it runs here as it is unpacked.
#
#   sh tools/arm64-root.sh FOLDER
set -eu
root=$1
[ ! -e "$root/complete" ] || exit 0
packages="libsqlite3-dev libsqlite3-0 libjpeg62-turbo-dev libjpeg62-turbo libpng-dev libpng16-16 zlib1g-dev
    zlib1g libwebp-dev libwebp7 libwebpdemux2 libwebpmux3 liburing-dev liburing2 libcmocka-dev libcmocka0
    libstb-dev libxxhash-dev libxxhash0 libc6 libgcc-s1"
command -v apt-get >/dev/null || { echo "arm64-root: no apt-get here" >&2; exit 1; }
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial"
root=$(cd "$root" && pwd -P)
# apt-get with a memory of its own: this machine's lists and architectures stay as they are.
own_apt() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$root/apt" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$root/apt/cache" -o APT::Sandbox::User= \
        -o Dir::Etc::sourcelist="$root/apt/sources" -o Dir::Etc::sourceparts=- "$@"
}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${MIRROR:-http://deb.debian.org/debian} bookworm main" \
    >"$root/apt/sources"
own_apt update >"$root/log" 2>&1 || { cat "$root/log" >&2; exit 1; }
# shellcheck disable=SC2086
(cd "$root/apt/cache" && own_apt download $packages) >>"$root/log" 2>&1 || { tail "$root/log" >&2; exit 1; }
for package in "$root"/apt/cache/*.deb; do
    dpkg-deb -x "$package" "$root"
done
rm -rf "$root/apt"
touch "$root/complete"
