# test_end_to_end.sh: JPEG files to vectors and labels: the command against PIL and torch.
# IMGRET_TEST_LONG=1 takes all pictures of the test data, and counts right labels and ranks.
. tests/reference/python.sh
if [ -z "$IMGRET_TEST_DATA" ] || [ ! -d "$IMGRET_TEST_DATA/images" ]; then
    echo "1..0 # SKIP no pictures: IMGRET_TEST_DATA/images"
    exit 0
fi
if ! "$python" -c 'import PIL' 2> /dev/null; then
    echo "1..0 # SKIP this Python has no PIL (python3-pil)"
    exit 0
fi
exec "$python" tests/reference/end_to_end.py "$IMGRET" "$IMGRET_TEST_DATA" \
    ${IMGRET_TEST_LONG:+--all}
