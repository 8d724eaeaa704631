#!/bin/sh
# dist.sh: the tarball holds the commit and nothing else, and is the same bytes every time.
set -u
if ! command -v git >/dev/null || ! git rev-parse --git-dir >/dev/null 2>&1; then
    echo "1..0 # SKIP this is no git checkout"
    exit 0
fi
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS
number=0
failed=0

check() { # name, command...
    name=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/said" 2>&1; then
        echo "ok $number - $name"
    else
        failed=1
        echo "not ok $number - $name"
        sed 's/^/# /' "$work/said" | tail -n 20
    fi
}

git clone -q "$source" "$work/one" && cp -R "$work/one" "$work/two" || exit 1
echo "left behind" >"$work/two/not-in-the-commit.txt"
find "$work/two" -type f ! -path '*/.git/*' -exec touch -d 2001-01-01 {} +
dist() { (cd "$1" && make -s dist); }
other() { (cd "$1" && umask 077 && TZ=Asia/Tokyo LC_ALL=C make -s dist); }
check "make dist" dist "$work/one"
check "and again, another day, place and user's settings" other "$work/two"
check "gives the same bytes" sh -c "cmp '$work'/one/dist/*.tar.gz '$work'/two/dist/*.tar.gz"

holds_commit() {
    mkdir "$work/unpacked" && tar -xzf "$work"/one/dist/libimgret-*.tar.gz -C "$work/unpacked" &&
        cd "$work"/unpacked/libimgret-* || return 1
    find . -type f | sed 's|^\./||' | LC_ALL=C sort >"$work/found"
    git -C "$work/one" ls-files | LC_ALL=C sort | diff - "$work/found"
}
check "it holds the files of the commit" holds_commit
builds() { cd "$work"/unpacked/libimgret-* && make -n all man INSTALL_DEPS=0 >/dev/null; }
check "and make knows what to do in it" builds
echo "1..$number"
exit $failed
