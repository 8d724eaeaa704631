#!/bin/sh
# check-layers.sh: enforces the dependency law over every #include line.
#
#   sh tools/check-layers.sh [ROOT]
#
#   api -> engine -> {decode, extract, analyze, catalog, index} -> {kernels, linalg, io} -> base
#
# A room of src/ includes its own headers, and the faces of rooms on lower floors: never a sibling,
# never a floor above, never another room's inner headers. Some system headers belong to one room.
# cli, bindings, examples, bench and lib see include/ and their own folder; bench/micro measures the
# inside and may see src/. C++ lives in lib/torch, and in bench/peers, which measures libraries in C++.
# Tests may include anything.
set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find include src lib cli bindings examples bench \
            \( -name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' -o -name '*.cxx' -o -name '*.hpp' \
               -o -name '*.hh' -o -name '*.inc' -o -name '*.go' \) -type f 2>/dev/null | sort)
[ -n "$files" ] || { echo "check-layers: no source file in $PWD" >&2; exit 2; }

# shellcheck disable=SC2086
awk '
BEGIN {
    split("base 1  kernels 2 linalg 2 io 2  decode 3 extract 3 analyze 3 catalog 3 index 3 " \
          "engine 4  api 5", word, " ")
    for (i = 1; i in word; i += 2) floor_of[word[i]] = word[i + 1]

    # What other rooms may include of a room, besides ROOM/ROOM.h; "*" is every header.
    faces["analyze"] = "alter.h places.h"
    faces["base"] = "*"
    faces["catalog"] = "transfer.h repair.h salvage.h"
    faces["decode"] = "isolate.h"
    faces["engine"] = "*"
    faces["extract"] = "boxes.h detector.h"
    faces["index"] = "delta.h segment.h tombstones.h"
    faces["kernels"] = "code_kernels.h pixel_kernels.h"

    # System headers that only one place may see; a pattern of the whole header name.
    own("^sqlite3(ext)?\\.h$", "src/catalog/")
    own("^(.*/)?(cblas|lapacke|openblas_config|f77blas)[a-z0-9_-]*\\.h$", "src/linalg/")
    own("^liburing(/.*)?(\\.h)?$", "src/io/")
    own("^(torch|ATen|c10|caffe2)/", "lib/torch/")
    own("^(stb/|stb_)", "src/decode/")
    own("^(jpeglib|jerror|jmorecfg|turbojpeg|png|pngconf|pnglibconf)\\.h$", "src/decode/")
    own("^(libpng[0-9]*|webp)/", "src/decode/")
    own("^libheif/", "lib/heif/")
}
function own(pattern, place) { owned[++owned_count] = pattern; owner[owned_count] = place }
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; violations++ }
function exists(path,    line, found) {
    found = (getline line < path) >= 0
    close(path)
    return found
}
# "a/b/../c" without the "..": where an include relative to the file really leads.
function resolve(path,    part, n, i, out, depth) {
    n = split(path, part, "/")
    depth = 0
    for (i = 1; i <= n; i++) {
        if (part[i] == "." || part[i] == "") continue
        if (part[i] == ".." && depth > 0) depth--
        else out[++depth] = part[i]
    }
    path = out[1]
    for (i = 2; i <= depth; i++) path = path "/" out[i]
    return path
}
function is_face(room, header) {
    return faces[room] == "*" || header == room ".h" || index(" " faces[room] " ", " " header " ")
}
function check_room(room, target,    part, other) { # target: a path below src/
    split(target, part, "/")
    other = part[1]
    if (other == room) return
    if (!(other in floor_of)) {
        complain("includes " target ": src/" other " is no room of the house")
    } else if (floor_of[other] == floor_of[room]) {
        complain("includes " target ": " room " and " other " are siblings, engine is where they meet")
    } else if (floor_of[other] > floor_of[room]) {
        complain("includes " target ": " other " lies above " room)
    } else if (!is_face(other, substr(target, length(other) + 2))) {
        complain("includes " target ": only the face of " other " is for other rooms")
    }
}
function check_owned(name,    i) {
    for (i = 1; i <= owned_count; i++)
        if (name ~ owned[i] && index(FILENAME, owner[i]) != 1 && FILENAME !~ /^examples\//)
            complain("includes <" name ">, which only " owner[i] " may see")
}
function check(name, quoted,    near) {
    if (name ~ /^\//) { complain("includes the absolute path " name); return }
    near = resolve(folder name)
    if (name ~ /^imgret\// && exists("include/" name)) return
    if (quoted && exists(near)) { # a file beside this one, or reached from it by ".."
        if (near ~ /^src\// && place != "src" && place != "micro")
            complain("includes " near ": " place " sees include/ only")
        else if (near ~ /^src\// && place == "src") check_room(room, substr(near, 5))
        else if (index(near, home) != 1 && near !~ /^include\//)
            complain("includes " near ", outside of its own folder " home)
        return
    }
    if (exists("src/" name)) {
        if (place == "src") check_room(room, name)
        else if (place != "micro") complain("includes src/" name ": " place " sees include/ only")
        return
    }
    if (place == "lib" && quoted && exists("lib/" name)) {
        if (index("lib/" name, home) != 1) complain("includes lib/" name ", another library")
        return
    }
    if (exists(home name)) return
    if (quoted) { complain("includes \"" name "\", which is nowhere in the house"); return }
    check_owned(name)
}
FNR == 1 {
    file_count++
    split(FILENAME, at, "/")
    place = at[1]; room = ""; home = at[1] "/"
    if (place == "src") {
        room = at[2]; home = "src/" room "/"
        if (at[3] == "" || !(room in floor_of)) complain("lies in no room of the house")
    } else if (place == "lib" || place == "bindings") {
        home = place "/" at[2] "/"
    } else if (FILENAME ~ /^bench\/micro\//) {
        place = "micro"; home = "bench/"
    }
    folder = FILENAME; sub(/[^\/]*$/, "", folder)
    if (FILENAME ~ /\.(cc|cpp|cxx|hpp|hh)$/ && FILENAME !~ /^(lib\/torch|bench\/peers)\//)
        complain("is C++, which lives in lib/torch and bench/peers alone")
}
/^[ \t]*(#|%:)[ \t]*(include|include_next|import)[ \t]*[<"]/ {
    name = $0
    sub(/^[ \t]*(#|%:)[ \t]*(include_next|include|import)[ \t]*/, "", name)
    quoted = substr(name, 1, 1) == "\""
    name = substr(name, 2)
    sub(/[>"].*$/, "", name)
    include_count++
    check(name, quoted)
    next
}
/^[ \t]*(#|%:)[ \t]*(include|include_next)[ \t(\/]/ {
    complain("includes what only the preprocessor knows; name the header")
}
END {
    if (violations) {
        printf "check-layers: %d violations in %d files\n", violations, file_count
        exit 1
    }
    printf "check-layers: %d files, %d includes, the law is kept\n", file_count, include_count
}' $files
