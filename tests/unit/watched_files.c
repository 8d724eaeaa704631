/* watched_files.c: the library's own file operations, in the counts and the record of watched_vfs.h.
 *
 * The linker's --wrap sends the calls of the library and of tests here. Only what the code in
 * libimgret.a calls directly is caught: SQLite has its VFS, and libc's inner calls (those of fopen) stay
 * as they are. While nothing fails and nothing is recorded, calls go straight through.
 */
#include "watched_vfs.h"

#include "io/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_open(const char *path, int flags, ...);
ssize_t __real_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __real_read(int fd, void *out, size_t bytes);
ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __real_write(int fd, const void *data, size_t bytes);
int __real_ftruncate(int fd, off_t bytes);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode);
int __real_unlink(const char *path);
int __real_unlinkat(int folder, const char *name, int flags);
int __real_link(const char *from, const char *to);
DIR *__real_opendir(const char *path);
DIR *__real_fdopendir(int fd);
FILE *__real_fopen(const char *path, const char *mode);
size_t __real_fwrite(const void *data, size_t bytes, size_t count, FILE *file);
int __real_fflush(FILE *file);
int32_t __real_ir_io_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                          uint32_t *out_count, imgret_error *error);

int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __wrap_read(int fd, void *out, size_t bytes);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
int __wrap_ftruncate(int fd, off_t bytes);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_unlink(const char *path);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_link(const char *from, const char *to);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_fdopendir(int fd);
FILE *__wrap_fopen(const char *path, const char *mode);
size_t __wrap_fwrite(const void *data, size_t bytes, size_t count, FILE *file);
int __wrap_fflush(FILE *file);
int32_t __wrap_ir_io_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                          uint32_t *out_count, imgret_error *error);

/* True, with errno set, when this operation is to fail. */
static bool must_fail(watched_vfs_way way)
{
    int code = watched_vfs_is_failing() ? watched_vfs_count(way) : 0;
    if (code)
        errno = code > 0 ? code : ENOSPC;
    return code != 0;
}

/* How many bytes a write takes: all, some, none, or -1 with errno set. */
static ssize_t bytes_taken(size_t bytes)
{
    int code = watched_vfs_is_failing() ? watched_vfs_count(WATCHED_VFS_WRITES) : 0;
    if (code > 0) {
        errno = code;
        return -1;
    }
    return code == -1 ? 0 : code == -2 && bytes > 1 ? (ssize_t)(bytes / 2) : (ssize_t)bytes;
}

/* The path of a descriptor, when what happens to it is to be recorded. */
static bool path_to_record(int fd, char out[PATH_MAX])
{
    static const char gone[] = " (deleted)";
    char link[64];
    if (!watched_vfs_is_recording())
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length <= 0 || out[0] != '/')
        return false;
    out[length] = '\0';
    size_t tail = sizeof gone - 1;
    return (size_t)length < tail || strcmp(out + (size_t)length - tail, gone) != 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- opening, reading ---- */

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    if (must_fail(flags & O_CREAT ? WATCHED_VFS_WRITES : WATCHED_VFS_READS))
        return -1;
    int fd = __real_open(path, flags, mode);
    char name[PATH_MAX];
    if (fd >= 0 && (flags & O_TRUNC) != 0 && path_to_record(fd, name))
        watched_vfs_note(WATCHED_VFS_TRUNCATE, name, 0, NULL, 0);
    return fd;
}

ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    return must_fail(WATCHED_VFS_READS) ? -1 : __real_pread(fd, out, bytes, offset);
}

ssize_t __wrap_read(int fd, void *out, size_t bytes)
{
    return must_fail(WATCHED_VFS_READS) ? -1 : __real_read(fd, out, bytes);
}

/* Reads of segments, however they are done: each completion of the ring, or of the threads. */
int32_t __wrap_ir_io_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                          uint32_t *out_count, imgret_error *error)
{
    int32_t status = __real_ir_io_turn(io, out, capacity, wait_min, out_count, error);
    for (uint32_t i = 0; i < *out_count; i++)
        if (must_fail(WATCHED_VFS_READS)) {
            out[i].result = -errno;
            watched_vfs_count_read();
        }
    return status;
}

/* ---- writing ---- */

ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t taken = bytes_taken(bytes);
    if (taken <= 0)
        return taken;
    ssize_t done = __real_pwrite(fd, data, (size_t)taken, offset);
    char name[PATH_MAX];
    if (done > 0 && path_to_record(fd, name))
        watched_vfs_note(WATCHED_VFS_WRITE, name, (uint64_t)offset, data, (size_t)done);
    return done;
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    ssize_t taken = bytes_taken(bytes);
    if (taken <= 0)
        return taken;
    char name[PATH_MAX];
    bool recorded = path_to_record(fd, name);
    off_t offset = recorded ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = __real_write(fd, data, (size_t)taken);
    if (recorded && done > 0 && offset >= 0)
        watched_vfs_note(WATCHED_VFS_WRITE, name, (uint64_t)offset, data, (size_t)done);
    return done;
}

int __wrap_ftruncate(int fd, off_t bytes)
{
    if (must_fail(WATCHED_VFS_WRITES))
        return -1;
    int failed = __real_ftruncate(fd, bytes);
    char name[PATH_MAX];
    if (!failed && path_to_record(fd, name))
        watched_vfs_note(WATCHED_VFS_TRUNCATE, name, (uint64_t)bytes, NULL, 0);
    return failed;
}

/* A folder's sync is told by a name in it. */
int __wrap_fsync(int fd)
{
    if (must_fail(WATCHED_VFS_READS))
        return -1;
    char name[PATH_MAX];
    if (!path_to_record(fd, name))
        return __real_fsync(fd);
    if (!is_folder(name)) {
        watched_vfs_note(WATCHED_VFS_SYNC, name, 0, NULL, 0);
    } else if (strlen(name) + 3 <= sizeof name) {
        strcat(name, "/.");
        watched_vfs_note(WATCHED_VFS_SYNC_FOLDER, name, 0, NULL, 0);
    }
    return 0;
}

/* ---- names ---- */

int __wrap_rename(const char *from, const char *to)
{
    if (must_fail(WATCHED_VFS_READS))
        return -1;
    bool folder = watched_vfs_is_recording() && is_folder(from);
    int failed = __real_rename(from, to);
    if (!failed && watched_vfs_is_recording() && !folder)
        watched_vfs_note(WATCHED_VFS_RENAME, to, watched_vfs_number(from), NULL, 0);
    return failed;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (must_fail(WATCHED_VFS_WRITES))
        return -1;
    int failed = __real_mkdir(path, mode);
    if (!failed && watched_vfs_is_recording())
        watched_vfs_note(WATCHED_VFS_FOLDER, path, 0, NULL, 0);
    return failed;
}

int __wrap_unlink(const char *path)
{
    if (must_fail(WATCHED_VFS_DELETES))
        return -1;
    int failed = __real_unlink(path);
    if (!failed && watched_vfs_is_recording())
        watched_vfs_note(WATCHED_VFS_DELETE, path, 0, NULL, 0);
    return failed;
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    if (must_fail(WATCHED_VFS_DELETES))
        return -1;
    bool recorded = (flags & AT_REMOVEDIR) == 0 && path_to_record(folder, path) &&
                    strlen(path) + strlen(name) + 2 <= sizeof path;
    int failed = __real_unlinkat(folder, name, flags);
    if (!failed && recorded) {
        strcat(path, "/");
        strcat(path, name);
        watched_vfs_note(WATCHED_VFS_DELETE, path, 0, NULL, 0);
    }
    return failed;
}

int __wrap_link(const char *from, const char *to)
{
    if (must_fail(WATCHED_VFS_WRITES))
        return -1;
    int failed = __real_link(from, to);
    if (!failed && watched_vfs_is_recording())
        watched_vfs_note(WATCHED_VFS_LINK, to, watched_vfs_number(from), NULL, 0);
    return failed;
}

DIR *__wrap_opendir(const char *path)
{
    return must_fail(WATCHED_VFS_READS) ? NULL : __real_opendir(path);
}

DIR *__wrap_fdopendir(int fd)
{
    return must_fail(WATCHED_VFS_READS) ? NULL : __real_fdopendir(fd);
}

/* ---- stdio: what an export is written with ---- */

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return must_fail(mode[0] == 'r' ? WATCHED_VFS_READS : WATCHED_VFS_WRITES)
               ? NULL
               : __real_fopen(path, mode);
}

size_t __wrap_fwrite(const void *data, size_t bytes, size_t count, FILE *file)
{
    return must_fail(WATCHED_VFS_WRITES) ? 0 : __real_fwrite(data, bytes, count, file);
}

int __wrap_fflush(FILE *file)
{
    return must_fail(WATCHED_VFS_WRITES) ? EOF : __real_fflush(file);
}
