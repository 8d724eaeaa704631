/* paths.c: reading lists of paths, and making a path absolute. */
#include "paths.h"

#include "message.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_paths_add(cli_paths *paths, const char *path)
{
    if (paths->count == paths->capacity) {
        size_t capacity = paths->capacity ? paths->capacity * 2 : 64;
        const char **items = reallocarray(paths->items, capacity, sizeof *items);
        if (!items) {
            cli_error("out of memory");
            return false;
        }
        paths->items = items;
        paths->capacity = capacity;
    }
    paths->items[paths->count++] = path;
    return true;
}

void cli_paths_free(cli_paths *paths)
{
    free(paths->items);
    free(paths->text);
    *paths = (cli_paths){0};
}

/* Like read, but a signal ends the wait: poll is never restarted. -1 with EINTR then. */
static ssize_t read_part(int fd, char *out, size_t bytes)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (cli_session_is_interrupted()) {
        errno = EINTR;
        return -1;
    }
    if (poll(&wait, 1, -1) < 0)
        return -1;
    return read(fd, out, bytes);
}

char *cli_read_all(int fd, const char *name, size_t bytes_max, size_t *out_bytes)
{
    char *text = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        if (capacity - used < 2) {
            capacity = capacity ? capacity * 2 : 65536;
            char *larger = realloc(text, capacity);
            if (!larger) {
                cli_error("%s: out of memory", name);
                break;
            }
            text = larger;
        }
        ssize_t got = read_part(fd, text + used, capacity - used - 1);
        if (got == 0) {
            text[used] = '\0';
            *out_bytes = used;
            return text;
        }
        if (got < 0) {
            if (errno != EINTR)
                cli_error("%s: %s", name, strerror(errno));
            break;
        }
        used += (size_t)got;
        if (used > bytes_max) {
            cli_error("%s: more than %zu bytes", name, bytes_max);
            break;
        }
    }
    free(text);
    return NULL;
}

#define LIST_BYTES_MAX ((size_t)1 << 32)

bool cli_paths_read(cli_paths *paths, const char *name, bool ended_by_nul)
{
    bool is_stdin = !strcmp(name, "-");
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_error("%s: %s", name, strerror(errno));
        return false;
    }
    size_t bytes = 0;
    paths->text = cli_read_all(fd, is_stdin ? "stdin" : name, LIST_BYTES_MAX, &bytes);
    if (!is_stdin)
        close(fd);
    if (!paths->text)
        return false;
    char end = ended_by_nul ? '\0' : '\n';
    char *at = paths->text, *behind = paths->text + bytes;
    while (at < behind) {
        char *stop = memchr(at, end, (size_t)(behind - at));
        if (!stop)
            stop = behind;
        *stop = '\0';
        if (*at && !cli_paths_add(paths, at))
            return false;
        at = stop + 1;
    }
    return true;
}

/* `path` with the working folder before it, without empty, "." and ".." parts; links stay. */
static char *absolute_by_text(const char *path)
{
    char *folder = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    char *joined = NULL;
    if (!folder || asprintf(&joined, "%s/%s", folder, path) < 0)
        joined = NULL;
    free(folder);
    if (!joined)
        return NULL;
    char *to = joined;
    for (const char *from = joined; *from;) {
        from += strspn(from, "/");
        size_t bytes = strcspn(from, "/");
        if (bytes == 2 && from[0] == '.' && from[1] == '.') {
            while (to > joined && *--to != '/')
                ;
        } else if (bytes && !(bytes == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, bytes);
            to += bytes;
        }
        from += bytes;
    }
    if (to == joined)
        *to++ = '/';
    *to = '\0';
    return joined;
}

char *cli_path_absolute(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    bool names_folder = !name[0] || !strcmp(name, ".") || !strcmp(name, "..");
    char *folder = NULL, *joined = NULL;
    if (names_folder)
        folder = realpath(path, NULL);
    else if (!slash)
        folder = realpath(".", NULL);
    else {
        char *head = strndup(path, (size_t)(slash - path) + 1);
        folder = head ? realpath(head, NULL) : NULL;
        free(head);
    }
    if (!folder)
        return absolute_by_text(path);
    if (names_folder)
        return folder;
    if (asprintf(&joined, "%s/%s", strcmp(folder, "/") ? folder : "", name) < 0)
        joined = NULL;
    free(folder);
    return joined;
}
