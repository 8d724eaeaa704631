#!/bin/sh
# check_abi.sh: the ABI's checker finds functions and structs that header, map and library disagree on.
set -u
if ! command -v nm >/dev/null || ! command -v "${CC:-gcc}" >/dev/null; then
    echo "1..0 # SKIP binutils or compiler missing"
    exit 0
fi
tool=$PWD/tools/check-abi.sh
house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
cd "$house" || exit 1
mkdir -p tools include/imgret src tests/abi
cp "$tool" tools/
number=0

write_house() {
    rm -f tests/abi/*.xml
    cat >include/imgret/imgret.h <<'END'
#define IMGRET_VERSION_MAJOR 0
#define IMGRET_API __attribute__((visibility("default")))
typedef struct imgret_pair { int first, second; } imgret_pair;
/* IMGRET_API int imgret_commented_out(void); */
IMGRET_API int imgret_one(
    const imgret_pair *pair);
typedef int (*imgret_fn)(void *user);
IMGRET_API const char *imgret_two(void);
END
    cat >include/imgret/backend.h <<'END'
#include <imgret/imgret.h>
END
    cat >src/code.c <<'END'
#include <imgret/imgret.h>
int imgret_one(const imgret_pair *pair) { return pair->first; }
const char *imgret_two(void) { return "two"; }
IMGRET_API int imgret_three(void);
int imgret_three(void) { return 3; }
END
    echo 'IMGRET_0 { global: imgret_one; imgret_two; local: *; };' >src/libimgret.map
    cat >tests/abi/layout.c <<'END'
#include <imgret/backend.h>
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
SIZE(imgret_pair, 8);
END
}

build() {
    ${CC:-gcc} -g -shared -fPIC -fvisibility=hidden -Iinclude -Wl,-soname,"${1:-libimgret.so.0}" \
        -Wl,--version-script=src/libimgret.map src/code.c -o lib.so 2>&1
}

verdict() { # expected status, text the output has, description
    number=$((number + 1))
    sh tools/check-abi.sh "$PWD/lib.so" >out 2>&1
    if [ $? = "$1" ] && grep -q -e "$2" out; then
        echo "ok $number - $3"
    else
        sed 's/^/# /' out
        echo "not ok $number - $3"
    fi
}

echo 1..12
write_house && build
verdict 0 '2 functions in headers, map and library alike' 'all agree'

sed -i 's/ imgret_two;//' src/libimgret.map && build
verdict 1 'imgret_two is in include/imgret but not in src/libimgret.map' 'missing in the map'

write_house && sed -i 's/ imgret_two;/& imgret_three;/' src/libimgret.map && build
verdict 1 'imgret_three is in src/libimgret.map but not in include/imgret' 'missing in the header'

write_house && sed -i '/imgret_two/d' src/code.c && build
verdict 1 'imgret_two IMGRET_0 is in src/libimgret.map but not in .*lib.so' 'missing in the library'

write_house && build && echo 'IMGRET_1 { global: imgret_one; imgret_two; local: *; };' >src/libimgret.map
verdict 1 'imgret_one IMGRET_1 is in src/libimgret.map but not in .*lib.so' 'in another node'

write_house && build libimgret.so.9
verdict 1 "soname 'libimgret.so.9'" 'another soname'

write_house && sed -i 's/int first/long first/' include/imgret/imgret.h && build
verdict 1 'changed its layout' 'a struct that changed its size'

write_house && echo 'typedef struct imgret_new { int a; } imgret_new;' >>include/imgret/backend.h && build
verdict 1 'does not pin imgret_new' 'a struct that nobody pinned'

if command -v abidiff >/dev/null && command -v abidw >/dev/null && [ "$(uname -m)" = x86_64 ]; then
    write_house && build && sh tools/check-abi.sh --store "$PWD/lib.so" >/dev/null
    verdict 0 'the ABI is the stored one' 'the stored ABI'
    sed -i 's/int first, second/int second, first/' include/imgret/imgret.h && build
    verdict 1 'the ABI ' 'fields that changed places'
    write_house && build && sh tools/check-abi.sh --store "$PWD/lib.so" >/dev/null
    sed -i 's/imgret_two(void)/imgret_two(int which)/' include/imgret/imgret.h src/code.c && build
    verdict 1 'the ABI ' 'a function with one more parameter'
    write_house && build && sh tools/check-abi.sh --store "$PWD/lib.so" >/dev/null
    sed -i 's/int first, second/float first; int second/' include/imgret/imgret.h && build
    verdict 1 'the ABI ' 'a field of another type'
else
    echo "ok 9 - the stored ABI # SKIP abigail-tools is not installed"
    echo "ok 10 - fields that changed places # SKIP abigail-tools is not installed"
    echo "ok 11 - a function with one more parameter # SKIP abigail-tools is not installed"
    echo "ok 12 - a field of another type # SKIP abigail-tools is not installed"
fi
