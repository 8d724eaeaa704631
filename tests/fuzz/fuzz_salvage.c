/* fuzz_salvage.c: a damaged catalogue, salvaged; libFuzzer's entry point.
 *
 * The first byte chooses: even, the rest is catalog.db; odd, the rest is a list of changes (page u16, offset
 * u16, length u16, value u16) to a sound one. What a salvage makes must open, and its check find nothing.
 */
#include <ftw.h>
#include <imgret/imgret.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 8192, IMAGES = 60, DIMENSION = 8, FILE_BYTES_MAX = 4 << 20 };

static uint8_t *valid;
static size_t valid_bytes;
static char folder[64], file_path[96];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static imgret *open_it(uint32_t flags)
{
    const imgret_open_options options = {
        .size = sizeof options, .flags = flags, .model = "vectors:8", .threads = 1};
    imgret *db = NULL;
    return imgret_open(&db, folder, &options, NULL) == IMGRET_OK ? db : NULL;
}

static void make_valid(void)
{
    char text[64], metadata[64];
    snprintf(folder, sizeof folder, "%s/imgret-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(file_path, sizeof file_path, "%s/catalog.db", folder);
    imgret *db = open_it(0);
    if (!db || imgret_begin(db, NULL) != IMGRET_OK)
        abort();
    for (uint32_t i = 0; i < IMAGES; i++) {
        float vector[DIMENSION] = {(float)i, 1};
        snprintf(text, sizeof text, "/a/picture/of/some/name/%u.jpeg", i);
        snprintf(metadata, sizeof metadata, "{\"number\":%u,\"text\":\"%0*d\"}", i, (int)i % 30 + 1,
                 0);
        const imgret_input input = {.size = sizeof input,
                                    .kind = IMGRET_INPUT_VECTOR,
                                    .vector = vector,
                                    .dimension = DIMENSION};
        const imgret_add_options options = {
            .size = sizeof options, .uri = text, .metadata = metadata};
        if (imgret_add(db, &input, &options, NULL, NULL) != IMGRET_OK)
            abort();
    }
    if (imgret_commit(db, NULL) != IMGRET_OK)
        abort();
    imgret_close(db);
    FILE *made = fopen(file_path, "rb");
    valid = malloc(FILE_BYTES_MAX);
    if (!made || !valid)
        abort();
    valid_bytes = fread(valid, 1, FILE_BYTES_MAX, made);
    fclose(made);
    remove_folder();
}

static int32_t count_problem(void *user, const char *message)
{
    (void)message;
    ++*(uint32_t *)user;
    return 0;
}

static void salvage_it(void)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_salvage_report report = {.size = sizeof report};
    int32_t status = imgret_salvage(folder, NULL, &report, &error);
    if (status) {
        if (error.code != status || !error.message[0])
            abort(); /* a failure says why */
        return;
    }
    uint32_t problems = 0;
    imgret *db = open_it(IMGRET_OPEN_EXISTING);
    if (!db && report.salvaged)
        abort();
    if (db &&
        (imgret_check(db, count_problem, &problems, NULL, NULL) != IMGRET_OK || problems > 0) &&
        report.salvaged)
        abort();
    imgret_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t changed[FILE_BYTES_MAX];
    if (!valid)
        make_valid();
    if (size < 1 || size > FILE_BYTES_MAX)
        return 0;
    const uint8_t *bytes = data + 1;
    size_t count = size - 1;
    if (data[0] % 2 == 1) {
        memcpy(changed, valid, valid_bytes);
        for (; count >= 8; bytes += 8, count -= 8) {
            uint16_t change[4];
            memcpy(change, bytes, sizeof change);
            size_t at = (size_t)change[0] % (valid_bytes / PAGE) * PAGE + change[1] % PAGE;
            size_t length = change[2] % PAGE + 1u;
            for (size_t i = 0; i < length && at + i < valid_bytes; i++)
                changed[at + i] = (uint8_t)(i % 2 ? change[3] >> 8 : change[3]);
        }
        bytes = changed;
        count = valid_bytes;
    }
    if (mkdir(folder, 0700) != 0)
        abort();
    FILE *file = fopen(file_path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        abort();
    salvage_it();
    remove_folder();
    return 0;
}
