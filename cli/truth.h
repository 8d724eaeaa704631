/* truth.h: what is known of the pictures of a database: to which class each belongs. */
#ifndef IMGRET_CLI_TRUTH_H
#define IMGRET_CLI_TRUTH_H

#include "options.h"

#include <imgret/imgret.h>

typedef struct cli_judged {
    int64_t id;
    char *uri; /* "" when it has none */
    uint32_t class_index;
} cli_judged;

typedef struct cli_truth {
    cli_judged *items; /* pictures with a class, by ascending id */
    size_t count, room;
    char **classes;
    uint32_t *class_sizes; /* pictures of each */
    uint32_t *class_table; /* of hashes, 2 * class_room entries */
    uint32_t class_count, class_room;
} cli_truth;

/* Reads the classes of the database's pictures: from the file --truth (a path and a label a line,
 * separated by a tab; relative paths are the file's folder's; a first line "path<tab>label" is passed
 * over), with --folders from the name of each picture's folder, else from the labels in the database.
 * False: said on stderr. Free it in any case; start with all zeros. */
bool cli_truth_read(cli_truth *truth, imgret *db, const cli_options *options);
void cli_truth_free(cli_truth *truth);

/* The picture with this id, or NULL. */
const cli_judged *cli_truth_find(const cli_truth *truth, int64_t id);

#endif
