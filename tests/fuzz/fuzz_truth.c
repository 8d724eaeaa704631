/* fuzz_truth.c: fuzz target: any bytes as a file of classes are read, or refused with a line on stderr.
 *
 * What is read must be of the database, each picture with a class that there is.
 */
#include "message.h"
#include "session.h"
#include "truth.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 6, DIMENSION = 4 };

static char folder[64], file_path[96];
static imgret *db;
static unsigned said; /* errors, in place of the command's own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

void cli_error(const char *format, ...)
{
    said += format[0] != '\0';
}

int cli_session_fail(const imgret_error *error)
{
    said += error->code != 0;
    return 2;
}

bool cli_session_is_interrupted(void)
{
    return false;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void clean_up(void)
{
    imgret_close(db);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_database(void)
{
    char path[96];
    static const char *const uris[COUNT] = {"/a", "/b/c", "/b/d e", "/b/\xC3\xA4", "/path", NULL};
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.32s/imgret-fuzz-XXXXXX", root && root[0] ? root : "/tmp");
    imgret_open_options options = {.size = sizeof options, .model = "vectors:4", .threads = 1};
    if (!mkdtemp(folder))
        abort();
    atexit(clean_up);
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    snprintf(file_path, sizeof file_path, "%s/labels.tsv", folder);
    if (imgret_open(&db, path, &options, NULL) != IMGRET_OK)
        abort();
    for (int i = 0; i < COUNT; i++) {
        const float vector[DIMENSION] = {1, (float)i, (float)(i * i), -1};
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = vector,
                              .dimension = DIMENSION};
        imgret_add_options add = {.size = sizeof add, .uri = uris[i]};
        if (imgret_add(db, &input, &add, NULL, NULL) != IMGRET_OK)
            abort();
    }
}

static void write_file(const uint8_t *data, size_t bytes)
{
    int file = open(file_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, data, bytes) != (ssize_t)bytes)
        abort();
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!db)
        make_database();
    write_file(data, bytes);
    cli_truth truth = {0};
    const cli_options options = {.truth = file_path};
    said = 0;
    bool good = cli_truth_read(&truth, db, &options);
    if (good == (said > 0) || truth.count > COUNT)
        abort();
    for (size_t i = 0; i < truth.count; i++)
        if (truth.items[i].class_index >= truth.class_count || truth.items[i].id < 1 ||
            !truth.classes[truth.items[i].class_index][0] ||
            cli_truth_find(&truth, truth.items[i].id) != &truth.items[i])
            abort();
    cli_truth_free(&truth);
    return 0;
}
