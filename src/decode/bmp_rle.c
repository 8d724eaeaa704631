/* bmp_rle.c: unpacks the run-length codings of bitmaps, RLE8 and RLE4.
 *
 * Pixels that the code jumps over were never painted: they are transparent, so white here.
 */
#include "decode/bmp.h"

#include "base/error.h"

#include <string.h>

typedef enum result { RESULT_MORE, RESULT_DONE, RESULT_CUT, RESULT_BAD } result;

typedef struct unpacker {
    const ir_bmp *bmp;
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *rgb;
    uint64_t x;
    uint64_t y; /* from the bottom */
} unpacker;

/* Paints one pixel. What runs over the edge of its row is dropped: ImageMagick writes such runs. */
static bool paint(unpacker *u, uint32_t index)
{
    if (index >= u->bmp->palette_count)
        return false;
    if (u->x < u->bmp->width && u->y < u->bmp->height)
        memcpy(u->rgb + 3 * (u->bmp->width * (u->bmp->height - 1 - u->y) + u->x),
               u->bmp->palette[index], 3);
    u->x++;
    return true;
}

/* Pixel number i of a row of packed indices. */
static uint32_t index_at(const unpacker *u, const uint8_t *from, uint32_t i)
{
    if (u->bmp->bits == 8)
        return from[i];
    return i % 2 == 0 ? from[i / 2] >> 4 : from[i / 2] & 15u;
}

static result literal(unpacker *u, uint32_t count)
{
    size_t bytes = u->bmp->bits == 8 ? count : (count + 1) / 2;
    if (bytes > (size_t)(u->end - u->at))
        return RESULT_CUT;
    for (uint32_t i = 0; i < count; i++)
        if (!paint(u, index_at(u, u->at, i)))
            return RESULT_BAD;
    u->at += bytes;
    if (bytes % 2 == 1 && u->at < u->end)
        u->at++; /* literals are padded to 16 bits */
    return RESULT_MORE;
}

static result jump(unpacker *u)
{
    if (u->end - u->at < 2)
        return RESULT_CUT;
    u->x += u->at[0];
    u->y += u->at[1];
    u->at += 2;
    return u->x <= u->bmp->width && u->y < u->bmp->height ? RESULT_MORE : RESULT_BAD;
}

/* Takes one code: a run, or after a zero the end of a row (0), of all (1), a jump (2), literals. */
static result step(unpacker *u)
{
    if (u->end - u->at < 2)
        return u->y >= u->bmp->height ? RESULT_DONE : RESULT_CUT;
    uint32_t count = u->at[0], second = u->at[1];
    u->at += 2;
    if (count > 0) {
        uint8_t both[1] = {(uint8_t)second};
        for (uint32_t i = 0; i < count; i++)
            if (!paint(u, index_at(u, both, u->bmp->bits == 8 ? 0 : i % 2)))
                return RESULT_BAD;
        return RESULT_MORE;
    }
    switch (second) {
    case 0:
        u->x = 0;
        u->y++;
        return RESULT_MORE;
    case 1:
        return RESULT_DONE;
    case 2:
        return jump(u);
    default:
        return literal(u, second);
    }
}

int32_t ir_bmp_read_runs(const ir_decode_job *job, const ir_bmp *bmp, ir_picture *out,
                         imgret_error *error)
{
    int32_t status = ir_decode_allocate(job, out->source_width, out->source_height, out, error);
    if (status)
        return status;
    memset(out->rgb, 0xFF, (size_t)3 * out->width * out->height);
    unpacker u = {
        .bmp = bmp, .at = job->data + bmp->offset, .end = job->data + job->bytes, .rgb = out->rgb};
    result last;
    do
        last = step(&u);
    while (last == RESULT_MORE);
    if (last == RESULT_CUT)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: cut short in row %llu of %llu",
                       (unsigned long long)u.y, (unsigned long long)bmp->height);
    if (last == RESULT_BAD)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: damaged run lengths in row %llu of %llu",
                       (unsigned long long)u.y, (unsigned long long)bmp->height);
    return IMGRET_OK;
}
