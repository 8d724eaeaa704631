#!/bin/sh
# check-format.sh: says which files clang-format would change; passes where it is not installed.
set -eu
cd "$(dirname "$0")/.."
if ! command -v clang-format >/dev/null; then
    echo "check-format: skipped: clang-format is not installed"
    exit 0
fi
files=$(find include src lib cli examples bench tests -name '*.[ch]' -o -name '*.cpp' -o -name '*.hpp' \
            2>/dev/null | grep -v '^tests/abi/imgret-' | sort)
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files
echo "check-format: $(echo "$files" | wc -l) files, nothing to change"
