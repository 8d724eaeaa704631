/* params.c: --param NAME=VALUE as parameters of a filter. */
#include "params.h"

#include "message.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A whole number, else a finite one, else the text itself. */
static void read_value(imgret_param *out, const char *text)
{
    char *end;
    out->kind = IMGRET_PARAM_TEXT;
    out->text = text;
    bool number_like = text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
    if (!number_like)
        return;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (!errno && !*end) {
        out->kind = IMGRET_PARAM_INTEGER;
        out->integer = whole;
        return;
    }
    double real = strtod(text, &end);
    if (!*end && isfinite(real)) {
        out->kind = IMGRET_PARAM_REAL;
        out->real = real;
    }
}

bool cli_params_read(imgret_param **out, uint32_t *count, const cli_options *options)
{
    *out = NULL;
    *count = 0;
    if (options->params.count == 0)
        return true;
    imgret_param *params = calloc(options->params.count, sizeof *params);
    *out = params;
    for (size_t i = 0; params && i < options->params.count; i++) {
        const char *text = options->params.texts[i];
        size_t name_bytes = strcspn(text, "=");
        if (name_bytes == 0 || !text[name_bytes]) {
            cli_error("--param wants NAME=VALUE, not '%s'", text);
            cli_params_free(params, *count);
            *out = NULL;
            return false;
        }
        params[i].size = sizeof params[i];
        params[i].name = strndup(text, name_bytes);
        *count = (uint32_t)i + 1;
        if (!params[i].name) {
            cli_params_free(params, *count);
            params = *out = NULL;
            break;
        }
        read_value(&params[i], text + name_bytes + 1);
    }
    if (!params)
        cli_error("out of memory");
    return params != NULL;
}

void cli_params_free(imgret_param *params, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free((char *)params[i].name);
    free(params);
}
