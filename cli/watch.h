/* watch.h: waits until something changes in folders (inotify), or a minute is over. */
#ifndef IMGRET_CLI_WATCH_H
#define IMGRET_CLI_WATCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_watch cli_watch;

/* NULL where the system cannot watch; the others allow that. */
cli_watch *cli_watch_open(void);
void cli_watch_close(cli_watch *watch);

/* Watches folders and, with `recurse`, those below them; again after each change, since folders come and
 * go. False when some cannot be watched: too many, or no inotify. */
bool cli_watch_folders(cli_watch *watch, const char *const *paths, size_t count, bool recurse);

/* Returns true after a change, once half a second passed without another one (or ten in all), or
 * after a minute; false when a signal came. Which files changed is not told, so a lost event loses nothing. */
bool cli_watch_wait(cli_watch *watch);

#endif
