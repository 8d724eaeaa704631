/* file.c: reading whole files under a limit, and paths. */
#include "base/file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fill_info(ir_file_info *out, const struct stat *info)
{
    out->bytes = info->st_size > 0 ? (uint64_t)info->st_size : 0;
    out->modified_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
    out->is_regular = S_ISREG(info->st_mode);
    out->is_folder = S_ISDIR(info->st_mode);
}

int32_t ir_file_stat(const char *path, ir_file_info *out, imgret_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return ir_fail_errno(error, errno, "stat", path);
    fill_info(out, &info);
    return IMGRET_OK;
}

/* Opens a regular file; O_NONBLOCK so that a FIFO does not block before it is refused. */
static int32_t open_regular(const char *path, int *out_fd, ir_file_info *info, imgret_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ir_fail_errno(error, errno, "open", path);
    struct stat status;
    if (fstat(fd, &status) != 0) {
        int cause = errno;
        close(fd);
        return ir_fail_errno(error, cause, "stat", path);
    }
    fill_info(info, &status);
    if (!info->is_regular) {
        close(fd);
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s: not a regular file", path);
    }
    *out_fd = fd;
    return IMGRET_OK;
}

/* Reads until `bytes` are there or the file ends; returns the count, or -1 with errno set. */
static ssize_t read_fully(int fd, uint8_t *out, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        size_t part = bytes - done < (size_t)INT_MAX ? bytes - done : (size_t)INT_MAX;
        ssize_t got = read(fd, out + done, part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int32_t ir_file_read(const char *path, uint64_t bytes_max, uint8_t **out, size_t *out_bytes,
                     imgret_error *error)
{
    *out = NULL;
    *out_bytes = 0;
    int fd;
    ir_file_info info;
    int32_t status = open_regular(path, &fd, &info, error);
    if (status)
        return status;
    uint8_t *data = NULL;
    if (info.bytes > bytes_max) {
        status = ir_fail(error, IMGRET_LIMIT, "%s: %llu bytes, the limit is %llu", path,
                         (unsigned long long)info.bytes, (unsigned long long)bytes_max);
        goto out;
    }
    data = ir_malloc((size_t)info.bytes);
    if (!data) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for %llu bytes", path,
                         (unsigned long long)info.bytes);
        goto out;
    }
    ssize_t got = read_fully(fd, data, (size_t)info.bytes);
    if (got < 0) {
        status = ir_fail_errno(error, errno, "read", path);
        goto out;
    }
    *out = data;
    *out_bytes = (size_t)got;
    data = NULL;
out:
    ir_free(data);
    close(fd);
    return status;
}

int32_t ir_file_read_head(const char *path, uint8_t *out, size_t capacity, size_t *out_bytes,
                          imgret_error *error)
{
    *out_bytes = 0;
    int fd;
    ir_file_info info;
    int32_t status = open_regular(path, &fd, &info, error);
    if (status)
        return status;
    ssize_t got = read_fully(fd, out, capacity);
    if (got < 0)
        status = ir_fail_errno(error, errno, "read", path);
    else
        *out_bytes = (size_t)got;
    close(fd);
    return status;
}

static int32_t write_fully(const char *path, const uint8_t *data, size_t bytes, imgret_error *error)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return ir_fail_errno(error, errno, "write", path);
    int32_t status = IMGRET_OK;
    for (size_t done = 0; done < bytes && !status;) {
        ssize_t part = write(file, data + done, bytes - done);
        if (part > 0)
            done += (size_t)part;
        else if (part == 0 || errno != EINTR) /* a disk that takes nothing is full */
            status = ir_fail_errno(error, part == 0 ? ENOSPC : errno, "write", path);
    }
    if (!status && fsync(file) != 0)
        status = ir_fail_errno(error, errno, "write", path);
    if (close(file) != 0 && !status)
        status = ir_fail_errno(error, errno, "write", path);
    return status;
}

int32_t ir_file_write(const char *path, const uint8_t *data, size_t bytes, imgret_error *error)
{
    char *fresh = ir_asprintf("%s.%ld.new", path, (long)getpid());
    if (!fresh)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to write %s", path);
    int32_t status = write_fully(fresh, data, bytes, error);
    if (!status && rename(fresh, path) != 0)
        status = ir_fail_errno(error, errno, "write", path);
    if (status)
        unlink(fresh);
    ir_free(fresh);
    return status;
}

int32_t ir_file_sha256(const char *path, char out_hex[65], imgret_error *error)
{
    enum { PART_BYTES = 1 << 18 };
    int fd;
    ir_file_info info;
    int32_t status = open_regular(path, &fd, &info, error);
    if (status)
        return status;
    uint8_t *part = ir_malloc(PART_BYTES);
    ir_sha256 hash;
    ir_sha256_start(&hash);
    ssize_t got = 0;
    if (!part)
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to hash it", path);
    while (!status && (got = read_fully(fd, part, PART_BYTES)) > 0)
        ir_sha256_feed(&hash, part, (size_t)got);
    if (!status && got < 0)
        status = ir_fail_errno(error, errno, "read", path);
    uint8_t digest[32];
    ir_sha256_finish(&hash, digest);
    ir_hex(digest, sizeof digest, out_hex);
    ir_free(part);
    close(fd);
    return status;
}

int32_t ir_folder_sync(const char *path, imgret_error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ir_fail_errno(error, errno, "open", path);
    int32_t status = IMGRET_OK;
    if (fsync(fd) != 0 && errno != EINVAL) /* some file systems have no fsync for folders */
        status = ir_fail_errno(error, errno, "fsync", path);
    close(fd);
    return status;
}

int32_t ir_folder_sync_parent(const char *path, imgret_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash[1] == '\0')
        return IMGRET_OK;
    char *parent = ir_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!parent)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    int32_t status = ir_folder_sync(parent, error);
    ir_free(parent);
    return status;
}

char *ir_path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    return ir_asprintf("%s%s%s", folder, slash, name);
}

int32_t ir_path_absolute(const char *path, char **out, imgret_error *error)
{
    *out = NULL;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t name = length;
    while (name > 0 && path[name - 1] != '/')
        name--;
    const char *last = path + name;
    size_t last_length = length - name;
    bool whole = last_length == 0 || (last_length == 1 && last[0] == '.') ||
                 (last_length == 2 && last[0] == '.' && last[1] == '.');
    char *folder = whole ? ir_strndup(path, length)
                         : ir_strndup(name ? path : ".", name ? name : 1);
    char resolved[PATH_MAX];
    if (!folder)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!realpath(folder, resolved)) {
        int32_t status = ir_fail_errno(error, errno, "resolve", path);
        ir_free(folder);
        return status;
    }
    ir_free(folder);
    if (whole) {
        *out = ir_strdup(resolved);
    } else {
        char *tail = ir_strndup(last, last_length);
        *out = tail ? ir_path_join(resolved, tail) : NULL;
        ir_free(tail);
    }
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
}
