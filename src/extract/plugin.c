/* plugin.c: finds plugin files, by backend name or by the ending of a weights file. */
#include "extract/plugin.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "extract/plugin_store.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_PREFIX "imgret_"
#define FILE_SUFFIX ".so"

/* The folders beside the library itself, "DIR/imgret:DIR/lib/imgret:" (as installed, and as built),
 * so that a tree which was moved still finds its plugins; "" when the place is not known. */
static char *list_own_folders(void)
{
    static const char anchor = 0; /* lies in the library, wherever it was linked into */
    Dl_info info;
    if (!dladdr(&anchor, &info) || !info.dli_fname || info.dli_fname[0] != '/')
        return ir_strdup("");
    const char *slash = strrchr(info.dli_fname, '/');
    int length = (int)(slash - info.dli_fname);
    return ir_asprintf("%.*s/imgret:%.*s/lib/imgret:", length, info.dli_fname, length,
                       info.dli_fname);
}

/* All folders to search, separated by ':', in fresh memory. */
static char *list_folders(const char *plugin_path)
{
    /* A process with raised rights must not load code from where its caller wishes. */
    const char *environment = secure_getenv("IMGRET_PLUGIN_PATH");
    bool first = plugin_path && plugin_path[0], second = environment && environment[0];
    char *own = list_own_folders();
    char *folders = own ? ir_asprintf("%s%s%s%s%s%s", first ? plugin_path : "", first ? ":" : "",
                                      second ? environment : "", second ? ":" : "", own,
                                      IMGRET_PLUGIN_DIR)
                        : NULL;
    ir_free(own);
    return folders;
}

/* Cuts the next folder out of the list at *cursor; empty ones are passed over. NULL: no more. */
static const char *next_folder(char **cursor)
{
    char *folder = *cursor + strspn(*cursor, ":");
    char *end = folder + strcspn(folder, ":");
    *cursor = end + (*end != '\0');
    *end = '\0';
    return *folder ? folder : NULL;
}

typedef struct ending_search {
    const imgret_backend *found;
    const char *weights; /* ending wanted */
    imgret_error error;  /* of the first plugin that could not be used */
} ending_search;

static int32_t try_folder(const imgret_backend **out, bool *present, const char *folder,
                          const char *name, imgret_error *error)
{
    *present = false;
    char *path = ir_asprintf("%s/" FILE_PREFIX "%s" FILE_SUFFIX, folder, name);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "plugin %s: no memory", name);
    ir_file_info info;
    int32_t status = IMGRET_OK;
    if (ir_file_stat(path, &info, NULL) == IMGRET_OK) {
        *present = true;
        status = ir_plugin_load(out, path, name, error);
    }
    ir_free(path);
    return status;
}

int32_t ir_plugin_find(const imgret_backend **out, const char *name, const char *plugin_path,
                       imgret_error *error)
{
    *out = NULL;
    char *folders = list_folders(plugin_path);
    char *parts = ir_strdup(folders);
    int32_t status = IMGRET_OK;
    bool present = false;
    if (!folders || !parts)
        status = ir_fail(error, IMGRET_NO_MEMORY, "plugin %s: no memory", name);
    char *cursor = parts;
    const char *folder;
    while (!status && !present && (folder = next_folder(&cursor)))
        status = try_folder(out, &present, folder, name, error);
    if (!status && !present)
        status = ir_fail(error, IMGRET_NOT_FOUND,
                         "no backend \"%s\": plugin " FILE_PREFIX "%s" FILE_SUFFIX
                         " is in none of %s",
                         name, name, folders);
    ir_free(parts);
    ir_free(folders);
    return status;
}

/* Does `path` end in one of `extensions` ("safetensors pt", dots before them allowed)? */
static bool ending_is_listed(const char *path, const char *extensions)
{
    size_t path_length = strlen(path);
    const char *at = extensions;
    while (*at) {
        at += strspn(at, " .");
        size_t length = strcspn(at, " ");
        if (length > 0 && path_length > length + 1 && path[path_length - length - 1] == '.' &&
            strncasecmp(path + path_length - length, at, length) == 0)
            return true;
        at += length;
    }
    return false;
}

static int is_plugin_name(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t around = sizeof FILE_PREFIX - 1 + sizeof FILE_SUFFIX - 1;
    return length > around && strncmp(entry->d_name, FILE_PREFIX, sizeof FILE_PREFIX - 1) == 0 &&
           strcmp(entry->d_name + length - (sizeof FILE_SUFFIX - 1), FILE_SUFFIX) == 0;
}

static void try_plugin(ending_search *search, const char *folder, const char *file)
{
    const size_t prefix = sizeof FILE_PREFIX - 1;
    char *path = ir_path_join(folder, file);
    char *name = ir_strndup(file + prefix, strlen(file) - prefix - (sizeof FILE_SUFFIX - 1));
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_backend *table = NULL;
    int32_t status;
    if (!path || !name)
        status = ir_fail(&error, IMGRET_NO_MEMORY, "plugin %s: no memory", file);
    else
        status = ir_plugin_load(&table, path, name, &error);
    if (status) {
        ir_log(IMGRET_LOG_WARNING, "%s", error.message);
        if (search->error.code == IMGRET_OK)
            search->error = error;
    } else if (ending_is_listed(search->weights, table->extensions)) {
        search->found = table;
    }
    ir_free(name);
    ir_free(path);
}

static void try_all_in_folder(ending_search *search, const char *folder)
{
    struct dirent **entries = NULL; /* scandir's own memory, not ours */
    int count = scandir(folder, &entries, is_plugin_name, alphasort);
    for (int i = 0; i < count; i++) {
        if (!search->found)
            try_plugin(search, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

int32_t ir_plugin_find_for_file(const imgret_backend **out, const char *weights,
                                const char *plugin_path, imgret_error *error)
{
    *out = NULL;
    char *folders = list_folders(plugin_path);
    char *parts = ir_strdup(folders);
    ending_search search = {.weights = weights, .error = IMGRET_ERROR_INIT};
    int32_t status = IMGRET_OK;
    if (!folders || !parts)
        status = ir_fail(error, IMGRET_NO_MEMORY, "plugins for %s: no memory", weights);
    char *cursor = parts;
    const char *folder;
    while (!status && !search.found && (folder = next_folder(&cursor)))
        try_all_in_folder(&search, folder);
    if (!status && !search.found)
        status = search.error.code != IMGRET_OK
                     ? ir_fail(error, search.error.code, "%s: no backend takes it; %s", weights,
                               search.error.message)
                     : ir_fail(
                           error, IMGRET_NOT_FOUND,
                           "%s: no backend takes files of this ending; plugins were searched in %s",
                           weights, folders);
    *out = search.found;
    ir_free(parts);
    ir_free(folders);
    return status;
}
