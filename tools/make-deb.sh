#!/bin/sh
# make-deb.sh: builds Debian packages of the last commit into dist/, and has lintian look at them.
#
#   sh tools/make-deb.sh TARBALL
#
# Without libtorch's headers, or with WITH_TORCH=0, libimgret-torch is left out. Needs debhelper and
# dh-python; lintian is used where it is installed, and its errors are failures.
set -eu
cd "$(dirname "$0")/.."
unset MAKEFLAGS MFLAGS CFLAGS CXXFLAGS CPPFLAGS LDFLAGS
tarball=$1
place=${BUILD:-build}/deb
for tool in dpkg-buildpackage dh dh_python3; do
    command -v $tool >/dev/null ||
        { echo "make-deb: $tool is missing: sh tools/install-deps.sh packages" >&2; exit 1; }
done

rm -rf "$place"
mkdir -p "$place"
tar -xzf "$tarball" -C "$place"
source=$(echo "$place"/libimgret-*)
cp -R "$source/packaging/debian" "$source/debian"
version=${source##*-}
head -n 1 "$source/debian/changelog" | grep -qF "($version)" ||
    { echo "make-deb: packaging/debian/changelog is not of version $version" >&2; exit 1; }

profiles=${DEB_BUILD_PROFILES:-}
if [ "${WITH_TORCH:-auto}" = 0 ] || ! dpkg -s libtorch-dev libdnnl-dev libcjson-dev >/dev/null 2>&1; then
    echo "make-deb: without libimgret-torch"
    profiles="$profiles pkg.libimgret.notorch"
fi
if ! (cd "$source" && DEB_BUILD_PROFILES=$profiles dpkg-buildpackage -b -us -uc -j"${JOBS:-2}") \
    >"$place/log" 2>&1; then
    tail -n 40 "$place/log" >&2
    exit 1
fi
mkdir -p dist
cp "$place"/*.deb dist/
if command -v lintian >/dev/null; then
    lintian --fail-on error --suppress-tags bad-distribution-in-changes-file --allow-root \
        "$place"/*.changes || { echo "make-deb: lintian found errors" >&2; exit 1; }
else
    echo "make-deb: skipped: lintian is not installed"
fi
echo "make-deb: $(cd "$place" && echo *.deb)"
