/* torch_fixture.h: what the torch tests share: loading the plugin as the host does, and writing
 * small safetensors files. */
#ifndef IR_TESTS_TORCH_FIXTURE_H
#define IR_TESTS_TORCH_FIXTURE_H

#include "testing.h"

#include "base/file.h"

#include <dlfcn.h>
#include <imgret/backend.h>
#include <limits.h>
#include <unistd.h>

static void fixture_log(int32_t level, const char *message)
{
    (void)level, (void)message;
}

static const imgret_backend_host fixture_host = {sizeof(imgret_backend_host), IMGRET_BACKEND_ABI,
                                                 fixture_log, ir_file_sha256};

/* imgret_torch.so in IMGRET_PLUGIN_PATH, else where `make` puts it beside this test. */
static inline void plugin_path(char path[PATH_MAX + 64])
{
    const char *folder = getenv("IMGRET_PLUGIN_PATH");
    if (folder && folder[0]) {
        snprintf(path, PATH_MAX + 64, "%.*s/imgret_torch.so", PATH_MAX, folder);
        return;
    }
    char self[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    for (int up = 0; up < 2 && length > 0; up++)
        *strrchr(self, '/') = '\0';
    snprintf(path, PATH_MAX + 64, "%s/lib/imgret/imgret_torch.so", self);
}

/* The plugin's table; skips the test when the plugin was not built. */
static inline const imgret_backend *plugin(void)
{
    static const imgret_backend *table;
    char path[PATH_MAX + 64];
    plugin_path(path);
    if (table)
        return table;
    if (access(path, R_OK) != 0) {
        print_message("no torch plugin at %s\n", path);
        skip();
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    imgret_backend_entry_fn entry;
    *(void **)&entry = dlsym(library, IMGRET_BACKEND_ENTRY);
    assert_non_null(entry);
    imgret_error error = IMGRET_ERROR_INIT;
    table = entry(&fixture_host, &error);
    assert_non_null(table);
    return table;
}

static inline imgret_backend_model *load_model(const char *path, const char *options,
                                               uint32_t threads, imgret_backend_info *info)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_backend_model *model = NULL;
    if (plugin()->load(&model, path, options, threads, &error) != 0)
        fail_msg("%s", error.message);
    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    assert_int_equal(plugin()->describe(model, info, &error), 0);
    return model;
}

static inline void run_model(imgret_backend_model *model, const uint8_t *pixels, uint32_t count,
                             float *embeddings, float *logits)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_backend_batch batch = {sizeof batch, count, pixels, embeddings, logits};
    if (plugin()->run(model, &batch, &error) != 0)
        fail_msg("%s", error.message);
}

/* A safetensors file in the making: tensors in the order in which they are added. */
typedef struct st_writer {
    char *header;
    size_t header_bytes;
    uint8_t *data;
    size_t data_bytes;
} st_writer;

static inline void st_add_text(st_writer *writer, const char *text)
{
    size_t length = strlen(text);
    writer->header = realloc(writer->header, writer->header_bytes + length + 1);
    assert_non_null(writer->header);
    memcpy(writer->header + writer->header_bytes, text, length + 1);
    writer->header_bytes += length;
}

/* `shape` as JSON: "[2,3]"; `dtype` as the format has it. */
static inline void st_add(st_writer *writer, const char *name, const char *dtype, const char *shape,
                          const void *data, size_t bytes)
{
    char entry[512];
    snprintf(entry, sizeof entry,
             "%c\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
             writer->header_bytes ? ',' : '{', name, dtype, shape, writer->data_bytes,
             writer->data_bytes + bytes);
    st_add_text(writer, entry);
    writer->data = realloc(writer->data, writer->data_bytes + bytes + 1);
    assert_non_null(writer->data);
    memcpy(writer->data + writer->data_bytes, data, bytes);
    writer->data_bytes += bytes;
}

/* Writes header, length and data to `path` and frees the writer. */
static inline void st_write(st_writer *writer, const char *path)
{
    st_add_text(writer, writer->header_bytes ? "}" : "{}");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t length = writer->header_bytes;
    assert_int_equal(fwrite(&length, 1, 8, file), 8);
    assert_int_equal(fwrite(writer->header, 1, writer->header_bytes, file), writer->header_bytes);
    if (writer->data_bytes)
        assert_int_equal(fwrite(writer->data, 1, writer->data_bytes, file), writer->data_bytes);
    assert_int_equal(fclose(file), 0);
    free(writer->header);
    free(writer->data);
    memset(writer, 0, sizeof *writer);
}

/* A name for a temporary file in `path`; the caller unlinks it. */
static inline void temporary_path(char path[64])
{
    snprintf(path, 64, "/tmp/imgret_torch_XXXXXX.safetensors");
    int fd = mkstemps(path, 12);
    assert_true(fd >= 0);
    close(fd);
}

/* Uniform in [-1, 1), the same on every machine. */
static inline float random_unit(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) * 0x1p-23f - 1.0f;
}

#endif
