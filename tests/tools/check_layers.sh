#!/bin/sh
# check_layers.sh: the dependency law's checker finds violations that are planted in a small house.
set -u
tool=$PWD/tools/check-layers.sh
house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
cd "$house" || exit 1
number=0

build_house() {
    rm -rf ./*
    for room in base kernels io linalg decode extract catalog index engine api; do
        mkdir -p src/$room
        echo "/* face */" >"src/$room/$room.h"
        echo "/* inner */" >"src/$room/inner.h"
    done
    echo "/* face */" >src/index/delta.h
    mkdir -p include/imgret lib/torch lib/heif cli bench/micro examples bindings/go
    echo "/* public */" >include/imgret/imgret.h
    echo "/* shim */" >lib/torch/shim.h
    echo "/* own */" >cli/own.h
    printf '#include "delta.h"\n#include "index/inner.h"\n#include "base/base.h"\n' >src/index/delta.c
    printf '#include "kernels/kernels.h"\n  #  include <imgret/imgret.h>\n' >>src/index/delta.c
    printf '#include <sqlite3.h>\n#include <string.h>\n' >src/catalog/store.c
    printf '#include "index/delta.h"\n#include "catalog/catalog.h"\n' >src/engine/query.c
    printf '#include "engine/inner.h"\n#include "base/inner.h"\n' >src/api/api.c
    printf '#include "torch/shim.h"\n#include <torch/torch.h>\n' >lib/torch/shim.cpp
    printf '#include "own.h"\n#include <imgret/imgret.h>\n' >cli/main.c
    printf '#include "kernels/inner.h"\n' >bench/micro/scan.c
    printf '#include <png.h>\n#include <imgret/imgret.h>\n' >examples/draw.c
}

kept() { # description: the house as it stands passes
    number=$((number + 1))
    if sh "$tool" "$house" >out 2>&1; then
        echo "ok $number - $1"
    else
        sed 's/^/# /' out
        echo "not ok $number - $1"
    fi
}

found() { # file, line to plant there, text the complaint has
    number=$((number + 1))
    build_house
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >>"$1"
    line=$(wc -l <"$1")
    if ! sh "$tool" "$house" >out 2>&1 && grep -q "^$1:$line: .*$3" out &&
        grep -q '^check-layers: 1 violations' out; then
        echo "ok $number - $1: $2"
    else
        sed 's/^/# /' out
        echo "not ok $number - $1: $2"
    fi
}

echo 1..29
build_house
kept 'a lawful house passes'
found src/decode/png.c '#include "extract/extract.h"' 'siblings'
found src/kernels/scalar.c '#include "io/io.h"' 'siblings'
found src/base/alloc.c '#include "kernels/kernels.h"' 'lies above'
found src/index/delta.c '#include "engine/engine.h"' 'lies above'
found src/engine/query.c '#include "catalog/inner.h"' 'only the face'
found src/index/delta.c '#include "kernels/inner.h"' 'only the face'
found src/index/delta.c '#include "../catalog/catalog.h"' 'siblings'
found src/index/delta.c '# include	"../kernels/inner.h"' 'only the face'
found src/index/delta.c '#include <catalog/catalog.h>' 'siblings'
found src/engine/query.c '#include <sqlite3.h>' 'src/catalog/'
found src/index/delta.c '#include <cblas.h>' 'src/linalg/'
found src/catalog/store.c '#include <liburing.h>' 'src/io/'
found src/extract/plugin.c '#include <torch/script.h>' 'lib/torch/'
found src/extract/resize.c '#include <stb/stb_image_resize.h>' 'src/decode/'
found src/engine/query.c '#include <webp/decode.h>' 'src/decode/'
found src/index/delta.c '#include "no/such.h"' 'nowhere'
found src/index/delta.c '#include WHATEVER' 'preprocessor'
found src/odd/odd.c '#include <string.h>' 'no room'
found cli/main.c '#include "base/base.h"' 'include/ only'
found cli/main.c '#include "../src/base/base.h"' 'include/ only'
found cli/main.c '#include <sqlite3.h>' 'src/catalog/'
found examples/draw.c '#include "decode/decode.h"' 'include/ only'
found bench/ingest.c '#include "index/delta.h"' 'include/ only'
found bindings/go/imgret.go '#include "../../src/api/api.h"' 'include/ only'
found lib/torch/shim.cpp '#include "base/base.h"' 'include/ only'
found lib/heif/heif.c '#include "torch/shim.h"' 'another library'
found lib/heif/heif.c '#include <torch/torch.h>' 'lib/torch/'
found src/base/new.cpp '' 'C++'
