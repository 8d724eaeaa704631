#!/bin/sh
# test_examples.sh: the drawn pictures, the first program, and the demo.
examples=$(cd "$(dirname "$0")/../../examples" && pwd -P)
. "$(dirname "$0")/common.sh"
first_query=$(dirname "$DRAW_PICTURES")/first_query

run "$DRAW_PICTURES" once 32 5
check "draws the asked count" '[ $status -eq 0 ] && [ "$(find once -type f ! -name "*.tsv" | wc -l)" -eq 32 ]'
check "and labels each by its folder" '[ "$(wc -l < once/labels.tsv)" -eq 32 ] &&
    while read -r file label; do [ -s "once/$file" ] && [ "${file%%/*}" = "$label" ] || exit 1; done \
    < once/labels.tsv'
run "$DRAW_PICTURES" again 16 5
check "the same seed draws the same, whatever the count" \
    'rm again/labels.tsv && diff -r again once | grep -v "^Only in once" | wc -l | grep -q "^0$"'
run "$DRAW_PICTURES" other 16 6
check "another seed draws others" '! cmp -s "$(first_of wood other)" "$(first_of wood again)"'
run "$DRAW_PICTURES"
check "draw_pictures explains itself" '[ $status -eq 2 ] && grep -q usage err'
run "$DRAW_PICTURES" no/such/folder
check "a folder that cannot be made is named" '[ $status -ne 0 ] && grep -q no/such/folder err'

picture=$(first_of forest once)
run "$first_query" first.imgret once "$picture"
check "first_query finds the picture itself first" \
    '[ $status -eq 0 ] && head -n 1 out | grep -q "^1\.0000  .*/forest-000"'
run "$first_query" first.imgret once missing.jpg
check "first_query says what is wrong" '[ $status -eq 1 ] && grep -q "missing\.jpg" err'

export IMGRET DRAW_PICTURES DEMO_DIR="$work/demo"
run env PICTURES=once sh "$examples/demo.sh"
check "the demo answers from a folder" '[ $status -eq 0 ] && grep -q "^12	" out'
check "and writes its contact sheet" '[ "$(grep -o "<figure>" demo/sheet.html | wc -l)" -eq 12 ]'
bad_picture other/broken.ppm
run env PICTURES=other QUERY="$picture" SHEET="$work/page.html" K=3 sh "$examples/demo.sh"
check "the demo obeys PICTURES, QUERY, SHEET and K, and bears a bad picture" \
    '[ $status -eq 0 ] && grep -q "^3	.*/other/" out && ! grep -q "^4	\|/once/.*/forest-001" out &&
    [ -s page.html ]'
mkdir none
run env PICTURES=none sh "$examples/demo.sh"
check "the demo says when there is no picture" '[ $status -eq 1 ] && grep -q "none" err'
finish
