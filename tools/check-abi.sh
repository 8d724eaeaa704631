#!/bin/sh
# check-abi.sh: the public header, the version map and the library say the same, and the ABI is
# the one stored in tests/abi.
#
#   sh tools/check-abi.sh LIBRARY           checks
#   sh tools/check-abi.sh --store LIBRARY   stores the library's ABI as the baseline
#
# Needs binutils and a compiler; the comparison with the baseline needs abidiff (abigail-tools) and
# a library built with -g. What cannot be checked is named as skipped.
set -u
cd "$(dirname "$0")/.." || exit 2
map=src/libimgret.map
baseline=tests/abi/libimgret.abi.xml
failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

complain() { echo "check-abi: $*" >&2; failed=1; }

store() {
    command -v abidw >/dev/null || { echo "check-abi: abidw (abigail-tools) is missing" >&2; exit 1; }
    # Only what the headers show; no paths, so that every checkout writes the same file.
    abidw --headers-dir include/imgret --drop-private-types --no-corpus-path --no-comp-dir-path \
        --no-elf-needed --no-write-default-sizes --short-locs --no-parameter-names --exported-interfaces-only \
        --out-file "$work/abi.raw" "$1" || exit 1
    # Small, and the same whoever moves a line of the header; a type without a file and a line counts
    # as private. What is left out is what abidiff takes for granted: fields of a struct are public, a
    # symbol has the default visibility, and a C function's name is its symbol's.
    sed "s/^ *//; s/type-id-/t/g; s/ visibility='default'//g; s/ visibility='default-visibility'//
         s/ is-defined='yes'//; s/ access='public'//; s/ mangled-name='[^']*'//
         s/ line='[0-9]*' column='[0-9]*'/ line='1' column='1'/
         /<var-decl\|<parameter\|<function-decl/s/ filepath='[^']*' line='1' column='1'//" \
        "$work/abi.raw" >"$work/abi.xml"
    bytes=$(wc -c <"$work/abi.xml")
    [ "$bytes" -lt 102400 ] || { echo "check-abi: baseline of $bytes bytes" >&2; exit 1; }
    if grep -q "$PWD" "$work/abi.xml"; then
        echo "check-abi: the baseline would hold paths of this machine" >&2
        exit 1
    fi
    mv "$work/abi.xml" "$baseline"
    echo "check-abi: stored $baseline ($bytes bytes)"
}

# Names declared IMGRET_API in the headers, comments taken out, one declaration a line.
names_of_headers() {
    cat include/imgret/*.h | grep -v '^ *#' | tr '\n' ' ' |
        awk '{ while ((a = index($0, "/*")) > 0) {
                   rest = substr($0, a + 2); b = index(rest, "*/")
                   $0 = substr($0, 1, a - 1) " " (b ? substr(rest, b + 2) : "")
               } print }' |
        tr ';{}' '\n\n\n' | grep -w IMGRET_API |
        sed -n 's/.*[^a-zA-Z0-9_]\([a-zA-Z_][a-zA-Z0-9_]*\) *(.*/\1/p' |
        sort
}

# "NAME NODE" for every name the version map exports.
names_of_map() {
    sed 's|/\*[^*]*\*/||g' $map | tr '{};' '\n\n\n' | awk '
        { gsub(/global:/, " global: "); gsub(/local:/, " local: ")
          for (i = 1; i <= NF; i++) {
              if ($i == "global:") { exporting = 1; continue }
              if ($i == "local:") { exporting = 0; continue }
              if ($i ~ /^IMGRET_[0-9.]+$/) { node = $i; exporting = 1; continue }
              if (exporting) print $i, node
          } }' | sort
}

# "NAME NODE" for every symbol the library exports.
names_of_library() {
    nm -D --defined-only --with-symbol-versions "$1" |
        awk '$2 != "A" { sub(/@@?/, " ", $3); print $3 }' | sort
}

compare() { # file, what it is, file, what it is
    comm -23 "$1" "$3" | while read -r name; do echo "check-abi: $name is in $2 but not in $4"; done
    comm -13 "$1" "$3" | while read -r name; do echo "check-abi: $name is in $4 but not in $2"; done
}

check_names() {
    names_of_headers >"$work/headers"
    names_of_map >"$work/map"
    names_of_library "$1" >"$work/library"
    cut -d' ' -f1 "$work/map" >"$work/map-names"
    [ -s "$work/headers" ] || complain "no IMGRET_API declaration in include/imgret"
    uniq -d "$work/map-names" >"$work/twice"
    [ ! -s "$work/twice" ] || complain "twice in $map: $(tr '\n' ' ' <"$work/twice")"
    compare "$work/headers" include/imgret "$work/map-names" $map >"$work/differences"
    compare "$work/map" $map "$work/library" "$1" >>"$work/differences"
    [ ! -s "$work/differences" ] || { cat "$work/differences" >&2; failed=1; }
    [ $failed = 1 ] ||
        echo "check-abi: $(wc -l <"$work/headers") functions in headers, map and library alike"
}

check_soname() {
    major=$(sed -n 's/^#define IMGRET_VERSION_MAJOR //p' include/imgret/imgret.h)
    soname=$(readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
    [ "$soname" = "libimgret.so.$major" ] || complain "$1 has the soname '$soname'"
}

check_layout() {
    for type in $(cat include/imgret/*.h | sed -n 's/^typedef struct \([a-z_0-9]*\) {.*/\1/p'); do
        grep -q "SIZE($type," tests/abi/layout.c ||
            complain "tests/abi/layout.c does not pin $type"
    done
    ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -Iinclude -fsyntax-only tests/abi/layout.c ||
        complain "tests/abi/layout.c: a public struct changed its layout"
    [ $failed = 1 ] || echo "check-abi: the layout of every public struct is as pinned"
}

check_baseline() {
    if ! command -v abidiff >/dev/null; then
        echo "check-abi: skipped: comparison with $baseline: abidiff is not installed"
    elif [ ! -f $baseline ]; then
        echo "check-abi: skipped: comparison: $baseline does not exist yet (make abi-baseline)"
    elif ! grep -q "architecture='elf-amd-x86_64'" $baseline || [ "$(uname -m)" != x86_64 ]; then
        echo "check-abi: skipped: comparison: $baseline is of another processor"
    else
        # Status bits: 4 a change, 8 an incompatible one; 1 and 2 are abidiff's own errors.
        abidiff --headers-dir2 include/imgret --drop-private-types --exported-interfaces-only \
            $baseline "$1" >"$work/report" 2>&1
        status=$?
        if [ $((status & 11)) != 0 ]; then
            cat "$work/report" >&2
            complain "the ABI broke what programs were built against ($baseline)"
        elif [ $status != 0 ]; then
            cat "$work/report" >&2
            complain "the ABI changed: where the report shows additions alone, run make abi-baseline"
        else
            echo "check-abi: the ABI is the stored one"
        fi
    fi
}

if [ "${1:-}" = --store ]; then
    store "$2"
    exit
fi
[ $# = 1 ] || { echo "usage: check-abi.sh [--store] LIBRARY" >&2; exit 2; }
check_names "$1"
check_soname "$1"
check_layout
check_baseline "$1"
exit $failed
