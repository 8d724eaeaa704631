#!/bin/sh
# test_sheet.sh: the contact sheet stands alone, and no file name can put markup into it.
. "$(dirname "$0")/common.sh"

draw drawn 32
mkdir pics
for file in drawn/*/*.jpg drawn/*/*.png; do
    cp "$file" pics/
done
png=$(echo pics/*.png | cut -d ' ' -f 1)
cp "$png" 'pics/<script>.png'
cp "$png" 'pics/"><img onerror=alert(1)>.png'
cp "$png" "pics/a&b'c.png"
{ printf 'P6\n64 64\n255\n'; head -c 12288 /dev/zero; } > pics/plain.ppm
"$IMGRET" add t.imgret pics -q
count=$("$IMGRET" show t.imgret | wc -l)

run "$IMGRET" search t.imgret 'pics/<script>.png' -k 1000 --html sheet.html
check "the sheet is written, and the results are printed" \
    '[ $status -eq 0 ] && [ -s sheet.html ] && [ "$(wc -l < out)" -eq $count ]'
check "a tile each" '[ "$(grep -o "<figure>" sheet.html | wc -l)" -eq $count ]'
check "no name becomes markup" '! grep -q -i -e "<script" -e "<img onerror" sheet.html'
check "names are there, escaped" 'grep -q "&#60;script&#62;.png" sheet.html &&
    grep -q "a&#38;b&#39;c.png" sheet.html'
check "pictures are inside" 'grep -q "src=\"data:image/png;base64,iVBOR" sheet.html &&
    grep -q "src=\"data:image/jpeg;base64,/9j/" sheet.html'
check "nothing is loaded from elsewhere" '! grep -q -e "src=\"[^d]" -e "http" -e "<link" sheet.html'
check "a format that browsers do not show is named" \
    'grep -q "<b>ppm</b>browsers do not show" sheet.html'
embedded=$(grep -o 'data:image/png;base64,[A-Za-z0-9+/=]*' sheet.html | head -n 1 | cut -d , -f 2)
echo "$embedded" | base64 -d > embedded.png
check "they are the files, byte for byte" 'cmp -s embedded.png "pics/<script>.png"'

id=$("$IMGRET" show t.imgret pics/plain.ppm | cut -f 1)
rm "$png"
run "$IMGRET" search t.imgret --id "$id" -k 1000 --html sheet.html
check "a file that is gone is said so" '[ $status -eq 0 ] && grep -q "the file is gone" sheet.html'
status=0
"$IMGRET" search t.imgret - --html sheet.html < "pics/<script>.png" > out 2> err || status=$?
check "a query from stdin is shown" '[ $status -eq 0 ] && grep -q "from stdin" sheet.html'
run "$IMGRET" search t.imgret "pics/<script>.png" --html no/such/folder/sheet.html
check "a sheet that cannot be written is an error" \
    '[ $status -eq 2 ] && grep -q "no/such/folder" err && [ -s out ]'
"$IMGRET" create parts.imgret --regions center -q
"$IMGRET" add parts.imgret drawn/*/*.png -q
run "$IMGRET" search parts.imgret --id 1 --search objects -k 3 --html boxes.html
check "objects are drawn where they are" \
    '[ $status -eq 0 ] && [ "$(grep -o "<svg viewBox=\"0 0 [0-9]* [0-9]*\"><rect x=\"[1-9]" boxes.html | wc -l)" -eq 3 ]'
run "$IMGRET" search parts.imgret --id 1 -k 3 --html boxes.html
check "whole pictures have no box" '[ $status -eq 0 ] && ! grep -q "<rect" boxes.html'
run "$IMGRET" search t.imgret "pics/<script>.png" --html /dev/full
check "also when the disk is full" '[ $status -eq 2 ] && grep -q /dev/full err'
finish
