/* test_exhausted.c: the disk is full, or no memory is left, for real: what was acknowledged is safe, the handle is usable.
 *
 * A disk is a tmpfs of few megabytes in a mount namespace of the test's own, or, where that is not allowed, a limit of file
 * sizes; memory is a limit of the address space. Each runs in a child, whose exit status tells. That every single
 * operation and allocation may fail is test_faults'.
 */
#include "vectors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { SKIPPED = 77, METADATA_BYTES = 2000, DISK_MIB = 16, ROOM_MIB = 96, ADDS_MAX = 20000 };

/* In a child, where cmocka's assertions must not be. */
#define need(condition)                                                \
    do {                                                               \
        if (!(condition)) {                                            \
            printf("# line %d: %s is not so\n", __LINE__, #condition); \
            fflush(NULL);                                              \
            _exit(1);                                                  \
        }                                                              \
    } while (0)

static int in_child(int (*work)(const char *folder), const char *folder)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_threads = 1;
        _exit(work(folder));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        fail_msg("the child was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* ---- a database whose image i + 1 is of seed i ---- */

static int32_t add_one(imgret *db, uint32_t seed, imgret_error *error)
{
    static char metadata[METADATA_BYTES];
    char uri[32];
    float vector[DIMENSION];
    memset(metadata, ' ', sizeof metadata - 1);
    memcpy(metadata, "{}", 2);
    snprintf(uri, sizeof uri, "k%u", seed);
    imgret_input input = vector_input(vector, seed);
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    return imgret_add(db, &input, &options, NULL, error);
}

/* Adds until it fails; how many there are now. */
static uint32_t add_until_full(imgret *db, uint32_t first)
{
    for (uint32_t i = first; i < first + ADDS_MAX; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = add_one(db, i, &error);
        if (status) {
            need(status == IMGRET_FULL);
            need(error.message[0] != '\0');
            return i;
        }
    }
    return 0;
}

static void need_all(imgret *db, uint32_t count)
{
    need(count_images(db) == count);
    for (uint32_t seed = 0; seed < count; seed += 1 + count / 50)
        need(find_seed(db, seed) == seed + 1);
}

/* Whether a name that contains `part` is in the folder. */
static bool has_name(const char *folder, const char *part)
{
    bool found = false;
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL)
        found = found || strstr(entry->d_name, part);
    if (stream)
        closedir(stream);
    return found;
}

static int32_t optimize(imgret *db, imgret_error *error)
{
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    return imgret_optimize(db, &options, error);
}

/* ---- a full disk ---- */

/* A transaction that finds no room is not there at all. */
static void need_whole_transactions(imgret *db, uint32_t count)
{
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_begin(db, &error);
    for (uint32_t i = 0; i < 3000 && !status; i++)
        status = add_one(db, count + i, &error);
    if (!status)
        status = imgret_commit(db, &error);
    else
        imgret_rollback(db, NULL);
    need(status == IMGRET_FULL);
    need(count_images(db) == count);
}

static void need_clean_failures(imgret *db, const char *folder, bool copies_fail)
{
    char to[400], segments[400];
    imgret_error error = IMGRET_ERROR_INIT;
    need(optimize(db, &error) == IMGRET_FULL);
    need(strstr(error.message, "segments/") || strstr(error.message, "catalog.db"));
    snprintf(segments, sizeof segments, "%s/db.imgret/segments", folder);
    need(!has_name(segments, ".tmp"));
    snprintf(to, sizeof to, "%s/copy", folder);
    if (copies_fail) {
        need(imgret_backup(db, to, NULL, &error) == IMGRET_FULL);
        need(imgret_export(db, to, NULL, &error) == IMGRET_FULL);
        need(!has_name(folder, "copy"));
    }
}

static int live_on_full_disk(const char *folder, void (*make_room)(const char *folder),
                             bool copies_fail)
{
    char path[400], to[400];
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    snprintf(to, sizeof to, "%s/copy", folder);
    imgret *db = open_vectors(path, 0, 0);
    need(db);
    for (uint32_t i = 0; i < 100; i++)
        need(add_one(db, i, NULL) == IMGRET_OK);
    need(optimize(db, &error) == IMGRET_OK); /* some are in a segment */
    uint32_t count = add_until_full(db, 100);
    need(count > 200);
    need(add_until_full(db, count) == count); /* still full, and clear about it */
    need_all(db, count);
    need_whole_transactions(db, count);
    need_clean_failures(db, folder, copies_fail);
    need_all(db, count);
    make_room(folder);
    for (uint32_t i = count; i < count + 10; i++)
        need(add_one(db, i, NULL) == IMGRET_OK);
    need(optimize(db, &error) == IMGRET_OK);
    need(imgret_backup(db, to, NULL, &error) == IMGRET_OK);
    need_all(db, count + 10);
    need(count_problems(db) == 0);
    imgret_close(db);
    db = open_vectors(path, IMGRET_OPEN_EXISTING, 0);
    need(db);
    need_all(db, count + 10);
    need(count_problems(db) == 0);
    imgret_close(db);
    printf("# %u images on a full disk\n", count);
    fflush(NULL);
    return 0;
}

static bool write_once(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* A mount namespace of its own: root may, others in a user namespace, if the kernel lets them. */
static bool leave_mounts(void)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (!write_once("/proc/self/uid_map", map) || !write_once("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof map, "0 %u 1", gid);
    return write_once("/proc/self/gid_map", map);
}

static void enlarge_disk(const char *folder)
{
    char size[32];
    snprintf(size, sizeof size, "size=%dm", ROOM_MIB);
    need(mount("none", folder, "tmpfs", MS_REMOUNT, size) == 0);
}

static int fill_disk(const char *folder)
{
    char size[32];
    snprintf(size, sizeof size, "size=%dm", DISK_MIB);
    if (!leave_mounts() || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, size) != 0)
        return SKIPPED;
    return live_on_full_disk(folder, enlarge_disk, true);
}

static void a_full_disk_loses_nothing(void **state)
{
    char folder[256];
    (void)state;
    make_folder(folder, "full");
    int status = in_child(fill_disk, folder);
    remove_folder(folder);
    if (status == SKIPPED)
        skip_because("a small disk cannot be mounted here");
    assert_int_equal(status, 0);
}

static void lift_limit(const char *folder)
{
    struct rlimit limit;
    (void)folder;
    need(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The limit is each file's: only the catalogue grows to it, so the segment and the copies have room. */
static int fill_file(const char *folder)
{
    char path[400];
    struct rlimit limit;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    signal(SIGXFSZ, SIG_IGN);
    need(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = DISK_MIB << 20;
    need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    imgret *db = open_vectors(path, 0, 0);
    need(db);
    uint32_t count = add_until_full(db, 0);
    need(count > 100);
    need(add_until_full(db, count) == count);
    need_all(db, count);
    need_whole_transactions(db, count);
    lift_limit(folder);
    for (uint32_t i = count; i < count + 10; i++)
        need(add_one(db, i, NULL) == IMGRET_OK);
    need(optimize(db, &error) == IMGRET_OK);
    need_all(db, count + 10);
    need(count_problems(db) == 0);
    imgret_close(db);
    return 0;
}

static void a_limit_of_file_sizes_loses_nothing(void **state)
{
    char folder[256];
    (void)state;
    make_folder(folder, "limited");
    int status = in_child(fill_file, folder);
    remove_folder(folder);
    assert_int_equal(status, 0);
}

/* ---- no memory ---- */

static uint64_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    need(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(uint64_t bytes)
{
    struct rlimit limit;
    need(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? (rlim_t)bytes : limit.rlim_max;
    need(setrlimit(RLIMIT_AS, &limit) == 0);
}

static bool is_expected(int32_t status)
{
    return status == IMGRET_OK || status == IMGRET_NO_MEMORY;
}

/* With a few further KiB each time, from none on: something fails, somewhere else each time. */
static int use_up_memory(const char *folder)
{
    char path[400], to[400];
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    snprintf(to, sizeof to, "%s/copy", folder);
    imgret *db = open_vectors(path, 0, 0);
    need(db);
    uint32_t count = 0, refused = 0;
    for (; count < 300; count++)
        need(add_one(db, count, NULL) == IMGRET_OK);
    need(optimize(db, &error) == IMGRET_OK);
    for (uint64_t room = 0; room < 4 << 20; room += 192 << 10) {
        limit_memory(address_space_bytes() + room);
        int32_t optimized = optimize(db, &error);
        int32_t copied = imgret_backup(db, to, NULL, &error);
        imgret_results *results = NULL;
        int32_t asked = try_query(&results, db, 1, 10, &error);
        imgret_results_free(results);
        int32_t added = add_one(db, count, &error);
        limit_memory(UINT64_MAX);
        need(is_expected(optimized) && is_expected(copied) && is_expected(asked) &&
             is_expected(added));
        refused += optimized || copied || asked || added;
        need(copied || has_name(folder, "copy"));
        remove_folder(to);
        count += added == IMGRET_OK;
        need(add_one(db, count++, NULL) == IMGRET_OK); /* the handle is usable */
        need(count_images(db) == count);
    }
    need_all(db, count);
    need(optimize(db, &error) == IMGRET_OK);
    need(count_problems(db) == 0);
    imgret_close(db);
    db = open_vectors(path, IMGRET_OPEN_EXISTING, 0);
    need(db);
    need_all(db, count);
    imgret_close(db);
    printf("# memory ran out in %u rounds\n", refused);
    fflush(NULL);
    return refused > 0 ? 0 : 2;
}

static void without_memory_nothing_is_lost(void **state)
{
    char folder[256];
    (void)state;
    if (SANITIZED(0, 1))
        skip_because("a sanitizer takes address space by itself");
    make_folder(folder, "memory");
    int status = in_child(use_up_memory, folder);
    remove_folder(folder);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_limit_of_file_sizes_loses_nothing),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("exhausted", tests, NULL, NULL);
}
