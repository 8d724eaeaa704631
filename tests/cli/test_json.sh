#!/bin/sh
# test_json.sh: --json of every command is NDJSON with the documented fields.
. "$(dirname "$0")/common.sh"

draw pics 16
bad_picture pics/broken.ppm
echo notes > pics/notes.txt

# fields FILE: the names in its first line, in order.
fields() {
    head -n 1 "$1" | sed 's/"[a-z_0-9]*":/\n&\n/g' | sed -n 's/^"\([a-z_0-9]*\)":$/\1/p' | tr '\n' ' '
}

run "$IMGRET" create t.imgret --json
check "create" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"model\":\"classic\"" out'
run "$IMGRET" add t.imgret pics --json
check "add" '[ $status -eq 3 ] && is_ndjson out'
check "add: one object a file and a summary" '[ "$(wc -l < out)" -eq 19 ]'
check "add: outcomes" '[ "$(outcome_count stored)" -eq 16 ] && [ "$(outcome_count failed)" -eq 1 ] &&
    [ "$(outcome_count skipped)" -eq 1 ]'
check "add: fields of an item" \
    '[ "$(fields out)" = "event outcome id path format width height code reason " ]'
check "add: a failure has a code and a reason" \
    'grep "broken\.ppm" out | grep -q "\"code\":\"IMGRET_[A-Z_]*\",\"reason\":\"[^\"]"'
check "add: a stored picture has neither" \
    'grep "\"stored\"" out | grep -v "\"code\":null,\"reason\":null" | wc -l | grep -q "^0$"'
tail -n 1 out > last
check "add: fields of the summary" '[ "$(fields last)" = "event file_count done_count stored_count \
replaced_count unchanged_count failed_count known_bad_count skipped_count bytes_read elapsed_us \
complete " ]'
check "add: counts of the summary" 'grep -q "\"stored_count\":16" last &&
    grep -q "\"failed_count\":1" last && grep -q "\"complete\":true" last'
run "$IMGRET" search t.imgret "$(first_of wood pics)" -k 5 --json
check "search" '[ $status -eq 0 ] && is_ndjson out && [ "$(wc -l < out)" -eq 5 ]'
check "search: fields" '[ "$(fields out)" = "rank id score path width height metadata label label_score " ]'
run "$IMGRET" search t.imgret "$(first_of wood pics)" -k 5 --json --stats
check "search --stats: one more object" '[ $status -eq 0 ] && is_ndjson out && [ "$(wc -l < out)" -eq 6 ]'
check "search --stats: what was scanned" 'tail -1 out | grep -q "^{\"stats\":true,\"partial\":false,.*\"scanned\":[1-9]"'
run "$IMGRET" search t.imgret "$(first_of wood pics)" -k 5 --json
check "search: ranks" '[ "$(sed "s/^{\"rank\":\([0-9]*\),.*/\1/" out | tr "\n" " ")" = "1 2 3 4 5 " ]'
run "$IMGRET" show t.imgret --json
check "show" '[ $status -eq 0 ] && is_ndjson out && [ "$(wc -l < out)" -eq 17 ]'
check "show: fields" 'case "$(fields out)" in "id state path format width height file_bytes \
modified_ns added_ms content_hash code reason metadata label label_score brightness contrast "*) ;; *) false ;; esac'
run "$IMGRET" show t.imgret --failed --json
check "show --failed" '[ $status -eq 0 ] && is_ndjson out && [ "$(wc -l < out)" -eq 1 ] &&
    grep -q "\"state\":\"failed\"" out && grep -q "broken\.ppm" out'
run "$IMGRET" remove t.imgret 1 4711 --json
check "remove" '[ $status -eq 1 ] && is_ndjson out && [ "$(wc -l < out)" -eq 2 ]'
check "remove: fields" '[ "$(fields out)" = "word removed id path " ]'
run "$IMGRET" stats t.imgret --json
check "stats" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"image_count\":15" out'
check "stats: fields" '[ "$(fields out)" = "database image_count failed_count vector_count dimension \
metric vector_type model model_identity regions catalog_bytes delta_vector_count delta_ram_bytes segment_count \
segment_vector_count segment_bytes segment_ram_bytes code_ram_bytes graph_ram_bytes graph_disk_bytes \
id_ram_bytes check_ram_bytes other_ram_bytes kernels io_kind io_reason same_score near_score similar_score " ]'
run "$IMGRET" check t.imgret --json
check "check" '[ $status -eq 0 ] && is_ndjson out && grep -q "\"problem_count\":0" out'
finish
