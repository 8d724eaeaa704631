#!/bin/sh
# test_resume.sh: adding again: unchanged, replaced and failed pictures, and a run cut short.
. "$(dirname "$0")/common.sh"

draw pics 4
brick=$(first_of brick pics)
bad_picture pics/broken.ppm

run "$IMGRET" add t.imgret pics --json
check "a bad picture fails, the others are stored" \
    '[ $status -eq 3 ] && [ "$(outcome_count stored)" -eq 4 ] && [ "$(outcome_count failed)" -eq 1 ]'
id=$(grep "$brick" out | sed 's/.*"id":\([0-9]*\).*/\1/')
run "$IMGRET" add t.imgret pics --json
check "nothing is done twice" '[ "$(outcome_count unchanged)" -eq 4 ]'
check "a bad picture is not tried again" \
    '[ $status -eq 3 ] && [ "$(outcome_count known_bad)" -eq 1 ] && [ "$(outcome_count failed)" -eq 0 ]'
check "nothing was read" 'tail -n 1 out | grep -q "\"bytes_read\":0,"'
run "$IMGRET" add t.imgret pics --retry-failed --json
check "--retry-failed tries it again" '[ $status -eq 3 ] && [ "$(outcome_count failed)" -eq 1 ]'
touch -d '2001-02-03' "$brick"
run "$IMGRET" add t.imgret pics --json
check "the same content under another time is unchanged" '[ "$(outcome_count unchanged)" -eq 4 ]'
cp "$(first_of city pics)" "$brick"
run "$IMGRET" add t.imgret pics --json
check "new content replaces and keeps the id" \
    '[ "$(outcome_count replaced)" -eq 1 ] && grep "replaced" out | grep -q "\"id\":$id,"'
cp "$(first_of checker pics)" pics/broken.ppm
run "$IMGRET" add t.imgret pics --json
check "a bad picture that changed is tried again" \
    '[ $status -eq 0 ] && grep "broken\.ppm" out | grep -q -e "\"stored\"" -e "\"replaced\""'
run "$IMGRET" show t.imgret --failed
check "and is no longer listed as failed" '[ $status -eq 1 ]'

mkdir -p deep/inner && cp "$brick" deep/ && cp "$(first_of checker pics)" deep/inner/
run "$IMGRET" add n.imgret deep --no-recurse --json
check "--no-recurse stays in the folder" '[ $status -eq 0 ] && [ "$(outcome_count stored)" -eq 1 ]'

if [ "$(id -u)" -eq 0 ]; then
    skip "an unreadable folder is named" "root reads everything"
else
    mkdir locked && cp "$brick" locked/ && chmod 000 locked
    run "$IMGRET" add l.imgret locked "$brick" --json
    check "an unreadable folder is named" '[ $status -ge 2 ] && grep -q locked err out'
    check "and the others are done" '[ "$(outcome_count stored)" -eq 1 ]'
fi

# More pictures than the pipe takes reports of: the run cannot have ended when the signal comes.
many=many/$(printf '%0150d' 0)
mkdir -p "$many"
number=0
while [ $number -lt 600 ]; do
    { printf 'P6\n16 16\n255\n'; printf '%0768d' $number; } > "$many/$number.ppm"
    number=$((number + 1))
done
mkfifo pipe
"$IMGRET" add m.imgret many --json > pipe 2> err &
pid=$!
exec 3< pipe
read -r first_line <&3
kill -INT $pid
{ printf '%s\n' "$first_line"; cat <&3; } > out
exec 3<&-
status=0
wait $pid || status=$?
check "Ctrl-C ends the run with 130" '[ $status -eq 130 ] && grep -q interrupted err'
check "its reports are whole" 'is_ndjson out && tail -n 1 out | grep -q "\"complete\":false"'
before=$(outcome_count stored)
grep '"event":"item"' out | sed 's/.*"path":"\([^"]*\)".*/\1/' | sort > reported
check "some were done, and some were not" '[ "$before" -gt 0 ] && [ "$before" -lt 600 ]'
"$IMGRET" show m.imgret --json | sed 's/.*"path":"\([^"]*\)".*/\1/' | sort > kept
check "what was reported is in the database" '[ -z "$(comm -23 reported kept)" ]'
run "$IMGRET" check m.imgret
check "the database has no problem" '[ $status -eq 0 ]'
kept_count=$(wc -l < kept)
run "$IMGRET" add m.imgret many --json
check "the next run does what is left" '[ $status -eq 0 ] &&
    [ "$(outcome_count unchanged)" -eq $kept_count ] &&
    [ "$(outcome_count stored)" -eq $((600 - kept_count)) ]'
run "$IMGRET" show m.imgret -0
tr '\0' '\n' < out | sort > kept
check "nothing is lost, nothing doubled" \
    '[ "$(wc -l < kept)" -eq 600 ] && [ "$(sort -u kept | wc -l)" -eq 600 ]'
run "$IMGRET" stats m.imgret
check "as many vectors as pictures" 'grep -q "^vector_count	600$" out'

# A long listing whose reader goes away.
{ "$IMGRET" show m.imgret 2> err; echo $? > left; } | head -n 1 > out
status=$(cat left)
check "a reader that goes away is no error" '[ $status -eq 0 ] && [ ! -s err ] && [ -s out ]'
finish
