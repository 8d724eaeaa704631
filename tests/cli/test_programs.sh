#!/bin/sh
# test_programs.sh: every program of examples/ does what it shows, with the shared library and with
# the archive.
. "$(dirname "$0")/common.sh"
examples=$(dirname "$DRAW_PICTURES")

draw pictures 24
bad_picture pictures/broken.jpg
picture=$(cd pictures && pwd -P)/$(cd pictures && first_of forest .)
picture=$(echo "$picture" | sed 's|/\./|/|')

# The server says "ready" when it listens.
wait_for_server() {
    for tenth in $(seq 300); do
        grep -q ready "$1" && return 0
        sleep 0.1
    done
    return 1
}

for kind in shared static; do
    programs=$examples
    [ $kind = shared ] || programs=$examples/static
    db=$kind.imgret

    run "$programs/photo_search" $db pictures "$picture"
    check "$kind: photo_search takes the folder in and names what it cannot read" \
        '[ $status -eq 0 ] && grep -q "cannot read .*/broken\.jpg" err && grep -q "24 new, 0 unchanged, 1" err'
    check "$kind: and finds the picture itself first" \
        'head -n 1 out | grep -q "^1\.0000	.*	$picture\$" && [ "$(wc -l < out)" -eq 5 ]'
    run "$programs/photo_search" $db pictures "$picture" "uri LIKE '%/forest/%' AND width > 0"
    check "$kind: a second run reads nothing, and a filter holds" \
        '[ $status -eq 0 ] && grep -q " 0 new, 24 unchanged" err && [ -s out ] && ! grep -v /forest/ out'
    run "$programs/photo_search" $db pictures "$picture" "no_such_column > 1"
    check "$kind: a wrong filter is named" '[ $status -eq 1 ] && grep -q no_such_column err'

    run "$programs/hooks" hooks-$db pictures 5
    check "$kind: hooks stops where it was told, and keeps what was done" \
        '[ $status -eq 0 ] && grep -q "^stopped" out && stored=$(sed -n "s/^stored //p" out) &&
        [ "$stored" -ge 4 ] && [ "$stored" -lt 24 ]'
    run "$programs/hooks" hooks-$db pictures
    check "$kind: hooks shows progress and gives all memory back" \
        '[ $status -eq 0 ] && grep -q "^25 of 25" err && grep -q "^left 0 bytes" out &&
        [ "$(sed -n "s/^peak \([0-9]*\) bytes/\1/p" out)" -gt 100000 ]'
    run "$IMGRET" stats hooks-$db --json
    check "$kind: and the database is whole" 'grep -q "\"image_count\":24," out'
    run "$programs/hooks" hooks-$db/no/such pictures
    check "$kind: hooks names an error" '[ $status -eq 1 ] && grep -q IMGRET_ err && grep -q "^left 0 bytes" out'

    run "$programs/vectors_only" vectors-$db 3000
    check "$kind: vectors_only finds groups" \
        '[ $status -eq 0 ] && grep -q "^16 of 16 questions" out'
    check "$kind: and filters by metadata" \
        '[ "$(grep -c "{\"group\": 3}" out)" -eq 3 ] && [ "$(wc -l < out)" -eq 4 ]'
    run "$IMGRET" stats vectors-$db --json
    check "$kind: its vectors are in a segment" 'grep -q "\"segment_vector_count\":3000," out'
    run "$programs/vectors_only" vectors-$db
    check "$kind: it refuses a database that is there" '[ $status -eq 1 ] && grep -q IMGRET_EXISTS err'

    "$programs/search_server" $db $kind.sock 3 > server.out 2> server.err &
    server=$!
    check "$kind: search_server listens" 'wait_for_server server.out && grep -q "3 threads" server.out'
    clients=
    for client in 1 2 3 4 5 6; do
        "$programs/search_server" --ask $kind.sock "$picture" > answer.$client 2>&1 &
        clients="$clients $!"
    done
    for client in $clients; do wait "$client"; done
    check "$kind: six clients at once get the same answer" \
        'head -n 1 answer.1 | grep -q "^1\.0000	$picture\$" &&
        for client in 2 3 4 5 6; do cmp -s answer.1 answer.$client || exit 1; done'
    run "$programs/search_server" --ask $kind.sock /no/such/picture.jpg
    check "$kind: a request that fails is answered so" \
        '[ $status -eq 1 ] && grep -q "^error	.*/no/such/picture\.jpg" out'
    kill -TERM $server
    status=0
    wait $server || status=$?
    check "$kind: SIGTERM ends it in order" '[ $status -eq 0 ] && [ ! -e $kind.sock ] && [ ! -s server.err ]'
done

plugins=$examples/plugin
run "$IMGRET" add thumbs.imgret pictures --model 'thumbs;side=8' --plugin-path "$plugins"
check "the plugin extracts" '[ $status -eq 3 ]'
run "$IMGRET" search thumbs.imgret "$picture" --plugin-path "$plugins" -k 3
check "and finds" '[ $status -eq 0 ] && head -n 1 out | grep -q "^1	1\.0.*$picture\$"'
run "$IMGRET" stats thumbs.imgret --plugin-path "$plugins" --json
check "the database knows it" 'grep -q "\"dimension\":64," out && grep -q "side=8" out'
run "$IMGRET" search thumbs.imgret "$picture" --model 'thumbs;side=16' --plugin-path "$plugins"
check "another side is another extractor" '[ $status -eq 2 ] && grep -q "side=" err'
run "$IMGRET" extract "$picture" --model 'thumbs;side=99' --plugin-path "$plugins" --json
check "a wrong option is named" '[ $status -eq 2 ] && grep -q "side=99" err'
finish
