# test_torch_beside_python.sh: the torch plugin in a Python that imports torch before or after it.
. tests/reference/python.sh
echo 1..2
number=0
for mode in torch-first plugin-first; do
    number=$((number + 1))
    "$python" tests/reference/test_torch_vit.py "$plugin" $mode >"$TMPDIR/out" 2>&1
    case $? in
    0) echo "ok $number - $mode" ;;
    77) echo "ok $number - $mode # SKIP $(tail -n 1 "$TMPDIR/out")" ;;
    *) echo "not ok $number - $mode" ;;
    esac
    sed 's/^/# /' "$TMPDIR/out"
done
