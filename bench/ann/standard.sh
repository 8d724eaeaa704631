#!/bin/sh
# standard.sh: the small standard measurement of `make bench-ann`: some minutes, kept in bench/results/.
#
# Fashion-MNIST's 60,000 pictures as vectors where IMGRET_TEST_DATA has them, else a generated set of
# 50,000 x 512; libimgret under two budgets of RAM, with exact and with estimated scores, then its peers,
# if they were built, and DiskANN where $PYTHON has diskannpy. Writes
# bench/results/SET.ndjson (the points), SET.md (their table, with machine, data, commands), and
# SET/*.svg (the curves).
#
# Environment: BUILD, IMGRET_TEST_DATA; PEERS (engines, comma-separated; empty: none), MEMORY, RECALL,
# THREADS, QUERIES (at most so many; half of them tune), RESULTS (folder).
set -eu
cd "$(dirname "$0")/../.."
bench=${BUILD:-build}/imgret-bench
results=${RESULTS:-bench/results}
peers=${PEERS-hnswlib,faiss-ivfsq,diskann}
memory=${MEMORY:-600/vector,400/vector}
recall=${RECALL:-0.97,0.99,0.998}
threads=${THREADS:-2}
queries_max=${QUERIES:-4000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$results"

pictures=${IMGRET_TEST_DATA:-}/vectors/fashion_mnist
if [ -r "$pictures/train-images-idx3-ubyte.gz" ]; then
    name=fashion-mnist
    data="Fashion-MNIST (zalandoresearch), 60,000 pictures of 28 x 28 as vectors; queries from its test set"
    base=$pictures/train-images-idx3-ubyte.gz
    queries=$pictures/t10k-images-idx3-ubyte.gz
else
    name=generated-512
    made='gen --count 50000 --dimension 512 --queries 4000 --hardness 3 --seed 1'
    data="\`imgret-bench $made\`"
    # shellcheck disable=SC2086
    "$bench" $made --out "$scratch/set"
    base=$scratch/set/base.fbin
    queries=$scratch/set/queries.fbin
fi

# The same for all engines; the truth of the generated set is made again: it takes seconds.
set -- --base "$base" --queries "$queries" --queries-max "$queries_max" --name "$name" --k 10 \
    --metric l2 --threads "$threads" --recall "$recall" --json
began=$(date +%s)
"$bench" ann "$@" --memory "$memory" --scores both > "$scratch/points"
cp "$scratch/points" "$results/$name.ndjson"
if [ -n "$peers" ]; then
    "$bench" peers "$@" --engines "$peers" >> "$results/$name.ndjson" || echo "some peers are missing" >&2
fi
{
    printf '# %s\n\n' "$name"
    printf 'Made by `make bench-ann` on %s, %s, in %s seconds; the load of the machine stands in the last column.\n\n' \
        "$(date -u +%Y-%m-%d)" "$(git describe --always 2>/dev/null || echo 'no git')" \
        $(($(date +%s) - began))
    printf -- '- data: %s\n' "$data"
    printf -- '- `imgret-bench ann --queries-max %s --memory %s --scores both --threads %s --recall %s`\n' \
        "$queries_max" "$memory" "$threads" "$recall"
    [ -z "$peers" ] || printf -- '- `imgret-bench peers --engines %s`, with the same options\n' "$peers"
    printf -- '- efforts were found on one half of the queries, all else is told of the other half\n\n'
    "$bench" table "$results/$name.ndjson"
    printf '\n![queries per second](%s/recall-qps.svg)\n' "$name"
} > "$scratch/table"
cp "$scratch/table" "$results/$name.md"
"$bench" plot --out "$results/$name" "$results/$name.ndjson"
echo "$results/$name.md" >&2
