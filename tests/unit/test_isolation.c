/* test_isolation.c: decoding in confined processes: the same pictures, and what a broken one costs. */
#include "decode_pictures.h"
#include "pictures.h"

#include "base/alloc.h"
#include "decode/confine.h"
#include "decode/isolate.h"
#include "decode/worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <imgret/imgret.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- finding its processes ---- */

/* The children of this process that decode; their count. */
static int find_workers(pid_t *out, int capacity)
{
    DIR *folder = opendir("/proc");
    int count = 0;
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char path[300], line[512] = "", name[32] = "", state;
        int parent = 0, pid = atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = pid > 0 ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        if (fgets(line, sizeof line, file) &&
            sscanf(line, "%*d (%31[^)]) %c %d", name, &state, &parent) == 3 && parent == getpid() &&
            strcmp(name, "imgret-decode") == 0 && state != 'Z' && count < capacity)
            out[count++] = pid;
        fclose(file);
    }
    if (folder)
        closedir(folder);
    return count;
}

static pid_t the_worker(void)
{
    pid_t found[8];
    assert_int_equal(find_workers(found, 8), 1);
    return found[0];
}

static ir_isolation *isolate(void)
{
    ir_isolation *made;
    imgret_limits limits;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_decode_limits(&limits, NULL, NULL), IMGRET_OK);
    if (ir_isolation_create(&made, IMGRET_TEST_DECODER, &limits, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return made;
}

/* ---- a picture ---- */

enum { SIDE_PX = 64 };

typedef struct decoding {
    ir_isolation *isolation;
    uint8_t data[64 + 3 * SIDE_PX * SIDE_PX];
    size_t bytes;
    ir_picture picture;
    ir_exif exif;
    int32_t status;
    imgret_error error;
} decoding;

static void fill_ppm(decoding *d, ir_isolation *isolation)
{
    *d = (decoding){.isolation = isolation, .error = IMGRET_ERROR_INIT};
    int head = snprintf((char *)d->data, 64, "P6 %d %d 255\n", SIDE_PX, SIDE_PX);
    draw_stripes(d->data + head, SIDE_PX, 5);
    d->bytes = (size_t)head + 3 * SIDE_PX * SIDE_PX;
}

static void *decode_it(void *context)
{
    decoding *d = context;
    ir_decode_options options = {0};
    ir_decode_limits(&options.limits, NULL, NULL);
    d->status = ir_isolation_decode(d->isolation, d->data, d->bytes, &options, &d->picture,
                                    &d->exif, &d->error);
    return NULL;
}

static void assert_decodes(ir_isolation *isolation)
{
    static decoding d;
    fill_ppm(&d, isolation);
    decode_it(&d);
    if (d.status)
        fail_msg("%s", d.error.message);
    assert_int_equal(d.picture.width, SIDE_PX);
    assert_string_equal(d.picture.format, "pnm");
    assert_memory_equal(d.picture.rgb, d.data + d.bytes - 3 * SIDE_PX * SIDE_PX,
                        3 * SIDE_PX * SIDE_PX);
    ir_picture_free(&d.picture);
}

static void what_is_isolated_is_the_same(void **state)
{
    (void)state;
    ir_isolation *isolation = isolate();
    assert_decodes(isolation);
    assert_decodes(isolation); /* by the same process */
    pid_t worker = the_worker();
    static decoding d;
    fill_ppm(&d, isolation);
    d.bytes /= 2;
    decode_it(&d);
    assert_int_equal(d.status, IMGRET_BAD_IMAGE);
    assert_true(d.error.message[0] != '\0' && !d.picture.rgb);
    assert_int_equal(the_worker(), worker); /* a bad picture is no reason to die */
    memcpy(d.data, "GIF89a", 6);
    decode_it(&d);
    assert_true(d.status < 0 && d.error.message[0] != '\0');
    assert_decodes(isolation);
    ir_isolation_free(isolation);
    assert_int_equal(find_workers(&worker, 1), 0);
    assert_int_equal(ir_alloc_live_count(), 0);
}

/* No decoder needs what the walls forbid, a damaged picture's neither. */
static void every_format_is_decoded_behind_walls(void **state)
{
    (void)state;
    ir_isolation *isolation = isolate();
    pid_t worker = the_worker();
    ir_decode_options options = default_options();
    static file_bytes file;
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        ir_picture apart, here;
        ir_exif exif_apart, exif_here;
        imgret_error error = IMGRET_ERROR_INIT;
        samples[i].make(&file);
        if (i == 0)
            add_exif_to_jpeg(&file, 6);
        assert_int_equal(decode_file(&file, &here, NULL), IMGRET_OK);
        if (ir_isolation_decode(isolation, file.data, file.count, &options, &apart, &exif_apart,
                                &error) != IMGRET_OK)
            fail_msg("%s: %s", samples[i].name, error.message);
        assert_int_equal(apart.width, here.width);
        assert_int_equal(apart.height, here.height);
        assert_int_equal(apart.source_height, here.source_height);
        assert_string_equal(apart.format, here.format);
        assert_memory_equal(apart.rgb, here.rgb, (size_t)3 * here.width * here.height);
        ir_decode_exif(here.format, file.data, file.count, &exif_here);
        assert_int_equal(exif_apart.orientation, exif_here.orientation);
        assert_string_equal(exif_apart.model, exif_here.model);
        assert_true(isnan(exif_apart.latitude) == isnan(exif_here.latitude));
        ir_picture_free(&apart);
        ir_picture_free(&here);
        for (size_t cut = 1; cut < file.count; cut += 1 + file.count / 23) {
            imgret_error other = IMGRET_ERROR_INIT;
            int32_t status = ir_decode(file.data, cut, &options, &here, &other);
            assert_int_equal(
                ir_isolation_decode(isolation, file.data, cut, &options, &apart, NULL, &error),
                status);
            if (status)
                assert_string_equal(error.message, other.message);
            ir_picture_free(&apart);
            ir_picture_free(&here);
        }
    }
    assert_int_equal(the_worker(), worker); /* nothing of this ended it */
    ir_isolation_free(isolation);
}

static void a_death_costs_one_picture(void **state)
{
    (void)state;
    ir_isolation *isolation = isolate();
    static decoding d;
    pthread_t thread;
    fill_ppm(&d, isolation);
    pid_t worker = the_worker();
    assert_int_equal(kill(worker, SIGSTOP), 0); /* so that it dies with the picture in its hands */
    assert_int_equal(pthread_create(&thread, NULL, decode_it, &d), 0);
    usleep(300000);
    assert_int_equal(kill(worker, SIGSEGV), 0);
    assert_int_equal(kill(worker, SIGCONT), 0);
    pthread_join(thread, NULL);
    if (d.status != IMGRET_OK) { /* else it was sent only after the death, to a new process */
        assert_int_equal(d.status, IMGRET_BAD_IMAGE);
        assert_non_null(strstr(d.error.message, "died"));
    }
    ir_picture_free(&d.picture);
    assert_decodes(isolation);
    assert_true(the_worker() != worker);
    assert_int_equal(kill(the_worker(), SIGKILL), 0); /* idle: nobody's picture is lost */
    usleep(100000);
    assert_decodes(isolation);
    ir_isolation_free(isolation);
    assert_int_equal(ir_alloc_live_count(), 0);
}

/* ---- decoders that do not come back ---- */

/* What this program is when it is started as imgret-decode: a decoder that answers the first picture, the
 * one that it is tried with, and computes for ever on the next. */
static int spin_on_the_second(void)
{
    static const uint8_t pixel[3] = "abc";
    ir_worker_request request;
    ir_worker_reply reply = {.width = 1, .height = 1, .source_width = 1, .source_height = 1};
    bool asked = read(IR_WORKER_SOCKET, &request, sizeof request) == (ssize_t)sizeof request;
    bool answered = asked && pwrite(IR_WORKER_OUTPUT, pixel, 3, 0) == 3 &&
                    write(IR_WORKER_SOCKET, &reply, sizeof reply) == (ssize_t)sizeof reply;
    if (!answered || read(IR_WORKER_SOCKET, &request, sizeof request) <= 0)
        return 1;
    for (volatile uint64_t turns = 0;;)
        turns = turns + 1;
}

static void one_that_spins_is_ended(void **state)
{
    (void)state;
    char self[400];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    ir_isolation *isolation;
    imgret_limits limits;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_decode_limits(&limits, NULL, NULL), IMGRET_OK);
    if (ir_isolation_create(&isolation, self, &limits, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    ir_isolation_set_patience(isolation, 1, 0);
    static decoding d;
    fill_ppm(&d, isolation);
    decode_it(&d);
    assert_int_equal(d.status, IMGRET_LIMIT);
    assert_non_null(strstr(d.error.message, "took more than 1 s"));
    assert_null(d.picture.rgb);
    pid_t worker;
    assert_int_equal(find_workers(&worker, 1), 0); /* it is gone */
    ir_isolation_free(isolation);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void one_that_hangs_is_ended(void **state)
{
    (void)state;
    ir_isolation *isolation = isolate();
    ir_isolation_set_patience(isolation, 0, 1);
    pid_t worker = the_worker();
    static decoding d;
    fill_ppm(&d, isolation);
    assert_int_equal(kill(worker, SIGSTOP), 0); /* it takes no processor time */
    decode_it(&d);
    assert_int_equal(d.status, IMGRET_LIMIT);
    assert_non_null(strstr(d.error.message, "no answer within 1 s"));
    assert_decodes(isolation); /* by another one */
    assert_true(the_worker() != worker);
    ir_isolation_free(isolation);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void *decode_many(void *context)
{
    for (int i = 0; i < 20; i++) {
        decode_it(context);
        assert_int_equal(((decoding *)context)->status, IMGRET_OK);
        ir_picture_free(&((decoding *)context)->picture);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    ir_isolation *isolation = isolate();
    static decoding all[4];
    pthread_t threads[4];
    pid_t workers[16];
    for (int i = 0; i < 4; i++) {
        fill_ppm(&all[i], isolation);
        assert_int_equal(pthread_create(&threads[i], NULL, decode_many, &all[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(find_workers(workers, 16) <= 4);
    ir_isolation_free(isolation);
    assert_int_equal(find_workers(workers, 16), 0);
}

/* ---- the walls ---- */

typedef void forbidden(void);

static void compute(void)
{
    char *memory = malloc(8 << 20);
    memset(memory, 1, 8 << 20);
    free(memory);
}
static void open_a_file(void)
{
    (void)open("/etc/passwd", O_RDONLY);
}
static void call_somebody(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}
static void run_a_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
}
static void start_a_process(void)
{
    (void)fork();
}
static void kill_the_parent(void)
{
    (void)kill(getppid(), 0);
}
static void make_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* How a child ends that was confined and then does this: its signal, or 0. */
static int end_of(forbidden *what)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (ir_confine((uint64_t)4 << 30) != 0)
            _exit(9);
        what();
        syscall(SYS_exit_group, 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void only_computing_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(end_of(compute), 0);
    forbidden *const all[] = {open_a_file,     call_somebody,   run_a_program,
                              start_a_process, kill_the_parent, make_code};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_int_equal(end_of(all[i]), SIGSYS);
}

/* ---- a database ---- */

static imgret_record first_record(imgret *db, const char *uri, char failure[256])
{
    imgret_records *records;
    imgret_list_options options = {.size = sizeof options, .uri = uri};
    assert_int_equal(imgret_list(&records, db, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 1);
    imgret_record record = *imgret_records_at(records, 0);
    snprintf(failure, 256, "%s", record.failure ? record.failure : "");
    imgret_records_free(records);
    return record;
}

static void a_database_decodes_apart(void **state)
{
    (void)state;
    char folder[256], path[300], picture[300], broken[300], failure[256];
    make_folder(folder, "isolation");
    snprintf(path, sizeof path, "%s/db", folder);
    snprintf(picture, sizeof picture, "%s/good.ppm", folder);
    snprintf(broken, sizeof broken, "%s/broken.ppm", folder);
    write_stripes(picture, SIDE_PX, 3);
    FILE *file = fopen(broken, "wb");
    assert_non_null(file);
    fputs("P6 64 64 255\nshort", file);
    fclose(file);
    imgret_open_options options = {
        .size = sizeof options, .threads = 2, .decode_isolation = IMGRET_TEST_DECODER};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    const char *paths[] = {picture, broken};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 2};
    assert_int_equal(imgret_ingest(db, &ingest, NULL, &error), IMGRET_OK);
    assert_int_equal(first_record(db, picture, failure).state, IMGRET_STATE_STORED);
    assert_int_equal(first_record(db, broken, failure).state, IMGRET_STATE_FAILED);
    assert_true(failure[0] != '\0');
    float apart[4096], here[4096];
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    assert_int_equal(
        imgret_get_vector(db, first_record(db, picture, failure).id, apart, stats.dimension, NULL),
        IMGRET_OK);
    imgret_close(db);
    pid_t worker;
    assert_int_equal(find_workers(&worker, 1), 0);
    options.decode_isolation = NULL;
    snprintf(path, sizeof path, "%s/db2", folder);
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_ingest(db, &ingest, NULL, &error), IMGRET_OK);
    assert_int_equal(
        imgret_get_vector(db, first_record(db, picture, failure).id, here, stats.dimension, NULL),
        IMGRET_OK);
    assert_memory_equal(apart, here, stats.dimension * sizeof here[0]);
    imgret_close(db);
    options.decode_isolation = "/no/such/program";
    assert_int_equal(imgret_open(&db, path, &options, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "/no/such/program"));
    options.decode_isolation = "/bin/true"; /* no decoder: told at once, not picture by picture */
    assert_int_equal(imgret_open(&db, path, &options, &error), IMGRET_UNSUPPORTED);
    remove_folder(folder);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(int count, char **arguments)
{
    if (count > 0 && strcmp(arguments[0], "imgret-decode") == 0)
        return spin_on_the_second();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("1..0 # SKIP sanitizers need system calls and memory that confined decoding forbids\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_isolated_is_the_same),
        cmocka_unit_test(every_format_is_decoded_behind_walls),
        cmocka_unit_test(a_death_costs_one_picture),
        cmocka_unit_test(one_that_spins_is_ended),
        cmocka_unit_test(one_that_hangs_is_ended),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(only_computing_is_allowed),
        cmocka_unit_test(a_database_decodes_apart),
    };
    return cmocka_run_group_tests_name("isolation", tests, NULL, NULL);
}
