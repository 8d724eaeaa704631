/* orient.c: turns and mirrors a picture upright by its EXIF orientation. */
#include "base/alloc.h"
#include "base/error.h"
#include "decode/codec.h"

/* Where the upright picture's first pixel lies in the encoded one, and how far its right and its
 * lower neighbour lie from it, in pixels. */
typedef struct walk {
    int64_t first, right, down;
} walk;

static walk walk_of(uint32_t orientation, int64_t width, int64_t height)
{
    int64_t top_right = width - 1, bottom_left = width * (height - 1);
    int64_t bottom_right = width * height - 1;
    switch (orientation) {
    case 2:
        return (walk){top_right, -1, width};
    case 3:
        return (walk){bottom_right, -1, -width};
    case 4:
        return (walk){bottom_left, 1, -width};
    case 5:
        return (walk){0, width, 1};
    case 6:
        return (walk){bottom_left, -width, 1};
    case 7:
        return (walk){bottom_right, -width, -1};
    case 8:
        return (walk){top_right, width, -1};
    default:
        return (walk){0, 1, width};
    }
}

static void copy_turned(uint8_t *to, const uint8_t *from, walk step, uint32_t width,
                        uint32_t height)
{
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *pixel = from + 3 * (step.first + step.down * (int64_t)y);
        for (uint32_t x = 0; x < width; x++, to += 3) {
            to[0] = pixel[0], to[1] = pixel[1], to[2] = pixel[2];
            if (x + 1 < width)
                pixel += 3 * step.right;
        }
    }
}

int32_t ir_decode_turn(ir_picture *picture, uint32_t orientation, imgret_error *error)
{
    if (orientation < 2 || orientation > 8)
        return IMGRET_OK;
    uint32_t width = picture->width, height = picture->height;
    bool is_lying = orientation >= 5;
    uint32_t upright_width = is_lying ? height : width, upright_height = is_lying ? width : height;
    uint8_t *rgb = ir_malloc((size_t)3 * width * height);
    if (!rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to turn %u x %u pixels", width, height);
    copy_turned(rgb, picture->rgb, walk_of(orientation, width, height), upright_width,
                upright_height);
    ir_free(picture->rgb);
    picture->rgb = rgb;
    picture->width = upright_width;
    picture->height = upright_height;
    if (is_lying) {
        uint32_t source_width = picture->source_width;
        picture->source_width = picture->source_height;
        picture->source_height = source_width;
    }
    return IMGRET_OK;
}
