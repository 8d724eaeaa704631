#!/bin/sh
# check-header.sh: the public headers compile alone, as C11 and as C++17, without a warning.
set -eu
cd "$(dirname "$0")/.."
flags='-Wall -Wextra -Werror -pedantic -fsyntax-only -Iinclude'
failed=0 count=0

try() { # compiler, language, standard, header
    count=$((count + 1))
    # Through a file that includes it twice: a header is never a program's main file.
    printf '#include <imgret/%s>\n#include <imgret/%s>\n' "$4" "$4" |
        "$1" $flags -x "$2" -std="$3" - || {
        echo "check-header: $4 does not pass $1 -std=$3" >&2
        failed=1
    }
}

for header in include/imgret/*.h; do
    name=${header##*/}
    for compiler in "${CC:-gcc}" clang; do
        command -v "$compiler" >/dev/null || continue
        try "$compiler" c c11 "$name"
        try "$compiler" c c17 "$name"
    done
    for compiler in "${CXX:-g++}" clang++; do
        command -v "$compiler" >/dev/null || continue
        try "$compiler" c++ c++11 "$name"
        try "$compiler" c++ c++17 "$name"
    done
done
[ $count -gt 0 ] || { echo "check-header: no header or no compiler found" >&2; exit 1; }
[ $failed = 0 ] || exit 1
echo "check-header: $count compilations, no warning"
