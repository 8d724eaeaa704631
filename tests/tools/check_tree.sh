#!/bin/sh
# check_tree.sh: check-tree passes a clean small tree and names each thing that is planted in it.
set -u
tool=$PWD/tools/check-tree.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
number=0
command -v git >/dev/null || { echo '1..0 # SKIP git is not installed'; exit 0; }

build_tree() {
    rm -rf tree
    mkdir -p tree/src tree/tests/format tree/.ci
    git -C tree init -q
    echo '/* one.c: adds. */' >tree/src/one.c
    printf 'a\0b' >tree/tests/format/old.seg
    printf '#!/bin/sh\n# run: runs.\n' >tree/.ci/run
    echo 'In `src/` and `tests/format/`.' >tree/ARCHITECTURE.md
    chmod +x tree/.ci/run
}

result() { # status wanted, text the output has, description
    number=$((number + 1))
    git -C tree add -A
    sh "$tool" tree >out 2>&1
    if [ $? = "$1" ] && grep -q -e "$2" out; then
        echo "ok $number - $3"
    else
        sed 's/^/# /' out
        echo "not ok $number - $3"
    fi
    build_tree
}

echo 1..12
build_tree
result 0 '4 files, all as' 'a clean tree passes'
yes | head -c 102401 >tree/large
result 1 'large is larger than' 'a large file'
chmod +x tree/src/one.c
result 1 'src/one.c is executable' 'an executable source'
chmod -x tree/.ci/run
result 1 '.ci/run is not executable' 'a command that cannot be run'
ln -s one.c tree/src/two.c
result 1 'src/two.c is no plain file' 'a link'
printf 'a\0b\n' >tree/data
result 1 'data is no text' 'a binary outside of the tests'
printf '/* two.c: a. */ \n' >tree/src/two.c
result 1 'src/two.c:1:.*blanks at the end' 'a blank at the end of a line'
printf '/* two.c: a. */\r\n' >tree/src/two.c
result 1 'src/two.c:1:.*carriage return' 'a carriage return'
printf '/* two.c: a. */\n/* %s: later */\n' TO""DO >tree/src/two.c
result 1 'src/two.c:2:.*left undone' 'work left undone'
printf 'int two;\n' >tree/src/two.c
result 1 'does not begin with "two.c: "' 'a source that does not say its job'
printf '/* two.c: a. */' >tree/src/two.c
result 1 'does not end in a line feed' 'no line feed at the end'
mkdir tree/tests/more && echo text >tree/tests/more/text
result 1 'ARCHITECTURE.md does not name tests/more/' 'a folder that the map lacks'
