#!/bin/sh
# test_python.sh: runs tests/python with each Python from 3.9 on that is found: the first python3 of
# the path, the system's, which may have numpy, Pillow and torch, and python3.9, the oldest that is
# supported, where it is installed. PYTHON=... names others.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${IMGRET_BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
export IMGRET_BUILD="$build" IMGRET_LIBRARY="$build/libimgret.so.0"
export IMGRET_TEST_PLUGINS="${IMGRET_TEST_PLUGINS:-$build/tests/plugins}"
export PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

if grep -q -e '-fsanitize' "$build/flags" 2>/dev/null; then
    skip_all "a library with a sanitizer cannot be loaded into a plain Python"
fi

seen=' ' failed=0 ran=0
for python in ${PYTHON:-python3 /usr/bin/python3 python3.9}; do
    place=$("$python" -c 'import sys
if sys.version_info >= (3, 9): print(sys.executable)' 2>/dev/null) || continue
    [ -n "$place" ] || continue
    place=$(readlink -f "$place")
    case $seen in *" $place "*) continue ;; esac
    seen="$seen$place "
    ran=1
    echo "# $place: $("$python" --version 2>&1)"
    "$python" tests/python/run_tap.py ${T_PYTHON:-} || failed=1
done
[ $ran = 1 ] || skip_all "no python3 of version 3.9 or later was found"
exit $failed
