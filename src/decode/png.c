/* png.c: PNG by libpng: 1 to 16 bits, palette, grey, alpha over white, interlaced.
 *
 * Samples are taken as sRGB: gAMA, cHRM and iCCP are not applied. Of an APNG the default picture is
 * decoded, which libpng does by itself.
 */
#include "decode/codec.h"

#if IR_WITH_PNG

#include "base/alloc.h"
#include "base/error.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

typedef struct reader {
    png_structp codec;
    png_infop info;
    const ir_decode_job *job;
    imgret_error *error;
    size_t position;
    int32_t status;
    uint8_t *rgba; /* a row; the whole picture when interlaced; NULL when there is no alpha */
} reader;

static void on_error(png_structp codec, png_const_charp message)
{
    reader *r = png_get_error_ptr(codec);
    bool no_memory = strstr(message, "memory") != NULL;
    r->status = ir_fail(r->error, no_memory ? IMGRET_NO_MEMORY : IMGRET_BAD_IMAGE, "png: %s",
                        message);
    png_longjmp(codec, 1);
}

/* Warnings concern ancillary chunks, which do not reach the pixels (tRNS is checked before). */
static void on_warning(png_structp codec, png_const_charp message)
{
    (void)codec;
    (void)message;
}

static void read_bytes(png_structp codec, png_bytep to, size_t count)
{
    reader *r = png_get_io_ptr(codec);
    if (count > r->job->bytes - r->position)
        png_error(codec, "cut short");
    memcpy(to, r->job->data + r->position, count);
    r->position += count;
}

static void set_up(reader *r)
{
    /* Texts and profiles may unpack to any size, and nothing here reads them. */
    static const png_byte ignored[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0eXIf\0hIST\0cHRM\0gAMA\0sRGB";
    png_set_keep_unknown_chunks(r->codec, PNG_HANDLE_CHUNK_NEVER, ignored,
                                (int)(sizeof ignored / 5));
    png_set_user_limits(r->codec, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* checked already */
    png_set_benign_errors(r->codec, 0);
    png_set_read_fn(r->codec, r, read_bytes);
    png_read_info(r->codec, r->info);
    png_set_expand(r->codec);
    png_set_scale_16(r->codec);
    png_set_gray_to_rgb(r->codec);
}

static int32_t allocate_rgba(reader *r, const ir_picture *out, int pass_count)
{
    if (png_get_channels(r->codec, r->info) != 4)
        return IMGRET_OK;
    size_t row_count = pass_count > 1 ? out->height : 1;
    r->rgba = ir_malloc_array((size_t)4 * out->width, row_count);
    if (r->rgba)
        return IMGRET_OK;
    return ir_fail(r->error, IMGRET_NO_MEMORY, "png: no memory for %zu rows", row_count);
}

static void read_rows(reader *r, ir_picture *out, int pass_count)
{
    size_t rgb_bytes = (size_t)3 * out->width, rgba_bytes = (size_t)4 * out->width;
    for (int pass = 0; pass < pass_count; pass++) {
        for (uint32_t y = 0; y < out->height; y++) {
            uint8_t *rgb = out->rgb + rgb_bytes * y;
            if (!r->rgba) {
                png_read_row(r->codec, rgb, NULL);
                continue;
            }
            uint8_t *rgba = r->rgba + (pass_count > 1 ? rgba_bytes * y : 0);
            png_read_row(r->codec, rgba, NULL);
            if (pass + 1 == pass_count)
                ir_decode_flatten(rgb, rgba, out->width, 4);
        }
    }
    png_read_end(r->codec, NULL);
}

static int32_t decode_rows(reader *r, ir_picture *out)
{
    set_up(r);
    int pass_count = png_set_interlace_handling(r->codec);
    png_read_update_info(r->codec, r->info);
    int32_t status = ir_decode_allocate(r->job, out->source_width, out->source_height, out,
                                        r->error);
    if (!status)
        status = allocate_rgba(r, out, pass_count);
    if (!status)
        read_rows(r, out, pass_count);
    return status;
}

int32_t ir_decode_png(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    uint32_t width, height;
    int32_t status = ir_png_check(job, false, &width, &height, error);
    if (!status)
        status = ir_decode_check_size(job, width, height, out, error);
    if (status)
        return status;
    reader r = {.job = job, .error = error};
    r.codec = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.codec ? png_create_info_struct(r.codec) : NULL;
    if (!r.info)
        r.status = ir_fail(error, IMGRET_NO_MEMORY, "png: no memory for the decoder");
    else if (setjmp(png_jmpbuf(r.codec)) == 0)
        r.status = decode_rows(&r, out);
    png_destroy_read_struct(&r.codec, &r.info, NULL);
    ir_free(r.rgba);
    return r.status;
}

#endif
