/* question.c: what search looks for, from its words and flags: examples with + and -, colours. */
#include "question.h"

#include "message.h"
#include "paths.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STDIN_BYTES_MAX ((size_t)256 << 20) /* as the library's own limit on a picture */

static bool is_sign(const char *word)
{
    return (word[0] == '+' || word[0] == '-') && !word[1];
}

static bool read_stdin(cli_question *out, imgret_input *input)
{
    size_t count = 0;
    if (out->bytes) {
        cli_error("stdin can be one example only");
        return false;
    }
    out->bytes = cli_read_all(STDIN_FILENO, "stdin", STDIN_BYTES_MAX, &count);
    input->kind = IMGRET_INPUT_BYTES;
    input->data = out->bytes;
    input->data_bytes = count;
    return out->bytes != NULL;
}

static bool add_example(cli_question *out, const char *word, int64_t id, double weight)
{
    if (out->count == CLI_EXAMPLES_MAX) {
        cli_error("more than %d examples", CLI_EXAMPLES_MAX);
        return false;
    }
    imgret_input *input = &out->inputs[out->count];
    *input = (imgret_input){.size = sizeof *input, .kind = IMGRET_INPUT_FILE, .path = word};
    if (id) {
        input->kind = IMGRET_INPUT_ID;
        input->id = id;
    }
    out->terms[out->count++] = (imgret_term){
        .size = sizeof out->terms[0], .input = input, .weight = weight};
    return id || strcmp(word, "-") != 0 || read_stdin(out, input);
}

/* "A + B - C"; at the place of an example "-" is stdin. With --id that is the first example. */
static bool read_words(cli_question *out, const cli_options *options)
{
    bool wants_example = options->id == 0;
    double sign = 1;
    if (options->id && !add_example(out, NULL, options->id, 1))
        return false;
    for (size_t i = 0; i < options->word_count; i++) {
        const char *word = options->words[i];
        if (wants_example) {
            if (!add_example(out, word, 0, sign))
                return false;
        } else if (is_sign(word)) {
            sign = word[0] == '-' ? -1 : 1;
        } else {
            cli_error("'%s': + or - stands between the examples%s", word,
                      options->id ? "; an IMAGE or --id, not both" : "");
            return false;
        }
        wants_example = !wants_example;
    }
    if (wants_example && out->count > 0)
        cli_error("an example is missing after the last + or -");
    return !wants_example || out->count == 0;
}

static bool read_weights(cli_question *out, const cli_options *options)
{
    if (options->weights.count > out->count) {
        cli_error("there are %zu --weight for %u examples", options->weights.count, out->count);
        return false;
    }
    for (size_t i = 0; i < options->weights.count; i++) {
        char *end;
        double weight = strtod(options->weights.texts[i], &end);
        if (end == options->weights.texts[i] || *end || !isfinite(weight) || weight <= 0) {
            cli_error("--weight wants a number above 0, not '%s'", options->weights.texts[i]);
            return false;
        }
        out->terms[i].weight *= weight;
    }
    return true;
}

static bool read_excluded(cli_question *out, const cli_options *options)
{
    out->excluded = calloc(options->excluded.count + 1, sizeof *out->excluded);
    if (!out->excluded) {
        cli_error("out of memory");
        return false;
    }
    for (size_t i = 0; i < options->excluded.count; i++) {
        const char *text = options->excluded.texts[i];
        char *end;
        errno = 0;
        out->excluded[i] = strtoll(text, &end, 10);
        if (errno || end == text || *end || out->excluded[i] < 1) {
            cli_error("--exclude wants the id of a picture, not '%s'", text);
            return false;
        }
    }
    return true;
}

bool cli_question_read(cli_question *out, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    memset(out, 0, sizeof *out);
    if (options->color && imgret_parse_colors(out->colors, CLI_COLORS_MAX, &out->color_count,
                                              options->color, &error)) {
        cli_error("--color: %s", error.message);
        return false;
    }
    if (!read_words(out, options) || !read_weights(out, options) || !read_excluded(out, options))
        return false;
    if (out->count == 0 && out->color_count == 0)
        cli_error("search for what? Give an IMAGE, --id or --color");
    return out->count > 0 || out->color_count > 0;
}

void cli_question_free(cli_question *question)
{
    free(question->bytes);
    free(question->excluded);
}

const imgret_input *cli_question_ask(const cli_question *question, const cli_options *options,
                                     imgret_query_options *query)
{
    bool alone = question->count == 1 && question->terms[0].weight == 1;
    query->colors = question->colors;
    query->color_count = question->color_count;
    query->color_weight = isnan(options->color_weight) ? 0 : options->color_weight;
    query->exclude_ids = question->excluded;
    query->exclude_count = options->excluded.count;
    query->diversity = isnan(options->diversity) ? 0 : options->diversity;
    query->candidate_count = options->candidates;
    query->combine = options->best ? IMGRET_COMBINE_BEST : IMGRET_COMBINE_MEAN;
    if (options->cursor && strcmp(options->cursor, "first") != 0)
        query->cursor = options->cursor;
    if (alone)
        return &question->inputs[0];
    query->terms = question->terms;
    query->term_count = question->count;
    return NULL;
}
