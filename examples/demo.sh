#!/bin/sh
# demo.sh: a folder of pictures in, the ones that look alike out; `make demo` builds, then runs it.
#
#   IMGRET         the command                   (default build/imgret)
#   DRAW_PICTURES  what draws the pictures       (default build/examples/draw_pictures)
#   DEMO_DIR       where everything is written   (default build/demo)
#   PICTURES       a folder of your own pictures (default: some hundreds are drawn)
#   QUERY          the picture to ask with       (default: the first one; a drawn sunset)
#   SHEET          the contact sheet             (default DEMO_DIR/sheet.html)
#   K              results                       (default 12)
set -eu

imgret=${IMGRET:-build/imgret}
draw_pictures=${DRAW_PICTURES:-build/examples/draw_pictures}
demo_dir=${DEMO_DIR:-build/demo}
sheet=${SHEET:-$demo_dir/sheet.html}
database=$demo_dir/demo.imgret

mkdir -p "$demo_dir"
if [ -n "${PICTURES:-}" ]; then
    pictures=$PICTURES
else
    pictures=$demo_dir/pictures
    if [ ! -f "$pictures/labels.tsv" ]; then
        echo "Drawing 400 pictures of 16 classes into $pictures ..."
        rm -rf "$pictures" "$pictures.part"
        "$draw_pictures" "$pictures.part" 400
        mv "$pictures.part" "$pictures"
    fi
    QUERY=${QUERY:-$(echo "$pictures"/sunset/sunset-000.*)}
fi

# A database of its own for each folder, so that the answer holds pictures of that folder alone.
folder=$(cd "$pictures" && pwd -P)
if [ "$(cat "$demo_dir/folder" 2>/dev/null || true)" != "$folder" ]; then
    rm -rf "$database"
    printf '%s\n' "$folder" > "$demo_dir/folder"
fi

echo "Taking in $pictures ..."
status=0
"$imgret" add "$database" "$pictures" || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then # 3: some pictures cannot be read; go on
    exit "$status"
fi

query=${QUERY:-}
if [ -z "$query" ]; then
    query="--id=$("$imgret" show "$database" --json |
        sed -n '/"state":"stored"/{s/^{"id":\([0-9]*\),.*/\1/p;q;}')"
    if [ "$query" = "--id=" ]; then
        echo "demo: no picture in $pictures can be read" >&2
        exit 1
    fi
    echo "The pictures most alike to the first one:"
else
    echo "The pictures most alike to $query:"
fi
"$imgret" search "$database" "$query" -k "${K:-12}" --html "$sheet"
echo "Contact sheet: $sheet (open it in a browser)"
