/* walker.c: from given files and folders to one file after another, in a set order.
 *
 * A stack of folders, each with the sorted names it has left; memory is the names of the folders
 * on the way down, never of the whole tree.
 */
#include "engine/walker.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 256 }; /* a loop of mounts ends here, as a failure of that folder */

typedef struct folder {
    char *path;
    char **names;
    size_t count;
    size_t next;
} folder;

struct ir_walker {
    const char *const *paths;
    uint64_t path_count;
    uint64_t next_path;
    bool recurse;
    bool has_passed_over;
    dev_t passed_over_device;
    ino_t passed_over_inode;
    uint32_t depth;
    folder stack[DEPTH_MAX];
};

static void free_folder(folder *given)
{
    for (size_t i = 0; i < given->count; i++)
        ir_free(given->names[i]);
    ir_free(given->names);
    ir_free(given->path);
    memset(given, 0, sizeof *given);
}

int32_t ir_walker_create(ir_walker **out, const char *const *paths, uint64_t path_count,
                         bool recurse, const char *passed_over, imgret_error *error)
{
    *out = NULL;
    ir_walker *walker = ir_calloc(1, sizeof *walker);
    if (!walker)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to walk through folders");
    walker->paths = paths;
    walker->path_count = path_count;
    walker->recurse = recurse;
    struct stat info;
    if (passed_over && stat(passed_over, &info) == 0) {
        walker->has_passed_over = true;
        walker->passed_over_device = info.st_dev;
        walker->passed_over_inode = info.st_ino;
    }
    *out = walker;
    return IMGRET_OK;
}

void ir_walker_free(ir_walker *walker)
{
    if (!walker)
        return;
    while (walker->depth > 0)
        free_folder(&walker->stack[--walker->depth]);
    ir_free(walker);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t add_name(folder *to, size_t *capacity, const char *name)
{
    if (to->count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 64;
        char **names = ir_realloc(to->names, more * sizeof *names);
        if (!names)
            return IMGRET_NO_MEMORY;
        to->names = names;
        *capacity = more;
    }
    char *copy = ir_strdup(name);
    if (!copy)
        return IMGRET_NO_MEMORY;
    to->names[to->count++] = copy;
    return IMGRET_OK;
}

/* Reads a folder's names and pushes it; takes `path` over in any case. A folder that cannot be
 * read is *failure with errno's text in `entry`, not an error of the walk. */
static int32_t enter_folder(ir_walker *walker, char *path, ir_walker_entry *entry,
                            imgret_error *error)
{
    folder entered = {.path = path};
    size_t capacity = 0;
    int32_t status = IMGRET_OK;
    errno = walker->depth == DEPTH_MAX ? ELOOP : 0;
    DIR *stream = errno ? NULL : opendir(path);
    if (stream) {
        errno = 0;
        for (struct dirent *item; !status && (item = readdir(stream)); errno = 0)
            if (item->d_name[0] != '.')
                status = add_name(&entered, &capacity, item->d_name);
    }
    int cause = errno;
    if (stream)
        closedir(stream);
    if (status) {
        free_folder(&entered);
        return ir_fail(error, status, "no memory for the names of a folder");
    }
    if (cause) {
        imgret_error reason = IMGRET_ERROR_INIT;
        entry->failure = ir_fail_errno(&reason, cause, "open folder", path);
        snprintf(entry->message, sizeof entry->message, "%.255s", reason.message);
        entry->path = entered.path;
        entered.path = NULL;
        free_folder(&entered);
        return IMGRET_OK;
    }
    if (entered.count > 0)
        qsort(entered.names, entered.count, sizeof *entered.names, compare_names);
    walker->stack[walker->depth++] = entered;
    return IMGRET_OK;
}

static bool is_passed_over(const ir_walker *walker, const struct stat *info)
{
    return walker->has_passed_over && info->st_dev == walker->passed_over_device &&
           info->st_ino == walker->passed_over_inode;
}

/* One name met in a folder: a file becomes the entry, a folder is entered, the rest (sockets,
 * devices, links to folders, what vanished meanwhile) is passed over. */
static int32_t visit_name(ir_walker *walker, const char *folder_path, const char *name,
                          ir_walker_entry *out, imgret_error *error)
{
    char *path = ir_path_join(folder_path, name);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    struct stat info;
    bool there = lstat(path, &info) == 0;
    bool link = there && S_ISLNK(info.st_mode);
    if (link)
        there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode) && !link && walker->recurse &&
        !is_passed_over(walker, &info))
        return enter_folder(walker, path, out, error);
    if (there && S_ISREG(info.st_mode))
        out->path = path;
    else
        ir_free(path);
    return IMGRET_OK;
}

/* A path the caller gave: must be there, whatever it is. */
static int32_t visit_given(ir_walker *walker, const char *given, ir_walker_entry *out,
                           imgret_error *error)
{
    out->named = true;
    imgret_error reason = IMGRET_ERROR_INIT;
    struct stat info;
    char *path = NULL;
    int32_t failure = ir_path_absolute(given, &path, &reason);
    if (failure == IMGRET_NO_MEMORY)
        return ir_fail(error, failure, "no memory for a path");
    if (!failure && stat(path, &info) != 0)
        failure = ir_fail_errno(&reason, errno, "open", path);
    if (!failure && S_ISDIR(info.st_mode))
        return enter_folder(walker, path, out, error);
    if (failure) {
        out->failure = failure;
        snprintf(out->message, sizeof out->message, "%.255s", reason.message);
        if (!path && !(path = ir_strdup(given)))
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    }
    out->path = path;
    return IMGRET_OK;
}

int32_t ir_walker_next(ir_walker *walker, ir_walker_entry *out, bool *found, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    int32_t status = IMGRET_OK;
    while (!status && !out->path) {
        if (walker->depth > 0) {
            folder *top = &walker->stack[walker->depth - 1];
            out->named = false;
            if (top->next == top->count)
                free_folder(&walker->stack[--walker->depth]);
            else
                status = visit_name(walker, top->path, top->names[top->next++], out, error);
        } else if (walker->next_path < walker->path_count) {
            status = visit_given(walker, walker->paths[walker->next_path++], out, error);
        } else {
            break;
        }
    }
    *found = out->path != NULL;
    return status;
}
