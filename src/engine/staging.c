/* staging.c: a folder that is filled aside and then appears under its name, whole and durable. */
#include "engine/staging.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What may lie in such a folder. Nothing else is ever removed: it would be somebody's. */
static const char *const names[] = {
    "catalog.db",    "catalog.db-journal", "catalog.db-wal", "catalog.db-shm",
    "manifest.json", "images.ndjson",      "vectors.npy",    "pca.imgret-pca",
};

/* Segment files have numbers for names. */
static void empty_segments(int fd)
{
    int inside = openat(fd, "segments", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = inside < 0 ? NULL : fdopendir(inside);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        size_t digits = strspn(entry->d_name, "0123456789");
        if (digits > 0 && strcmp(entry->d_name + digits, ".seg") == 0)
            unlinkat(inside, entry->d_name, 0);
    }
    if (folder)
        closedir(folder);
    else if (inside >= 0)
        close(inside);
    unlinkat(fd, "segments", AT_REMOVEDIR);
}

static void empty(int fd)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(fd, names[i], 0);
    empty_segments(fd);
}

/* After `empty`: what is left would become part of the new folder. */
static int32_t refuse_strangers(const char *path, imgret_error *error)
{
    DIR *folder = opendir(path);
    if (!folder)
        return ir_fail_errno(error, errno, "open", path);
    int32_t status = IMGRET_OK;
    const struct dirent *entry;
    while (!status && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = ir_fail(error, IMGRET_EXISTS, "%s: is in the way, and holds %s", path,
                             entry->d_name);
    closedir(folder);
    return status;
}

static bool is_still_there(const char *path, int fd)
{
    struct stat by_name, by_fd;
    return stat(path, &by_name) == 0 && fstat(fd, &by_fd) == 0 && by_name.st_dev == by_fd.st_dev &&
           by_name.st_ino == by_fd.st_ino;
}

/* Makes the folder, or takes one over whose process died: then its lock is free. */
static int32_t claim(ir_staging *staging, imgret_error *error)
{
    if (mkdir(staging->partial, 0777) != 0 && errno != EEXIST)
        return ir_fail_errno(error, errno, "make the folder", staging->partial);
    int fd = open(staging->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ir_fail_errno(error, errno, "open", staging->partial);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_still_there(staging->partial, fd)) {
        close(fd);
        return ir_fail(error, IMGRET_BUSY, "%s: is being written by another call or process",
                       staging->partial);
    }
    empty(fd);
    int32_t status = refuse_strangers(staging->partial, error);
    if (status)
        close(fd);
    else
        staging->fd = fd;
    return status;
}

static void forget(ir_staging *staging)
{
    ir_free(staging->path);
    ir_free(staging->partial);
    ir_free(staging->parent);
    *staging = (ir_staging){0};
}

int32_t ir_staging_begin(ir_staging *staging, const char *path, imgret_error *error)
{
    *staging = (ir_staging){0};
    struct stat info;
    int32_t status = ir_path_absolute(path, &staging->path, error);
    if (!status && lstat(staging->path, &info) == 0)
        status = ir_fail(error, IMGRET_EXISTS, "%s: is there already", staging->path);
    if (!status) {
        staging->partial = ir_asprintf("%s.imgret-partial", staging->path);
        const char *slash = strrchr(staging->path, '/');
        size_t length = slash > staging->path ? (size_t)(slash - staging->path) : 1;
        staging->parent = ir_strndup(staging->path, length);
        status = staging->partial && staging->parent
                     ? claim(staging, error)
                     : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    }
    if (status)
        forget(staging);
    return status;
}

int32_t ir_staging_finish(ir_staging *staging, imgret_error *error)
{
    int32_t status = ir_folder_sync(staging->partial, error);
    if (!status && rename(staging->partial, staging->path) != 0)
        status = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
                     ? ir_fail(error, IMGRET_EXISTS, "%s: is there already", staging->path)
                     : ir_fail_errno(error, errno, "rename to", staging->path);
    if (status) {
        ir_staging_drop(staging);
        return status;
    }
    status = ir_folder_sync(staging->parent, error);
    if (status && rename(staging->path, staging->partial) == 0) {
        ir_staging_drop(staging); /* a call that failed leaves nothing */
        return status;
    }
    close(staging->fd);
    forget(staging);
    return status;
}

void ir_staging_drop(ir_staging *staging)
{
    if (!staging->partial)
        return;
    empty(staging->fd);
    rmdir(staging->partial);
    close(staging->fd);
    forget(staging);
}
