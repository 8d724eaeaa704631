#!/bin/sh
# test_regions.sh: parts of pictures: created, shown, searched by and for, and what is refused.
# shellcheck disable=SC2034,SC2016
. "$(dirname "$0")/common.sh"

# tiles FILE SEED: a picture of 64 x 64 pixels, its quarters in four colours of their own.
tiles() {
    awk -v seed="$2" 'BEGIN {
        print "P3\n64 64\n255"
        for (y = 0; y < 64; y++)
            for (x = 0; x < 64; x++) {
                quarter = int(y / 32) * 2 + int(x / 32)
                n = (seed * 4 + quarter + 1) * 7919
                on = int((quarter % 2 ? x : y) / (2 + (seed + quarter) % 5)) % 2
                print on ? n % 256 : 255 - n % 200, on ? int(n / 7) % 256 : 20, int(n / 3) % 256
            }
    }' > "$1"
}
mkdir pictures
for seed in 0 1 2 3 4 5; do
    tiles "pictures/$seed.ppm" "$seed"
done

run "$IMGRET" create photos.imgret --regions grid=2x2
check "a database with regions" '[ $status -eq 0 ]'
run "$IMGRET" add photos.imgret pictures --json
check "pictures go in" '[ $status -eq 0 ] && grep -q "\"stored_count\":6" out'
run "$IMGRET" stats photos.imgret --json
check "each has five vectors" \
    'grep -q "\"vector_count\":30" out && grep -q "\"regions\":\"grid=2x2\"" out'
run "$IMGRET" show photos.imgret pictures/3.ppm --json
check "show has their boxes" 'grep -q -F "\"objects\":[{\"region\":1,\"box\":[0,0,32,32],\"score\":1,\"label\":null},{\"region\":2,\"box\":[32,0,32,32]" out'

for quarter in 0,0,32,32:1 32,0,32,32:2 0,32,32,32:3 32,32,32,32:4; do
    run "$IMGRET" search photos.imgret pictures/4.ppm --box "${quarter%:*}" --search objects -k 1 \
        --json
    check "the quarter ${quarter%:*} is found as region ${quarter#*:}" \
        '[ $status -eq 0 ] && grep -q "\"region\":${quarter#*:}," out &&
         grep -q -F "\"box\":[${quarter%:*}]" out && grep -q "pictures/4.ppm" out'
done
run "$IMGRET" search photos.imgret pictures/4.ppm --box 32,-10,500,42 --search objects -k 1 --json
check "a box is cut to the picture" 'grep -q -F "\"box\":[32,0,32,32]" out'
run "$IMGRET" search photos.imgret pictures/4.ppm --search both -k 100
check "wholes and objects are searched together" '[ "$(wc -l < out)" -eq 30 ]'
run "$IMGRET" search photos.imgret pictures/4.ppm --search both --group -k 100
check "or each picture once" '[ "$(wc -l < out)" -eq 6 ]'
run "$IMGRET" search photos.imgret pictures/4.ppm --search objects --group -k 4
check "never fewer than asked for" '[ "$(wc -l < out)" -eq 4 ]'
run "$IMGRET" search photos.imgret pictures/4.ppm -k 100
check "wholes are what is searched without a word" \
    '[ "$(wc -l < out)" -eq 6 ] && ! grep -q "0,0,64,64" out'
run "$IMGRET" search photos.imgret --id 2 --region 3 --search objects --json -k 1
check "an object of a picture that is there is asked with" '[ $status -eq 0 ] && ! grep -q "\"id\":2," out'
run "$IMGRET" search photos.imgret pictures/1.ppm --object --search objects --json -k 1
check "the main object of a file" '[ $status -eq 0 ] && grep -q "\"region\":1," out'
run "$IMGRET" search photos.imgret --id 2 --object --search objects -k 3
check "the main object of an id" '[ $status -eq 0 ] && [ "$(wc -l < out)" -eq 3 ]'

for box in '' 1 1,2 1,2,3 1,2,3, 1,2,3,4,5 a,b,c,d 1,2,0,4 1,2,3,-4 ' 1,2,3,4' 1,2,3,4x 1.5,2,3,4 \
    99999999999999999999,0,1,1 +1,2,3,4 1,,3,4 0x1,2,3,4; do
    run "$IMGRET" search photos.imgret pictures/1.ppm "--box=$box"
    check "--box '$box' is refused" '[ $status -eq 2 ] && grep -q -e "--box" err && [ ! -s out ]'
done
run "$IMGRET" search photos.imgret pictures/1.ppm --box 64,0,5,5
check "a box outside is named with its picture" \
    '[ $status -eq 2 ] && grep -q "pictures/1.ppm.*outside the picture of 64 x 64" err'
run "$IMGRET" search photos.imgret pictures/1.ppm --box 0,0,5,5 --object
check "a box or an object, not both" '[ $status -eq 2 ] && grep -q "only one" err'
run "$IMGRET" search photos.imgret --id 1 --box 0,0,5,5
check "no box of an id" '[ $status -eq 2 ] && grep -q -e "--region" err'
run "$IMGRET" search photos.imgret pictures/1.ppm --region 1
check "no region of a file" '[ $status -eq 2 ] && grep -q -e "--id" err'
run "$IMGRET" search photos.imgret --id 1 --region 9
check "a region that is not there" '[ $status -eq 2 ]'
run "$IMGRET" search photos.imgret pictures/1.ppm --search parts
check "a search for something else" '[ $status -eq 2 ] && grep -q "whole|objects|both" err'

run "$IMGRET" add photos.imgret pictures --regions grid=3x3
check "regions never change" '[ $status -eq 2 ] && grep -q "grid=2x2" err'
run "$IMGRET" add other.imgret pictures --regions grid=300x2
check "what is no specification makes no database" '[ $status -eq 2 ] && [ ! -e other.imgret ]'
run "$IMGRET" add middle.imgret pictures/1.ppm --regions center=0.5
check "add makes a database with regions" '[ $status -eq 0 ]'
run "$IMGRET" show middle.imgret 1 --json
check "of the middle" 'grep -q -F "\"box\":[16,16,32,32]" out'
run "$IMGRET" add plain.imgret pictures
run "$IMGRET" search plain.imgret pictures/1.ppm --search objects
check "a database without objects says so" '[ $status -eq 2 ] && grep -q "without regions" err'
run "$IMGRET" show plain.imgret 1 --json
check "and shows none" '! grep -q objects out'
run "$IMGRET" export photos.imgret away
check "objects are exported" '[ $status -eq 0 ]'
run "$IMGRET" import again.imgret away
check "and imported" '[ $status -eq 0 ]'
run "$IMGRET" check again.imgret
check "whole" '[ $status -eq 0 ]'
run "$IMGRET" search again.imgret pictures/4.ppm --box 32,0,32,32 --search objects -k 1 --json
check "and found where they were" 'grep -q -F "\"box\":[32,0,32,32]" out && grep -q "\"id\":5," out'
run "$IMGRET" optimize photos.imgret --force
run "$IMGRET" search photos.imgret pictures/4.ppm --box 32,0,32,32 --search objects -k 1 --json
check "and in the index on disk" 'grep -q -F "\"box\":[32,0,32,32]" out && grep -q "\"id\":5," out'
run "$IMGRET" remove photos.imgret 1 2 3
run "$IMGRET" check photos.imgret
check "all is well after removals" '[ $status -eq 0 ]'
run "$IMGRET" stats photos.imgret --json
check "objects went with their pictures" 'grep -q "\"vector_count\":15" out'
finish
