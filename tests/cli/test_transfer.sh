#!/bin/sh
# test_transfer.sh: export, import and repair: what is there stays the same, and what is wrong is said.
. "$(dirname "$0")/common.sh"

draw pics 6
brick=$(first_of brick pics)
bad_picture pics/broken.ppm
"$IMGRET" add t.imgret pics -q 2> other
run "$IMGRET" export t.imgret out.d --json
check "export tells what it wrote" '[ $status -eq 0 ] && grep -q "\"event\":\"export\"" out'
check "its lines are JSON" 'is_ndjson out.d/images.ndjson && is_ndjson out.d/manifest.json'
check "a failure is among them" 'grep -q "broken\.ppm.*\"regions\":\[\]" out.d/images.ndjson'
run "$IMGRET" import new.imgret out.d
check "import makes a database" '[ $status -eq 0 ] && [ ! -s out ] && grep -q "images" err'
"$IMGRET" show t.imgret --json > shown
run "$IMGRET" show new.imgret --json
check "it shows the same" 'cmp -s out shown'
"$IMGRET" search t.imgret "$brick" --json > shown
run "$IMGRET" search new.imgret "$brick" --json
check "it finds the same" 'cmp -s out shown'
run "$IMGRET" check new.imgret
check "it is sound" '[ $status -eq 0 ]'
run "$IMGRET" import new.imgret out.d
check "import does not overwrite" '[ $status -eq 2 ] && grep -q new.imgret err'
run "$IMGRET" export t.imgret out.d
check "export does not overwrite" '[ $status -eq 2 ] && grep -q out.d err'
sed '2s/"state":1/"state":9/' out.d/images.ndjson > lines && cp lines out.d/images.ndjson
run "$IMGRET" import bad.imgret out.d
check "what is wrong is named by file and line" \
    '[ $status -eq 2 ] && grep -q "images.ndjson: line 2" err && [ ! -e bad.imgret ]'
run "$IMGRET" import bad.imgret missing.d
check "a missing folder is named" '[ $status -eq 2 ] && grep -q missing.d err'
check "nothing half made is left" '[ -z "$(ls -d *-partial 2> other)" ]'

run "$IMGRET" optimize t.imgret --force -q
for file in t.imgret/segments/*.seg; do
    printf 'x' | dd of="$file" bs=1 seek=9 conv=notrunc 2> other
done
run "$IMGRET" check t.imgret
check "check tells a damaged segment" '[ $status -eq 2 ] && grep -q "\.seg" out'
run "$IMGRET" search t.imgret "$brick"
check "a search that would lack a part is refused" '[ $status -eq 2 ] && [ ! -s out ] && grep -q "\.seg" err'
run "$IMGRET" show t.imgret
check "what needs no vector works" '[ $status -eq 0 ] && [ -s out ]'
rm "$brick"
run "$IMGRET" check t.imgret --repair
check "check --repair says what is lost and what is read again" \
    '[ $status -eq 3 ] && grep "^lost" out | grep -q brick && [ "$(lines_with restored out)" -eq 5 ]'
run "$IMGRET" check t.imgret
check "then it is sound" '[ $status -eq 0 ]'
run "$IMGRET" search t.imgret "$(first_of city pics)"
check "and searches work" '[ $status -eq 0 ] && [ -s out ]'

# spoil FILE PAGE: overwrites a page of a catalogue, of 8 KiB.
spoil() {
    head -c 8192 /dev/zero | tr '\0' 'x' | dd of="$1" bs=8192 seek="$2" conv=notrunc 2> other
}
"$IMGRET" show t.imgret > shown
cp -r t.imgret sound.imgret
spoil t.imgret/catalog.db 0
cp t.imgret/catalog.db spoiled
run "$IMGRET" show t.imgret
check "a damaged catalogue is told" '[ $status -eq 2 ] && [ ! -s out ] && grep -q "t.imgret" err'
run "$IMGRET" check t.imgret --repair
check "check --repair makes it anew" \
    '[ $status -ne 2 ] && grep -q "catalog.db.damaged" out err && cmp -s spoiled t.imgret/catalog.db.damaged'
run "$IMGRET" check t.imgret
check "then it is sound too" '[ $status -eq 0 ]'
run "$IMGRET" show t.imgret
check "and holds what it held" '[ $status -eq 0 ] && cmp -s out shown'
rm -r t.imgret && cp -r sound.imgret t.imgret
: > spoiled
pages=$(($(wc -c < t.imgret/catalog.db) / 8192)) page=1
while [ "$page" -lt "$pages" ]; do
    rm -rf page.imgret && cp -r sound.imgret page.imgret && spoil page.imgret/catalog.db "$page"
    "$IMGRET" check page.imgret --repair > out 2> err
    status=$?
    "$IMGRET" check page.imgret > other 2>&1 || [ "$status" -eq 2 ] || echo "$page" >> spoiled
    [ "$status" -ne 2 ] || grep -q "page.imgret" err || echo "$page" >> spoiled
    page=$((page + 1))
done
check "whatever page is lost, it is sound afterwards or refused with its name" '[ ! -s spoiled ]'

run "$IMGRET" reembed t.imgret
check "reembed wants a model" '[ $status -eq 2 ] && grep -q -e --model err'
run "$IMGRET" reembed t.imgret --model classic --json
check "reembed to the same model does nothing" \
    '[ $status -eq 0 ] && grep -q "\"embedded_count\":0" out'
run "$IMGRET" reembed t.imgret --model no-such-model
check "reembed names an unknown model" '[ $status -eq 2 ] && grep -q no-such-model err'
finish
