/* watch.c: waits until something changes in folders (inotify), or a minute is over. */
#include "watch.h"

#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_MS = 250, /* how long a signal may go unnoticed */
    QUIET_STEPS = 2,
    BUSY_STEPS = 40,
    MINUTE_STEPS = 240,
    DEPTH_MAX = 128
};

struct cli_watch {
    int file;
};

cli_watch *cli_watch_open(void)
{
    cli_watch *watch = malloc(sizeof *watch);
    if (!watch)
        return NULL;
    watch->file = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->file >= 0)
        return watch;
    free(watch);
    return NULL;
}

void cli_watch_close(cli_watch *watch)
{
    if (watch)
        close(watch->file);
    free(watch);
}

static bool add(cli_watch *watch, const char *path, bool recurse, int depth)
{
    const uint32_t what = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                          IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
    if (inotify_add_watch(watch->file, path, what) < 0)
        return errno == ENOENT || errno == ENOTDIR; /* gone meanwhile: its folder told */
    DIR *stream = recurse && depth < DEPTH_MAX ? opendir(path) : NULL;
    bool good = depth < DEPTH_MAX;
    for (struct dirent *item;
         stream && (item = readdir(stream)) && !cli_session_is_interrupted();) {
        struct stat info;
        if (item->d_name[0] == '.' ||
            fstatat(dirfd(stream), item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(info.st_mode))
            continue;
        size_t bytes = strlen(path) + strlen(item->d_name) + 2;
        char *below = malloc(bytes);
        if (below)
            snprintf(below, bytes, "%s/%s", path, item->d_name);
        good = below && add(watch, below, recurse, depth + 1) && good;
        free(below);
    }
    if (stream)
        closedir(stream);
    return good;
}

bool cli_watch_folders(cli_watch *watch, const char *const *paths, size_t count, bool recurse)
{
    bool good = watch != NULL;
    for (size_t i = 0; watch && i < count; i++)
        good &= add(watch, paths[i], recurse, 0);
    return good;
}

/* Takes what has been told, of which only that it was counts; false: nothing. */
static bool drain(cli_watch *watch)
{
    char events[16384];
    bool any = false;
    while (read(watch->file, events, sizeof events) > 0)
        any = true;
    return any;
}

bool cli_watch_wait(cli_watch *watch)
{
    int quiet = 0, busy = 0;
    bool changed = false;
    for (int step = 0; step < MINUTE_STEPS || changed; step++) {
        if (cli_session_is_interrupted())
            return false;
        struct pollfd wanted = {.fd = watch ? watch->file : -1, .events = POLLIN};
        poll(&wanted, 1, STEP_MS);
        bool now = watch && drain(watch);
        changed |= now;
        quiet = now ? 0 : quiet + 1;
        busy += changed;
        if (changed && now) /* a burst of events: do not spin on them */
            poll(NULL, 0, STEP_MS);
        if (changed && (quiet >= QUIET_STEPS || busy >= BUSY_STEPS))
            break;
    }
    return !cli_session_is_interrupted();
}
