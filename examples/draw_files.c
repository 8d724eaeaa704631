/* draw_files.c: writes pictures as JPEG, PNG or BMP by stb_image_write. */
#include "draw.h"

/* The JPEG writer shifts bits out of a signed int and means them to be lost. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("wrapv")
#endif
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *draw_write_file(const char *stem, const draw_canvas *canvas, const unsigned char *rgb,
                            draw_chance *chance)
{
    char path[4096];
    int kind = draw_below(chance, 8);
    const char *extension = kind < 5 ? "jpg" : kind < 7 ? "png" : "bmp";
    int width = canvas->width_px, height = canvas->height_px, written;
    if (snprintf(path, sizeof path, "%s.%s", stem, extension) >= (int)sizeof path) {
        fprintf(stderr, "draw_pictures: %s: the path is too long\n", stem);
        return NULL;
    }
    if (kind < 5)
        written = stbi_write_jpg(path, width, height, 3, rgb, 75 + draw_below(chance, 20));
    else if (kind < 7)
        written = stbi_write_png(path, width, height, 3, rgb, 3 * width);
    else
        written = stbi_write_bmp(path, width, height, 3, rgb);
    if (!written)
        fprintf(stderr, "draw_pictures: %s: %s\n", path, strerror(errno));
    return written ? extension : NULL;
}
