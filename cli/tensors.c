/* tensors.c: reads a .safetensors file of reference inputs and outputs, strictly.
 *
 * The file: 8 bytes length of the header, the header (a JSON object from names to dtype, shape and
 * data_offsets, and "__metadata__" with texts), then the data. The header is read in one pass by a
 * grammar that knows just this much of JSON; every step is bounded by the header's end.
 */
#include "tensors.h"

#include <string.h>

enum { HEADER_BYTES_MAX = 16 << 20 };

typedef struct reader {
    const char *at;
    const char *end;
    const char *reason; /* NULL: all is well */
} reader;

typedef struct text {
    const char *start; /* escapes stay as they are: no name that is wanted has any */
    size_t bytes;
} text;

static bool fail(reader *r, const char *reason)
{
    if (!r->reason)
        r->reason = reason;
    return false;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Whether `symbol` comes next; it is then passed. */
static bool take(reader *r, char symbol)
{
    skip_space(r);
    if (r->at >= r->end || *r->at != symbol)
        return false;
    r->at++;
    return true;
}

static bool need(reader *r, char symbol)
{
    return take(r, symbol) || fail(r, "its header is no JSON of the kind");
}

static bool read_text(reader *r, text *out)
{
    if (!need(r, '"'))
        return false;
    out->start = r->at;
    for (; r->at < r->end && *r->at != '"'; r->at++)
        if (*r->at == '\\' && ++r->at >= r->end)
            break;
    if (r->at >= r->end)
        return fail(r, "a text in its header has no end");
    out->bytes = (size_t)(r->at++ - out->start);
    return true;
}

static bool is_text(const text *one, const char *other)
{
    return one->bytes == strlen(other) && memcmp(one->start, other, one->bytes) == 0;
}

static bool read_whole(reader *r, uint64_t *out)
{
    skip_space(r);
    if (r->at >= r->end || *r->at < '0' || *r->at > '9')
        return fail(r, "a number in its header is no whole one");
    *out = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(*r->at - '0'), out))
            return fail(r, "a number in its header is too large");
    return true;
}

/* [1, 2, ...], at most `max` of them. */
static bool read_wholes(reader *r, uint64_t *out, uint32_t max, uint32_t *count)
{
    *count = 0;
    if (!need(r, '['))
        return false;
    if (take(r, ']'))
        return true;
    do {
        if (*count == max)
            return fail(r, "a list in its header is too long");
        if (!read_whole(r, &out[(*count)++]))
            return false;
    } while (take(r, ','));
    return need(r, ']');
}

typedef struct entry {
    text dtype;
    uint64_t shape[CLI_TENSOR_RANK_MAX];
    uint32_t rank;
    uint64_t offsets[2];
    uint32_t offset_count;
} entry;

/* {"dtype":..., "shape":..., "data_offsets":...} in any order. */
static bool read_entry(reader *r, entry *out)
{
    memset(out, 0, sizeof *out);
    if (!need(r, '{'))
        return false;
    do {
        text key;
        bool good;
        if (!read_text(r, &key) || !need(r, ':'))
            return false;
        if (is_text(&key, "dtype"))
            good = read_text(r, &out->dtype);
        else if (is_text(&key, "shape"))
            good = read_wholes(r, out->shape, CLI_TENSOR_RANK_MAX, &out->rank);
        else if (is_text(&key, "data_offsets"))
            good = read_wholes(r, out->offsets, 2, &out->offset_count);
        else
            good = fail(r, "a tensor in its header has an unknown field");
        if (!good)
            return false;
    } while (take(r, ','));
    return need(r, '}');
}

/* {"key":"text", ...} */
static bool skip_metadata(reader *r)
{
    if (!need(r, '{'))
        return false;
    if (take(r, '}'))
        return true;
    do {
        text key, value;
        if (!read_text(r, &key) || !need(r, ':') || !read_text(r, &value))
            return false;
    } while (take(r, ','));
    return need(r, '}');
}

static bool fill(reader *r, cli_tensor *out, const entry *from, const uint8_t *data,
                 uint64_t data_bytes)
{
    uint64_t count = 1;
    out->is_float = is_text(&from->dtype, "F32");
    if (!out->is_float && !is_text(&from->dtype, "U8"))
        return fail(r, "a tensor that is needed is neither F32 nor U8");
    for (uint32_t i = 0; i < from->rank; i++)
        if (__builtin_mul_overflow(count, from->shape[i], &count))
            return fail(r, "a shape in it is too large");
    uint64_t bytes, begin = from->offsets[0], end = from->offsets[1];
    if (from->offset_count != 2 || end > data_bytes || begin > end ||
        __builtin_mul_overflow(count, out->is_float ? 4u : 1u, &bytes) || bytes != end - begin)
        return fail(r, "a tensor's place in it does not fit its shape or the file");
    if (out->found)
        return fail(r, "a tensor that is needed is in it twice");
    out->found = true;
    out->rank = from->rank;
    memcpy(out->shape, from->shape, sizeof out->shape);
    out->count = count;
    out->data = data + begin;
    return true;
}

static bool read_members(reader *r, cli_tensor *wanted, size_t wanted_count, const uint8_t *data,
                         uint64_t data_bytes)
{
    if (!need(r, '{') || take(r, '}'))
        return !r->reason;
    do {
        text name;
        entry found;
        if (!read_text(r, &name) || !need(r, ':'))
            return false;
        if (is_text(&name, "__metadata__")) {
            if (!skip_metadata(r))
                return false;
            continue;
        }
        if (!read_entry(r, &found))
            return false;
        for (size_t i = 0; i < wanted_count; i++)
            if (is_text(&name, wanted[i].name) && !fill(r, &wanted[i], &found, data, data_bytes))
                return false;
    } while (take(r, ','));
    return need(r, '}');
}

bool cli_tensors_find(const uint8_t *file, size_t bytes, cli_tensor *wanted, size_t wanted_count,
                      const char **reason)
{
    uint64_t header_bytes = 0;
    for (size_t i = 0; i < wanted_count; i++)
        wanted[i] = (cli_tensor){.name = wanted[i].name};
    for (size_t i = 0; i < 8 && bytes >= 8; i++)
        header_bytes |= (uint64_t)file[i] << (8 * i);
    *reason = "it is no .safetensors file";
    if (bytes < 8 || header_bytes < 2 || header_bytes > bytes - 8 ||
        header_bytes > HEADER_BYTES_MAX)
        return false;
    reader r = {.at = (const char *)file + 8};
    r.end = r.at + header_bytes;
    bool good = read_members(&r, wanted, wanted_count, file + 8 + header_bytes,
                             bytes - 8 - header_bytes);
    skip_space(&r);
    if (good && r.at != r.end)
        good = fail(&r, "something follows its header's end");
    *reason = r.reason;
    return good;
}
