/* safetensors.c: a strict reader of .safetensors files; see safetensors.h for the format. */
#include "torch/safetensors.h"

#include "torch/failure.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX_BYTES 8u
#define JSON_DEPTH_MAX 3         /* the file, a tensor, its shape */
#define JSON_VALUES_MAX 2000000u /* cJSON needs 64 bytes a value: bounds what a header can cost */
#define NUMBER_MAX 0x1p53 /* cJSON keeps numbers as doubles: beyond this they are not exact */

struct ir_safetensors {
    char *name; /* for messages: the path */
    int fd;     /* -1 when in memory */
    const uint8_t *memory;
    uint64_t data_start; /* from the start of the file */
    uint64_t data_bytes;
    cJSON *header; /* owns the names and the metadata */
    const cJSON *metadata;
    ir_safetensors_tensor *tensors; /* by name */
    uint32_t count;
};

static const struct {
    const char *name;
    uint32_t bytes;
} types[] = {
    [IR_ST_BOOL] = {"BOOL", 1},       [IR_ST_U8] = {"U8", 1},           [IR_ST_I8] = {"I8", 1},
    [IR_ST_F8_E4M3] = {"F8_E4M3", 1}, [IR_ST_F8_E5M2] = {"F8_E5M2", 1}, [IR_ST_U16] = {"U16", 2},
    [IR_ST_I16] = {"I16", 2},         [IR_ST_F16] = {"F16", 2},         [IR_ST_BF16] = {"BF16", 2},
    [IR_ST_U32] = {"U32", 4},         [IR_ST_I32] = {"I32", 4},         [IR_ST_F32] = {"F32", 4},
    [IR_ST_U64] = {"U64", 8},         [IR_ST_I64] = {"I64", 8},         [IR_ST_F64] = {"F64", 8},
};

const char *ir_safetensors_type_name(ir_safetensors_type type)
{
    return types[type].name;
}

/* Fills `out` from the file's byte `at`. */
static int32_t read_at(const ir_safetensors *file, uint64_t at, void *out, size_t bytes,
                       imgret_error *error)
{
    if (file->fd < 0) {
        memcpy(out, file->memory + at, bytes);
        return IMGRET_OK;
    }
    uint8_t *to = out;
    while (bytes > 0) {
        size_t part = bytes < (1u << 30) ? bytes : 1u << 30;
        ssize_t got = pread(file->fd, to, part, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ir_torch_fail(error, IMGRET_IO, "%s: read: %s", file->name, strerror(errno));
        if (got == 0)
            return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: became shorter while it was read",
                                 file->name);
        to += got, at += (uint64_t)got, bytes -= (size_t)got;
    }
    return IMGRET_OK;
}

/* Bounds nesting and the number of values before cJSON, which recurses and allocates, sees the
 * text. Raw control characters are no JSON, but cJSON lets them pass. */
static int32_t check_text(const char *name, const char *text, size_t bytes, imgret_error *error)
{
    size_t depth = 0, values = 0;
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 && (quoted || (c != '\n' && c != '\t' && c != '\r')))
            return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: control character in the header",
                                 name);
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\';
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > JSON_DEPTH_MAX)
                return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: header is nested too deeply",
                                     name);
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (values > JSON_VALUES_MAX)
            return ir_torch_fail(error, IMGRET_LIMIT, "%s: header has too many values", name);
    }
    return IMGRET_OK;
}

static int32_t parse_json(ir_safetensors *file, const char *text, size_t bytes, imgret_error *error)
{
    if (bytes == 0 || text[0] != '{')
        return ir_torch_fail(error, IMGRET_BAD_MODEL,
                             "%s: not a safetensors file (the header does not begin with '{')",
                             file->name);
    int32_t status = check_text(file->name, text, bytes, error);
    if (status)
        return status;
    const char *end = NULL;
    file->header = cJSON_ParseWithLengthOpts(text, bytes, &end, false);
    if (!file->header || !cJSON_IsObject(file->header))
        return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: the header is not valid JSON",
                             file->name);
    for (; end < text + bytes; end++)
        if (*end != ' ' && *end != '\n' && *end != '\t' && *end != '\r')
            return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: garbage after the header's JSON",
                                 file->name);
    return IMGRET_OK;
}

/* A whole number from 0 to 2^53. */
static bool to_whole(const cJSON *value, uint64_t *out)
{
    double number = cJSON_IsNumber(value) ? value->valuedouble : -1;
    if (!(number >= 0 && number <= NUMBER_MAX) || number != floor(number))
        return false;
    *out = (uint64_t)number;
    return true;
}

static int32_t bad_tensor(const ir_safetensors *file, const char *tensor, const char *what,
                          imgret_error *error)
{
    return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: tensor '%s': %s", file->name, tensor, what);
}

static int32_t parse_shape(const ir_safetensors *file, const cJSON *shape,
                           ir_safetensors_tensor *out, imgret_error *error)
{
    if (!cJSON_IsArray(shape))
        return bad_tensor(file, out->name, "has no shape", error);
    out->element_count = 1;
    for (const cJSON *side = shape->child; side; side = side->next) {
        if (out->rank == IR_SAFETENSORS_RANK_MAX)
            return bad_tensor(file, out->name, "has more than 8 dimensions", error);
        uint64_t length;
        if (!to_whole(side, &length))
            return bad_tensor(file, out->name, "has a shape that is not whole numbers", error);
        out->shape[out->rank++] = length;
        if (__builtin_mul_overflow(out->element_count, length, &out->element_count))
            return bad_tensor(file, out->name, "has a shape that overflows", error);
    }
    if (__builtin_mul_overflow(out->element_count, (uint64_t)types[out->type].bytes, &out->bytes))
        return bad_tensor(file, out->name, "has a shape that overflows", error);
    return IMGRET_OK;
}

static int32_t parse_offsets(const ir_safetensors *file, const cJSON *offsets,
                             ir_safetensors_tensor *out, imgret_error *error)
{
    const cJSON *first = cJSON_IsArray(offsets) ? offsets->child : NULL;
    const cJSON *second = first ? first->next : NULL;
    uint64_t end;
    if (!second || second->next || !to_whole(first, &out->begin) || !to_whole(second, &end))
        return bad_tensor(file, out->name, "has no valid data_offsets", error);
    if (out->begin > end || end > file->data_bytes)
        return bad_tensor(file, out->name, "lies outside of the file", error);
    if (end - out->begin != out->bytes)
        return bad_tensor(file, out->name, "has data_offsets that do not fit its shape", error);
    return IMGRET_OK;
}

/* The members of a tensor's object, each exactly once. */
static int32_t parse_tensor(const ir_safetensors *file, const cJSON *entry,
                            ir_safetensors_tensor *out, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    out->name = entry->string;
    if (!cJSON_IsObject(entry))
        return bad_tensor(file, out->name, "is not described by an object", error);
    const cJSON *dtype = NULL, *shape = NULL, *offsets = NULL;
    for (const cJSON *member = entry->child; member; member = member->next) {
        const cJSON **known = strcmp(member->string, "dtype") == 0          ? &dtype
                              : strcmp(member->string, "shape") == 0        ? &shape
                              : strcmp(member->string, "data_offsets") == 0 ? &offsets
                                                                            : NULL;
        if (!known || *known)
            return bad_tensor(file, out->name, "has an unknown or repeated member", error);
        *known = member;
    }
    if (!cJSON_IsString(dtype))
        return bad_tensor(file, out->name, "has no dtype", error);
    size_t type = 0, type_count = sizeof types / sizeof types[0];
    while (type < type_count && strcmp(types[type].name, dtype->valuestring) != 0)
        type++;
    if (type == type_count)
        return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: tensor '%s': unknown dtype '%s'",
                             file->name, out->name, dtype->valuestring);
    out->type = (ir_safetensors_type)type;
    int32_t status = parse_shape(file, shape, out, error);
    return status ? status : parse_offsets(file, offsets, out, error);
}

static int32_t check_metadata(ir_safetensors *file, const cJSON *entry, imgret_error *error)
{
    if (file->metadata)
        return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: __metadata__ stands there twice",
                             file->name);
    bool good = cJSON_IsObject(entry);
    for (const cJSON *item = good ? entry->child : NULL; item; item = item->next)
        good = good && cJSON_IsString(item);
    if (!good)
        return ir_torch_fail(error, IMGRET_BAD_MODEL,
                             "%s: __metadata__ is not a table of text to text", file->name);
    file->metadata = entry;
    return IMGRET_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ir_safetensors_tensor *)a)->name,
                  ((const ir_safetensors_tensor *)b)->name);
}

/* Empty tensors come before the one that begins where they stand. */
static int by_place(const void *a, const void *b)
{
    const ir_safetensors_tensor *x = *(const ir_safetensors_tensor *const *)a;
    const ir_safetensors_tensor *y = *(const ir_safetensors_tensor *const *)b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The tensors must tile the data. */
static int32_t check_places(const ir_safetensors *file, imgret_error *error)
{
    const ir_safetensors_tensor **order = malloc(((size_t)file->count + 1) * sizeof *order);
    if (!order)
        return ir_torch_fail(error, IMGRET_NO_MEMORY, "%s: no memory for its header", file->name);
    for (uint32_t i = 0; i < file->count; i++)
        order[i] = &file->tensors[i];
    qsort(order, file->count, sizeof *order, by_place);
    uint64_t at = 0;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < file->count && !status; i++) {
        if (order[i]->begin < at)
            status = bad_tensor(file, order[i]->name, "overlaps another tensor", error);
        else if (order[i]->begin > at)
            status = bad_tensor(file, order[i]->name, "has a hole before its data", error);
        at = order[i]->begin + order[i]->bytes;
    }
    free(order);
    if (!status && at != file->data_bytes)
        status = ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: %llu bytes after the last tensor",
                               file->name, (unsigned long long)(file->data_bytes - at));
    return status;
}

static int32_t collect_tensors(ir_safetensors *file, imgret_error *error)
{
    size_t entry_count = 0;
    for (const cJSON *entry = file->header->child; entry; entry = entry->next)
        entry_count++;
    if (entry_count > IR_SAFETENSORS_TENSOR_COUNT_MAX)
        return ir_torch_fail(error, IMGRET_LIMIT, "%s: %zu tensors, the limit is %u", file->name,
                             entry_count, IR_SAFETENSORS_TENSOR_COUNT_MAX);
    file->tensors = calloc(entry_count + 1, sizeof *file->tensors);
    if (!file->tensors)
        return ir_torch_fail(error, IMGRET_NO_MEMORY, "%s: no memory for its header", file->name);
    for (const cJSON *entry = file->header->child; entry; entry = entry->next) {
        int32_t status = strcmp(entry->string, "__metadata__") == 0
                             ? check_metadata(file, entry, error)
                             : parse_tensor(file, entry, &file->tensors[file->count++], error);
        if (status)
            return status;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
    for (uint32_t i = 1; i < file->count; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return bad_tensor(file, file->tensors[i].name, "stands there twice", error);
    return check_places(file, error);
}

/* Reads everything but the data of a file of `file_bytes`. */
static int32_t read_header(ir_safetensors *file, uint64_t file_bytes, imgret_error *error)
{
    uint8_t prefix[PREFIX_BYTES];
    if (file_bytes < PREFIX_BYTES)
        return ir_torch_fail(error, IMGRET_BAD_MODEL, "%s: too short for a safetensors file",
                             file->name);
    int32_t status = read_at(file, 0, prefix, PREFIX_BYTES, error);
    if (status)
        return status;
    uint64_t bytes = 0;
    for (int i = PREFIX_BYTES - 1; i >= 0; i--)
        bytes = bytes << 8 | prefix[i];
    if (bytes > IR_SAFETENSORS_HEADER_BYTES_MAX || bytes > file_bytes - PREFIX_BYTES)
        return ir_torch_fail(error, IMGRET_BAD_MODEL,
                             "%s: not a safetensors file, or cut short: a header of %llu bytes in "
                             "a file of %llu",
                             file->name, (unsigned long long)bytes, (unsigned long long)file_bytes);
    file->data_start = PREFIX_BYTES + bytes;
    file->data_bytes = file_bytes - file->data_start;
    char *text = malloc((size_t)bytes + 1);
    if (!text)
        return ir_torch_fail(error, IMGRET_NO_MEMORY, "%s: no memory for its header", file->name);
    status = read_at(file, PREFIX_BYTES, text, (size_t)bytes, error);
    if (!status)
        status = parse_json(file, text, (size_t)bytes, error);
    free(text);
    return status ? status : collect_tensors(file, error);
}

static ir_safetensors *create(const char *name, imgret_error *error)
{
    ir_safetensors *file = calloc(1, sizeof *file);
    if (file) {
        file->fd = -1;
        file->name = strdup(name);
    }
    if (!file || !file->name) {
        ir_torch_fail(error, IMGRET_NO_MEMORY, "%s: no memory", name);
        free(file);
        return NULL;
    }
    return file;
}

static int32_t finish_open(ir_safetensors **out, ir_safetensors *file, int32_t status)
{
    if (status)
        ir_safetensors_close(file);
    else
        *out = file;
    return status;
}

int32_t ir_safetensors_open(ir_safetensors **out, const char *path, imgret_error *error)
{
    *out = NULL;
    ir_safetensors *file = create(path, error);
    if (!file)
        return IMGRET_NO_MEMORY;
    struct stat info;
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    int32_t status;
    if (file->fd < 0)
        status = ir_torch_fail(error,
                               errno == ENOENT || errno == ENOTDIR ? IMGRET_NOT_FOUND : IMGRET_IO,
                               "%s: open: %s", path, strerror(errno));
    else if (fstat(file->fd, &info) != 0)
        status = ir_torch_fail(error, IMGRET_IO, "%s: stat: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = ir_torch_fail(error, IMGRET_INVALID_ARGUMENT, "%s: not a regular file", path);
    else
        status = read_header(file, (uint64_t)info.st_size, error);
    return finish_open(out, file, status);
}

int32_t ir_safetensors_open_memory(ir_safetensors **out, const char *name, const uint8_t *data,
                                   size_t bytes, imgret_error *error)
{
    *out = NULL;
    ir_safetensors *file = create(name, error);
    if (!file)
        return IMGRET_NO_MEMORY;
    file->memory = data;
    return finish_open(out, file, read_header(file, bytes, error));
}

void ir_safetensors_close(ir_safetensors *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    cJSON_Delete(file->header);
    free(file->tensors);
    free(file->name);
    free(file);
}

uint32_t ir_safetensors_count(const ir_safetensors *file)
{
    return file->count;
}

const ir_safetensors_tensor *ir_safetensors_at(const ir_safetensors *file, uint32_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

const ir_safetensors_tensor *ir_safetensors_find(const ir_safetensors *file, const char *name)
{
    ir_safetensors_tensor wanted = {.name = name};
    return bsearch(&wanted, file->tensors, file->count, sizeof *file->tensors, by_name);
}

const char *ir_safetensors_metadata(const ir_safetensors *file, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(file->metadata, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

int32_t ir_safetensors_read(const ir_safetensors *file, const ir_safetensors_tensor *tensor,
                            void *out, imgret_error *error)
{
    return read_at(file, file->data_start + tensor->begin, out, (size_t)tensor->bytes, error);
}
