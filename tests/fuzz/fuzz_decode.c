/* fuzz_decode.c: fuzz target: any bytes decode to a picture within the limits, or to an error. */
#include "base/alloc.h"
#include "decode/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    enum { PIXEL_COUNT_MAX = 4 << 20 };
    ir_decode_options options = {0};
    imgret_limits limits = {.size = sizeof limits, .pixel_count_max = PIXEL_COUNT_MAX};
    if (ir_decode_limits(&options.limits, &limits, NULL))
        abort();
    if (bytes > 0 && data[bytes - 1] % 2 == 1) /* half of the inputs are wanted small */
        options.width_min = options.height_min = 1u + data[bytes - 1] / 2;
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t live_count = ir_alloc_live_count();
    int32_t status = ir_decode(data, bytes, &options, &picture, &error);
    if (status == 0) {
        uint32_t sum = 0; /* every pixel must have been written: a memory checker looks here */
        size_t count = (size_t)3 * picture.width * picture.height;
        for (size_t i = 0; i < count; i++)
            sum += picture.rgb[i];
        if (sum > 255u * count || count > (size_t)3 * PIXEL_COUNT_MAX)
            abort();
        ir_picture_free(&picture);
    } else if (picture.rgb || !error.message[0]) {
        abort();
    }
    if (ir_alloc_live_count() != live_count)
        abort();
    return 0;
}
