#!/bin/sh
# check-format.sh: says which files clang-format would change; passes where it is not installed.
#
#   sh tools/check-format.sh [--fix]
#
# --fix changes them. Another version of clang-format sees some things otherwise: 14, Debian 12's, decides.
set -eu
cd "$(dirname "$0")/.."
if ! command -v clang-format >/dev/null; then
    echo "check-format: skipped: clang-format is not installed"
    exit 0
fi
version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
if [ "$version" != 14 ]; then
    echo "check-format: skipped: this is clang-format $version, not 14"
    exit 0
fi
# Headers of old versions stay as they were.
files=$(find include src lib cli examples bench bindings tests \
            \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null |
    grep -v '^tests/abi/imgret-' | sort)
if [ "${1:-}" = --fix ]; then
    # shellcheck disable=SC2086
    clang-format -i $files
    exit 0
fi
wrong=$(for file in $files; do
    clang-format "$file" | cmp -s - "$file" || echo "$file"
done)
if [ -n "$wrong" ]; then
    for file in $wrong; do
        clang-format "$file" | diff -u --label "$file" --label "$file, formatted" "$file" - | head -n 20
    done
    echo "check-format: $(echo "$wrong" | wc -l) files are formatted otherwise; make format mends them" >&2
    exit 1
fi
echo "check-format: $(echo "$files" | wc -l) files, nothing to change"
