/* pictures.h: small picture files that tests draw themselves, and folders to put them in. */
#ifndef IR_TESTS_PICTURES_H
#define IR_TESTS_PICTURES_H

#include "testing.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes a fresh folder and writes its path into `out` (at least 64 bytes). */
static inline void make_folder(char *out, const char *name)
{
    const char *root = getenv("TMPDIR");
    snprintf(out, 256, "%s/imgret-%s-XXXXXX", root && root[0] ? root : "/tmp", name);
    assert_non_null(mkdtemp(out));
}

static inline int remove_entry(const char *path, const struct stat *info, int type,
                               struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static inline void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A picture of size x size pixels whose look is decided by `seed`: two colours in stripes. */
static inline void draw_stripes(uint8_t *rgb, uint32_t size, uint32_t seed)
{
    uint32_t period = 4 + seed % 7, turn = seed % 3;
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++) {
            uint32_t along = turn == 0 ? x : turn == 1 ? y : x + y;
            uint32_t color = (seed * 2654435761u) ^ (along / period % 2 ? 0 : 0xA5C3F0u);
            uint8_t *pixel = rgb + 3 * ((size_t)y * size + x);
            pixel[0] = (uint8_t)color;
            pixel[1] = (uint8_t)(color >> 8);
            pixel[2] = (uint8_t)(color >> 16);
        }
}

/* Writes such a picture as a binary PPM file. */
static inline void write_stripes(const char *path, uint32_t size, uint32_t seed)
{
    uint8_t *rgb = malloc((size_t)3 * size * size);
    FILE *file = fopen(path, "wb");
    assert_true(rgb && file);
    draw_stripes(rgb, size, seed);
    fprintf(file, "P6\n%u %u\n255\n", size, size);
    assert_int_equal(fwrite(rgb, 3, (size_t)size * size, file), (size_t)size * size);
    assert_int_equal(fclose(file), 0);
    free(rgb);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

#endif
