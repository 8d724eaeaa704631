#!/bin/sh
# test_calibrate.sh: calibrate, scores by name, rerank, and labels that are taken away.
. "$(dirname "$0")/common.sh"

draw pics 24
run "$IMGRET" add t.imgret pics -q
first=$(first_of sunset pics)

run "$IMGRET" search t.imgret "$first" --min-score near
check "a level that was never calibrated is an error that says what to do" \
    '[ $status -eq 2 ] && grep -q "imgret calibrate" err'
run "$IMGRET" stats t.imgret --json
check "stats say null before" 'grep -q "\"same_score\":null" out'
run "$IMGRET" calibrate t.imgret
check "calibrate prints three levels" '[ $status -eq 0 ] && [ "$(cut -f 1 out | tr "\n" " ")" = "same near similar " ]'
same=$(sed -n 's/^same	\([0-9.]*\)	.*/\1/p' out) similar=$(sed -n 's/^similar	\([0-9.]*\)	.*/\1/p' out)
check "same is above similar" 'expr "$same" \>= "$similar" > /dev/null'
run "$IMGRET" calibrate t.imgret --json
check "calibrate --json is one object" 'is_ndjson out && [ "$(wc -l < out)" -eq 1 ] && grep -q "\"copy_count\":[1-9]" out'
run "$IMGRET" calibrate t.imgret --no-copies --sample 12 --json
check "--no-copies reads no file" 'grep -q "\"copy_count\":0," out && grep -q "\"pair_count\":66," out'
run "$IMGRET" calibrate t.imgret -q
run "$IMGRET" stats t.imgret
check "stats tell the levels" '[ "$(grep -c "^\(same\|near\|similar\)_score	" out)" -eq 3 ]'

run "$IMGRET" search t.imgret "$first" -k 100 --min-score similar
by_name=$(cut -f 3 out)
run "$IMGRET" search t.imgret "$first" -k 100 --min-score "$similar"
check "a level is its score" '[ $status -eq 0 ] && [ "$by_name" = "$(cut -f 3 out)" ]'
check "and leaves some out" '[ "$(wc -l < out)" -lt 24 ]'
run "$IMGRET" search t.imgret "$first" --min-score same
check "a picture is the same as itself" '[ $status -eq 0 ] && head -n 1 out | grep -q "	1.0000"'
run "$IMGRET" search t.imgret "$first" --min-score nearly
check "another word is an error" '[ $status -eq 2 ] && grep -q "same, near, similar" err'
run "$IMGRET" dups t.imgret --kind similar --min-score same
named=$status
run "$IMGRET" dups t.imgret --kind similar --min-score "$same"
check "dups take a level too" '[ $named -lt 2 ] && [ $status -eq $named ]'

run "$IMGRET" search t.imgret "$first" -k 24 --rerank color
check "--rerank color" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 24 ]'
run "$IMGRET" search t.imgret "$first" -k 24 --rerank geometry --rerank-weight 0.8
check "--rerank geometry" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 24 ]'
run "$IMGRET" search t.imgret "$first" --rerank shape
check "another way is an error" '[ $status -eq 2 ] && grep -q "color|geometry" err'
run "$IMGRET" search t.imgret "$first" --rerank color --rerank-weight 2
check "a weight above 1 too" '[ $status -eq 2 ] && grep -q rerank_weight err'

second=$(first_of forest pics)
[ -e "$second" ] || second=$(ls -d pics/*/* | sed -n 9p)
run "$IMGRET" label t.imgret warm "$first" "$second" --assign --confidence 0.01
labelled=$("$IMGRET" count t.imgret --where "label = 'warm'")
run "$IMGRET" label t.imgret --clear "$first"
check "--clear takes a label away" \
    '[ $status -eq 0 ] && [ "$("$IMGRET" count t.imgret --where "label = '"'warm'"'")" -eq $((labelled - 1)) ]'
run "$IMGRET" label t.imgret --clear --where "label = :l" --param l=warm
check "and all that match" '[ $status -eq 0 ] && [ "$("$IMGRET" count t.imgret --where "label IS NOT NULL")" -eq 0 ]'
run "$IMGRET" label t.imgret --clear --where "label = :l" --param l=warm
check "nothing left is status 1" '[ $status -eq 1 ]'
run "$IMGRET" label t.imgret --clear
check "--clear of what is an error" '[ $status -eq 2 ]'
run "$IMGRET" label t.imgret --clear 1 --where "1"
check "and so are both" '[ $status -eq 2 ]'
run "$IMGRET" label t.imgret --clear nowhere.jpg
check "a picture that is not there is named" '[ $status -eq 1 ] && grep -q nowhere.jpg err'
run "$IMGRET" label t.imgret warm
check "a label without examples is an error" '[ $status -eq 2 ] && grep -q example err'

i=0
while [ $i -lt 20000 ]; do
    printf 'no/such/%d.jpg\tlabel %d\n' $i $i
    i=$((i + 1))
done > many.tsv
ls -d pics/*/* | sed 's/\(.*\)/\1	one/' >> many.tsv
run "$IMGRET" eval t.imgret --truth many.tsv --json
check "a truth file with far more labels than pictures" '[ $status -eq 0 ] && grep -q "map" out'
finish
