/* test_torch_beside.c: the torch plugin in a process that has another libtorch: an error, no abort. */
#include "torch_fixture.h"

#include "extract/plugin.h"

#include <libgen.h>

static void another_libtorch_is_named(void **state)
{
    (void)state;
    char path[PATH_MAX + 64], folder[] = "/tmp/imgret_beside_XXXXXX", link[64];
    plugin_path(path);
    if (access(path, R_OK) != 0)
        skip_because("the torch plugin is not built");
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/libtorch_cpu.so", folder);
    assert_int_equal(symlink(IMGRET_TEST_PLUGINS "/imgret_other_torch.so", link), 0);
    void *other = dlopen(link, RTLD_NOW | RTLD_LOCAL);
    if (!other)
        fail_msg("%s", dlerror());
    const imgret_backend *table;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_plugin_find(&table, "torch", dirname(path), &error), IMGRET_UNSUPPORTED);
    assert_null(table);
    assert_non_null(strstr(error.message, "needs libtorch_cpu.so"));
    assert_non_null(strstr(error.message, link));
    dlclose(other); /* and once it is gone, the plugin works: a refusal of this kind is not kept */
    assert_int_equal(ir_plugin_find(&table, "torch", path, &error), 0);
    assert_string_equal(table->name, "torch");
    unlink(link);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_libtorch_is_named),
    };
    return cmocka_run_group_tests_name("torch beside another", tests, NULL, NULL);
}
