#!/bin/sh
# api_docs.sh: the API reference and the manual pages are those of the header, and well formed.
set -u
header=include/imgret/imgret.h
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
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
        sed 's/^/# /' "$work/said"
    fi
}

skip() { # name, reason
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

if ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP python3 is missing"
    exit 0
fi

is_current() {
    python3 tools/api-docs.py markdown $header >"$work/api.md" && diff -u docs/api.md "$work/api.md" ||
        { echo "run: make api-docs"; return 1; }
}
check "docs/api.md is what the header says" is_current

check "the manual pages are written" python3 tools/api-docs.py man $header "$work/man3" 2026-01-31
every_function() {
    for symbol in $(sed -n 's/^ *\(imgret_[a-z0-9_]*\);$/\1/p' src/libimgret.map); do
        [ -s "$work/man3/$symbol.3" ] || { echo "$symbol has no page"; return 1; }
        grep -q "$(echo "$symbol" | sed 's/_/.*_/g')" docs/api.md || { echo "$symbol is not in docs/api.md"; return 1; }
    done
    [ "$(grep -c imgret_ src/libimgret.map)" -gt 50 ]
}
check "every exported function has a page and a place in docs/api.md" every_function
"$IMGRET" completions man >"$work/imgret.1"

pages() { # those that are more than a pointer to another
    echo "$work/imgret.1"
    grep -L '^\.so ' "$work"/man3/*.3
}
# Long lines are no fault.
if command -v mandoc >/dev/null; then
    lint() { mandoc -Tlint -Wwarning $(pages); }
    check "mandoc finds nothing to warn of" lint
else
    skip "mandoc finds nothing to warn of" "mandoc is missing"
fi
if man --warnings -l "$work/imgret.1" >/dev/null 2>&1; then
    quiet() {
        for page in $(pages); do
            LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l "$page" 2>&1 >/dev/null
        done >"$work/warnings"
        [ ! -s "$work/warnings" ] || { cat "$work/warnings"; return 1; }
    }
    check "nor does man" quiet
else
    skip "nor does man" "man-db is missing"
fi

complains() { # text to find in what is said
    python3 tools/api-docs.py markdown "$work/bad.h" >/dev/null 2>"$work/complaint" && return 1
    grep -q "$1" "$work/complaint"
}
sed 's|^IMGRET_API void imgret_close|\n&|' $header >"$work/bad.h"
check "a function without a comment is refused" complains "imgret_close has no comment"
echo "1..$number"
exit $failed
