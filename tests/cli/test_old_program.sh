#!/bin/sh
# test_old_program.sh: a program built against the first header runs with the library of today.
source=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$(dirname "$0")/common.sh"
library=$(dirname "$IMGRET")
if grep -q -e '-fsanitize' "$library/flags" 2> /dev/null; then
    skip "a program of the first header" "it is built without the sanitizer that the library needs"
    finish
fi

draw pics 16
picture=$(first_of forest pics)
run "${CC:-cc}" -std=c11 -Wall -Wextra -Werror "$source/tests/abi/old_program.c" -o old_program \
    -L"$library" -limgret
check "it is built against imgret-0.h" '[ $status -eq 0 ]'
sed -n '/^IMGRET_API/,/;/s/.*[ *]\(imgret_[a-z_]*\)(.*/\1/p' "$source/tests/abi/imgret-0.h" | sort -u > declared
nm -D -u old_program | sed -n 's/^ *U \(imgret_[a-z_]*\).*/\1/p' | sort -u > used
check "and uses every function of it" '[ "$(wc -l < declared)" -ge 25 ] && diff declared used'
run env LD_LIBRARY_PATH="$library" ./old_program db.imgret pics "$picture"
check "it runs, and all is as that header promised" '[ $status -eq 0 ] && [ ! -s err ]'
run "$IMGRET" check db.imgret
check "its database is whole" '[ $status -eq 0 ]'
finish
