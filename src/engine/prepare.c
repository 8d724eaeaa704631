/* prepare.c: from a decoded picture to what the model sees, by way of the clean-ups asked for.
 *
 * The clean-ups lie in two rooms: pixels are changed in extract/, JPEGs written in decode/. They work
 * on a copy, since the picture's attributes are those of the picture as it is.
 */
#include "engine/prepare.h"

#include "base/alloc.h"
#include "base/error.h"
#include "decode/decode.h"

#include <string.h>

static int32_t copy_picture(ir_picture *out, const ir_picture *picture, imgret_error *error)
{
    size_t bytes = (size_t)3 * picture->width * picture->height; /* it is in memory: no overflow */
    *out = *picture;
    out->rgb = ir_malloc(bytes);
    if (!out->rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u x %u pixels", picture->width,
                       picture->height);
    memcpy(out->rgb, picture->rgb, bytes);
    return IMGRET_OK;
}

int32_t ir_prepare(const ir_extractor *extractor, const ir_picture *picture, uint8_t *prepared,
                   imgret_error *error)
{
    const ir_extractor_info *info = ir_extractor_get_info(extractor);
    if (!info->cleans && !info->reencode_quality)
        return ir_extractor_prepare(extractor, picture, prepared, error);
    ir_picture clean;
    int32_t status = copy_picture(&clean, picture, error);
    if (!status)
        status = ir_extractor_clean(extractor, &clean, error);
    if (!status && info->reencode_quality)
        status = ir_decode_reencode(&clean, info->reencode_quality, error);
    if (!status)
        status = ir_extractor_prepare(extractor, &clean, prepared, error);
    ir_picture_free(&clean);
    return status;
}
