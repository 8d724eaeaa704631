#!/bin/sh
# test_go.sh: vets bindings/go and runs its tests with checked pointers, and the code of docs/go.md.
# GO=... names the go to use. With IMGRET_GO_RACE=1 the tests under the race detector instead.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${IMGRET_BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

if grep -q -e '-fsanitize' "$build/flags" 2>/dev/null; then
    skip_all "a library with a sanitizer cannot be loaded into a plain Go program"
fi
go=${GO:-go}
command -v "$go" >/dev/null || skip_all "go is not installed (sh tools/install-deps.sh go)"
scratch=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

# Nothing is fetched: the module needs no other, and the go that is there must do.
export GOFLAGS='-buildvcs=false' GOPROXY=off GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=1
export GOCACHE="${IMGRET_GO_CACHE:-$build/go-cache}" GOPATH="$scratch/path" LD_LIBRARY_PATH="$build"
# Go does not see that a header outside its packages has changed: the cache would keep what was compiled.
header="-O2 -DIMGRET_HEADERS_$(cat include/imgret/*.h | sha256sum | cut -c 1-16)"
export CGO_CFLAGS="$header"
export IMGRET_TEST_PLUGINS="${IMGRET_TEST_PLUGINS:-$build/tests/plugins}"
tags=''
if command -v pkg-config >/dev/null; then
    mkdir "$scratch/pc"
    sed "s|@PREFIX@|$scratch|; s|@LIBDIR@|$build|; s|@INCLUDEDIR@|$PWD/include|; s|@VERSION@|0|; s|@LIBS@||" \
        pkgconfig/imgret.pc.in >"$scratch/pc/imgret.pc"
    export PKG_CONFIG_PATH="$scratch/pc"
else
    export CGO_CFLAGS="$header -I$PWD/include" CGO_LDFLAGS="-L$build"
    tags='-tags=imgret_flags'
fi
version=$($go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
case $version in '' | *[!0-9]*) version=99 ;; esac
[ "$version" -ge 19 ] || skip_all "go 1.$version is too old, 1.19 is needed"
root=$PWD number=0 failed=0

line() { # good (0 or 1), name
    number=$((number + 1))
    word='ok'
    [ "$1" = 0 ] || { word='not ok' failed=1; }
    echo "$word $number - $2"
}

# One line for a command that must end well; what it says is told where it does not.
step() { # name, command...
    name=$1
    shift
    "$@" >"$scratch/out" 2>&1
    status=$?
    line $status "$name"
    [ $status = 0 ] || sed 's/^/# /' "$scratch/out"
}

# The lines of `go test -v`, as TAP.
tests() { # name, command...
    name=$1
    shift
    "$@" >"$scratch/out" 2>&1
    status=$?
    while read -r first verdict test rest; do
        case $first$verdict in
        ---PASS:) line 0 "$name: $test" ;;
        ---FAIL:) line 1 "$name: $test" ;;
        ---SKIP:)
            why=$(grep -B1 -A1 -e "--- SKIP: $test" "$scratch/out" | sed -n 's/^ *[^ ]*_test.go:[0-9]*: //p')
            line 0 "$name: $test # SKIP ${why:-no reason given}" ;;
        esac
    done <"$scratch/out"
    line $status "$name: all of them"
    [ $status = 0 ] || sed 's/^/# /' "$scratch/out"
}

# The Go blocks of the guide: the first is a program, the others are one function.
guide() {
    mkdir -p "$scratch/guide/five" "$scratch/guide/rest" "$scratch/place/Pictures" || return 1
    awk -v folder="$scratch/guide" '
        BEGIN {
            rest = folder "/rest/main.go"
            print "package main\nimport (\n\"context\"\n\"errors\"\n\"fmt\"\n\"log\"\n\"os\"\n\"time\"\n" > rest
            print "imgret \"github.com/libimgret/libimgret/bindings/go\"\n)" > rest
            print "func check(err error) { if err != nil { log.Fatal(err) } }" > rest
            print "func main() {\nctx := context.Background()" > rest
        }
        /^```/ { inside = !inside && $0 == "```go"; if (inside) count++; next }
        inside { print > (count == 1 ? folder "/five/main.go" : rest) }
        END { print "}" > rest; if (count < 6) exit 1 }' docs/go.md || return 1
    printf 'module guide\n\ngo 1.19\n\nrequire github.com/libimgret/libimgret/bindings/go v0.0.0\n\nreplace github.com/libimgret/libimgret/bindings/go => %s/bindings/go\n' \
        "$root" >"$scratch/guide/go.mod"
    (cd "$scratch/guide" && $go build $tags -o "$scratch/" ./five ./rest) || return 1
    for i in 1 2 3 4; do
        printf 'P6 8 8 255\n' >"$scratch/place/Pictures/$i.ppm"
        head -c 192 /dev/zero | tr '\000' "$i" >>"$scratch/place/Pictures/$i.ppm"
    done
    cp "$scratch/place/Pictures/2.ppm" "$scratch/place/cat.jpg" # what it is tells its content
    (cd "$scratch/place" && "$scratch/five" && "$scratch/rest")
}

cd bindings/go || exit 1
if [ "${IMGRET_GO_RACE:-0}" = 1 ]; then
    printf 'package main\nfunc main() {}\n' >"$scratch/race.go"
    $go run -race "$scratch/race.go" >/dev/null 2>&1 ||
        skip_all "this go has no race detector"
    tests "race detector" $go test $tags -race -count=1 -v .
    echo "1..$number"
    exit $failed
fi
if [ "$version" -ge 21 ]; then
    checked='GOEXPERIMENT=cgocheck2'
else
    checked='GODEBUG=cgocheck=2'
fi
unformatted=$("$(dirname "$(command -v "$go")")/gofmt" -l . 2>&1)
line "$([ -z "$unformatted" ]; echo $?)" "gofmt finds nothing to change $unformatted"
step "go vet" $go vet $tags ./...
tests "checked pointers" env "$checked" $go test $tags -count=1 -v . ./examples/...
step "the bench runs" $go run $tags ./bench --count 100 --queries 20
cd "$root" || exit 1
step "functions, fields and constants of the header are bound" \
    $go run tests/bindings/go_unbound.go include/imgret/imgret.h bindings/go
step "the code of docs/go.md" guide
echo "1..$number"
exit $failed
