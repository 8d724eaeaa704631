# common.sh: what the tests of the command share: TAP, a scratch folder, pictures, small checks.
#
# Needs IMGRET, the command, and draw_pictures: in DRAW_PICTURES, or beside it in examples/.
# A test is `run COMMAND...`, then `check NAME EXPRESSION`: the expression is shell, and sees
# $status and the files $work/out and $work/err.

set -u
LC_ALL=C
export LC_ALL

if [ ! -x "${IMGRET:-}" ]; then
    echo "Bail out! IMGRET must name the imgret command"
    exit 1
fi
IMGRET=$(cd "$(dirname "$IMGRET")" && pwd -P)/$(basename "$IMGRET")
DRAW_PICTURES=${DRAW_PICTURES:-$(dirname "$IMGRET")/examples/draw_pictures}
work=$(mktemp -d "${TMPDIR:-/tmp}/imgret-cli.XXXXXX") || exit 1
work=$(cd "$work" && pwd -P)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
test_count=0
failed_count=0

# Runs a command; its status and output are then there for checks.
run() {
    status=0
    "$@" > "$work/out" 2> "$work/err" < /dev/null || status=$?
}

check() {
    test_count=$((test_count + 1))
    if eval "$2"; then
        echo "ok $test_count - $1"
    else
        failed_count=$((failed_count + 1))
        echo "not ok $test_count - $1"
        echo "# wanted: $2"
        echo "# status: ${status:-}"
        head -n 5 "$work/out" | cut -c1-300 | sed 's/^/# stdout: /'
        head -n 5 "$work/err" | cut -c1-300 | sed 's/^/# stderr: /'
    fi
}

skip() {
    test_count=$((test_count + 1))
    echo "ok $test_count - $1 # SKIP $2"
}

finish() {
    echo "1..$test_count"
    [ "$failed_count" -eq 0 ]
    exit
}

# draw FOLDER COUNT: fresh pictures, without their list of labels.
draw() {
    if ! "$DRAW_PICTURES" "$1" "$2" 7; then
        echo "Bail out! $DRAW_PICTURES does not draw"
        exit 1
    fi
    rm -f "$1/labels.tsv"
}

# first_of CLASS FOLDER: the first picture of a class, whatever its format.
first_of() {
    for found in "$2/$1/$1"-000.*; do
        echo "$found"
        return
    done
}

# Bytes that are no picture under a picture's name.
bad_picture() {
    printf 'P6 this is no picture' > "$1"
}

# Lines of a file that hold a text.
lines_with() {
    grep -c -F -e "$1" "$2" || true
}

# outcome_count OUTCOME: items of the last `run add --json` with it.
outcome_count() {
    lines_with "\"outcome\":\"$1\"" "$work/out"
}

# Every line of a file is one JSON object in UTF-8.
is_ndjson() {
    if command -v python3 > /dev/null 2>&1; then
        python3 -c 'import json, sys
lines = open(sys.argv[1], "rb").read().decode("utf-8").splitlines()
for line in lines:
    assert isinstance(json.loads(line, parse_constant=lambda name: 1 / 0), dict)
assert lines' "$1"
    else
        [ -s "$1" ] && ! grep -v '^{".*}$' "$1"
    fi
}
