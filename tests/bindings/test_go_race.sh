#!/bin/sh
# test_go_race.sh: the tests of bindings/go under the race detector.
IMGRET_GO_RACE=1 exec sh "$(dirname "$0")/test_go.sh"
