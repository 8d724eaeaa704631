#!/bin/sh
# test_output.sh: stdout that is closed or full, quiet runs, and what only a terminal gets to see.
. "$(dirname "$0")/common.sh"

draw pics 16
run "$IMGRET" add t.imgret pics -q
check "--quiet says nothing" '[ $status -eq 0 ] && [ ! -s out ] && [ ! -s err ]'
status=0
"$IMGRET" show t.imgret >&- 2> err || status=$?
check "a closed stdout is an error" '[ $status -eq 2 ] && grep -q stdout err'
status=0
"$IMGRET" add u.imgret pics --json >&- 2> err || status=$?
check "also for add" '[ $status -eq 2 ] && grep -q stdout err'
run "$IMGRET" check u.imgret
check "and no report goes into a file of the database" '[ $status -eq 0 ]'
status=0
"$IMGRET" show t.imgret <&- > out 2>&- || status=$?
check "a closed stdin and stderr do no harm" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 16 ]'
if [ -w /dev/full ]; then
    status=0
    "$IMGRET" show t.imgret > /dev/full 2> err || status=$?
    check "a full disk under stdout is an error" '[ $status -eq 2 ] && grep -q stdout err'
else
    skip "a full disk under stdout is an error" "no /dev/full"
fi
run "$IMGRET" add v.imgret pics
check "no bar where stderr is no terminal" '! grep -q "$(printf "\r")" err'
run "$IMGRET" stats t.imgret --verbose
check "--verbose keeps stdout clean" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 26 ]'

if ! command -v script > /dev/null 2>&1; then
    skip "a terminal gets a heading" "no script command"
elif ! script -qec true nothing > /dev/null 2>&1 < /dev/null || [ ! -e nothing ]; then
    skip "a terminal gets a heading" "no pseudo-terminal can be opened (is /dev/pts mounted?)"
else
    export IMGRET
    TERM=xterm script -qec '"$IMGRET" add w.imgret pics; "$IMGRET" show w.imgret' seen \
        > /dev/null 2>&1 < /dev/null
    check "a terminal gets a heading" 'grep -q "id *state *format *size *bytes *path" seen'
    check "and a bar that is cleared" 'grep -q "$(printf "\r\033\[K")" seen && grep -q "16 stored" seen'
    TERM=dumb script -qec '"$IMGRET" add x.imgret pics' seen > /dev/null 2>&1 < /dev/null
    check "a terminal that cannot clear a line gets none" '! grep -q "$(printf "\033")" seen'
fi
finish
