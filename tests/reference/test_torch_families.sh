# test_torch_families.sh: the torch plugin's families against Python's reference packages.
. tests/reference/python.sh
exec "$python" tests/reference/test_torch_families.py "$plugin"
