#!/bin/sh
# run_tests.sh: tests/run.sh counts what passes, fails, is skipped, dies or hangs, and says so last.
set -u
runner=$PWD/tests/run.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

counts() { # expected last line, expected status, text the output has, description; script on stdin
    number=$((number + 1))
    cat >"$work/script.sh"
    BUILD="$work" T='' TEST_TIMEOUT_S=1 sh "$runner" "$work/script.sh" >"$work/out" 2>&1
    status=$?
    if [ $status = "$2" ] && [ "$(tail -n 1 "$work/out")" = "$1" ] &&
        grep -q -e "$3" "$work/out"; then
        echo "ok $number - $4"
    else
        sed 's/^/# /' "$work/out"
        echo "not ok $number - $4"
    fi
}

echo 1..18
counts '2 passed, 0 failed, 0 skipped' 0 '^ok ' 'two that pass' <<'END'
echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"
END
counts '1 passed, 1 failed, 0 skipped' 1 'failed: b' 'one that fails' <<'END'
echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"
END
counts '1 passed, 0 failed, 1 skipped' 0 'skipped: b: no data' 'a skip with a reason' <<'END'
echo 1..2; echo "ok 1 - a"; echo "ok 2 - b # SKIP no data"
END
counts '1 passed, 0 failed, 1 skipped' 0 'skipped: b: no data' "cmocka's way to skip" <<'END'
echo 1..2; echo "ok 1 - a"; echo "# SKIP reason: no data"; echo "not ok 2 # SKIP b"
END
counts '0 passed, 0 failed, 1 skipped' 1 'skipped: no tool' 'nothing but a skip is no success' <<'END'
echo "1..0 # SKIP no tool"
END
counts '2 passed, 0 failed, 0 skipped' 0 '^ok ' 'two groups in one program' <<'END'
echo 1..1; echo "ok 1 - a"; echo "# ok - first"; echo 1..1; echo "ok 1 - b"
END
counts '2 passed, 0 failed, 0 skipped' 0 '^ok ' 'the plan at the end' <<'END'
echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2
END
counts '1 passed, 1 failed, 0 skipped' 1 'Bail out! no room' 'giving up' <<'END'
echo "ok 1 - a"; echo "Bail out! no room"; exit 1
END
counts '1 passed, 1 failed, 0 skipped' 1 '1 of 2 planned' 'an end before the plan' <<'END'
echo 1..2; echo "ok 1 - a"
END
counts '2 passed, 1 failed, 0 skipped' 1 '1 tests more' 'more than was planned' <<'END'
echo 1..1; echo "ok 1 - a"; echo "ok 2 - b"
END
counts '1 passed, 1 failed, 0 skipped' 1 'exit status 3' 'a status that no test explains' <<'END'
echo 1..1; echo "ok 1 - a"; exit 3
END
counts '0 passed, 1 failed, 0 skipped' 1 'printed no plan' 'no plan at all' <<'END'
echo hello
END
counts '1 passed, 1 failed, 0 skipped' 1 'killed by signal 11' 'death by a signal' <<'END'
echo 1..1; echo "ok 1 - a"; kill -SEGV $$
END
counts '1 passed, 1 failed, 0 skipped' 1 'time limit' 'one that hangs' <<'END'
echo 1..1; echo "ok 1 - a"; sleep 30
END
counts '1 passed, 1 failed, 0 skipped' 1 'GROUP TEARDOWN' "cmocka's failed tear-down" <<'END'
echo 1..1; echo "ok 1 - a"; echo "not ok 0 - group [  FAILED  ] GROUP TEARDOWN"
END
counts '1 passed, 0 failed, 0 skipped' 0 '^ok ' 'no input, an own TMPDIR' <<'END'
echo 1..1; if [ -d "$TMPDIR" ] && ! read -r line; then echo "ok 1 - a"; else echo "not ok 1 - a"; fi
END

# Several at a time: all are counted, and what one says stands together.
number=$((number + 1))
for name in a b c d e; do
    echo "echo 1..2; echo \"ok 1 - $name\"; echo \"not ok 2 - bad $name\"" >"$work/$name.sh"
done
BUILD="$work" T='' sh "$runner" -j 3 --skip 'x: no tool' "$work/a.sh" "$work/b.sh" "$work/c.sh" \
    "$work/d.sh" "$work/e.sh" >"$work/out" 2>&1
if [ $? = 1 ] && [ "$(tail -n 1 "$work/out")" = '5 passed, 5 failed, 1 skipped' ] &&
    [ "$(grep -A 1 '^FAIL' "$work/out" | grep -c 'failed: bad')" = 5 ]; then
    echo "ok $number - five files, three at a time"
else
    sed 's/^/# /' "$work/out"
    echo "not ok $number - five files, three at a time"
fi

number=$((number + 1))
echo 'echo 1..1; echo "ok 1 - a"; kill -KILL $(cut -d" " -f4 /proc/$PPID/stat)' >"$work/script.sh"
BUILD="$work" T='' sh "$runner" "$work/script.sh" >"$work/out" 2>&1
if [ $? = 1 ] && grep -q 'failed: run.sh' "$work/out"; then
    echo "ok $number - a runner that is killed"
else
    sed 's/^/# /' "$work/out"
    echo "not ok $number - a runner that is killed"
fi
