#!/bin/sh
# test_eval.sh: eval and compare: measures, the index, two databases, and a wrong command line.
. "$(dirname "$0")/common.sh"

draw pics 48
run "$IMGRET" add t.imgret pics -q
run "$IMGRET" eval t.imgret --folders --json
check "eval measures by folders" \
    'is_ndjson out && head -n 1 out | grep -q "\"query_count\":48" && head -n 1 out | grep -q "\"class_count\":16,"'
run "$IMGRET" eval t.imgret --folders --svg curve.svg
check "eval prints a table and draws" \
    '[ $status -eq 0 ] && grep -q "^mAP	" out && grep -q "<polyline" curve.svg'
run "$IMGRET" eval t.imgret --folders --svg curve.svg
check "a drawing is not overwritten" '[ $status -eq 2 ] && grep -q curve.svg err'
run "$IMGRET" eval t.imgret
check "without labels there is nothing to measure" '[ $status -eq 1 ] && grep -q "same class" err'

# Three classes of a picture, its copy and another: by hand.
a=$(ls pics/sunset/* | sed -n 1p) b=$(ls pics/sunset/* | sed -n 2p)
cp "$a" "pics/copy.${a##*.}"
run "$IMGRET" add t.imgret pics -q
printf 'path\tlabel\n%s\tone\n%s\tone\n%s\tlonely\n' "$a" "pics/copy.${a##*.}" "$b" > labels.tsv
run "$IMGRET" eval t.imgret --truth labels.tsv --json
check "a truth by hand: both find each other first" \
    'head -n 1 out | grep -q "\"query_count\":2,\"left_out_count\":1,.*\"map\":1,\"r_precision\":1,.*\"precision_5\":0.2,"'
check "the confusion has one cell" \
    '[ "$(lines_with "\"class\":" out)" -eq 1 ] && grep -q "\"class\":\"one\",\"nearest\":\"one\",\"count\":2" out'
printf '%s one\n' "$a" > wrong.tsv
run "$IMGRET" eval t.imgret --truth wrong.tsv
check "a wrong line is named" '[ $status -eq 2 ] && grep -q "wrong.tsv: line 1" err'
run "$IMGRET" eval t.imgret --truth missing.tsv
check "a missing truth is named" '[ $status -eq 2 ] && grep -q "missing.tsv" err'

run "$IMGRET" eval t.imgret --ann -k 5 --sample 20
check "what is in memory is found exactly" \
    '[ $status -eq 0 ] && [ "$(grep -c "recall@5 1.0000" out)" -eq "$(wc -l < out)" ] && [ -s out ]'
run "$IMGRET" optimize t.imgret --force -q
run "$IMGRET" eval t.imgret --ann -k 5 --sample 20 --json
check "and in a segment, with reads" \
    'is_ndjson out && tail -n 1 out | grep -q "\"effort\":512,\"k\":5,\"query_count\":20,\"recall\":1,"'
run "$IMGRET" eval t.imgret --ann --folders
check "--ann needs no classes" '[ $status -eq 2 ]'

run "$IMGRET" compare t.imgret t.imgret --folders
check "a database is no better than itself" \
    '[ $status -eq 0 ] && [ "$(grep -c "p 1.0000" out)" -eq 5 ]'
run "$IMGRET" create l2.imgret --metric l2 -q
run "$IMGRET" add l2.imgret pics -q
run "$IMGRET" compare t.imgret l2.imgret --folders --json
check "two databases are compared over the pictures of both" \
    'is_ndjson out && head -n 1 out | grep -q "\"measure\":\"map\",\"query_count\":48,"'
run "$IMGRET" create empty.imgret -q
run "$IMGRET" compare t.imgret empty.imgret --folders
check "with nothing in common there is nothing to compare" '[ $status -eq 1 ]'
finish
