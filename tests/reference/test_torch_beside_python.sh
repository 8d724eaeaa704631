# test_torch_beside_python.sh: the torch plugin in a Python that imports torch before or after it: the
# plugin's own libtorch, which is shared, and another one, pip's say, which is refused.
# IMGRET_TEST_OTHER_TORCH=PYTHON names a Python that has another.
. tests/reference/python.sh
export IMGRET_LIBRARY="$IMGRET_BUILD/libimgret.so.0" PYTHONDONTWRITEBYTECODE=1
weights=$IMGRET_TEST_DATA/weights/cifar10_resnet20.safetensors
export IMGRET_TEST_PICTURE="$TMPDIR/picture.ppm"
{ echo "P6 8 8 255"; head -c 192 /dev/zero; } > "$IMGRET_TEST_PICTURE"
number=0 same= other=

tell() { # NAME STATUS
    number=$((number + 1))
    case $2 in
    0) echo "ok $number - $1" ;;
    77) echo "ok $number - $1 # SKIP $(tail -n 1 "$TMPDIR/out")" ;;
    *) echo "not ok $number - $1" ;;
    esac
    sed 's/^/# /' "$TMPDIR/out"
}

for candidate in ${IMGRET_TEST_PYTHON:-python3 /usr/bin/python3} ${IMGRET_TEST_OTHER_TORCH:-}; do
    case $("$candidate" tests/reference/torch_beside.py "$weights" same 2> /dev/null) in
    same) same=${same:-$candidate} ;;
    other) other=${other:-$candidate} ;;
    esac
done

echo 1..4
for mode in torch-first plugin-first; do
    if [ "$same" ]; then
        "$same" tests/reference/test_torch_vit.py "$plugin" $mode > "$TMPDIR/out" 2>&1
        tell "the plugin's libtorch, $mode" $?
    else
        echo "no Python with the plugin's own libtorch" > "$TMPDIR/out"
        tell "the plugin's libtorch, $mode" 77
    fi
done
for mode in torch-first imgret-first; do
    if [ "$other" ] && [ -r "$weights" ]; then
        "$other" tests/reference/torch_beside.py "$weights" $mode > "$TMPDIR/out" 2>&1
        tell "another libtorch, $mode" $?
    else
        echo "no Python with another libtorch (IMGRET_TEST_OTHER_TORCH), or no weights" > "$TMPDIR/out"
        tell "another libtorch, $mode" 77
    fi
done
