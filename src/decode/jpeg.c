/* jpeg.c: JPEG by libjpeg-turbo, scaled while it is decoded.
 *
 * What libjpeg calls a warning is sorted here into damage, which is an error, and oddities of
 * real encoders that leave every pixel right (is_harmless). A file that merely lacks its end
 * marker is whole when one scan carries the picture and all its blocks came: libjpeg notices the
 * first bit that is missing. With several scans the next one might have been lost: an error.
 */
#include "decode/codec.h"

#if IR_WITH_TURBOJPEG

#include "base/alloc.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

/* Encoders write about 10 scans; each may cost the work of the whole picture in a few bytes. */
#define SCAN_COUNT_MAX 64

typedef struct reader {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const ir_decode_job *job;
    imgret_error *error;
    int32_t status;
    bool is_cut;              /* libjpeg asked for bytes beyond the end */
    uint32_t components_seen; /* bit i: component i came in some scan */
    uint8_t *cmyk_row;
} reader;

static reader *reader_of(j_common_ptr codec)
{
    return codec->client_data;
}

static void leave(reader *r, int32_t status, const char *message)
{
    r->status = ir_fail(r->error, status, "jpeg: %s", message);
    longjmp(r->escape, 1);
}

static int32_t status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY:
        return IMGRET_NO_MEMORY;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
        return IMGRET_LIMIT;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
        return IMGRET_UNSUPPORTED;
    default:
        return IMGRET_BAD_IMAGE;
    }
}

static void on_error(j_common_ptr codec)
{
    char message[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, message);
    leave(reader_of(codec), status_of(codec->err->msg_code), message);
}

static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_NOT_SEQUENTIAL;
}

static void on_message(j_common_ptr codec, int level)
{
    if (level < 0 && !is_harmless(codec->err->msg_code))
        on_error(codec);
}

static void print_nothing(j_common_ptr codec)
{
    (void)codec;
}

static void do_nothing(j_decompress_ptr codec)
{
    (void)codec;
}

/* libjpeg reads ahead of its needs, so being here is no error yet: it gets an end marker. */
static boolean on_end_of_data(j_decompress_ptr codec)
{
    static const JOCTET end_marker[2] = {0xFF, JPEG_EOI};
    reader_of((j_common_ptr)codec)->is_cut = true;
    codec->src->next_input_byte = end_marker;
    codec->src->bytes_in_buffer = sizeof end_marker;
    return TRUE;
}

static void skip_bytes(j_decompress_ptr codec, long count)
{
    struct jpeg_source_mgr *source = codec->src;
    size_t step = count > 0 ? (size_t)count : 0;
    if (step > source->bytes_in_buffer) {
        reader_of((j_common_ptr)codec)->is_cut = true;
        step = source->bytes_in_buffer;
    }
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

static void on_progress(j_common_ptr codec)
{
    reader *r = reader_of(codec);
    if (r->codec.input_scan_number > SCAN_COUNT_MAX)
        leave(r, IMGRET_LIMIT, "more than 64 scans");
    for (int i = 0; i < r->codec.comps_in_scan; i++)
        if (r->codec.cur_comp_info[i])
            r->components_seen |= 1u << r->codec.cur_comp_info[i]->component_index;
}

static void open_reader(reader *r)
{
    r->codec.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = print_nothing;
    r->codec.client_data = r;
    jpeg_create_decompress(&r->codec);
    r->source = (struct jpeg_source_mgr){
        .next_input_byte = r->job->data,
        .bytes_in_buffer = r->job->bytes,
        .init_source = do_nothing,
        .fill_input_buffer = on_end_of_data,
        .skip_input_data = skip_bytes,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = do_nothing,
    };
    r->codec.src = &r->source;
    r->progress.progress_monitor = on_progress;
    r->codec.progress = &r->progress;
}

static int32_t choose_output(reader *r)
{
    switch (r->codec.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
        r->codec.out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        r->codec.out_color_space = JCS_CMYK;
        break;
    default:
        return ir_fail(r->error, IMGRET_UNSUPPORTED, "jpeg: %d colour components",
                       r->codec.num_components);
    }
    r->codec.scale_num = ir_decode_eighths(r->job, r->codec.image_width, r->codec.image_height);
    r->codec.scale_denom = 8;
    return IMGRET_OK;
}

/* Every writer of CMYK JPEGs follows Adobe and stores 255 - ink, with or without its marker. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

static void read_rows(reader *r, ir_picture *out)
{
    while (r->codec.output_scanline < r->codec.output_height) {
        uint8_t *rgb = out->rgb + (size_t)3 * out->width * r->codec.output_scanline;
        JSAMPROW row = r->cmyk_row ? r->cmyk_row : rgb;
        jpeg_read_scanlines(&r->codec, &row, 1);
        if (r->cmyk_row)
            cmyk_to_rgb(rgb, r->cmyk_row, out->width);
    }
}

/* Whether pixels may be missing although libjpeg did not complain. */
static bool is_incomplete(const reader *r)
{
    const struct jpeg_decompress_struct *codec = &r->codec;
    bool has_scans = codec->progressive_mode || codec->comps_in_scan < codec->num_components ||
                     codec->input_scan_number > 1;
    uint32_t all = (1u << codec->num_components) - 1;
    for (int c = 0; codec->coef_bits && c < codec->num_components; c++)
        if (codec->coef_bits[c][0] < 0) /* not even the mean colours of its blocks came */
            return true;
    return (r->is_cut && (has_scans || codec->arith_code)) || (r->components_seen & all) != all;
}

static int32_t decode_rows(reader *r, ir_picture *out)
{
    jpeg_read_header(&r->codec, TRUE);
    int32_t status = ir_decode_check_size(r->job, r->codec.image_width, r->codec.image_height, out,
                                          r->error);
    if (!status)
        status = choose_output(r);
    if (status)
        return status;
    jpeg_start_decompress(&r->codec);
    status = ir_decode_allocate(r->job, r->codec.output_width, r->codec.output_height, out,
                                r->error);
    if (status)
        return status;
    if (r->codec.out_color_space == JCS_CMYK) {
        r->cmyk_row = ir_malloc((size_t)4 * out->width);
        if (!r->cmyk_row)
            return ir_fail(r->error, IMGRET_NO_MEMORY, "jpeg: no memory for a row");
    }
    read_rows(r, out);
    if (is_incomplete(r))
        return ir_fail(r->error, IMGRET_BAD_IMAGE, "jpeg: cut short after %zu bytes",
                       r->job->bytes);
    return IMGRET_OK;
}

int32_t ir_decode_jpeg(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    reader r = {.job = job, .error = error};
    if (setjmp(r.escape) == 0) {
        open_reader(&r);
        r.status = decode_rows(&r, out);
    }
    jpeg_destroy_decompress(&r.codec);
    ir_free(r.cmyk_row);
    return r.status;
}

#endif
