/* attributes.c: an image's attributes as columns: written, and read with distrust.
 *
 * Shares are kept as bytes, 255 for the whole: `color_shares` one for each IMGRET_COLOR_*, `palette`
 * five bytes a swatch: red, green, blue, IMGRET_COLOR_*, share.
 */
#include "catalog/internal.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

enum { SWATCH_BYTES = 5 };

static uint8_t share_byte(float share)
{
    return (uint8_t)(share <= 0.0f ? 0 : share >= 1.0f ? 255 : (int)(share * 255.0f + 0.5f));
}

static const char *greatest_color(const imgret_attributes *attributes)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < IMGRET_COLOR_COUNT; i++)
        if (attributes->color_shares[i] > attributes->color_shares[best])
            best = i;
    return imgret_color_name(best);
}

static void pack(const imgret_attributes *attributes, ir_packed_colors *out)
{
    for (uint32_t i = 0; i < IMGRET_COLOR_COUNT; i++)
        out->shares[i] = share_byte(attributes->color_shares[i]);
    uint8_t *at = out->palette;
    for (uint32_t i = 0; i < attributes->swatch_count && i < IMGRET_SWATCH_MAX; i++) {
        const imgret_swatch *swatch = &attributes->swatches[i];
        *at++ = swatch->red;
        *at++ = swatch->green;
        *at++ = swatch->blue;
        *at++ = swatch->color;
        *at++ = share_byte(swatch->share);
    }
    out->palette_bytes = (size_t)(at - out->palette);
}

void ir_catalog_bind_attributes(ir_statement *statement, const imgret_attributes *attributes,
                                ir_packed_colors *colors)
{
    if (!attributes) {
        for (int i = 0; i < IR_ATTRIBUTE_COLUMNS; i++)
            ir_statement_bind_text(statement, NULL);
        return;
    }
    pack(attributes, colors);
    ir_statement_bind_real(statement, attributes->brightness);
    ir_statement_bind_real(statement, attributes->contrast);
    ir_statement_bind_real(statement, attributes->saturation);
    ir_statement_bind_real(statement, attributes->warmth);
    ir_statement_bind_real(statement, attributes->sharpness);
    int64_t hash;
    memcpy(&hash, &attributes->perceptual_hash, sizeof hash);
    ir_statement_bind_int(statement, hash);
    ir_statement_bind_text(statement, greatest_color(attributes));
    ir_statement_bind_blob(statement, colors->shares, sizeof colors->shares);
    ir_statement_bind_blob(statement, colors->palette, colors->palette_bytes);
    ir_statement_bind_int(statement, attributes->orientation);
    ir_statement_bind_text(statement, attributes->taken_at);
    ir_statement_bind_text(statement, attributes->camera_make);
    ir_statement_bind_text(statement, attributes->camera_model);
    ir_statement_bind_real(statement, attributes->latitude);
    ir_statement_bind_real(statement, attributes->longitude);
}

bool ir_catalog_unpack_palette(const void *data, size_t bytes, imgret_swatch *out, uint32_t *count)
{
    *count = 0;
    if (bytes % SWATCH_BYTES != 0 || bytes > IMGRET_SWATCH_MAX * SWATCH_BYTES)
        return false;
    *count = (uint32_t)(bytes / SWATCH_BYTES);
    const uint8_t *at = data;
    for (uint32_t i = 0; i < *count; i++, at += SWATCH_BYTES)
        out[i] = (imgret_swatch){at[0], at[1], at[2], at[3] < IMGRET_COLOR_COUNT ? at[3] : 0,
                                 (float)at[4] / 255.0f};
    return true;
}

static int32_t read_colors(ir_statement *statement, int shares_column, imgret_attributes *out,
                           imgret_error *error)
{
    uint8_t shares[IMGRET_COLOR_COUNT];
    const void *data;
    size_t bytes;
    int32_t status = ir_statement_bytes(statement, shares_column, shares, sizeof shares, error);
    if (!status)
        status = ir_statement_blob(statement, shares_column + 1, &data, &bytes, error);
    if (status)
        return status;
    if (!ir_catalog_unpack_palette(data, bytes, out->swatches, &out->swatch_count))
        return ir_fail(error, IMGRET_CORRUPT, "%s: %s: row %lld: a palette of %zu bytes",
                       statement->connection->path, statement->doing,
                       (long long)sqlite3_column_int64(statement->handle, 0), bytes);
    for (uint32_t i = 0; i < IMGRET_COLOR_COUNT; i++)
        out->color_shares[i] = (float)shares[i] / 255.0f;
    return IMGRET_OK;
}

int32_t ir_catalog_read_attributes(ir_statement *statement, int column, bool *there,
                                   imgret_attributes *out, imgret_error *error)
{
    double *const reals[] = {&out->brightness, &out->contrast, &out->saturation, &out->warmth,
                             &out->sharpness};
    const char **const texts[] = {&out->taken_at, &out->camera_make, &out->camera_model};
    *out = (imgret_attributes){.size = sizeof *out};
    *there = sqlite3_column_type(statement->handle, column + 5) != SQLITE_NULL;
    if (!*there)
        return IMGRET_OK;
    int64_t hash = 0, orientation = 0;
    int32_t status = IMGRET_OK;
    for (int i = 0; i < 5 && !status; i++)
        status = ir_statement_real(statement, column + i, false, reals[i], error);
    if (!status)
        status = ir_statement_int(statement, column + 5, INT64_MIN, INT64_MAX, &hash, error);
    if (!status)
        status = read_colors(statement, column + 7, out, error);
    if (!status)
        status = ir_statement_int(statement, column + 9, 0, 8, &orientation, error);
    for (int i = 0; i < 3 && !status; i++)
        status = ir_statement_text(statement, column + 10 + i, true, texts[i], error);
    if (!status)
        status = ir_statement_real(statement, column + 13, true, &out->latitude, error);
    if (!status)
        status = ir_statement_real(statement, column + 14, true, &out->longitude, error);
    memcpy(&out->perceptual_hash, &hash, sizeof hash);
    out->orientation = (uint32_t)orientation;
    return status;
}
