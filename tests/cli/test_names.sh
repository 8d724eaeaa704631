#!/bin/sh
# test_names.sh: file names with spaces, newlines, quotes, dashes and bytes that are no UTF-8.
. "$(dirname "$0")/common.sh"

draw pics 1
picture=$(first_of balls pics)
newline='
'
mkdir odd
for name in 'two words' "a${newline}newline" "tab	tab" 'a "quote"' "it's" '-dash' 'back\slash' \
    'percent %s' "bytes $(printf '\377\376')" "$(printf 'gr\303\274n')" '*?[x]' '$HOME'; do
    { cat "$picture"; printf '%s' "$name"; } > "odd/$name.bin"
done

run "$IMGRET" add t.imgret odd --json
check "all are stored" '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 12 ]'
check "their JSON is valid" 'is_ndjson out'
check "what is no UTF-8 is replaced" 'grep -q "bytes \\\\ufffd\\\\ufffd\.bin" out'
check "and only that name comes in base64 as well" '[ "$(lines_with path_base64 out)" -eq 1 ]'
exact=$(sed -n 's/.*"path_base64":"\([^"]*\)".*/\1/p' out | base64 -d)
check "base64 gives the exact name" '[ -f "$exact" ]'

run "$IMGRET" show t.imgret
check "a line a picture, whatever its name" '[ "$(wc -l < out)" -eq 12 ]'
check "newline and tab are escaped" 'grep -q "a\\\\nnewline" out && grep -q "tab\\\\ttab" out'
run "$IMGRET" show t.imgret -0
check "-0 prints exact names" '[ "$(tr -cd "\0" < out | wc -c)" -eq 12 ] &&
    xargs -0 ls -d < out > /dev/null'
cp out list

run "$IMGRET" add u.imgret --files-from list -0 --json
check "-0 reads what -0 printed" '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 12 ]'
run sh -c 'find odd -type f -print0 | "$0" add v.imgret --files-from - -0 --json' "$IMGRET"
check "find -print0 goes in on stdin" '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 12 ]'
printf 'odd/two words.bin\n\nodd/it'"'"'s.bin' > lines
run "$IMGRET" add w.imgret --files-from lines --json
check "a list of lines, the last without its end" \
    '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 2 ]'
run "$IMGRET" add w.imgret --files-from no-such-list
check "a missing list is named" '[ $status -eq 2 ] && grep -q no-such-list err'

cd odd
run "$IMGRET" search ../t.imgret -k 1 -0 -- -dash.bin
check "a name with a dash after --" '[ $status -eq 0 ]'
run "$IMGRET" show ../t.imgret "a${newline}newline.bin" --json
check "show by a name with a newline" '[ $status -eq 0 ] && grep -q "a\\\\nnewline" "$work/out"'
run "$IMGRET" remove ../t.imgret "bytes $(printf '\377\376').bin"
check "remove by a name that is no UTF-8" '[ $status -eq 0 ]'
check "its message is safe for a terminal" 'grep -q "bytes .xFF.xFE" "$work/err"'
run "$IMGRET" search ../t.imgret "$(printf '\033[31mred')"
check "a control character does not reach the terminal" \
    '[ $status -eq 2 ] && ! grep -q "$(printf "\033")" "$work/err"'
finish
