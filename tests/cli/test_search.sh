#!/bin/sh
# test_search.sh: search by several examples, by colours, page by page; count.
. "$(dirname "$0")/common.sh"

draw pics 20
sunset=$(first_of sunset pics)
wood=$(first_of wood pics)
"$IMGRET" add t.imgret pics -q

run "$IMGRET" search t.imgret "$sunset" + "$wood" -k 20
check "two examples together" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 20 ]'
check "both come before all others" \
    '[ "$(head -n 2 out | cut -f 6 | grep -c -e /sunset-000 -e /wood-000)" -eq 2 ]'
run "$IMGRET" search t.imgret "$sunset" - "$wood" -k 20
check "unlike the second: it comes last" \
    '[ $status -eq 0 ] && tail -n 1 out | grep -q -v /sunset-000 && ! head -n 5 out | grep -q /wood-000'
run "$IMGRET" search t.imgret "$sunset" + "$wood" --best -k 2
check "--best: each is its own best match" \
    '[ $status -eq 0 ] && [ "$(cut -f 2 out | sort -u)" = "1.000000" ]'
run "$IMGRET" search t.imgret "$sunset" + "$wood" --weight 100 -k 1
check "--weight" '[ $status -eq 0 ] && grep -q /sunset-000 out'
id=$(cut -f 3 out)
run "$IMGRET" search t.imgret --id "$id" + "$wood" -k 20
check "an example by --id is no result" '[ $status -eq 0 ] && ! grep -q /sunset-000 out'
run "$IMGRET" search t.imgret "$sunset" --exclude "$id" -k 20
check "--exclude" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 19 ] && ! grep -q /sunset-000 out'
run "$IMGRET" search t.imgret "$sunset" "$wood"
check "two examples without a sign are refused" '[ $status -eq 2 ] && grep -q "between the examples" err'
run "$IMGRET" search t.imgret "$sunset" +
check "a sign without an example is refused" '[ $status -eq 2 ] && grep -q "missing" err'
run "$IMGRET" search t.imgret "$sunset" --weight 1 --weight 2
check "a weight without an example is refused" '[ $status -eq 2 ] && grep -q "weight" err'
run "$IMGRET" search t.imgret "$sunset" --weight nan
check "a weight that is no number is refused" '[ $status -eq 2 ] && grep -q "weight" err'

run "$IMGRET" search t.imgret --color 'orange' -k 5
check "--color alone" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 5 ]'
run "$IMGRET" search t.imgret "$sunset" --color '#2040c0' --color-weight 0.9 --where "width > 0" -k 5
check "--color beside an example and a filter" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 5 ]'
run "$IMGRET" search t.imgret --color 'orangish'
check "a colour that is none is named" '[ $status -eq 2 ] && grep -q "orangish" err'
run "$IMGRET" search t.imgret
check "nothing to search for is an error" '[ $status -eq 2 ] && grep -q "search for what" err'
run "$IMGRET" search t.imgret "$sunset" --diversity 0.5 -k 5
check "--diversity" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 5 ]'

"$IMGRET" search t.imgret "$sunset" -k 20 | cut -f 3 > all
cursor=first
: > pages
for page in 1 2 3; do
    "$IMGRET" search t.imgret "$sunset" -k 8 --cursor "$cursor" --json > page
    sed -n 's/.*"id":\([0-9]*\).*/\1/p' page >> pages
    cursor=$(sed -n 's/^{"cursor":"\(p1[0-9a-f]*\)"}$/\1/p' page)
done
check "pages join to what one search finds" 'cmp -s all pages'
check "the last page says so" '[ -z "$cursor" ] && grep -q "^{\"cursor\":null}$" page'
run "$IMGRET" search t.imgret "$sunset" --cursor p1nonsense
check "a forged cursor is refused" '[ $status -eq 2 ] && grep -q "cursor" err'

run "$IMGRET" index t.imgret
check "no indexes to list: status 1" '[ $status -eq 1 ] && [ ! -s out ]'
run "$IMGRET" index t.imgret add "meta->>'camera'"
check "index add" '[ $status -eq 0 ]'
run "$IMGRET" index t.imgret add width --json
check "index add --json" '[ $status -eq 0 ] && grep -q "\"event\":\"index_added\",\"index\":\"width\"" out'
run "$IMGRET" index t.imgret
check "index lists them" '[ $status -eq 0 ] && [ "$(cat out)" = "meta->>'"'camera'"'
width" ]'
run "$IMGRET" index t.imgret add "lower(uri)"
check "an index on anything else is refused" '[ $status -eq 2 ] && grep -q "lower(uri)" err'
run "$IMGRET" count t.imgret --where "width > 0"
check "a filter with an index" '[ $status -eq 0 ] && [ "$(cat out)" -eq 20 ]'
run "$IMGRET" index t.imgret drop "meta->>'camera'"
run "$IMGRET" index t.imgret drop height
check "an index that is none cannot be dropped" '[ $status -eq 2 ] && grep -q height err'
run "$IMGRET" index t.imgret frobnicate width
check "only add and drop" '[ $status -eq 2 ] && grep -q "add|drop" err'

run "$IMGRET" count t.imgret
check "count counts all" '[ $status -eq 0 ] && [ "$(cat out)" = 20 ]'
run "$IMGRET" count t.imgret --where "id <= :n" --param n=7 --json
check "count --where" '[ $status -eq 0 ] && [ "$(cat out)" = "{\"count\":7}" ]'
run "$IMGRET" count t.imgret --where "id > 100"
check "count of nothing" '[ $status -eq 1 ] && [ "$(cat out)" = 0 ]'

finish
