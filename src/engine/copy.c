/* copy.c: files copied into a folder that is being filled. */
#include "engine/copy.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* 0, or errno. A write that takes nothing and gives no reason is a full disk: asking again could be for
 * ever. */
static int write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = write(fd, data, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : ENOSPC;
        data += put;
        bytes -= (size_t)put;
    }
    return 0;
}

/* Copies what is left of `from` and makes it durable. */
static int32_t copy_bytes(int from, int to, const char *path, imgret_error *error)
{
    enum { PART_BYTES = 1 << 20 };
    char *part = ir_malloc(PART_BYTES);
    if (!part)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to copy %s", path);
    int cause = 0;
    for (;;) {
        ssize_t got = read(from, part, PART_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            cause = got < 0 ? errno : 0;
            break;
        }
        cause = write_all(to, part, (size_t)got);
        if (cause)
            break;
    }
    if (!cause && fsync(to) != 0)
        cause = errno;
    ir_free(part);
    return cause ? ir_fail_errno(error, cause, "copy", path) : IMGRET_OK;
}

int32_t ir_copy_file(const char *from_path, const char *to_path, imgret_error *error)
{
    int from = open(from_path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return ir_fail_errno(error, errno, "open", from_path);
    int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int32_t status = to < 0 ? ir_fail_errno(error, errno, "make", to_path)
                            : copy_bytes(from, to, to_path, error);
    if (to >= 0 && close(to) != 0 && !status)
        status = ir_fail_errno(error, errno, "close", to_path);
    close(from);
    return status;
}

int32_t ir_copy_if_there(const char *from_folder, const char *to_folder, const char *name,
                         imgret_error *error)
{
    char *from = ir_path_join(from_folder, name), *to = ir_path_join(to_folder, name);
    int32_t status = from && to ? IMGRET_OK
                                : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status && access(from, F_OK) == 0)
        status = ir_copy_file(from, to, error);
    ir_free(from);
    ir_free(to);
    return status;
}
