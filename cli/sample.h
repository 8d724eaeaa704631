/* sample.h: the picture files below some paths, in a random order that comes again. */
#ifndef IMGRET_CLI_SAMPLE_H
#define IMGRET_CLI_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owned paths. Start with all zeros. */
typedef struct cli_files {
    char **items;
    size_t count;
    size_t capacity;
} cli_files;

/* Adds the regular files among `paths` and in their folders, hidden ones and their folders not, then
 * brings all into an order that depends on their names and `seed` alone. False: said on stderr, or a
 * signal came. */
bool cli_files_shuffled(cli_files *files, const char *const *paths, size_t path_count,
                        uint64_t seed);

void cli_files_free(cli_files *files);

#endif
