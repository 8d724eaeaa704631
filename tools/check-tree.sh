#!/bin/sh
# check-tree.sh: what is in the tree is what belongs there.
#
#   sh tools/check-tree.sh [ROOT]
#
# Of the files that git tracks below ROOT: none above 100 KiB; bytes that are no text only where tests read
# such; executable only what is run by its own name; lines end in a line feed alone, without blanks before
# it, the last one too; no words that stand for work left undone, no path of one machine; the first line
# of a C, C++ or shell file says its job: "name.c: what it does"; ARCHITECTURE.md names every folder, two deep.
set -eu
cd "${1:-$(dirname "$0")/..}"
git rev-parse --git-dir >/dev/null 2>&1 || { echo "check-tree: skipped: this is no git checkout"; exit 0; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: >"$scratch/found"
complain() { echo "check-tree: $*" >>"$scratch/found"; }

# Where bytes may be anything: pictures, segments and the like that tests read.
is_data() { case $1 in tests/fuzz/corpus/* | tests/format/*) ;; *) return 1 ;; esac; }
runs_by_name() { case $1 in .ci/run | examples/demo.sh | packaging/debian/rules) ;; *) return 1 ;; esac; }

git ls-files --stage | while IFS='	' read -r entry path; do
    [ -f "$path" ] || continue
    echo "$path" >>"$scratch/files"
    [ "$(wc -c <"$path")" -le 102400 ] || complain "$path is larger than 100 KiB"
    case $entry in
    100644*) ! runs_by_name "$path" || complain "$path is not executable" ;;
    100755*) runs_by_name "$path" || complain "$path is executable; it is run through sh or python3" ;;
    *) complain "$path is no plain file" ;;
    esac
    is_data "$path" || echo "$path" >>"$scratch/texts"
done

# grep's lines become complaints, where it finds any; names of files have no blanks here.
none() { # what is wrong, pattern, grep's further options
    what=$1 pattern=$2
    shift 2
    # shellcheck disable=SC2046
    grep -nI "$@" -e "$pattern" $(cat "$scratch/texts") /dev/null | cut -c1-160 |
        while read -r line; do complain "$line: $what"; done
}
none "blanks at the end of a line" '[[:blank:]]$' -E
none "a line that ends in a carriage return" "$(printf '\r')\$"
none "says that work is left undone" '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' -E
none "a path of one machine" '(^|[^[:alnum:]_.$}-])/(work|root|tmp/wt)/' -E

while read -r path; do
    [ -s "$path" ] || continue
    ! grep -qaP '\x00' "$path" || complain "$path is no text"
    [ -z "$(tail -c 1 "$path" | tr -d '\n')" ] || complain "$path does not end in a line feed"
    case $path in
    tests/abi/imgret-*.h) ;; # a public header of old
    *.c | *.h | *.cpp | *.sh)
        head -n 2 "$path" | grep -qF "${path##*/}: " ||
            complain "$path does not begin with \"${path##*/}: \" and its job" ;;
    esac
done <"$scratch/texts"

sed -n -e 's|^\([^./][^/]*\)/[^/]*$|\1|p' -e 's|^\([^./][^/]*/[^/]*\)/.*|\1|p' "$scratch/files" | sort -u |
    while read -r folder; do
        grep -qsF "\`$folder/\`" ARCHITECTURE.md || complain "ARCHITECTURE.md does not name $folder/"
    done

if [ -s "$scratch/found" ]; then
    cat "$scratch/found" >&2
    exit 1
fi
echo "check-tree: $(wc -l <"$scratch/files") files, all as they should be"
