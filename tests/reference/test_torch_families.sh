# test_torch_families.sh: the torch plugin's families against Python's reference packages.
# IMGRET_TEST_LONG=1 adds the large members of each family.
. tests/reference/python.sh
exec "$python" tests/reference/test_torch_families.py "$plugin" ${IMGRET_TEST_LONG:+--all}
