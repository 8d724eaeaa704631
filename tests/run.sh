#!/bin/sh
# run.sh: runs test programs that speak TAP, one line each, and sums them up in one last line.
#
#   sh tests/run.sh [-j N] [--skip "NAME: REASON"]... FILE...
#
# N files run at a time (1), each reported when it ends; so those that last long had best stand first.
#
# FILE is a cmocka program, a fuzz target's replay driver (NAME-replay; its corpora stand in
# tests/fuzz/corpora.txt) or a shell test (*.sh). All get this environment:
#   IMGRET               the command            IMGRET_BUILD        the build folder, absolute
#   IMGRET_PLUGIN_PATH   the plugins built      IMGRET_TEST_PLUGINS those made only for tests
#   IMGRET_TEST_DATA     real data, or empty    TMPDIR              a fresh folder, removed after
# A test is skipped with its reason: "ok N - name # SKIP reason", or, in cmocka, whose skip() knows
# no reason, by skip_because() of testing.h, which prints "# SKIP reason: ..." just before.
# What dies, hangs for TEST_TIMEOUT_S or ends before its plan is fulfilled counts as failed.
#
# Environment: BUILD (folder), EMULATOR (a command that runs the programs), T (only files whose name contains it), TEST_TIMEOUT_S (300).
# Exit status: 0 when something ran and nothing failed, else 1.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
timeout_s=${TEST_TIMEOUT_S:-300}
mkdir -p "$build/test-logs"
case $build in /*) ;; *) build=$PWD/$build ;; esac

export IMGRET="$build/imgret" IMGRET_BUILD="$build" CMOCKA_MESSAGE_OUTPUT=TAP
export IMGRET_PLUGIN_PATH="$build/lib/imgret" IMGRET_TEST_PLUGINS="$build/tests/plugins"
export IMGRET_TEST_DATA="${IMGRET_TEST_DATA:-}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
# "--one FOLDER FILE" is how this script calls itself, for each file.
if [ "${1:-}" = --one ]; then
    results=$2
    scratch=$(mktemp -d "$results/XXXXXX") || exit 1
else
    results=$(mktemp -d) || exit 1
    scratch=$results
    trap 'rm -rf "$results"' EXIT
fi
trap 'exit 130' INT TERM

# ThreadSanitizer of gcc 12 cannot place its shadow memory where addresses are very random.
steady=${EMULATOR:-}
if grep -q -e '-fsanitize=thread' "$build/flags" 2>/dev/null && setarch -R true 2>/dev/null; then
    steady='setarch -R'
fi

# Reads TAP on stdin; prints "passed failed skipped", then a line for each skip and failure.
read_tap() { # exit status of the program
    awk -v status="$1" '
    function finish_plan() {
        if (plan >= 0 && seen < plan)
            note("failed", (plan - seen) " of " plan " planned tests did not report")
        if (plan >= 0 && seen > plan)
            note("failed", (seen - plan) " tests more than the plan of " plan)
    }
    function note(kind, text) { count[kind]++; notes[++note_count] = kind ": " text }
    BEGIN { plan = -1 }
    /^1\.\.[0-9]+/ {
        if (plans || !seen) { finish_plan(); seen = 0 } # else the plan stands at the end
        plan = substr($1, 4) + 0; plans++
        if (plan == 0 && match($0, /# *[Ss][Kk][Ii][Pp]/)) {
            text = substr($0, RSTART + RLENGTH); sub(/^[: ]+/, "", text)
            note("skipped", text == "" ? "no reason given" : text)
        }
        next
    }
    /^Bail out!/ { note("failed", $0); bailed = 1; next }
    /^# SKIP reason: / { reason = substr($0, 16); next }
    /^(not )?ok( |$)/ {
        good = ($1 == "ok"); number = good ? $2 : $3
        text = $0; sub(/^(not )?ok *[0-9]* *(- *)?/, "", text)
        if (number != "0") seen++ # 0: cmocka about the set-up or tear-down of a group
        if (match(text, /# *[Ss][Kk][Ii][Pp][a-z]*:? */)) {
            name = substr(text, 1, RSTART - 1); why = substr(text, RSTART + RLENGTH)
            sub(/ +$/, "", name)
            # cmocka puts the name there; the reason, if any, is what was printed before.
            if (name == "") { name = why; why = reason != "" ? reason : last_words }
            note("skipped", name ": " (why == "" ? "no reason given" : why))
        } else if (good) count["passed"]++
        else note("failed", text)
        reason = last_words = ""
        next
    }
    /[^ ]/ { last_words = $0; sub(/^# */, "", last_words) }
    END {
        finish_plan()
        if (!plans && !bailed) note("failed", "printed no plan")
        if (status == 124 || status == 137) note("failed", "stopped after the time limit")
        else if (status > 128) note("failed", "killed by signal " (status - 128))
        else if (status != 0 && !count["failed"]) note("failed", "exit status " status)
        print count["passed"] + 0, count["failed"] + 0, count["skipped"] + 0
        for (i = 1; i <= note_count; i++) print notes[i]
    }'
}

# The folders whose files fuzz target $1 is run on, one a line.
corpora_of() {
    [ ! -d "tests/fuzz/corpus/$1" ] || echo "tests/fuzz/corpus/$1"
    [ -n "$IMGRET_TEST_DATA" ] || return 0
    sed -n "s/^$1: *//p" tests/fuzz/corpora.txt 2>/dev/null | tr ' ' '\n' | while read -r folder; do
        [ -z "$folder" ] || [ ! -e "$IMGRET_TEST_DATA/$folder" ] ||
            echo "$IMGRET_TEST_DATA/$folder"
    done
}

run_file() { # file, name
    case $2 in
    *.sh) timeout -k 5 "$timeout_s" sh "$1" ;;
    *-replay)
        program=$1
        corpora_of "${2%-replay}" >"$scratch/corpora"
        set --
        while read -r folder; do set -- "$@" "$folder"; done <"$scratch/corpora"
        timeout -k 5 "$timeout_s" $steady "$program" "$@" ;;
    *) timeout -k 5 "$timeout_s" $steady "$1" ;;
    esac
}

report() { # name, seconds, what read_tap printed
    read -r ok bad skip <"$3"
    echo "$ok $bad $skip $1" >>"$results/counts"
    word=ok
    [ "$skip" = 0 ] || [ "$ok" != 0 ] || word=skip
    [ "$bad" = 0 ] || word=FAIL
    counts="$ok passed"
    [ "$bad" = 0 ] || counts="$counts, $bad failed"
    [ "$skip" = 0 ] || counts="$counts, $skip skipped"
    printf '%-5s %-28s %s (%s s)\n' "$word" "$1" "$counts" "$2"
    sed '1d; s/^/      /' "$3"
}

run_one() { # file
    name=${1##*/}
    out="$build/test-logs/$name.out" err="$build/test-logs/$name.err"
    mkdir "$scratch/tmp"
    began=$(date +%s%N)
    TMPDIR="$scratch/tmp" run_file "$1" "$name" >"$out" 2>"$err" </dev/null
    status=$?
    tenths=$((($(date +%s%N) - began) / 100000000))
    chmod -R u+rwX "$scratch/tmp" 2>/dev/null
    rm -rf "$scratch/tmp"
    read_tap $status <"$out" >"$scratch/result"
    # Nobody else reports meanwhile: the lines of two files must not mix.
    exec 9>"$results/lock"
    flock 9
    report "$name" "$((tenths / 10)).$((tenths % 10))" "$scratch/result"
    [ "$bad" = 0 ] || sed 's/^/    | /' "$out" "$err"
}

if [ "${1:-}" = --one ]; then
    run_one "$3"
    exit 0
fi

jobs=1
if [ "${1:-}" = -j ]; then
    jobs=$2
    shift 2
fi
: >"$results/counts"
while [ "${1:-}" = --skip ]; do
    printf '0 0 1\nskipped: %s\n' "${2#*: }" >"$scratch/result"
    report "${2%%: *}" 0.0 "$scratch/result"
    shift 2
done
for file in "$@"; do
    case ${file##*/} in *"${T:-}"*) printf '%s\0' "$file" ;; esac
done | xargs -0 -r -n 1 -P "$jobs" sh tests/run.sh --one "$results" ||
    echo "0 1 0 run.sh" >>"$results/counts" # a file whose runner was killed left no count

awk '{ passed += $1; failed += $2; skipped += $3; if ($2) names = names " " $4 }
END {
    if (names) print "failed:" names
    if (!(passed + failed + skipped)) print "no test ran"
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed || !passed
}' "$results/counts"
