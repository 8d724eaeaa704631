/* truth.c: classes of pictures from a file, from folders, or from the labels in the database. */
#include "truth.h"

#include "message.h"
#include "paths.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 1000, CLASSES_MAX = 100000 };

#define FILE_BYTES_MAX ((size_t)1 << 30)

/* A line of the file, by absolute path. */
typedef struct {
    char *path;
    const char *label;
} line;

typedef struct {
    char *text;
    line *lines; /* by path */
    size_t count, room;
} lines;

static bool out_of_memory(void)
{
    cli_error("out of memory");
    return false;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(((const line *)a)->path, ((const line *)b)->path);
}

static bool add_line(lines *list, const char *folder, const char *path, const char *label)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 1024;
        line *more = realloc(list->lines, room * sizeof *more);
        if (!more)
            return out_of_memory();
        list->lines = more;
        list->room = room;
    }
    char *joined = NULL;
    if (path[0] != '/') {
        size_t bytes = strlen(folder) + strlen(path) + 2;
        joined = malloc(bytes);
        if (!joined)
            return out_of_memory();
        snprintf(joined, bytes, "%s/%s", folder, path);
    }
    char *absolute = cli_path_absolute(joined ? joined : path);
    free(joined);
    if (!absolute)
        return out_of_memory();
    list->lines[list->count++] = (line){absolute, label};
    return true;
}

static bool split_lines(lines *list, const char *name)
{
    char *folder = strdup(name), *slash = folder ? strrchr(folder, '/') : NULL;
    bool good = folder != NULL || out_of_memory();
    if (slash)
        *slash = '\0';
    uint64_t number = 1;
    for (char *at = list->text; good && *at; number++) {
        size_t bytes = strcspn(at, "\n");
        char *next = at + bytes + (at[bytes] == '\n'), *tab;
        at[bytes] = '\0';
        if (bytes && at[bytes - 1] == '\r')
            at[bytes - 1] = '\0';
        tab = strchr(at, '\t');
        if (at[0] && (!tab || !tab[1] || tab[1] == '\t' || tab == at)) {
            cli_error("%s: line %llu is no path, tab and label", name, (unsigned long long)number);
            good = false;
        } else if (at[0]) {
            *tab = '\0';
            tab[1 + strcspn(tab + 1, "\t")] = '\0'; /* further columns are not ours */
            if (number > 1 || strcmp(at, "path") != 0)
                good = add_line(list, slash ? folder : ".", at, tab + 1);
        }
        at = next;
    }
    free(folder);
    if (list->count > 1)
        qsort(list->lines, list->count, sizeof *list->lines, compare_lines);
    return good;
}

static bool read_lines(lines *list, const char *name)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        cli_error("%s: %s", name, strerror(errno));
        return false;
    }
    size_t bytes;
    list->text = cli_read_all(file, name, FILE_BYTES_MAX, &bytes);
    close(file);
    if (list->text && strlen(list->text) != bytes) {
        cli_error("%s: there is a NUL in it", name);
        return false;
    }
    return list->text && split_lines(list, name);
}

static void free_lines(lines *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->lines[i].path);
    free(list->lines);
    free(list->text);
}

/* Where a class stands in the table, or would: its number plus one, 0 when it is new. FNV-1a. */
static uint32_t *class_place(const cli_truth *truth, const char *label, size_t bytes)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)label[i]) * 1099511628211u;
    uint32_t mask = 2 * truth->class_room - 1, at = (uint32_t)(hash >> 20) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t number = truth->class_table[at];
        const char *name = number ? truth->classes[number - 1] : NULL;
        if (!name || (strlen(name) == bytes && !memcmp(name, label, bytes)))
            return &truth->class_table[at];
    }
}

/* Makes room for another class. The table of hashes is at least twice as large as there are classes. */
static bool grow_classes(cli_truth *truth)
{
    uint32_t room = truth->class_room ? 2 * truth->class_room : 64;
    char **names = realloc(truth->classes, room * sizeof *names);
    if (names)
        truth->classes = names;
    uint32_t *sizes = realloc(truth->class_sizes, room * sizeof *sizes);
    if (sizes)
        truth->class_sizes = sizes;
    uint32_t *table = calloc(2 * (size_t)room, sizeof *table);
    if (!names || !sizes || !table) {
        free(table);
        return out_of_memory();
    }
    free(truth->class_table);
    truth->class_table = table;
    truth->class_room = room;
    for (uint32_t i = 0; i < truth->class_count; i++)
        *class_place(truth, names[i], strlen(names[i])) = i + 1;
    return true;
}

/* The number of a class, given when it is new; UINT32_MAX: said on stderr. */
static uint32_t class_of(cli_truth *truth, const char *label, size_t bytes)
{
    if (truth->class_count == truth->class_room && !grow_classes(truth))
        return UINT32_MAX;
    uint32_t *place = class_place(truth, label, bytes);
    if (*place)
        return *place - 1;
    if (truth->class_count >= CLASSES_MAX) {
        cli_error("more than %d classes", CLASSES_MAX);
        return UINT32_MAX;
    }
    char *name = strndup(label, bytes);
    if (!name)
        return out_of_memory() ? 0 : UINT32_MAX;
    truth->classes[truth->class_count] = name;
    truth->class_sizes[truth->class_count] = 0;
    *place = ++truth->class_count;
    return truth->class_count - 1;
}

static bool add_item(cli_truth *truth, const imgret_record *record, const char *label, size_t bytes)
{
    if (truth->count == truth->room) {
        size_t room = truth->room ? 2 * truth->room : 1024;
        cli_judged *more = realloc(truth->items, room * sizeof *more);
        if (!more)
            return out_of_memory();
        truth->items = more;
        truth->room = room;
    }
    uint32_t class_index = class_of(truth, label, bytes);
    char *uri = class_index == UINT32_MAX ? NULL : strdup(record->uri ? record->uri : "");
    if (!uri)
        return class_index == UINT32_MAX ? false : out_of_memory();
    truth->items[truth->count++] = (cli_judged){record->id, uri, class_index};
    truth->class_sizes[class_index]++;
    return true;
}

/* The label of a picture as the options want it; NULL: none. */
static const char *label_of(const imgret_record *record, const lines *list,
                            const cli_options *options, size_t *bytes)
{
    const char *label = record->label;
    if (options->folders && record->uri) {
        const char *end = strrchr(record->uri, '/');
        label = end;
        while (label && label > record->uri && label[-1] != '/')
            label--;
        *bytes = label ? (size_t)(end - label) : 0;
        return *bytes ? label : NULL;
    }
    if (options->truth) {
        line key = {(char *)(uintptr_t)record->uri, NULL};
        const line *found = record->uri && list->count
                                ? bsearch(&key, list->lines, list->count, sizeof key, compare_lines)
                                : NULL;
        label = found ? found->label : NULL;
    }
    *bytes = label ? strlen(label) : 0;
    return label;
}

bool cli_truth_read(cli_truth *truth, imgret *db, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_list_options page = {.size = sizeof page, .state = IMGRET_STATE_STORED, .limit = PAGE};
    lines list = {0};
    bool good = !options->truth || read_lines(&list, options->truth), more = good;
    while (good && more) {
        imgret_records *records;
        if (imgret_list(&records, db, &page, &error) != IMGRET_OK) {
            cli_session_fail(&error);
            good = false;
            break;
        }
        uint64_t count = imgret_records_count(records);
        more = count == PAGE;
        for (uint64_t i = 0; i < count && good; i++) {
            const imgret_record *record = imgret_records_at(records, i);
            size_t bytes = 0;
            const char *label = label_of(record, &list, options, &bytes);
            page.after_id = record->id;
            good = !label || add_item(truth, record, label, bytes);
        }
        imgret_records_free(records);
    }
    free_lines(&list);
    return good;
}

void cli_truth_free(cli_truth *truth)
{
    for (size_t i = 0; i < truth->count; i++)
        free(truth->items[i].uri);
    for (uint32_t i = 0; i < truth->class_count; i++)
        free(truth->classes[i]);
    free(truth->items);
    free(truth->classes);
    free(truth->class_sizes);
    free(truth->class_table);
    *truth = (cli_truth){0};
}

const cli_judged *cli_truth_find(const cli_truth *truth, int64_t id)
{
    size_t low = 0, high = truth->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (truth->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < truth->count && truth->items[low].id == id ? &truth->items[low] : NULL;
}
