/* npy.c: the header of NumPy's .npy files, for matrices of half or single precision.
 *
 * The format is NumPy's NEP 1: a magic, a length, and a Python dictionary as text. Of that language
 * only what such a dictionary needs is read.
 */
#include "engine/npy.h"

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";

void ir_npy_write_head(char out[IR_NPY_HEAD_BYTES], const ir_npy_head *head)
{
    enum { PREFIX = 10 };
    memset(out, ' ', IR_NPY_HEAD_BYTES);
    memcpy(out, magic, 6);
    out[6] = 1;
    out[7] = 0;
    out[8] = IR_NPY_HEAD_BYTES - PREFIX;
    out[9] = 0;
    int length = snprintf(out + PREFIX, IR_NPY_HEAD_BYTES - PREFIX,
                          "{'descr': '<f%d', 'fortran_order': False, 'shape': (%llu, %u), }",
                          head->vector_type == IMGRET_VECTOR_F32 ? 4 : 2,
                          (unsigned long long)head->rows, head->columns);
    out[PREFIX + length] = ' '; /* instead of the NUL */
    out[IR_NPY_HEAD_BYTES - 1] = '\n';
}

typedef struct reader {
    const char *at, *end;
} reader;

static void skip_space(reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n'))
        in->at++;
}

static bool take(reader *in, const char *word)
{
    skip_space(in);
    size_t bytes = strlen(word);
    if ((size_t)(in->end - in->at) < bytes || memcmp(in->at, word, bytes) != 0)
        return false;
    in->at += bytes;
    return true;
}

/* The text between two equal quotes, without escapes. */
static bool take_string(reader *in, char *out, size_t capacity)
{
    skip_space(in);
    if (in->at == in->end || (*in->at != '\'' && *in->at != '"'))
        return false;
    char quote = *in->at++;
    size_t bytes = 0;
    while (in->at < in->end && *in->at != quote) {
        if (*in->at == '\\' || bytes + 1 == capacity)
            return false;
        out[bytes++] = *in->at++;
    }
    out[bytes] = '\0';
    return in->at < in->end && *in->at++ == quote;
}

static bool take_number(reader *in, uint64_t most, uint64_t *out)
{
    skip_space(in);
    const char *start = in->at;
    *out = 0;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        uint64_t digit = (uint64_t)(*in->at++ - '0');
        if (*out > (most - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return in->at > start;
}

static bool take_member(reader *in, const char *key, ir_npy_head *out)
{
    char type[8];
    uint64_t columns;
    if (strcmp(key, "descr") == 0) {
        if (!take_string(in, type, sizeof type))
            return false;
        out->vector_type = strcmp(type, "<f2") == 0   ? IMGRET_VECTOR_F16
                           : strcmp(type, "<f4") == 0 ? IMGRET_VECTOR_F32
                                                      : 0;
        return out->vector_type != 0;
    }
    if (strcmp(key, "fortran_order") == 0)
        return take(in, "False");
    if (strcmp(key, "shape") != 0 || !take(in, "(") ||
        !take_number(in, (uint64_t)1 << 47, &out->rows) || !take(in, ",") ||
        !take_number(in, 65536, &columns))
        return false;
    out->columns = (uint32_t)columns;
    take(in, ",");
    return take(in, ")");
}

/* Each of the three keys once, in any order. */
static bool take_dictionary(reader *in, ir_npy_head *out)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    unsigned seen = 0;
    if (!take(in, "{"))
        return false;
    while (!take(in, "}")) {
        char key[16];
        unsigned bit = 0;
        if (!take_string(in, key, sizeof key) || !take(in, ":"))
            return false;
        for (unsigned i = 0; i < 3; i++)
            if (strcmp(key, keys[i]) == 0)
                bit = 1u << i;
        if (!bit || (seen & bit) || !take_member(in, key, out))
            return false;
        seen |= bit;
        if (!take(in, ",")) {
            if (!take(in, "}"))
                return false;
            break;
        }
    }
    skip_space(in);
    return seen == 7 && in->at == in->end;
}

int32_t ir_npy_read_head(ir_npy_head *out, const void *data, size_t bytes, imgret_error *error)
{
    const unsigned char *from = data;
    *out = (ir_npy_head){0};
    if (bytes < 12 || memcmp(from, magic, 6) != 0)
        return ir_fail(error, IMGRET_CORRUPT, "is no .npy file");
    if (from[6] < 1 || from[6] > 3)
        return ir_fail(error, IMGRET_CORRUPT, ".npy version %d is not known", from[6]);
    size_t prefix = from[6] == 1 ? 10 : 12;
    size_t length = (size_t)from[8] | (size_t)from[9] << 8;
    if (from[6] > 1)
        length |= (size_t)from[10] << 16 | (size_t)from[11] << 24;
    if (length > bytes - prefix)
        return ir_fail(error, IMGRET_CORRUPT, "its header ends before it should");
    reader in = {(const char *)from + prefix, (const char *)from + prefix + length};
    if (!take_dictionary(&in, out))
        return ir_fail(error, IMGRET_CORRUPT,
                       "is no matrix of '<f2' or '<f4' stored row by row (C order)");
    out->head_bytes = prefix + length;
    return IMGRET_OK;
}
