/* plugin_store.c: loads plugin files once per process and checks the tables they give. */
#include "extract/plugin_store.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "extract/plugin_needs.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* A fixed array: loaded plugins outlive every handle, and memory that is never given back would
 * count as alive for imgret_set_allocator. */
#define PLUGIN_COUNT_MAX 32u

typedef struct plugin {
    void *handle;         /* what tells two files apart: dlopen gives one handle a file */
    imgret_backend table; /* name NULL: refused, for the reason in `refusal` */
    imgret_error refusal;
} plugin;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static plugin plugins[PLUGIN_COUNT_MAX];
static uint32_t plugin_count;

static const imgret_backend_host host = {
    .size = sizeof(imgret_backend_host),
    .abi = IMGRET_BACKEND_ABI,
    .log = ir_log_line,
    .file_sha256 = ir_file_sha256,
};

static int32_t check_table(const imgret_backend *table, const char *path, imgret_error *error)
{
    if (table->abi != IMGRET_BACKEND_ABI)
        return ir_fail(error, IMGRET_BAD_MODEL,
                       "plugin %s has backend ABI %u, this library needs %u", path, table->abi,
                       IMGRET_BACKEND_ABI);
    if (table->size < IMGRET_BACKEND_SIZE_MIN)
        return ir_fail(error, IMGRET_BAD_MODEL,
                       "plugin %s (backend ABI %u) has a table of %u bytes, this library (ABI %u) "
                       "needs %zu",
                       path, table->abi, table->size, IMGRET_BACKEND_ABI,
                       (size_t)IMGRET_BACKEND_SIZE_MIN);
    if (!table->name || !table->version || !table->extensions)
        return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s lacks its name, version or extensions",
                       path);
    if (!table->load || !table->describe || !table->run || !table->unload)
        return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s lacks load, describe, run or unload",
                       path);
    return IMGRET_OK;
}

/* The plugin's table as this library knows it: an older plugin's ends earlier, and what it lacks is
 * NULL here. */
static void take_table(imgret_backend *out, const imgret_backend *table)
{
    size_t bytes = table->size < sizeof *out ? table->size : sizeof *out;
    memset(out, 0, sizeof *out);
    memcpy(out, table, bytes);
    out->size = sizeof *out;
    if (!out->end_inspection)
        out->inspect = NULL; /* what it gave could not be freed */
}

/* Calls the entry of a freshly opened plugin. */
static int32_t enter(imgret_backend *out, void *handle, const char *path, imgret_error *error)
{
    imgret_backend_entry_fn entry = NULL;
    void *symbol = dlsym(handle, IMGRET_BACKEND_ENTRY);
    if (!symbol)
        return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s does not export %s", path,
                       IMGRET_BACKEND_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from data to function */
    imgret_error reason = IMGRET_ERROR_INIT;
    const imgret_backend *table = entry(&host, &reason);
    if (!table)
        return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s refuses to work: %s", path,
                       reason.message[0] ? reason.message : "it gives no reason");
    int32_t status = check_table(table, path, error);
    if (!status)
        take_table(out, table);
    return status;
}

static int32_t open_file(void **handle, const char *path, imgret_error *error)
{
    int32_t status = ir_plugin_check_needs(path, error);
    if (status)
        return status;
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*handle)
        return IMGRET_OK;
    const char *reason = dlerror();
    if (!reason)
        reason = "unknown reason";
    size_t length = strlen(path);
    if (strncmp(reason, path, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
        reason += length + 2;
    return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s cannot be loaded: %s", path, reason);
}

static plugin *find_loaded(void *handle)
{
    for (uint32_t i = 0; i < plugin_count; i++)
        if (plugins[i].handle == handle)
            return &plugins[i];
    return NULL;
}

static int32_t load_locked(const imgret_backend **out, const char *path, const char *name,
                           imgret_error *error)
{
    void *handle;
    int32_t status = open_file(&handle, path, error);
    if (status)
        return status;
    plugin *found = find_loaded(handle);
    if (found) {
        dlclose(handle); /* only takes back the count that this dlopen added */
    } else {
        if (plugin_count == PLUGIN_COUNT_MAX)
            return ir_fail(error, IMGRET_LIMIT, "plugin %s: %u plugins are loaded already", path,
                           PLUGIN_COUNT_MAX);
        found = &plugins[plugin_count++];
        found->handle = handle;
        found->refusal.size = sizeof found->refusal;
        enter(&found->table, handle, path, &found->refusal);
    }
    if (!found->table.name)
        return ir_fail(error, found->refusal.code, "%s", found->refusal.message);
    /* Not for the store to remember: one file may stand there under several names. */
    if (strcmp(found->table.name, name) != 0)
        return ir_fail(error, IMGRET_BAD_MODEL, "plugin %s calls itself \"%s\", not \"%s\"", path,
                       found->table.name, name);
    *out = &found->table;
    return IMGRET_OK;
}

int32_t ir_plugin_load(const imgret_backend **out, const char *path, const char *name,
                       imgret_error *error)
{
    *out = NULL;
    pthread_mutex_lock(&lock);
    int32_t status = load_locked(out, path, name, error);
    pthread_mutex_unlock(&lock);
    return status;
}
