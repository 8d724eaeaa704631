#!/bin/sh
# promises.sh: each test that docs/reliability.md names is there, in the file that it names.
#
# `test_NAME` is a file, tests/unit/test_NAME.c or tests/cli/test_NAME.sh; `test_NAME: what` a test in it, and
# names that follow, each in its own backticks, are tests of the file that was named last.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# "FILE TEST" for each that is named, "FILE -" for a file alone.
named() {
    tr '\n' ' ' <"$1" | awk '
    {
        count = split($0, part, "`")
        for (i = 2; i <= count; i += 2) { # what stands between backticks
            text = part[i]; gsub(/  +/, " ", text)
            if (text ~ /^test_[a-z0-9_]+$/) { file = text; print file, "-" }
            else if (text ~ /^test_[a-z0-9_]+: [a-z0-9_]+$/) {
                split(text, pair, ": "); file = pair[1]; print file, pair[2]
            } else if (text ~ /^[a-z0-9]+(_[a-z0-9]+)+$/ && text !~ /^imgret_/ && part[i - 1] ~ /[,.:(] *$|and $/ &&
                       file != "") loose[file " " text] = 1
        }
        for (one in loose) print one, "?"
    }'
}

# Prints what is named and missing in document $1.
missing() {
    named "$1" | while read -r file test loose; do
        path=tests/unit/$file.c
        [ -e "$path" ] || path=tests/cli/$file.sh
        if [ ! -e "$path" ]; then
            echo "$file: no such file"
        elif [ "$test" != - ] && ! grep -qE "^static void $test\(|\"$test" "$path"; then
            # A word alone may be another thing than a test; in a list of them it looks like one.
            [ -n "$loose" ] && ! echo "$test" | grep -qE '_.*_' || echo "$file: no test $test"
        fi
    done
}

echo 1..3
missing docs/reliability.md >"$work/out"
if [ -s "$work/out" ]; then
    sed 's/^/# /' "$work/out"
    printf 'not '
fi
echo "ok 1 - every test that docs/reliability.md names exists"

count=$(named docs/reliability.md | sort -u | wc -l)
[ "$count" -gt 40 ] || printf 'not '
echo "ok 2 - there are $count of them"

printf 'It holds. `test_crash: there_is_none_of_this_name`, `test_nowhere`\n' >"$work/doc.md"
[ "$(missing "$work/doc.md" | wc -l)" = 2 ] || printf 'not '
echo "ok 3 - one that does not exist is found"
