#!/bin/sh
# test_extract.sh: extract, model inspect and pca train: files, JSON, errors.
. "$(dirname "$0")/common.sh"

draw pics 24
bad_picture broken.ppm
one=$(first_of wood pics)

# u32 FILE OFFSET: a little-endian number.
u32() { od -An -tu4 -j"$2" -N4 "$1" | tr -d ' '; }

run "$IMGRET" extract "$one" "$one" -o v.npy
check "extract: npy" '[ $status -eq 0 ] && head -c 10 v.npy | od -An -c | grep -q "223   N   U   M   P   Y"'
check "extract: shape and size" 'head -n 1 v.npy | grep -aq "(2, 492)" &&
    [ "$(wc -c < v.npy)" -eq $((128 + 2 * 492 * 4)) ]'
tail -c +129 v.npy > rows
check "extract: the same picture twice" \
    '[ "$(head -c 1968 rows | cksum)" = "$(tail -c 1968 rows | cksum)" ]'
run "$IMGRET" extract "$one" -o v.fbin
check "extract: fbin" '[ $status -eq 0 ] && [ "$(u32 v.fbin 0)" = 1 ] && [ "$(u32 v.fbin 4)" = 492 ]'
tail -c +9 v.fbin > row
check "extract: fbin and npy agree" '[ "$(cksum < row)" = "$(head -c 1968 rows | cksum)" ]'
run "$IMGRET" extract "$one" broken.ppm --json
check "extract: JSON" '[ $status -eq 3 ] && is_ndjson out && [ "$(wc -l < out)" -eq 2 ]'
check "extract: a vector" '[ "$(head -n 1 out | tr "," "\n" | grep -c "[0-9]")" -ge 492 ]'
check "extract: a failure has its code, and its reason on stderr" \
    'tail -n 1 out | grep -q "\"code\":\"IMGRET_" && grep -q "broken\.ppm" err'
run "$IMGRET" extract "$one" -o v.txt
check "extract: unknown ending" '[ $status -eq 2 ] && grep -q "\.npy or \.fbin" err && [ ! -e v.txt ]'
run "$IMGRET" extract "$one"
check "extract: no output" '[ $status -eq 2 ] && grep -q "where to" err'
run "$IMGRET" extract
check "extract: no picture" '[ $status -eq 2 ] && grep -q "no picture given" err'

run "$IMGRET" model inspect classic
check "inspect" '[ $status -eq 0 ] && grep -q "^dimension.492$" out && grep -q "^identity.classic=1;" out'
run "$IMGRET" model inspect classic --json
check "inspect: JSON" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"architecture\":\"classic\"" out'
run "$IMGRET" model inspect no-such.safetensors
check "inspect: missing" '[ $status -eq 2 ] && grep -q "no-such\.safetensors" err'
run "$IMGRET" model guess classic
check "model: unknown word" '[ $status -eq 2 ] && grep -q "knows .inspect." err'

for command in extract model pca; do
    run "$IMGRET" $command --help
    check "help of $command" '[ $status -eq 0 ] && [ "$(head -n 1 out)" = "Examples:" ] &&
        ! grep -q ".\{81\}" out'
done

run "$IMGRET" pca train pics --dim 6 -o p.imgret-pca --json
if grep -q 'install OpenBLAS\|WITH_BLAS=0' err; then
    skip "pca train" "no OpenBLAS or LAPACK here"
    finish
fi
check "pca: from pictures" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"sample_count\":24," out'
"$IMGRET" -q add full.imgret pics
run "$IMGRET" pca train full.imgret --dim 6 --whiten -o w.imgret-pca
check "pca: from a database" '[ $status -eq 0 ] && [ -s w.imgret-pca ]'
run "$IMGRET" pca train pics --dim 6 -o again.imgret-pca
check "pca: two runs write the same file" 'cmp -s p.imgret-pca again.imgret-pca'
run "$IMGRET" pca train pics --dim 24 -o no.imgret-pca
check "pca: too small a sample" '[ $status -eq 2 ] && grep -q "at least 25" err && [ ! -e no.imgret-pca ]'
run "$IMGRET" add small.imgret pics --model "classic;pca=w.imgret-pca"
check "pca: a database of projected vectors" '[ $status -eq 0 ]'
rm w.imgret-pca
run "$IMGRET" search small.imgret "$one" -k 1
check "pca: it keeps its components" '[ $status -eq 0 ] && grep -q "1\.0000" out'
run "$IMGRET" stats small.imgret
check "pca: its dimension" 'grep -q "^dimension.6$" out'
run "$IMGRET" pca train small.imgret -o twice.imgret-pca
check "pca: projected vectors are no sample" '[ $status -eq 2 ] && grep -q "projected already" err'
finish
