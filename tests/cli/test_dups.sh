#!/bin/sh
# test_dups.sh: dups: groups in every form, verdicts, and a wrong command line.
. "$(dirname "$0")/common.sh"

draw pics 16
first=$(first_of sunset pics)
cp "$first" "pics/copy of it.${first##*.}"
run "$IMGRET" add t.imgret pics -q
run "$IMGRET" dups t.imgret
check "dups finds the copy" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 2 ] && grep -q "1 groups" err'
check "the first is to keep, with a reason" 'head -n 1 out | grep -q "^1	keep	1.000000	.*file\|added first"'
run "$IMGRET" dups t.imgret --json
check "dups --json is one object a picture" \
    'is_ndjson out && [ "$(lines_with "\"kind\":\"identical\"" out)" -eq 1 ] && [ "$(lines_with "\"keep\":true" out)" -eq 1 ]'
run "$IMGRET" dups t.imgret -0
check "dups -0 prints what is not to keep" '[ "$(tr "\0" "\n" < out | wc -l)" -eq 1 ]'
"$IMGRET" dups t.imgret --json > all.json
ids=$(sed 's/.*"id":\([0-9]*\),.*/\1/' all.json)
run "$IMGRET" dups t.imgret --not $ids
check "a verdict is taken" '[ $status -eq 0 ]'
run "$IMGRET" dups t.imgret
check "and remembered: exit status 1, nothing found" '[ $status -eq 1 ] && [ ! -s out ]'
run "$IMGRET" dups t.imgret --forget "$first" "pics/copy of it.${first##*.}"
check "it is forgotten, by paths" '[ $status -eq 0 ]'
run "$IMGRET" dups t.imgret
check "and the group is back" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 2 ]'
run "$IMGRET" dups t.imgret --kind similar --min-score 0.5
check "similar ones on demand" '[ $status -eq 0 ] && grep -q "	similar	" out'
run "$IMGRET" dups t.imgret --min-score 0.5
check "a score without --kind similar is an error" '[ $status -eq 2 ] && grep -q "kind similar" err'
run "$IMGRET" dups t.imgret --not 1
check "a verdict wants two pictures" '[ $status -eq 2 ] && grep -q "two pictures" err'
run "$IMGRET" dups t.imgret 1 2
check "two pictures want a verdict" '[ $status -eq 2 ] && grep -q -e "--not" err'
# turned FILE NUMBER: the same JPEG with an EXIF orientation, which turns or mirrors what it shows.
turned() {
    head -c 2 "$1"
    printf '\377\341\000\042Exif\000\000II*\000\010\000\000\000\001\000\022\001\003\000\001\000\000\000'
    printf "\\00$2\\000\\000\\000\\000\\000\\000\\000"
    tail -c +3 "$1"
}
photos=${IMGRET_TEST_DATA:+$IMGRET_TEST_DATA/neardup_tiny/base_images}
if [ -d "${photos:-}" ]; then
    mkdir photos
    for name in ukbench00120 ukbench08976 ukbench09060; do
        cp "$photos/$name.jpg" photos
        for number in 2 3 4 5 6 7 8; do
            turned "$photos/$name.jpg" $number > "photos/$name-$number.jpg"
        done
    done
    "$IMGRET" add p.imgret photos "$photos" -q
    for when in 'before' 'after'; do
        run "$IMGRET" dups p.imgret --turned
        check "turned and mirrored photos are found, each with its own, $when calibrate" \
            '[ $status -eq 0 ] && [ "$(cut -f 1 out | uniq -c | tr -s " \n" " ")" = " 9 1 9 2 9 3 " ]'
        "$IMGRET" calibrate p.imgret -q > levels
    done
else
    skip "turned and mirrored photos" "no test data"
    skip "the same after calibrate" "no test data"
fi
run "$IMGRET" dups t.imgret --not 1 99999
check "a picture that is not there is named" '[ $status -eq 1 ] && grep -q 99999 err'
finish
