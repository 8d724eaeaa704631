/* reencode.c: a picture through a JPEG file of a chosen quality, in memory. */
#include "decode/decode.h"

#include "base/alloc.h"
#include "base/error.h"

#if IR_WITH_TURBOJPEG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct writer {
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    unsigned char *data; /* libjpeg's own memory: malloc and free */
    unsigned long bytes;
    imgret_error *error;
    int32_t status;
} writer;

static void on_error(j_common_ptr codec)
{
    writer *w = codec->client_data;
    char message[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, message);
    int code = codec->err->msg_code;
    int32_t status = code == JERR_OUT_OF_MEMORY   ? IMGRET_NO_MEMORY
                     : code == JERR_IMAGE_TOO_BIG ? IMGRET_LIMIT
                                                  : IMGRET_INTERNAL;
    w->status = ir_fail(w->error, status, "jpeg: %s", message);
    longjmp(w->escape, 1);
}

static void print_nothing(j_common_ptr codec)
{
    (void)codec;
}

/* As PIL's save(quality=Q): libjpeg's tables, colours at half the resolution, no optimising. */
static void write_rows(writer *w, const ir_picture *picture, uint32_t quality)
{
    w->codec.err = jpeg_std_error(&w->errors);
    w->errors.error_exit = on_error;
    w->errors.output_message = print_nothing;
    w->codec.client_data = w;
    jpeg_create_compress(&w->codec);
    jpeg_mem_dest(&w->codec, &w->data, &w->bytes);
    w->codec.image_width = picture->width;
    w->codec.image_height = picture->height;
    w->codec.input_components = 3;
    w->codec.in_color_space = JCS_RGB;
    jpeg_set_defaults(&w->codec);
    jpeg_set_quality(&w->codec, (int)quality, TRUE);
    jpeg_start_compress(&w->codec, TRUE);
    while (w->codec.next_scanline < w->codec.image_height) {
        JSAMPROW row = picture->rgb + (size_t)3 * picture->width * w->codec.next_scanline;
        jpeg_write_scanlines(&w->codec, &row, 1);
    }
    jpeg_finish_compress(&w->codec);
}

int32_t ir_decode_reencode(ir_picture *picture, uint32_t quality, imgret_error *error)
{
    writer w = {.error = error};
    if (setjmp(w.escape) == 0)
        write_rows(&w, picture, quality);
    jpeg_destroy_compress(&w.codec);
    ir_picture through = {0};
    int32_t status = w.status;
    if (!status) {
        ir_decode_options options = {.limits = {.size = sizeof options.limits,
                                                .dimension_max = UINT32_MAX,
                                                .file_bytes_max = UINT64_MAX,
                                                .pixel_count_max = UINT64_MAX}};
        status = ir_decode(w.data, w.bytes, &options, &through, error);
    }
    if (!status) {
        ir_free(picture->rgb);
        picture->rgb = through.rgb;
    }
    free(w.data);
    return status;
}

#else

int32_t ir_decode_reencode(ir_picture *picture, uint32_t quality, imgret_error *error)
{
    (void)picture, (void)quality;
    return ir_fail(error, IMGRET_UNSUPPORTED, "this build writes no JPEG");
}

#endif
