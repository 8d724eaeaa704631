#!/bin/sh
# check-hardening.sh: what was built has the protections that the Makefile asks for.
#
#   sh tools/check-hardening.sh FILE...
#
# Of each library and program: relocations read-only and bound at start, no executable stack, no page
# both writable and executable, no search path below a folder that others may write; of a program: position
# independent. Stack protector and fortified functions are looked for in the symbols that are used: a file
# built without them uses none.
set -eu
failed=0
complain() { echo "check-hardening: $*" >&2; failed=1; }

[ $# -gt 0 ] || { echo "usage: check-hardening.sh FILE..." >&2; exit 2; }
for file in "$@"; do
    segments=$(readelf -lW "$file") dynamic=$(readelf -dW "$file") symbols=$(readelf -sW "$file")
    type=$(readelf -hW "$file" | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p')
    [ "$type" = DYN ] || complain "$file is of type $type: not position independent"
    echo "$segments" | grep -q GNU_RELRO || complain "$file has no RELRO"
    echo "$dynamic" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || complain "$file binds lazily"
    echo "$segments" | grep -q 'GNU_STACK.* RW ' || complain "$file: its stack may be executable"
    echo "$segments" | grep -qE 'LOAD.* RWE ' && complain "$file has writable code"
    echo "$dynamic" | grep -q TEXTREL && complain "$file: relocations in its code"
    echo "$dynamic" | grep -E 'R(UN)?PATH' | grep -qvF "\$ORIGIN" &&
        complain "$file: a search path that does not begin at its own place"
    echo "$symbols" | grep -q __stack_chk_fail || complain "$file: built without a stack protector"
    echo "$symbols" | grep -qE '__[a-z]+_chk(@|$)' || complain "$file: no fortified function"
done
[ $failed != 0 ] || echo "check-hardening: $# files are as they should be"
exit $failed
