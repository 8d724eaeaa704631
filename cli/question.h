/* question.h: what search looks for, from its words and flags: examples with + and -, colours. */
#ifndef IMGRET_CLI_QUESTION_H
#define IMGRET_CLI_QUESTION_H

#include "options.h"

#include <imgret/imgret.h>
#include <stdbool.h>

#define CLI_EXAMPLES_MAX 100
#define CLI_COLORS_MAX 16

typedef struct cli_question {
    imgret_input inputs[CLI_EXAMPLES_MAX];
    imgret_term terms[CLI_EXAMPLES_MAX];
    uint32_t count;
    imgret_color_term colors[CLI_COLORS_MAX];
    uint32_t color_count;
    int64_t *excluded;
    char *bytes; /* of stdin, when it was read */
} cli_question;

/* False: said on stderr what is wrong. cli_question_free in any case. */
bool cli_question_read(cli_question *out, const cli_options *options);
void cli_question_free(cli_question *question);

/* The input to hand to imgret_query: the example when it is the only one and wanted as it is, else
 * NULL. Fills the fields of `query` that say what is looked for. */
const imgret_input *cli_question_ask(const cli_question *question, const cli_options *options,
                                     imgret_query_options *query);

#endif
