/* spec.c: takes a model specification apart, "BACKEND[:WEIGHTS][;key=value...]" or a path. */
#include "extract/extract.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <string.h>

#define BACKEND_NAME_BYTES_MAX 64u
#define VECTORS_DIMENSION_MAX 65536u

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of `text` that read as a name, [a-z][a-z0-9_]*; 0: it does not start like one. */
static size_t name_length(const char *text)
{
    if (!is_lower(text[0]))
        return 0;
    size_t length = 1;
    while (is_lower(text[length]) || is_digit(text[length]) || text[length] == '_')
        length++;
    return length;
}

/* Bytes of the backend's name that `text` starts with; 0 when it starts with a path. One letter
 * before a ':' is a drive, not a backend. */
static size_t backend_length(const char *text)
{
    size_t length = name_length(text);
    char after = text[length];
    return length >= 2 && (after == ':' || after == ';' || after == '\0') ? length : 0;
}

static bool key_seen_before(const char *options, const char *key, size_t length)
{
    for (const char *at = options; at < key; at = strchr(at, ';') + 1)
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            return true;
    return false;
}

static int32_t check_options(const char *options, const char *text, imgret_error *error)
{
    for (const char *at = options;; at++) {
        size_t length = name_length(at);
        if (length == 0 || at[length] != '=')
            return ir_fail(error, IMGRET_INVALID_ARGUMENT, "model \"%s\": \"%.*s\" is no key=value",
                           text, (int)strcspn(at, ";"), at);
        if (key_seen_before(options, at, length))
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "model \"%s\": option \"%.*s\" is given twice", text, (int)length, at);
        at = strchr(at, ';');
        if (!at)
            return IMGRET_OK;
    }
}

static int32_t parse_dimension(uint32_t *out, const char *digits, const char *text,
                               imgret_error *error)
{
    uint32_t value = 0;
    size_t at = 0;
    for (; is_digit(digits[at]) && value <= VECTORS_DIMENSION_MAX; at++)
        value = value * 10 + (uint32_t)(digits[at] - '0');
    if (at == 0 || digits[at] != '\0' || value == 0 || value > VECTORS_DIMENSION_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "model \"%s\": \"vectors:N\" needs a dimension N of 1 to %u", text,
                       VECTORS_DIMENSION_MAX);
    *out = value;
    return IMGRET_OK;
}

/* The parts of a specification, inside its text. */
typedef struct parts {
    const char *backend, *weights, *options;
    size_t backend_length, weights_length;
} parts;

static int32_t split(parts *out, const char *text, imgret_error *error)
{
    *out = (parts){.backend = text, .options = "", .backend_length = backend_length(text)};
    if (out->backend_length > BACKEND_NAME_BYTES_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "model \"%s\": a backend's name has at most %u letters", text,
                       BACKEND_NAME_BYTES_MAX);
    bool has_colon = out->backend_length > 0 && text[out->backend_length] == ':';
    out->weights = text + out->backend_length + has_colon;
    out->weights_length = strcspn(out->weights, ";");
    if (out->weights_length == 0 && (has_colon || out->backend_length == 0))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "model \"%s\" names no weights", text);
    if (out->weights[out->weights_length] == ';') {
        out->options = out->weights + out->weights_length + 1;
        return check_options(out->options, text, error);
    }
    return IMGRET_OK;
}

int32_t ir_model_spec_parse(ir_model_spec *out, const char *text, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    if (!text || !text[0])
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the model's specification is empty");
    parts found;
    int32_t status = split(&found, text, error);
    if (status)
        return status;
    bool is_vectors = found.backend_length == 7 && memcmp(text, "vectors", 7) == 0;
    if (is_vectors) {
        status = parse_dimension(&out->vectors_dimension, found.weights, text, error);
        if (status)
            return status;
        found.weights_length = 0;
    }
    out->weights = ir_strndup(found.weights, found.weights_length);
    out->options = ir_strdup(found.options);
    if (found.backend_length > 0)
        out->backend = ir_strndup(text, found.backend_length);
    if (!out->weights || !out->options || (found.backend_length > 0 && !out->backend)) {
        ir_model_spec_free(out);
        return ir_fail(error, IMGRET_NO_MEMORY, "model \"%s\": no memory", text);
    }
    return IMGRET_OK;
}

int32_t ir_model_spec_take(ir_model_spec *spec, const char *key, char **value, imgret_error *error)
{
    *value = NULL;
    size_t key_length = strlen(key);
    for (char *at = spec->options; *at;) {
        size_t length = strcspn(at, ";");
        char *next = at + length + (at[length] == ';');
        if (strncmp(at, key, key_length) != 0 || at[key_length] != '=') {
            at = next;
            continue;
        }
        *value = ir_strndup(at + key_length + 1, length - key_length - 1);
        if (!*value)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the model's option %s", key);
        if (*next == '\0' && at > spec->options)
            at--; /* the ';' before the last option goes with it */
        memmove(at, next, strlen(next) + 1);
        return IMGRET_OK;
    }
    return IMGRET_OK;
}

void ir_model_spec_free(ir_model_spec *spec)
{
    if (!spec)
        return;
    ir_free(spec->backend);
    ir_free(spec->weights);
    ir_free(spec->options);
    memset(spec, 0, sizeof *spec);
}
