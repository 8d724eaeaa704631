/* worker_main.c: the program imgret-decode: decodes pictures for a process that does not trust them.
 *
 * Started by isolate.c, with worker.h's descriptors and one argument, the bytes of memory that it may
 * take. It is no part of the library.
 */
#include "base/alloc.h"
#include "decode/confine.h"
#include "decode/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool read_all(int fd, void *out, size_t bytes, bool from_start)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = from_start ? pread(fd, (char *)out + done, bytes - done, (off_t)done)
                                 : read(fd, (char *)out + done, bytes - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t bytes, bool from_start)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t put = from_start ? pwrite(fd, (const char *)data + done, bytes - done, (off_t)done)
                                 : write(fd, (const char *)data + done, bytes - done);
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static bool serve(const ir_worker_request *request)
{
    static ir_worker_reply reply;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_picture picture = {0};
    memset(&reply, 0, sizeof reply);
    uint8_t *data = ir_malloc((size_t)request->bytes);
    if (!data) {
        reply.status = IMGRET_NO_MEMORY;
        snprintf(reply.message, sizeof reply.message, "no memory for an encoded picture");
        return write_all(IR_WORKER_SOCKET, &reply, sizeof reply, false);
    }
    bool good = read_all(IR_WORKER_INPUT, data, (size_t)request->bytes, true);
    if (good) {
        reply.status = ir_decode(data, (size_t)request->bytes, &request->options, &picture, &error);
        memcpy(reply.message, error.message, sizeof reply.message);
    }
    if (good && reply.status == IMGRET_OK) {
        reply.width = picture.width, reply.height = picture.height;
        reply.source_width = picture.source_width, reply.source_height = picture.source_height;
        ir_decode_exif(picture.format, data, (size_t)request->bytes, &reply.exif);
        good = write_all(IR_WORKER_OUTPUT, picture.rgb, 3 * (size_t)picture.width * picture.height,
                         true);
    }
    ir_picture_free(&picture);
    ir_free(data);
    return good && write_all(IR_WORKER_SOCKET, &reply, sizeof reply, false);
}

int main(int count, char **arguments)
{
    uint64_t most = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    if (most == 0) {
        fprintf(stderr, "imgret-decode is started by libimgret, to decode pictures apart from a "
                        "program\n");
        return 2;
    }
    /* Not by its name: musl has none for it. */
    if (syscall(SYS_close_range, IR_WORKER_OUTPUT + 1, ~0u, 0) != 0 || ir_confine(most) != 0)
        return 3;
    ir_worker_request request;
    while (read_all(IR_WORKER_SOCKET, &request, sizeof request, false))
        if (!serve(&request))
            return 4;
    return 0;
}
