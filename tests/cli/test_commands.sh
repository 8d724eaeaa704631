#!/bin/sh
# test_commands.sh: every command, its exit status, and the errors of a wrong command line.
. "$(dirname "$0")/common.sh"

draw pics 16
sunset=$(first_of sunset pics)

run "$IMGRET" create t.imgret --metric l2 --vectors f32
check "create makes a database" '[ $status -eq 0 ] && [ -d t.imgret ]'
run "$IMGRET" stats t.imgret
check "stats tells its settings" \
    '[ $status -eq 0 ] && grep -q "^metric	l2$" out && grep -q "^vector_type	f32$" out'
run "$IMGRET" create t.imgret
check "create refuses what is there" '[ $status -eq 2 ] && grep -q "t\.imgret" err'
run "$IMGRET" search t.imgret "$sunset"
check "search in an empty database finds nothing" '[ $status -eq 1 ] && [ ! -s out ]'
run "$IMGRET" show t.imgret
check "show of an empty database finds nothing" '[ $status -eq 1 ] && [ ! -s out ]'
rm -rf t.imgret

run "$IMGRET" add t.imgret pics
check "add makes the database and takes in a folder" '[ $status -eq 0 ] && grep -q "16 stored" err'
check "add says nothing on stdout" '[ ! -s out ]'
run "$IMGRET" search t.imgret "$sunset" -k 3
check "search prints k lines" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 3 ]'
check "the picture itself comes first with score 1" \
    '[ "$(head -n 1 out | cut -f 1,2)" = "1	1.000000" ] && head -n 1 out | grep -q "/sunset-000"'
status=0
"$IMGRET" search t.imgret - -k1 < "$sunset" > out 2> err || status=$?
check "search takes a picture from stdin" '[ $status -eq 0 ] && grep -q "/sunset-000" out'
id=$(head -n 1 out | cut -f 3)
run "$IMGRET" search t.imgret --id "$id"
check "search by id finds ten others" \
    '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 10 ] && ! grep -q "/sunset-000" out'
run "$IMGRET" search t.imgret "$sunset" --min-score 0.9999
check "--min-score keeps the rest away" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 1 ]'
run "$IMGRET" search t.imgret "$sunset" --target-recall 0.95 --deadline 60000 --stats
check "search with a target and a deadline" \
    '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 10 ] && grep -q " exact; effort" err'
run "$IMGRET" search t.imgret "$sunset" --target-recall 2
check "a target that cannot be is an error" '[ $status -eq 2 ] && grep -q target_recall err'
run "$IMGRET" search t.imgret "$sunset" --target-recall 0.9 --effort 50
check "effort and target do not go together" '[ $status -eq 2 ] && grep -q target_recall err'
run "$IMGRET" search t.imgret --id 99999
check "search by an id that is not there is an error" '[ $status -eq 2 ] && grep -q 99999 err'
run "$IMGRET" search t.imgret missing.jpg
check "a missing query picture is named" '[ $status -eq 2 ] && grep -q "missing\.jpg" err'
bad_picture broken.ppm
run "$IMGRET" search t.imgret broken.ppm
check "a query that is no picture is named" '[ $status -eq 2 ] && grep -q "broken\.ppm" err'

run "$IMGRET" show t.imgret
check "show lists all" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 16 ]'
run "$IMGRET" show t.imgret "$id"
check "show by id" '[ $status -eq 0 ] && [ "$(cut -f 1 out)" = "$id" ]'
run "$IMGRET" show t.imgret "$sunset" "./$sunset" "$work/pics/../$sunset"
check "show by path, however it is written" '[ $status -eq 0 ] && [ "$(cut -f 1 out | sort -u)" = "$id" ]'
run "$IMGRET" show t.imgret 99999 "$id"
check "show says which is not there and shows the others" \
    '[ $status -eq 1 ] && grep -q 99999 err && [ "$(wc -l < out)" -eq 1 ]'
run "$IMGRET" show t.imgret --failed
check "show --failed finds nothing when nothing failed" '[ $status -eq 1 ] && [ ! -s out ]'

run "$IMGRET" show t.imgret --where "uri LIKE '%/sunset-%' AND width > :w" --param w=0
check "show --where lists what matches" \
    '[ $status -eq 0 ] && [ "$(wc -l < out)" -ge 1 ] && ! grep -v -q "/sunset-" out'
matches=$(wc -l < out)
run "$IMGRET" search t.imgret "$sunset" --where "uri LIKE '%/sunset-%'" -k 100
check "search --where finds all that match" \
    '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq "$matches" ] && ! grep -v -q "/sunset-" out'
run "$IMGRET" search t.imgret "$sunset" --where "format = :f" --param "f=jpg' OR '1' = '1"
check "a parameter is never part of the expression" '[ $status -eq 1 ] && [ ! -s out ]'
run "$IMGRET" search t.imgret "$sunset" --where "id IN (SELECT 1)"
check "a sub-query is refused" '[ $status -eq 2 ] && grep -q "sub-query" err'
run "$IMGRET" show t.imgret --where "id = :n" --param n
check "--param without a value is named" '[ $status -eq 2 ] && grep -q "NAME=VALUE" err'
run "$IMGRET" show t.imgret --where 1 --json
check "show --json tells the attributes" \
    '[ $status -eq 0 ] && grep -q "\"perceptual_hash\":\"[0-9a-f]\{16\}\"" out && grep -q "\"brightness\":" out'

run "$IMGRET" remove t.imgret "$sunset"
check "remove by path" '[ $status -eq 0 ]'
run "$IMGRET" remove t.imgret "$id"
check "remove of what is gone finds nothing" '[ $status -eq 1 ] && grep -q "$id" err'
run "$IMGRET" search t.imgret "$sunset"
check "what is removed is not found" '[ $status -eq 0 ] && ! grep -q "/sunset-000" out'
check "the file stays" '[ -f "$sunset" ]'
run "$IMGRET" check t.imgret
check "check finds no problem" '[ $status -eq 0 ] && [ ! -s out ]'

run "$IMGRET" backup t.imgret copy.imgret
check "backup copies" '[ $status -eq 0 ] && [ ! -s out ] && grep -q copy.imgret err'
run "$IMGRET" show t.imgret --json
cp out shown
run "$IMGRET" show copy.imgret --json
check "the copy shows the same" 'cmp -s out shown'
run "$IMGRET" search copy.imgret "$sunset" -k 1
check "the copy is searched" '[ $status -eq 0 ] && [ -s out ]'
run "$IMGRET" check copy.imgret
check "the copy is sound" '[ $status -eq 0 ]'
run "$IMGRET" backup t.imgret copy.imgret
check "backup does not overwrite" '[ $status -eq 2 ] && grep -q copy.imgret err'
run "$IMGRET" backup t.imgret missing/copy.imgret --json
check "backup names a folder that is missing" '[ $status -eq 2 ] && grep -q missing err && [ ! -s out ]'
check "backup leaves nothing behind" '[ -z "$(ls -d *-partial 2> other)" ]'

mkdir empty
run "$IMGRET" add t.imgret empty
check "add of an empty folder is done" '[ $status -eq 0 ]'
run "$IMGRET" add t.imgret missing-folder "$sunset" --json
check "a missing path is named and the others are done" \
    '[ $status -eq 2 ] && grep -q missing-folder err && [ "$(outcome_count stored)" -eq 1 ]'

mkdir folder && echo hello > folder/file.txt && echo hello > file
mkdir damaged && head -c 4096 /dev/zero | tr '\0' 'x' > damaged/catalog.db
for database in folder file damaged; do
    run "$IMGRET" search $database "$sunset"
    check "search: $database is no database" '[ $status -eq 2 ] && grep -q "$database" err'
    run "$IMGRET" add $database "$sunset"
    check "add: $database is no database" '[ $status -eq 2 ] && grep -q "$database" err'
done
check "what is no database is left alone" '[ "$(ls folder)" = file.txt ] && [ "$(cat file)" = hello ]'
for command in search show stats check remove; do
    run "$IMGRET" $command nowhere.imgret $([ $command = search ] || [ $command = remove ] && echo 1)
    check "$command does not make a database" \
        '[ $status -eq 2 ] && [ ! -e nowhere.imgret ] && grep -q "nowhere\.imgret" err'
done
run "$IMGRET" add other.imgret pics --model no-such-model
check "an unknown model is an error that names it" '[ $status -eq 2 ] && grep -q no-such-model err'
run "$IMGRET" add t.imgret pics --model vectors:8
check "another model than the database's is refused" '[ $status -eq 2 ] && [ -s err ]'

run "$IMGRET"
check "no command is an error" '[ $status -eq 2 ] && [ -s err ] && [ ! -s out ]'
run "$IMGRET" --help
check "--help begins with examples" '[ $status -eq 0 ] && [ "$(head -n 1 out)" = "Examples:" ]'
for command in create add search show remove stats check backup; do
    check "--help lists $command" 'grep -q "^  $command " out'
done
for command in create add search show remove stats check backup; do
    "$IMGRET" help $command > other
    run "$IMGRET" $command --help
    check "$command --help begins with examples of it" \
        '[ $status -eq 0 ] && [ "$(head -n 1 out)" = "Examples:" ] && grep -q "^  imgret $command" out'
    check "help $command is the same" 'cmp -s out other'
done
for command in "" $("$IMGRET" help | awk '/^  [a-z]+ / && $1 != "imgret" { print $1 }'); do
    run "$IMGRET" help $command
    check "no line of help $command is wider than a terminal" '! grep -q ".\{81\}" out'
done
run "$IMGRET" --version
check "--version" '[ $status -eq 0 ] && grep -q "^imgret [0-9]*\.[0-9]*\.[0-9]*$" out'
run "$IMGRET" serach t.imgret "$sunset"
check "a mistyped command gets a suggestion" '[ $status -eq 2 ] && grep -q "mean .search" err'
run "$IMGRET" add t.imgret pics --fils-from x
check "a mistyped flag gets a suggestion" '[ $status -eq 2 ] && grep -q "mean .--files-from" err'
run "$IMGRET" frobnicate
check "a wild command gets none" '[ $status -eq 2 ] && grep -q frobnicate err && ! grep -q mean err'
run "$IMGRET" search t.imgret "$sunset" -k many
check "a value that is no number is named" '[ $status -eq 2 ] && grep -q many err'
run "$IMGRET" search t.imgret "$sunset" -k
check "a missing value is named" '[ $status -eq 2 ] && grep -q -e -k err'
run "$IMGRET" create u.imgret --metric l3
check "a wrong choice names the right ones" '[ $status -eq 2 ] && grep -q "cosine|ip|l2" err'
run "$IMGRET" search t.imgret
check "search without a picture" '[ $status -eq 2 ] && [ -s err ]'
run "$IMGRET" search t.imgret "$sunset" --id 1
check "search for a picture and an id" '[ $status -eq 2 ] && [ -s err ]'
run "$IMGRET" --json -q stats t.imgret
check "flags may stand before the command" '[ $status -eq 0 ] && grep -q "^{" out'
run "$IMGRET" show t.imgret --id 1
check "a flag of another command is refused" '[ $status -eq 2 ] && grep -q -e --id err'
finish
