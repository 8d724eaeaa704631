#!/bin/sh
# test_docs.sh: every code block of README.md, docs/ and examples/README.md runs. docs/api.md holds
# declarations alone; tests/tools/api_docs.sh compares it with the header.
cd "$(dirname "$0")/../.." || exit 1
build=${IMGRET_BUILD:-build}
if ! command -v python3 >/dev/null; then
    echo "1..0 # SKIP python3 is missing"
    exit 0
fi
if grep -q -e '-fsanitize' "$build/flags" 2>/dev/null; then
    echo "1..0 # SKIP a library with a sanitizer cannot be loaded into a plain Python"
    exit 0
fi
set -- ${DOCS:-README.md examples/README.md}
for page in docs/*.md; do
    [ "$page" = docs/api.md ] || set -- "$@" "$page"
done
# A Python with what Python's own blocks need, if there is one.
python=python3
for other in python3 /usr/bin/python3; do
    if "$other" -c 'import numpy, PIL' 2>/dev/null; then
        python=$other
        break
    fi
done
exec "$python" tests/docs/run_blocks.py "$build" "$@"
