/* pca.c: the file of principal components, read as hostile and written whole; applying them. */
#include "extract/pca.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MAGIC "IMGRPCA1"
#define IDENTITY_BYTES_MAX 65536u

enum { HEAD_BYTES = 32, HASH_BYTES = 16 };

static uint32_t read_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static void write_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static size_t padded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

/* Fits 64 bits: dimensions have at most 17. */
static uint64_t float_count(uint32_t input, uint32_t output)
{
    return (uint64_t)input + output + (uint64_t)input * output;
}

static void read_floats(float *out, const uint8_t **from, size_t count)
{
    for (size_t i = 0; i < count; i++, *from += 4) {
        uint32_t bits = read_u32(*from);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static void write_floats(uint8_t **to, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++, *to += 4) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        write_u32(*to, bits);
    }
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Fills what follows from the matrix. False: not finite. */
static bool settle_shift(ir_pca *pca)
{
    for (uint32_t i = 0; i < pca->dimension; i++) {
        double sum = 0.0;
        for (uint32_t j = 0; j < pca->input_dimension; j++)
            sum += (double)pca->matrix[(size_t)i * pca->input_dimension + j] * (double)pca->mean[j];
        pca->shift[i] = (float)sum;
    }
    return all_finite(pca->shift, pca->dimension);
}

static ir_pca *allocate(uint32_t input, uint32_t output, const char *identity, size_t length)
{
    ir_pca *pca = ir_calloc(1, sizeof *pca);
    if (!pca)
        return NULL;
    pca->input_dimension = input;
    pca->dimension = output;
    pca->identity = ir_strndup(identity, length);
    pca->mean = ir_malloc_array(input, sizeof *pca->mean);
    pca->variance = ir_malloc_array(output, sizeof *pca->variance);
    pca->shift = ir_malloc_array(output, sizeof *pca->shift);
    pca->matrix = ir_malloc_array((size_t)input * output, sizeof *pca->matrix);
    if (pca->identity && pca->mean && pca->variance && pca->shift && pca->matrix)
        return pca;
    ir_pca_free(pca);
    return NULL;
}

static int32_t check_head(const char *name, const uint8_t *data, size_t bytes, imgret_error *error)
{
    if (bytes < HEAD_BYTES + HASH_BYTES || memcmp(data, MAGIC, 8) != 0)
        return ir_fail(error, IMGRET_CORRUPT, "%s is no file of principal components", name);
    uint32_t input = read_u32(data + 8), output = read_u32(data + 12);
    uint32_t flags = read_u32(data + 16), identity_bytes = read_u32(data + 20);
    if (input == 0 || input > IR_PCA_DIMENSION_MAX || output == 0 || output > input)
        return ir_fail(error, IMGRET_CORRUPT, "%s: %u dimensions from %u", name, output, input);
    if (flags & ~IMGRET_PCA_WHITEN)
        return ir_fail(error, IMGRET_CORRUPT, "%s: unknown flags 0x%x", name, flags);
    if (identity_bytes > IDENTITY_BYTES_MAX)
        return ir_fail(error, IMGRET_CORRUPT, "%s: an identity of %u bytes", name, identity_bytes);
    uint64_t needed = HEAD_BYTES + padded(identity_bytes) + 4 * float_count(input, output) +
                      HASH_BYTES;
    if (needed != bytes)
        return ir_fail(error, IMGRET_CORRUPT, "%s has %zu bytes, its head says %llu", name, bytes,
                       (unsigned long long)needed);
    uint8_t hash[HASH_BYTES];
    ir_content_hash(data, bytes - HASH_BYTES, hash);
    if (memcmp(hash, data + bytes - HASH_BYTES, HASH_BYTES) != 0)
        return ir_fail(error, IMGRET_CORRUPT, "%s: its checksum is wrong", name);
    if (memchr(data + HEAD_BYTES, 0, identity_bytes))
        return ir_fail(error, IMGRET_CORRUPT, "%s: a NUL in the identity", name);
    return IMGRET_OK;
}

int32_t ir_pca_parse(ir_pca **out, const char *name, const uint8_t *data, size_t bytes,
                     imgret_error *error)
{
    *out = NULL;
    int32_t status = check_head(name, data, bytes, error);
    if (status)
        return status;
    size_t identity_bytes = read_u32(data + 20);
    ir_pca *pca = allocate(read_u32(data + 8), read_u32(data + 12), (const char *)data + HEAD_BYTES,
                           identity_bytes);
    if (!pca)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for its matrix", name);
    pca->flags = read_u32(data + 16);
    pca->sample_count = (uint64_t)read_u32(data + 28) << 32 | read_u32(data + 24);
    const uint8_t *at = data + HEAD_BYTES + padded(identity_bytes);
    size_t matrix_count = (size_t)pca->input_dimension * pca->dimension;
    read_floats(pca->mean, &at, pca->input_dimension);
    read_floats(pca->variance, &at, pca->dimension);
    read_floats(pca->matrix, &at, matrix_count);
    if (!all_finite(pca->mean, pca->input_dimension) ||
        !all_finite(pca->variance, pca->dimension) || !all_finite(pca->matrix, matrix_count) ||
        !settle_shift(pca)) {
        ir_pca_free(pca);
        return ir_fail(error, IMGRET_CORRUPT, "%s: a value in it is not finite", name);
    }
    *out = pca;
    return IMGRET_OK;
}

int32_t ir_pca_load(ir_pca **out, const char *path, imgret_error *error)
{
    *out = NULL;
    uint8_t *data, digest[32];
    size_t bytes;
    int32_t status = ir_file_read(path, IR_PCA_FILE_BYTES_MAX, &data, &bytes, error);
    if (status)
        return status;
    status = ir_pca_parse(out, path, data, bytes, error);
    if (!status) {
        ir_sha256 hash;
        ir_sha256_start(&hash);
        ir_sha256_feed(&hash, data, bytes);
        ir_sha256_finish(&hash, digest);
        ir_hex(digest, sizeof digest, (*out)->sha256);
    }
    ir_free(data);
    return status;
}

void ir_pca_free(ir_pca *pca)
{
    if (!pca)
        return;
    ir_free(pca->identity);
    ir_free(pca->mean);
    ir_free(pca->variance);
    ir_free(pca->shift);
    ir_free(pca->matrix);
    ir_free(pca);
}

/* ---- writing ---- */

static uint8_t *to_bytes(const ir_pca *pca, size_t *bytes)
{
    size_t identity_bytes = strlen(pca->identity);
    *bytes = HEAD_BYTES + padded(identity_bytes) +
             4 * (size_t)float_count(pca->input_dimension, pca->dimension) + HASH_BYTES;
    uint8_t *data = ir_calloc(1, *bytes);
    if (!data)
        return NULL;
    memcpy(data, MAGIC, 8);
    write_u32(data + 8, pca->input_dimension);
    write_u32(data + 12, pca->dimension);
    write_u32(data + 16, pca->flags);
    write_u32(data + 20, (uint32_t)identity_bytes);
    write_u32(data + 24, (uint32_t)pca->sample_count);
    write_u32(data + 28, (uint32_t)(pca->sample_count >> 32));
    memcpy(data + HEAD_BYTES, pca->identity, identity_bytes);
    uint8_t *at = data + HEAD_BYTES + padded(identity_bytes);
    write_floats(&at, pca->mean, pca->input_dimension);
    write_floats(&at, pca->variance, pca->dimension);
    write_floats(&at, pca->matrix, (size_t)pca->input_dimension * pca->dimension);
    ir_content_hash(data, *bytes - HASH_BYTES, at);
    return data;
}

int32_t ir_pca_save(const ir_pca *pca, const char *path, imgret_error *error)
{
    size_t bytes;
    uint8_t *data = to_bytes(pca, &bytes);
    if (!data)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to write %s", path);
    int32_t status = ir_file_write(path, data, bytes, error);
    ir_free(data);
    return status;
}

void ir_pca_apply(const ir_pca *pca, const float *in, float *out)
{
    const ir_kernels *kernels = ir_kernels_get();
    size_t n = pca->input_dimension;
    kernels->dot_rows_f32(in, pca->matrix, n, pca->dimension, n, out);
    for (uint32_t i = 0; i < pca->dimension; i++)
        out[i] -= pca->shift[i];
}
