/* extract_memory.c: memory of a process that extracts one picture after another: does it stay flat?
 *
 * `extract_memory FOLDER [--model SPEC] [--threads N] [--pictures N] [--json]` extracts the pictures of
 * FOLDER over and over, from the files, and reports the process's resident memory after 1,000, 10,000,
 * 100,000 ... of them, up to --pictures (default 10,000), and how much it grew since the first.
 */
#include "common.h"

#include <dirent.h>
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 4096, GROUP = 100 };

static char *files[FILES_MAX];
static uint32_t file_count;

static void list(const char *folder)
{
    DIR *stream = opendir(folder);
    if (!stream)
        bench_die("cannot read %s", folder);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL && file_count < FILES_MAX;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        files[file_count++] = strdup(path);
    }
    closedir(stream);
    if (file_count == 0)
        bench_die("%s holds no files", folder);
}

static double resident_mib(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &resident) != 2)
        bench_die("cannot read /proc/self/statm");
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void report(const char *model, uint64_t count, double mib, double first_mib, int json)
{
    if (json)
        printf("{\"bench\":\"extract_memory\",\"model\":\"%s\",\"pictures\":%llu,"
               "\"resident_mib\":%.1f,\"grown_mib\":%.1f}\n",
               model, (unsigned long long)count, mib, mib - first_mib);
    else
        printf("%10llu pictures %10.1f MiB %+10.1f MiB\n", (unsigned long long)count, mib,
               mib - first_mib);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char *const valued[] = {"--model", "--threads", "--pictures", NULL};
    const char *folder = bench_argument(argc, argv, valued);
    const char *model = bench_option(argc, argv, "--model", "classic");
    uint64_t most = strtoull(bench_option(argc, argv, "--pictures", "10000"), NULL, 10);
    int json = bench_flag(argc, argv, "--json");
    if (!folder || most < GROUP)
        bench_die("usage: %s FOLDER [--model SPEC] [--threads N] [--pictures N] [--json]", argv[0]);
    list(folder);
    imgret_extractor_options options = {
        .size = sizeof options,
        .threads = (uint32_t)atoi(bench_option(argc, argv, "--threads", "0"))};
    imgret_extractor_info info = {.size = sizeof info};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor *extractor;
    if (imgret_extractor_open(&extractor, model, &options, &error) ||
        imgret_extractor_get_info(extractor, &info, &error))
        bench_die("%s", error.message);
    float *rows = malloc(sizeof *rows * GROUP * info.dimension);
    if (!rows)
        bench_die("no memory");
    double first_mib = 0;
    uint64_t next = 1000;
    for (uint64_t count = 0; count < most; count += GROUP) {
        imgret_input inputs[GROUP];
        int32_t statuses[GROUP];
        for (uint32_t i = 0; i < GROUP; i++)
            inputs[i] = (imgret_input){.size = sizeof *inputs,
                                       .kind = IMGRET_INPUT_FILE,
                                       .path = files[(count + i) % file_count]};
        if (imgret_extract(extractor, inputs, GROUP, rows, (uint64_t)GROUP * info.dimension,
                           statuses, &error))
            bench_die("%s", error.message);
        if (count + GROUP == next || count + GROUP >= most) {
            first_mib = first_mib > 0 ? first_mib : resident_mib();
            report(model, count + GROUP, resident_mib(), first_mib, json);
            next *= 10;
        }
    }
    free(rows);
    imgret_extractor_close(extractor);
    return 0;
}
