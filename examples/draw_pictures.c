/* draw_pictures.c: draws labelled pictures to try libimgret on: draw_pictures DIR [COUNT] [SEED]. */
#include "draw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    draw_painter paint;
} classes[] = {
    {"balls", draw_balls},     {"brick", draw_brick},   {"checker", draw_checker},
    {"city", draw_city},       {"desert", draw_desert}, {"dots", draw_dots},
    {"forest", draw_forest},   {"marble", draw_marble}, {"mountains", draw_mountains},
    {"pebbles", draw_pebbles}, {"plaid", draw_plaid},   {"stars", draw_stars},
    {"stripes", draw_stripes}, {"sunset", draw_sunset}, {"triangles", draw_triangles},
    {"wood", draw_wood},
};

#define CLASS_COUNT ((long)(sizeof classes / sizeof classes[0]))
#define COUNT_DEFAULT 400
#define COUNT_MAX 100000

/* Cuts to 8 bits, with grain as a camera has it and a darkening towards the corners. */
static unsigned char *finish(const draw_canvas *canvas, draw_chance *chance)
{
    unsigned char *rgb = malloc((size_t)canvas->width_px * (size_t)canvas->height_px * 3);
    if (!rgb)
        return NULL;
    float exposure = draw_between(chance, 0.85f, 1.12f), grain = draw_between(chance, 0, 0.05f);
    float corner = draw_between(chance, 0, 0.35f);
    unsigned char *to = rgb;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float u = x / canvas->width - 0.5f, v = y / canvas->height - 0.5f;
        float light = exposure * (1 - corner * 2 * (u * u + v * v));
        float noise = grain * (draw_random(chance) - 0.5f);
        const draw_color *pixel = DRAW_PIXEL(canvas);
        float parts[3] = {pixel->r, pixel->g, pixel->b};
        for (int i = 0; i < 3; i++) {
            float value = parts[i] * light + noise;
            value = value < 0 ? 0 : value > 1 ? 1 : value;
            *to++ = (unsigned char)(value * 255 + 0.5f);
        }
    }
    return rgb;
}

/* Draws the picture `index` of a class; each has its own chance, so that more pictures or classes
 * do not change the others. */
static int draw_one(const char *folder, long label, long index, unsigned long seed, FILE *labels)
{
    draw_chance chance = {seed * 0x9E3779B97F4A7C15u ^ (uint64_t)(label * 1000003 + index)};
    draw_canvas canvas = {.width_px = 160 + draw_below(&chance, 481)};
    float ratio = draw_between(&chance, 0.62f, 1.25f);
    canvas.height_px = (int)((float)canvas.width_px * ratio);
    canvas.height_px = canvas.height_px < 160   ? 160
                       : canvas.height_px > 640 ? 640
                                                : canvas.height_px;
    int shorter = canvas.width_px < canvas.height_px ? canvas.width_px : canvas.height_px;
    canvas.pixel = 1.0f / (float)shorter;
    canvas.width = (float)canvas.width_px * canvas.pixel;
    canvas.height = (float)canvas.height_px * canvas.pixel;
    canvas.pixels = calloc((size_t)canvas.width_px * (size_t)canvas.height_px, sizeof(draw_color));
    unsigned char *rgb = NULL;
    const char *extension = NULL;
    if (canvas.pixels) {
        classes[label].paint(&canvas, &chance);
        rgb = finish(&canvas, &chance);
    }
    char stem[4000];
    const char *name = classes[label].name;
    int bytes = snprintf(stem, sizeof stem, "%s/%s/%s-%03ld", folder, name, name, index);
    if (rgb && bytes > 0 && bytes < (int)sizeof stem)
        extension = draw_write_file(stem, &canvas, rgb, &chance);
    if (extension)
        fprintf(labels, "%s/%s-%03ld.%s\t%s\n", name, name, index, extension, name);
    free(rgb);
    free(canvas.pixels);
    return extension ? 0 : 1;
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    fprintf(stderr, "draw_pictures: %s: %s\n", path, strerror(errno));
    return 1;
}

static int draw_all(const char *folder, long count, unsigned long seed)
{
    char path[4096];
    if (make_folder(folder))
        return 1;
    for (long i = 0; i < CLASS_COUNT && i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, classes[i].name);
        if (make_folder(path))
            return 1;
    }
    snprintf(path, sizeof path, "%s/labels.tsv", folder);
    FILE *labels = fopen(path, "w");
    if (!labels) {
        fprintf(stderr, "draw_pictures: %s: %s\n", path, strerror(errno));
        return 1;
    }
    int failed = 0;
    for (long i = 0; i < count && !failed; i++)
        failed = draw_one(folder, i % CLASS_COUNT, i / CLASS_COUNT, seed, labels);
    return fclose(labels) != 0 || failed;
}

int main(int argc, char **argv)
{
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : COUNT_DEFAULT;
    unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    if (argc < 2 || argc > 4 || count < 1 || count > COUNT_MAX) {
        fprintf(stderr,
                "usage: draw_pictures DIR [COUNT] [SEED]\n"
                "Draws COUNT pictures (default %d) of %ld classes, a folder a class.\n",
                COUNT_DEFAULT, CLASS_COUNT);
        return 2;
    }
    return draw_all(argv[1], count, seed);
}
