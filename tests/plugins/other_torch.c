/* other_torch.c: stands for the libtorch of another version that a process has loaded already, when a
 * test opens it under the name libtorch_cpu.so. */
int other_torch_version(void);

__attribute__((visibility("default"))) int other_torch_version(void)
{
    return 2;
}
