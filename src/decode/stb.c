/* stb.c: GIF, TGA, PSD and HDR by stb_image; JPEG and PNG too in builds without their libraries.
 *
 * stb_image reads zeros beyond the end of a file and so makes pictures of half files, or loops for
 * ever on them. Here it reads through callbacks, and the first byte it wants beyond the end leaves
 * it by longjmp. Its memory hangs on a list of the session, which is freed whichever way it ends,
 * and which has a budget. Headers are checked before (stb_check.c).
 */
#include "decode/stb.h"

#include "base/alloc.h"
#include "base/error.h"

#include <setjmp.h>
#include <string.h>

typedef struct block {
    struct block *next;
    struct block *previous;
    size_t bytes;
    _Alignas(max_align_t) uint8_t data[];
} block;

typedef struct session {
    jmp_buf escape;
    const ir_decode_job *job;
    imgret_error *error;
    int32_t status;
    size_t position;
    const char *buffer; /* stb_image's own, which may be filled in part */
    uint64_t budget_bytes;
    block blocks; /* head of the list */
} session;

/* stb_image's allocation macros carry no context. */
static _Thread_local session *active;

static _Noreturn void leave(session *s, int32_t status, const char *message)
{
    s->status = ir_fail(s->error, status, "%s: %s", s->job->format, message);
    longjmp(s->escape, 1);
}

static void link_block(block *b)
{
    b->previous = &active->blocks;
    b->next = active->blocks.next;
    if (b->next)
        b->next->previous = b;
    active->blocks.next = b;
    active->budget_bytes -= b->bytes;
}

static void unlink_block(block *b)
{
    b->previous->next = b->next;
    if (b->next)
        b->next->previous = b->previous;
    active->budget_bytes += b->bytes;
}

/* New memory is cleared: a damaged file makes stb_image use what it never wrote. */
static void *stb_resize(void *pointer, size_t bytes)
{
    block *old = pointer ? (block *)((uint8_t *)pointer - offsetof(block, data)) : NULL;
    size_t old_bytes = old ? old->bytes : 0;
    uint64_t available = active->budget_bytes + old_bytes;
    if (bytes > available)
        leave(active, IMGRET_LIMIT, "needs more memory than its size explains");
    if (old)
        unlink_block(old);
    block *b = ir_realloc(old, sizeof *b + bytes);
    if (!b) { /* the old one lives on */
        if (old)
            link_block(old);
        leave(active, IMGRET_NO_MEMORY, "no memory for its pixels");
    }
    if (bytes > old_bytes)
        memset(b->data + old_bytes, 0, bytes - old_bytes);
    b->bytes = bytes;
    link_block(b);
    return b->data;
}

static void stb_free(void *pointer)
{
    if (!pointer)
        return;
    block *b = (block *)((uint8_t *)pointer - offsetof(block, data));
    unlink_block(b);
    ir_free(b);
}

static void stb_assertion(int holds)
{
    if (!holds)
        leave(active, IMGRET_BAD_IMAGE, "damaged");
}

/* It declares functions that the switches below leave out; gcc says so at the end of the file. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_BMP /* bmp.c says why */
#define STBI_NO_PNM
#define STBI_NO_PIC
#if IR_WITH_TURBOJPEG
#define STBI_NO_JPEG
#endif
#if IR_WITH_PNG
#define STBI_NO_PNG
#endif
#define STBI_MALLOC(bytes) stb_resize(NULL, bytes)
#define STBI_REALLOC(pointer, bytes) stb_resize(pointer, bytes)
#define STBI_FREE(pointer) stb_free(pointer)
#define STBI_ASSERT(condition) stb_assertion(!!(condition))
#include <stb/stb_image.h>

/* stb_image computes sizes in int: 16 bytes a pixel must fit. */
#define STB_PIXEL_COUNT_MAX ((uint64_t)1 << 27)

static int read_bytes(void *user, char *to, int count)
{
    session *s = user;
    size_t left = s->job->bytes - s->position, wanted = count > 0 ? (size_t)count : 0;
    if (!s->buffer)
        s->buffer = to; /* the first read fills stb_image's buffer */
    if (left == 0 || (wanted > left && to != s->buffer))
        leave(s, IMGRET_BAD_IMAGE, "cut short");
    size_t part = wanted < left ? wanted : left;
    memcpy(to, s->job->data + s->position, part);
    s->position += part;
    return (int)part;
}

/* Going beyond the end is no error yet, reading there is. */
static void skip_bytes(void *user, int count)
{
    session *s = user;
    size_t left = s->job->bytes - s->position, wanted = count > 0 ? (size_t)count : 0;
    s->position += wanted < left ? wanted : left;
}

static int is_at_end(void *user)
{
    const session *s = user;
    return s->position >= s->job->bytes;
}

static const stbi_io_callbacks callbacks = {read_bytes, skip_bytes, is_at_end};

static void rewind_to(session *s, uint64_t budget_bytes)
{
    s->position = 0;
    s->buffer = NULL;
    s->budget_bytes = budget_bytes;
}

/* The first frame alone; stb_image's own entry point decodes it too, but does not tell when rows
 * are missing, and fills what the frame leaves free with a colour that no viewer shows. */
static stbi_uc *load_gif(session *s, int *width, int *height, int *channels)
{
    stbi__context context;
    stbi__gif gif;
    memset(&gif, 0, sizeof gif);
    stbi__start_callbacks(&context, (stbi_io_callbacks *)&callbacks, s);
    stbi_uc *rgba = stbi__gif_load_next(&context, &gif, channels, 4, NULL);
    if (!rgba)
        return NULL;
    bool is_empty = rgba == (stbi_uc *)&context || gif.max_x == gif.start_x ||
                    gif.max_y == gif.start_y;
    if (is_empty || gif.cur_y < gif.max_y || gif.parse > 0)
        leave(s, IMGRET_BAD_IMAGE, is_empty ? "no picture in it" : "rows are missing");
    *width = gif.w, *height = gif.h, *channels = 4;
    for (size_t i = 0, count = (size_t)gif.w * (size_t)gif.h; i < count; i++)
        if (!gif.history[i])
            rgba[4 * i + 3] = 0;
    return rgba;
}

static int32_t fail_reason(session *s)
{
    const char *reason = stbi_failure_reason();
    return ir_fail(s->error, IMGRET_BAD_IMAGE, "%s: damaged (%s)", s->job->format,
                   reason && reason[0] ? reason : "stb_image gives no reason");
}

static int32_t check_size(session *s, ir_stb_header *header, ir_picture *out)
{
    int width, height, channels;
    if (header->width == 0 && strcmp(s->job->format, "jpeg") == 0) {
        if (!stbi_info_from_callbacks(&callbacks, s, &width, &height, &channels))
            return fail_reason(s);
        header->width = (uint64_t)width, header->height = (uint64_t)height;
    }
    int32_t status = ir_decode_check_size(s->job, header->width, header->height, out, s->error);
    if (!status && header->width * header->height > STB_PIXEL_COUNT_MAX)
        status = ir_fail(s->error, IMGRET_LIMIT,
                         "%s: %u x %u pixels, its decoder takes %llu at "
                         "most",
                         s->job->format, out->source_width, out->source_height,
                         (unsigned long long)STB_PIXEL_COUNT_MAX);
    return status;
}

/* Not inlined: its variables must not share a frame with setjmp. */
static __attribute__((noinline)) int32_t decode(session *s, ir_stb_header *header, ir_picture *out)
{
    int32_t status = check_size(s, header, out);
    if (status)
        return status;
    int width = 0, height = 0, channels = 0;
    rewind_to(s, 32 * header->width * header->height + 4 * (uint64_t)s->job->bytes + (1 << 20));
    stbi_uc *pixels = strcmp(s->job->format, "gif") == 0
                          ? load_gif(s, &width, &height, &channels)
                          : stbi_load_from_callbacks(&callbacks, s, &width, &height, &channels, 0);
    if (!pixels)
        return fail_reason(s);
    if ((uint64_t)width != header->width || (uint64_t)height != header->height)
        return ir_fail(s->error, IMGRET_BAD_IMAGE, "%s: a size that contradicts its header",
                       s->job->format);
    status = ir_decode_allocate(s->job, (uint32_t)width, (uint32_t)height, out, s->error);
    if (!status)
        ir_decode_flatten(out->rgb, pixels, (size_t)width * (size_t)height, channels);
    return status;
}

static int32_t decode_session(const ir_decode_job *job, ir_stb_header *header, ir_picture *out,
                              imgret_error *error)
{
    session s = {.job = job, .error = error};
    rewind_to(&s, 4 * (uint64_t)job->bytes + (1 << 20));
    active = &s;
    if (setjmp(s.escape) == 0)
        s.status = decode(&s, header, out);
    while (s.blocks.next)
        stb_free(s.blocks.next->data);
    active = NULL;
    return s.status;
}

int32_t ir_decode_stb(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    ir_stb_header header;
    int32_t status = ir_stb_check(job, &header, error);
    if (status)
        return status;
    ir_decode_job trimmed = *job;
    uint8_t *copy = NULL;
    if (header.psd_pixels_at) {
        status = ir_decode_check_size(job, header.width, header.height, out, error);
        if (!status)
            status = ir_stb_trim_psd(job, &header, &copy, &trimmed.bytes, error);
        trimmed.data = copy;
    }
    if (!status)
        status = decode_session(&trimmed, &header, out, error);
    ir_free(copy);
    return status ? status : ir_decode_turn(out, header.is_mirrored ? 2 : 1, error);
}
