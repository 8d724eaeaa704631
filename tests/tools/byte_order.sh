#!/bin/sh
# byte_order.sh: a compiler for a big-endian machine is refused with a message that says why.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() { "${CC:-cc}" -std=c17 -Iinclude "$@" -c src/base/version.c -o "$work/version.o" 2>"$work/said"; }

echo "1..2"
if compile; then echo "ok 1 - this machine's order is taken"; else
    echo "not ok 1 - this machine's order is taken"
    sed 's/^/# /' "$work/said"
fi
# Where there is a cross compiler it says so itself; else its predefinition is put in.
if command -v s390x-linux-gnu-gcc >/dev/null; then
    CC=s390x-linux-gnu-gcc compile
else
    compile -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__
fi
if [ $? -ne 0 ] && grep -q "libimgret is for little-endian machines" "$work/said"; then
    echo "ok 2 - the other order is refused"
else
    echo "not ok 2 - the other order is refused"
    sed 's/^/# /' "$work/said"
fi
