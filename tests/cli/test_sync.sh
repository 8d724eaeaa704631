#!/bin/sh
# test_sync.sh: add --sync: new, changed, moved and gone files; a missing disk; --watch.
. "$(dirname "$0")/common.sh"

draw pics 16
run "$IMGRET" add t.imgret pics --sync --json
check "the first time everything is new" '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 16 ]'
run "$IMGRET" add t.imgret pics --sync
check "then nothing is to do" '[ $status -eq 0 ] && grep -q "16 unchanged" err'

first=$(ls -d "$work"/pics/*/* | sed -n 1p) second=$(ls -d "$work"/pics/*/* | sed -n 2p)
third=$(ls -d "$work"/pics/*/* | sed -n 3p)
id=$("$IMGRET" show t.imgret "$first" | cut -f 1)
"$IMGRET" label t.imgret mine "$id" --assign -q > mine.tsv 2> mine.err
mkdir "$work/pics/elsewhere"
mv "$first" "$work/pics/elsewhere/new name"
rm "$second"
cp "$third" "$work/pics/elsewhere/copy"
run "$IMGRET" add t.imgret pics --sync --json
check "a moved file keeps its id" \
    '[ "$(outcome_count moved)" -eq 1 ] && [ "$("$IMGRET" show t.imgret "$work/pics/elsewhere/new name" | cut -f 1)" = "$id" ]'
check "a file that is gone is removed" '[ "$(outcome_count removed)" -eq 1 ]'
check "a copy is new, what it is of stays" '[ "$(outcome_count stored)" -eq 1 ]'
check "the summary counts them" 'tail -n 1 out | grep -q "\"moved_count\":1,\"removed_count\":1"'
run "$IMGRET" check t.imgret
check "the database is sound" '[ $status -eq 0 ]'

mkdir other && cp "$third" other/apart
run "$IMGRET" add t.imgret other -q
rm other/apart
run "$IMGRET" add t.imgret pics --sync --json
check "what lies below no given folder is left alone" '[ "$(outcome_count removed)" -eq 0 ]'

mv pics away
run "$IMGRET" add t.imgret pics --sync
check "a missing folder is refused" '[ $status -eq 2 ] && grep -q "pics" err'
mkdir pics
run "$IMGRET" add t.imgret pics --sync
check "an empty one too: a disk may be missing" '[ $status -eq 2 ] && grep -q "is a disk missing" err'
check "and nothing was removed" '[ "$("$IMGRET" count t.imgret)" -eq 17 ]'
run "$IMGRET" add t.imgret pics --force
check "--force wants --sync" '[ $status -eq 2 ]'
run "$IMGRET" add t.imgret pics --sync --force
check "--force removes them" '[ $status -eq 0 ] && [ "$("$IMGRET" count t.imgret)" -eq 1 ]'

rmdir pics && mv away pics
"$IMGRET" add t.imgret pics --watch --json > watched 2> watched.err &
watcher=$!
wait_for() { # until the expression holds or nobody is left to make it true; the runner ends what hangs
    until eval "$1"; do
        kill -0 "$watcher" 2> /dev/null || return 1
        sleep 0.25
    done
}
check "--watch takes in what is there" 'wait_for "[ \$(lines_with \"\\\"event\\\":\\\"summary\\\"\" watched) -ge 1 ]" && wait_for "[ \"\$(\"$IMGRET\" count t.imgret)\" -eq 17 ]"'
check "and says so before it looks again" '[ "$(lines_with "\"outcome\":\"unchanged\"" watched)" -eq 0 ]'
mkdir pics/later && cp "$third" pics/later/late
check "and what comes later, in a new folder" 'wait_for "[ \"\$(\"$IMGRET\" count t.imgret)\" -eq 18 ]"'
rm pics/later/late
check "and lets go of what is removed" 'wait_for "[ \"\$(\"$IMGRET\" count t.imgret)\" -eq 17 ]"'
kill -INT "$watcher"
status=0
wait "$watcher" || status=$?
check "until it is interrupted" '[ $status -eq 130 ]'
finish
