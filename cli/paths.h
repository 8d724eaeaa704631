/* paths.h: lists of paths, and the name a file has in the database. */
#ifndef IMGRET_CLI_PATHS_H
#define IMGRET_CLI_PATHS_H

#include <stdbool.h>
#include <stddef.h>

/* Paths in the order given. Start with all zeros. */
typedef struct cli_paths {
    const char **items; /* point into argv or `text` */
    size_t count;
    size_t capacity;
    char *text; /* a list that was read */
} cli_paths;

/* Adds one path, which must outlive the list. False: out of memory, said on stderr. */
bool cli_paths_add(cli_paths *paths, const char *path);

/* Adds the paths in the file `name` ("-" is stdin), one a line, or ended by NUL. Once a list at
 * most. False: said on stderr, or a signal came while waiting for stdin. */
bool cli_paths_read(cli_paths *paths, const char *name, bool ended_by_nul);

void cli_paths_free(cli_paths *paths);

/* Reads all of the descriptor `fd` into fresh memory with a NUL behind it; more than `bytes_max`
 * is an error. NULL: said on stderr as a failure of `name`, or a signal came. Free it. */
char *cli_read_all(int fd, const char *name, size_t bytes_max, size_t *out_bytes);

/* The absolute path under which the database knows the file: its folder's symbolic links
 * resolved, its own last name kept. Also for a file, or folder, that is gone. NULL: out of memory.
 * Free it. */
char *cli_path_absolute(const char *path);

#endif
