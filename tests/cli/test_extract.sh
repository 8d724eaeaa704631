#!/bin/sh
# test_extract.sh: extract, model and pca train: files, JSON, errors.
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
known=0
for file in "${IMGRET_TEST_DATA:-}"/weights/*.safetensors; do
    [ -r "$file" ] && [ -r "${IMGRET_PLUGIN_PATH:-}/imgret_torch.so" ] || continue
    run "$IMGRET" model inspect "$file"
    [ $status -eq 0 ] && grep -q "^architecture.[a-z]" out || { known=no; break; }
    known=$((known + 1))
done
if [ "$known" = 0 ]; then
    check "inspect: the test data's weights # SKIP no torch plugin, or no IMGRET_TEST_DATA" true
else
    check "inspect: the test data's weights, $known files" '[ "$known" != no ]'
fi
run "$IMGRET" model guess classic
check "model: unknown word" '[ $status -eq 2 ] && grep -q "knows .inspect., .bench. and .compare." err'

# A reference in the files that compare takes: pixels of the model's size, vectors, logits or none.
# reference FILE VECTORS-NPY EXTENT: EXTENT is added to the first number of each vector.
reference() {
    python3 - "$@" <<'EOF'
import json, struct, sys
name, vectors, extent = sys.argv[1], sys.argv[2], float(sys.argv[3])
data = open(vectors, "rb").read()[128:]
rows = [list(struct.unpack("<492f", data[1968 * i:1968 * (i + 1)])) for i in range(2)]
for row in rows:
    row[0] += extent
embedding = b"".join(struct.pack("<492f", *(3 * value for value in row)) for row in rows)
pixels = b"".join(open("p%d.rgb" % i, "rb").read() for i in range(2))
header = json.dumps({"pixels": {"dtype": "U8", "shape": [2, 128, 128, 3], "data_offsets": [0, 98304]},
                     "embedding": {"dtype": "F32", "shape": [2, 492],
                                   "data_offsets": [98304, 98304 + len(embedding)]}}).encode()
open(name, "wb").write(struct.pack("<Q", len(header)) + header + pixels + embedding)
EOF
}
if command -v python3 > /dev/null 2>&1; then
    for i in 0 1; do
        python3 -c "import random; random.seed($i); open('p$i.rgb', 'wb').write(
            bytes(random.randrange(256) for _ in range(49152)))"
        { printf 'P6 128 128 255\n'; cat "p$i.rgb"; } > "p$i.ppm"
    done
    "$IMGRET" -q extract p0.ppm p1.ppm -o both.npy
    reference same.safetensors both.npy 0
    run "$IMGRET" model compare classic same.safetensors --json
    check "compare: the same" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"pictures\":2," out &&
        grep -q "\"top1_same\":2" out && grep -q "\"max_rel_error\":[0-9.]*e-0[6-9]\|_error\":0," out'
    reference other.safetensors both.npy 0.5
    run "$IMGRET" model compare classic other.safetensors
    check "compare: another" '[ $status -eq 1 ] && grep -q "another model" err'
    head -c 98000 same.safetensors > short.safetensors
    run "$IMGRET" model compare classic short.safetensors
    check "compare: cut short" '[ $status -eq 2 ] && grep -q "short\.safetensors: a tensor.s place" err'
else
    skip "compare" "no python3 to write a reference with"
fi
run "$IMGRET" model compare classic
check "compare: no reference" '[ $status -eq 2 ] && grep -q "usage: imgret model compare" err'
run "$IMGRET" model compare classic "$one"
check "compare: a picture is no reference" '[ $status -eq 2 ] && grep -q "no \.safetensors file" err'
run "$IMGRET" model bench classic --json
check "bench" '[ $status -eq 0 ] && is_ndjson out && [ "$(wc -l < out)" -eq 2 ] &&
    grep -q "\"batch\":8,\"images_per_s\":[1-9]" out && grep -q "\"resident_mib\":[1-9]" out'

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
run "$IMGRET" pca train pics --dim 6 --sample 12 -o some.imgret-pca --json
check "pca: a sample" '[ $status -eq 0 ] && grep -q "\"sample_count\":12," out'
"$IMGRET" -q pca train pics --dim 6 --sample 12 -o same.imgret-pca
check "pca: the same sample again" 'cmp -s some.imgret-pca same.imgret-pca'
"$IMGRET" -q pca train pics --dim 6 --sample 12 --seed 2 -o other.imgret-pca
check "pca: another seed, another sample" '! cmp -s some.imgret-pca other.imgret-pca'
ls -d pics/*/* | head -n 12 > names
xargs "$IMGRET" -q pca train --dim 6 -o first.imgret-pca < names
check "pca: it is not the first ones" '! cmp -s some.imgret-pca first.imgret-pca'
run "$IMGRET" pca train no-such-folder --dim 6 -o no.imgret-pca
check "pca: a folder that is not there" '[ $status -eq 2 ] && grep -q "no-such-folder" err'
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
