# test_torch_script.sh: TorchScript modules in the torch plugin, against the modules themselves.
. tests/reference/python.sh
exec "$python" tests/reference/test_torch_script.py "$plugin"
