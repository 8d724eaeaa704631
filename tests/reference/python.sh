# python.sh: sets `python` to one that has PyTorch: IMGRET_TEST_PYTHON, else the first that fits.
python=
for candidate in ${IMGRET_TEST_PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'import numpy, torch' 2>/dev/null; then
        python=$candidate
        break
    fi
done
plugin=$IMGRET_PLUGIN_PATH/imgret_torch.so
if [ ! -r "$plugin" ]; then
    echo "1..0 # SKIP the torch plugin is not built"
    exit 0
fi
if [ -z "$python" ]; then
    echo "1..0 # SKIP no Python with numpy and torch (python3-torch, or IMGRET_TEST_PYTHON)"
    exit 0
fi
