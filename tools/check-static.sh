#!/bin/sh
# check-static.sh: cppcheck, clang-tidy and gcc's analyzer find nothing in the sources.
#
#   DEFINES='-D...' sh tools/check-static.sh [FILE...]
#
# Without files: all of src/ and cli/ that this machine's processor can compile. A finding that is wrong is
# suppressed in its place, with the reason beside it; kinds that are left out altogether are here and in
# .clang-tidy, each with its reason. A tool that is not installed is said and passed over.
set -eu
cd "$(dirname "$0")/.."
failed=0 tools=0
# The folder is any string: quotes would not survive the shells below.
defines="-D_GNU_SOURCE -DIMGRET_PLUGIN_DIR=__FILE__ ${DEFINES:-}"
foreign='avx|neon'
files=${*:-$(find src cli -name '*.c' | grep -vE "$foreign" | sort)}

# uninitvar and its kin: do not follow "status" from one condition to the next; the compilers, which do, warn.
if command -v cppcheck >/dev/null; then
    tools=$((tools + 1))
    # shellcheck disable=SC2086
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=legacyUninitvar --suppress=uninitStructMember \
        --suppress=normalCheckLevelMaxBranches \
        --template='{file}:{line}: {id}: {message}' $defines -Iinclude -Isrc -Icli $files || failed=1
else
    echo "check-static: skipped: cppcheck is not installed"
fi
if command -v clang-tidy >/dev/null; then
    tools=$((tools + 1))
    # shellcheck disable=SC2086
    for file in $files; do
        printf '%s\n' "$file"
    done | xargs -P "$(nproc)" -n 8 sh -c 'clang-tidy --quiet "$@" -- -std=c17 '"$defines"' \
        -Iinclude -Isrc -Icli 2>/dev/null' sh || failed=1
else
    echo "check-static: skipped: clang-tidy is not installed"
fi
# In the rooms where bytes from outside and system resources are handled. In others it does not see that
# ir_fail never returns 0, and takes every pointer after it for NULL.
analyzed=$(printf '%s\n' $files | grep -E '^src/(base|io|decode|analyze|linalg)/' || true)
if [ -z "$analyzed" ]; then
    : # none of the files asked for is in them
elif gcc -fanalyzer -x c -c /dev/null -o /dev/null 2>/dev/null; then
    tools=$((tools + 1))
    printf '%s\n' $analyzed | xargs -P "$(nproc)" -n 1 sh -c 'gcc -std=c17 -O1 -fanalyzer -Werror '"$defines"' \
        -Iinclude -Isrc -c "$@" -o /dev/null' sh || failed=1
else
    echo "check-static: skipped: gcc has no analyzer"
fi
[ $failed != 0 ] || echo "check-static: $tools tools, nothing found"
exit $failed
