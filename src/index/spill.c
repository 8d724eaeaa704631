/* spill.c: a temporary file without a name. */
#include "index/spill.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct ir_spill {
    char *name; /* for messages */
    int fd;
    uint64_t bytes;
};

int32_t ir_spill_create(ir_spill **out, const char *path, imgret_error *error)
{
    *out = NULL;
    ir_spill *spill = ir_calloc(1, sizeof *spill);
    char *name = ir_asprintf("%s.spill-XXXXXX", path);
    if (!spill || !name) {
        ir_free(spill);
        ir_free(name);
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to write it", path);
    }
    spill->name = name;
    spill->fd = mkostemp(name, O_CLOEXEC);
    if (spill->fd < 0) {
        int32_t status = ir_fail_errno(error, errno, "create", name);
        ir_spill_free(spill);
        return status;
    }
    unlink(name);
    *out = spill;
    return IMGRET_OK;
}

void ir_spill_free(ir_spill *spill)
{
    if (!spill)
        return;
    if (spill->fd >= 0)
        close(spill->fd);
    ir_free(spill->name);
    ir_free(spill);
}

int32_t ir_spill_write(ir_spill *spill, const void *data, size_t bytes, imgret_error *error)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        ssize_t done = pwrite(spill->fd, from, bytes, (off_t)spill->bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return ir_fail_errno(error, done < 0 ? errno : ENOSPC, "write", spill->name);
        from += done, bytes -= (size_t)done, spill->bytes += (uint64_t)done;
    }
    return IMGRET_OK;
}

int32_t ir_spill_read(const ir_spill *spill, uint64_t offset, void *out, size_t bytes,
                      imgret_error *error)
{
    uint8_t *to = out;
    while (bytes > 0) {
        ssize_t got = pread(spill->fd, to, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ir_fail_errno(error, got < 0 ? errno : EIO, "read back", spill->name);
        to += got, bytes -= (size_t)got, offset += (uint64_t)got;
    }
    return IMGRET_OK;
}
