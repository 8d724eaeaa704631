#!/bin/sh
# test_bench.sh: imgret-bench: sets are made the same again, measured, told and drawn.
. "$(dirname "$0")/common.sh"
bench=$(dirname "$IMGRET")/imgret-bench
export TMPDIR="$work"

# The number that a field of the n-th point has.
field() { # file, line, name
    sed -n "$2p" "$1" | sed "s/.*\"$3\":\([^,}]*\).*/\1/"
}

# All but what the bounds of the codes, which hold at a rate, make it pass over.
finds_all() {
    awk "BEGIN { exit !($(field out 1 recall) >= 0.98) }"
}

run "$bench" gen --out set --count 900 --dimension 24 --queries 60 --seed 5 --threads 1
check "gen writes base, queries and truth" \
    '[ $status -eq 0 ] && [ "$(wc -c < set/base.fbin)" -eq $((8 + 900 * 24 * 4)) ] &&
    [ "$(wc -c < set/queries.fbin)" -eq $((8 + 60 * 24 * 4)) ] &&
    [ "$(wc -c < set/truth.ibin)" -eq $((8 + 60 * 100 * 8)) ]'
"$bench" gen --out again --count 900 --dimension 24 --queries 60 --seed 5 --threads 2
check "the same again by more threads" 'diff -r set again'
"$bench" gen --out more --count 1000 --dimension 24 --queries 60 --seed 5
check "more points begin with the same" \
    'cmp set/queries.fbin more/queries.fbin && tail -c +9 set/base.fbin > a && tail -c +9 more/base.fbin | cmp -n "$(wc -c < a)" - a'
"$bench" gen --out other --count 900 --dimension 24 --queries 60 --seed 6
check "another seed makes another set" '! cmp -s set/base.fbin other/base.fbin'

run "$bench" ann --base set/base.fbin --queries set/queries.fbin --truth set/truth.ibin \
    --threads 1,2 --recall 0.9,0.99 --runs 1 --db kept --json
cp out points
check "ann gives a point for each number of threads and recall" \
    '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 4 ] && is_ndjson "$work/out"'
check "and finds what it looked for" 'for i in 1 3; do
    awk "BEGIN { exit !($(field points $i recall_tuned) >= 0.9) }" || exit 1; done; for i in 2 4; do
    awk "BEGIN { exit !($(field points $i recall_tuned) >= 0.99 && $(field points $i recall) > 0.9) }" || exit 1
    done'
check "with all that was promised of a point" 'for name in recall qps p50_us p99_us reads_per_query \
    ram_bytes threads build_s rss_bytes effort file_bytes bytes_per_query mean_us p95_us add_s; do
    awk "BEGIN { exit !($(field points 1 $name) >= 0) }" && [ "$(field points 1 $name)" != null ] || exit 1; done'
check "half of the queries are held out" '[ "$(field points 1 query_count)" = 30 ]'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --efforts 900 --runs 1 --db kept --json
check "a kept database is not built again; its own truth agrees with the file's" \
    '[ $status -eq 0 ] && [ "$(field out 1 build_s)" = "$(field points 1 build_s)" ] && finds_all'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --recall 0.9 --runs 1 --db kept \
    --calibrated --json
check "target_recall, which the library chooses the effort by, is measured beside" \
    '[ $status -eq 0 ] && [ "$(field out 2 effort)" = 9000 ] &&
    awk "BEGIN { exit !($(field out 2 recall) > 0.8) }"'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --efforts 64 --runs 1 --db kept \
    --scores both --json
check "estimated scores are measured beside exact ones, with fewer reads" \
    '[ $status -eq 0 ] && [ "$(field out 1 scores)" = "\"exact\"" ] &&
    [ "$(field out 2 scores)" = "\"estimated\"" ] &&
    awk "BEGIN { exit !($(field out 2 reads_per_query) < $(field out 1 reads_per_query)) }"'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --scores some
check "scores of no kind are refused" '[ $status -eq 2 ] && grep -q -e "--scores some" err'
run "$bench" merge --base set/base.fbin --queries set/queries.fbin --truth set/truth.ibin --merges 3 \
    --part 20 --efforts 900 --runs 1 --json
check "merge tells of the first build, each merge and of building anew" \
    '[ $status -eq 0 ] && is_ndjson "$work/out" && [ "$(wc -l < out)" -eq 7 ] &&
    [ "$(lines_with "\"step\":\"merge\"" out)" -eq 3 ] && [ "$(field out 4 after)" = 900 ] &&
    [ "$(field out 6 before)" = 0 ] && [ "$(field out 6 after)" = 900 ]'
check "and what is found after" 'awk "BEGIN { exit !($(field out 5 recall) >= 0.98) }"'
for metric in cosine ip; do
    run "$bench" ann --base set/base.fbin --queries set/queries.fbin --metric $metric \
        --efforts 900 --runs 1 --vectors f32 --json
    check "$metric: everything is found with effort enough" '[ $status -eq 0 ] && finds_all'
done
run "$bench" ann --base more/base.fbin --queries set/queries.fbin --efforts 10 --db kept
check "a kept database of other vectors is refused" '[ $status -eq 2 ] && grep -q kept err'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --memory 1 --efforts 10 --db kept
check "a budget that is too small is told" '[ $status -eq 1 ] && grep -q "memory 1" err'

# Twelve vectors of four dimensions in every format.
rows='\001\002\003\004\011\002\003\004\001\022\003\004\001\002\033\004\001\002\003\044\055\002\003\004'
rows="$rows"'\001\066\003\004\001\002\077\004\001\002\003\110\121\122\003\004\001\002\133\134\145\002\003\146'
mkdir formats
printf '\014\000\000\000\004\000\000\000'"$rows" > formats/a.u8bin
printf '\000\000\010\003\000\000\000\014\000\000\000\002\000\000\000\002'"$rows" > formats/b-ubyte
gzip -c formats/b-ubyte > formats/c-ubyte.gz
{
    head=$(printf "{'descr': '|u1', 'fortran_order': False, 'shape': (12, 4), }%58s" ' ')
    printf '\223NUMPY\001\000v\000%s\n' "$head"
    printf "$rows"
} > formats/d.npy
for file in a.u8bin b-ubyte c-ubyte.gz d.npy; do
    run "$bench" ann --base formats/$file --queries formats/a.u8bin --k 1 --efforts 12 --runs 1 --json
    check "$file is read as it is meant" \
        '[ $status -eq 0 ] && [ "$(field out 1 recall)" = 1.00000 ] && [ "$(field out 1 dimension)" = 4 ]'
done
gzip -c set/base.fbin > formats/big.fbin.gz
run timeout 100 "$bench" ann --base formats/big.fbin.gz --queries formats/big.fbin.gz --queries-max 4 \
    --k 1 --efforts 50 --runs 1 --json
check "two packed files, longer than a pipe, are read and left in the middle" \
    '[ $status -eq 0 ] && [ "$(field out 1 recall)" = 1.00000 ]'

head -c 5000 set/base.fbin > cut.fbin
run "$bench" ann --base cut.fbin --queries set/queries.fbin
check "a file cut short is named" '[ $status -eq 2 ] && grep -q "cut.fbin: cut short" err'
printf 'no vectors at all' > text.npy
run "$bench" ann --base text.npy --queries set/queries.fbin
check "what is no file of vectors is named" '[ $status -eq 2 ] && grep -q "text.npy" err'
printf '\377\377\377\377\377\377\377\377' > huge.fbin
run "$bench" ann --base huge.fbin --queries set/queries.fbin
check "a lying head is refused" '[ $status -eq 2 ] && grep -q "huge.fbin" err'
head -c 4000 set/truth.ibin > cut.ibin
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --truth cut.ibin
check "so is a truth cut short" '[ $status -eq 1 ] && grep -q "cut.ibin: cut short" err'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --recall 1.5
check "a recall above 1 is refused" '[ $status -eq 2 ] && grep -q -e "--recall 1.5" err'
run "$bench" ann --base set/base.fbin --queries set/queries.fbin --speed 3
check "an unknown option is refused" '[ $status -eq 2 ] && grep -q -e "--speed" err'
run "$bench"
check "no command: usage" '[ $status -eq 2 ] && grep -q "usage" err'

run "$bench" table points
check "table is one row a point" '[ $status -eq 0 ] && [ "$(lines_with "| libimgret |" out)" -eq 4 ]'
run "$bench" plot --out drawn points
check "plot draws a curve for each number of threads" \
    '[ $status -eq 0 ] && [ "$(lines_with "<polyline" drawn/recall-qps.svg)" -eq 2 ] &&
    grep -q "^</svg>" drawn/recall-qps.svg'
check "and the reads" '[ -s drawn/recall-reads.svg ]'
echo '{"engine":"x","recall":"high"}' > bad
run "$bench" plot --out drawn bad
check "a line that is no point is named" '[ $status -eq 2 ] && grep -q "bad:1" err'
check "nothing is left behind" '! ls -d "$work"/imgret-bench-* > bad 2>&1'
finish
