/* small.c: scaling down by area averages, in a fixed order of floats. */
#include "analyze/inside.h"

#include <string.h>

/* The pixels under one cell. A pixel is `unit` long and a cell `pixel_count` of the source, so that
 * all weights are whole numbers: `head` of the first, `unit` of those between, `tail` of the last. */
typedef struct span {
    uint32_t first;
    uint32_t last;
    uint32_t head;
    uint32_t tail; /* 0 when first == last */
} span;

static span span_of(uint32_t cell, uint32_t cells, uint32_t pixels)
{
    uint64_t start = (uint64_t)cell * pixels, end = start + pixels;
    span out = {(uint32_t)(start / cells), (uint32_t)((end - 1) / cells), pixels, 0};
    if (out.first < out.last) {
        out.head = (uint32_t)((out.first + 1) * (uint64_t)cells - start);
        out.tail = (uint32_t)(end - out.last * (uint64_t)cells);
    }
    return out;
}

/* Adds a row of bytes; blocks of a constant length are what compilers vectorise. Exact as long as
 * a picture has no more than 65,536 rows: sums then stay below 2^24. */
static void add_row(float *restrict sums, const uint8_t *restrict row, size_t count, float weight)
{
    enum { BLOCK = 32 };
    size_t at = 0;
    for (; at + BLOCK <= count; at += BLOCK)
        for (size_t i = 0; i < BLOCK; i++)
            sums[at + i] += (float)row[at + i] * weight;
    for (; at < count; at++)
        sums[at] += (float)row[at] * weight;
}

static void round_row(uint8_t *restrict out, const float *restrict values, size_t count)
{
    enum { BLOCK = 16 };
    size_t at = 0;
    for (; at + BLOCK <= count; at += BLOCK) {
        int32_t whole[BLOCK];
        for (size_t i = 0; i < BLOCK; i++)
            whole[i] = (int32_t)(values[at + i] < 255.0f ? values[at + i] : 255.0f);
        for (size_t i = 0; i < BLOCK; i++)
            out[at + i] = (uint8_t)whole[i];
    }
    for (; at < count; at++)
        out[at] = (uint8_t)(int32_t)(values[at] < 255.0f ? values[at] : 255.0f);
}

/* Summed rows to one row of cells. */
static void write_row(uint8_t *out, const float *sums, const span *spans, uint32_t cells,
                      float scale)
{
    float values[3 * IR_ANALYZE_PX];
    float *to = values;
    for (uint32_t cell = 0; cell < cells; cell++, to += 3) {
        const span *at = &spans[cell];
        const float *first = sums + 3 * (size_t)at->first, *last = sums + 3 * (size_t)at->last;
        float unit = (float)cells * scale, red = 0.0f, green = 0.0f, blue = 0.0f;
        for (const float *from = first + 3; from < last; from += 3) {
            red += from[0];
            green += from[1];
            blue += from[2];
        }
        float head = (float)at->head * scale, tail = (float)at->tail * scale;
        to[0] = first[0] * head + red * unit + last[0] * tail + 0.5f;
        to[1] = first[1] * head + green * unit + last[1] * tail + 0.5f;
        to[2] = first[2] * head + blue * unit + last[2] * tail + 0.5f;
    }
    round_row(out, values, 3 * (size_t)cells);
}

static void set_size(ir_small *small, uint32_t width, uint32_t height)
{
    uint32_t longer = width > height ? width : height;
    small->width = width;
    small->height = height;
    if (longer <= IR_ANALYZE_PX)
        return;
    small->width = (uint32_t)(((uint64_t)width * IR_ANALYZE_PX + longer / 2) / longer);
    small->height = (uint32_t)(((uint64_t)height * IR_ANALYZE_PX + longer / 2) / longer);
    small->width += small->width == 0;
    small->height += small->height == 0;
}

void ir_small_fill(ir_small *small, float *sums, const uint8_t *rgb, uint32_t width,
                   uint32_t height)
{
    set_size(small, width, height);
    if (small->width == width && small->height == height) {
        memcpy(small->rgb, rgb, (size_t)3 * width * height);
        return;
    }
    size_t row_bytes = (size_t)3 * width;
    span spans[IR_ANALYZE_PX];
    for (uint32_t x = 0; x < small->width; x++)
        spans[x] = span_of(x, small->width, width);
    float scale = 1.0f / ((float)width * (float)height);
    for (uint32_t y = 0; y < small->height; y++) {
        span rows = span_of(y, small->height, height);
        memset(sums, 0, row_bytes * sizeof *sums);
        for (uint32_t from = rows.first; from <= rows.last; from++)
            add_row(sums, rgb + row_bytes * from, row_bytes,
                    (float)(from == rows.first  ? rows.head
                            : from == rows.last ? rows.tail
                                                : small->height));
        write_row(small->rgb + (size_t)3 * small->width * y, sums, spans, small->width, scale);
    }
}

void ir_small_average(const float *plane, uint32_t width, uint32_t height, float *out,
                      uint32_t out_width, uint32_t out_height)
{
    float scale = 1.0f / ((float)width * (float)height);
    for (uint32_t y = 0; y < out_height; y++) {
        span rows = span_of(y, out_height, height);
        for (uint32_t x = 0; x < out_width; x++) {
            span columns = span_of(x, out_width, width);
            float sum = 0.0f;
            for (uint32_t row = rows.first; row <= rows.last; row++) {
                const float *from = plane + (size_t)row * width;
                float line = from[columns.first] * (float)columns.head;
                for (uint32_t i = columns.first + 1; i < columns.last; i++)
                    line += from[i] * (float)out_width;
                line += from[columns.last] * (float)columns.tail;
                sum += line * (float)(row == rows.first  ? rows.head
                                      : row == rows.last ? rows.tail
                                                         : out_height);
            }
            *out++ = sum * scale;
        }
    }
}
