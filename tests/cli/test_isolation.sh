#!/bin/sh
# test_isolation.sh: --isolate: the same database, decoded in processes that end with the command.
. "$(dirname "$0")/common.sh"

draw pics 6
bad_picture pics/broken.ppm
run "$IMGRET" add apart.imgret pics --isolate
if grep -q "cannot decode here" err; then
    echo "1..0 # SKIP processes cannot be confined here: $(cat err)"
    exit 0
fi
check "add --isolate takes in what it can" '[ $status -eq 3 ] && grep -q broken.ppm err'
"$IMGRET" add here.imgret pics -q 2> other
"$IMGRET" search here.imgret "$(first_of brick pics)" --json > shown
run "$IMGRET" search apart.imgret "$(first_of brick pics)" --json --isolate
check "search --isolate finds what decoding here finds" '[ $status -eq 0 ] && cmp -s out shown'
run "$IMGRET" show apart.imgret --failed
check "the failure has its reason" 'grep -q broken.ppm out'
finish
