/* isolate.c: decoding in processes of its own, confined: starting them, asking them, outliving them.
 *
 * The picture and its pixels travel in memory files that are read and written, never mapped: a process
 * that was taken over may cut its file short, which would kill who maps it. A reply is checked as any
 * hostile input is.
 */
#include "decode/isolate.h"

#include "base/alloc.h"
#include "base/error.h"
#include "decode/codec.h"
#include "decode/worker.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CPU_SECONDS_MAX = 60, WALL_SECONDS_MAX = 600, LOOK_MS = 250 };

/* How a wait for a reply ends. */
typedef enum outcome { ENDED, ANSWERED, TOO_MUCH_CPU, TOO_LONG } outcome;

/* Of the program itself, and a pixel as the most wasteful decoder holds it: 16-bit RGBA beside RGB. */
static const uint64_t base_bytes = (uint64_t)256 << 20;
enum { PIXEL_BYTES_MAX = 11 };

typedef struct worker {
    struct worker *next;
    pid_t pid;
    int socket, input, output;
} worker;

struct ir_isolation {
    char *helper;
    uint64_t address_bytes_max;
    uint32_t cpu_s_max, wall_s_max;
    pthread_mutex_t lock;
    worker *idle;
};

/* ---- the program's place ---- */

static int32_t find_helper(const char *wanted, char **out, imgret_error *error)
{
    static const char anchor;
    static const char *const places[] = {"imgret-decode", "imgret/imgret-decode",
                                         "lib/imgret/imgret-decode"};
    Dl_info info;
    if (strcmp(wanted, "auto") != 0) {
        *out = ir_strdup(wanted);
        if (!*out)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
        if (access(wanted, X_OK) != 0)
            return ir_fail_errno(error, errno, "run", wanted);
        return IMGRET_OK;
    }
    if (!dladdr(&anchor, &info) || !info.dli_fname || !strchr(info.dli_fname, '/'))
        return ir_fail(error, IMGRET_NOT_FOUND, "imgret-decode: the library's place is not known");
    int length = (int)(strrchr(info.dli_fname, '/') - info.dli_fname);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *path = ir_asprintf("%.*s/%s", length, info.dli_fname, places[i]);
        if (!path)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
        if (access(path, X_OK) == 0) {
            *out = path;
            return IMGRET_OK;
        }
        ir_free(path);
    }
    return ir_fail(error, IMGRET_NOT_FOUND,
                   "imgret-decode is neither in %.*s nor in its folders imgret/ and lib/imgret/",
                   length, info.dli_fname);
}

/* ---- a process's life ---- */

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Ends it and says how it ended: a signal's number, or 0. */
static int end_worker(worker *w)
{
    int ended = 0, how = 0;
    close_if_open(w->socket);
    close_if_open(w->input);
    close_if_open(w->output);
    if (w->pid > 0) {
        pid_t reaped = waitpid(w->pid, &ended, WNOHANG);
        if (reaped == 0) { /* it lives; never kill a number that somebody else reaped */
            kill(w->pid, SIGKILL);
            while (waitpid(w->pid, &ended, 0) < 0 && errno == EINTR)
                continue;
        } else if (reaped == w->pid && WIFSIGNALED(ended)) {
            how = WTERMSIG(ended);
        }
    }
    ir_free(w);
    return how;
}

/* Above the numbers that the program finds them under. */
static int out_of_the_way(int fd)
{
    int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 16);
    close_if_open(fd);
    return moved;
}

static int spawn(const ir_isolation *isolation, worker *w, int other_end)
{
    char most[24];
    char *arguments[] = {"imgret-decode", most, NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    snprintf(most, sizeof most, "%llu", (unsigned long long)isolation->address_bytes_max);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&files, other_end, IR_WORKER_SOCKET);
    posix_spawn_file_actions_adddup2(&files, w->input, IR_WORKER_INPUT);
    posix_spawn_file_actions_adddup2(&files, w->output, IR_WORKER_OUTPUT);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0); /* a terminal's Ctrl-C is for the host */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(&w->pid, isolation->helper, &files, &attributes, arguments,
                             environment);
    if (failed)
        w->pid = 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

static int32_t start_worker(const ir_isolation *isolation, worker **out, imgret_error *error)
{
    int ends[2] = {-1, -1};
    worker *w = ir_calloc(1, sizeof *w);
    if (!w)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to start imgret-decode");
    w->input = out_of_the_way(memfd_create("imgret-input", MFD_CLOEXEC));
    w->output = out_of_the_way(memfd_create("imgret-output", MFD_CLOEXEC));
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ? errno : 0;
    w->socket = out_of_the_way(ends[0]);
    int other_end = out_of_the_way(ends[1]);
    if (!failed && (w->input < 0 || w->output < 0 || w->socket < 0 || other_end < 0))
        failed = EMFILE;
    if (!failed)
        failed = spawn(isolation, w, other_end);
    close_if_open(other_end);
    if (failed) {
        end_worker(w);
        return ir_fail_errno(error, failed, "start", isolation->helper);
    }
    *out = w;
    return IMGRET_OK;
}

static int32_t take_worker(ir_isolation *isolation, worker **out, imgret_error *error)
{
    pthread_mutex_lock(&isolation->lock);
    *out = isolation->idle;
    if (*out)
        isolation->idle = (*out)->next;
    pthread_mutex_unlock(&isolation->lock);
    return *out ? IMGRET_OK : start_worker(isolation, out, error);
}

static void give_back(ir_isolation *isolation, worker *w)
{
    pthread_mutex_lock(&isolation->lock);
    w->next = isolation->idle;
    isolation->idle = w;
    pthread_mutex_unlock(&isolation->lock);
}

/* ---- a picture's way ---- */

/* false when the process is not there any more. */
static bool send_request(const worker *w, const uint8_t *data, const ir_worker_request *request)
{
    bool good = ftruncate(w->input, 0) == 0 && ftruncate(w->output, 0) == 0;
    for (size_t done = 0; good && done < request->bytes;) {
        ssize_t put = pwrite(w->input, data + done, request->bytes - done, (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        good = put > 0;
        done += good ? (size_t)put : 0;
    }
    for (size_t done = 0; good && done < sizeof *request;) {
        ssize_t put = send(w->socket, (const char *)request + done, sizeof *request - done,
                           MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        good = put > 0;
        done += good ? (size_t)put : 0;
    }
    return good;
}

static double now_s(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? (double)now.tv_sec + (double)now.tv_nsec / 1e9 : 0;
}

static outcome receive_reply(const ir_isolation *isolation, const worker *w, ir_worker_reply *reply)
{
    clockid_t cpu;
    bool has_cpu = clock_getcpuclockid(w->pid, &cpu) == 0;
    double cpu_end = has_cpu ? now_s(cpu) + isolation->cpu_s_max : 0;
    double wall_end = now_s(CLOCK_MONOTONIC) + isolation->wall_s_max;
    for (size_t done = 0; done < sizeof *reply;) {
        struct pollfd wait = {.fd = w->socket, .events = POLLIN};
        int ready = poll(&wait, 1, LOOK_MS);
        if (ready <= 0) {
            if (has_cpu && now_s(cpu) > cpu_end)
                return TOO_MUCH_CPU;
            if (now_s(CLOCK_MONOTONIC) > wall_end)
                return TOO_LONG;
            continue;
        }
        ssize_t got = recv(w->socket, (char *)reply + done, sizeof *reply - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ENDED;
        done += (size_t)got;
    }
    return ANSWERED;
}

/* Printable ASCII, ended. */
static void clean_text(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
    for (size_t i = 0; text[i]; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
}

static double clean_angle(double degrees, double most)
{
    return fabs(degrees) <= most ? degrees : NAN; /* no number is not <= */
}

static void take_exif(ir_worker_reply *reply, ir_exif *out)
{
    *out = reply->exif;
    if (out->orientation > 8)
        out->orientation = 0;
    clean_text(out->taken_at, sizeof out->taken_at);
    clean_text(out->make, sizeof out->make);
    clean_text(out->model, sizeof out->model);
    out->latitude = clean_angle(out->latitude, 90);
    out->longitude = clean_angle(out->longitude, 180);
}

static int32_t refuse_reply(imgret_error *error)
{
    return ir_fail(error, IMGRET_BAD_IMAGE, "the isolated decoder answered nonsense");
}

static int32_t take_failure(ir_worker_reply *reply, imgret_error *error)
{
    int32_t status = reply->status;
    if (status != IMGRET_BAD_IMAGE && status != IMGRET_UNSUPPORTED && status != IMGRET_LIMIT &&
        status != IMGRET_NO_MEMORY)
        return refuse_reply(error);
    clean_text(reply->message, sizeof reply->message);
    return ir_fail(error, status, "%s", reply->message);
}

static int32_t take_pixels(const worker *w, const ir_worker_reply *reply,
                           const imgret_limits *limits, const char *format, ir_picture *out,
                           imgret_error *error)
{
    const uint32_t sides[] = {reply->width, reply->height, reply->source_width,
                              reply->source_height};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (sides[i] == 0 || sides[i] > limits->dimension_max)
            return refuse_reply(error);
    if ((uint64_t)sides[0] * sides[1] > limits->pixel_count_max ||
        (uint64_t)sides[2] * sides[3] > limits->pixel_count_max || !format)
        return refuse_reply(error);
    size_t bytes = 3 * (size_t)reply->width * reply->height;
    uint8_t *rgb = ir_malloc(bytes);
    if (!rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u x %u pixels", reply->width,
                       reply->height);
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(w->output, rgb + done, bytes - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            ir_free(rgb);
            return refuse_reply(error);
        }
        done += (size_t)got;
    }
    *out = (ir_picture){reply->width,         reply->height, reply->source_width,
                        reply->source_height, format,        rgb};
    return IMGRET_OK;
}

/* What the end of a process means for the picture it was at. */
static int32_t fail_ended(const ir_isolation *isolation, worker *w, outcome how,
                          imgret_error *error)
{
    int signal_number = end_worker(w);
    if (how == TOO_MUCH_CPU)
        return ir_fail(error, IMGRET_LIMIT, "the isolated decoder took more than %u s on it",
                       isolation->cpu_s_max);
    if (how == TOO_LONG)
        return ir_fail(error, IMGRET_LIMIT, "the isolated decoder gave no answer within %u s",
                       isolation->wall_s_max);
    if (signal_number == SIGSYS)
        return ir_fail(error, IMGRET_BAD_IMAGE,
                       "the isolated decoder was stopped: it tried what decoding does not need");
    return ir_fail(error, IMGRET_BAD_IMAGE, "the isolated decoder died on it (%s)",
                   signal_number ? strsignal(signal_number) : "it ended");
}

int32_t ir_isolation_decode(ir_isolation *isolation, const uint8_t *data, size_t bytes,
                            const ir_decode_options *options, ir_picture *out, ir_exif *exif,
                            imgret_error *error)
{
    *out = (ir_picture){0};
    const ir_worker_request request = {.options = *options, .bytes = bytes};
    worker *w = NULL;
    bool sent = false;
    for (int attempt = 0; attempt < 3 && !sent; attempt++) { /* one may have died while idle */
        int32_t status = take_worker(isolation, &w, error);
        if (status)
            return status;
        sent = send_request(w, data, &request);
        if (!sent)
            end_worker(w);
    }
    if (!sent)
        return ir_fail(error, IMGRET_IO, "%s: does not stay alive", isolation->helper);
    ir_worker_reply reply;
    outcome how = receive_reply(isolation, w, &reply);
    if (how != ANSWERED)
        return fail_ended(isolation, w, how, error);
    bool supported;
    int32_t status = reply.status
                         ? take_failure(&reply, error)
                         : take_pixels(w, &reply, &options->limits,
                                       ir_decode_sniff(data, bytes, &supported), out, error);
    if (!status && exif)
        take_exif(&reply, exif);
    give_back(isolation, w);
    return status;
}

/* ---- all of them ---- */

/* A one-pixel picture: does it live behind its walls? */
static int32_t try_it(ir_isolation *isolation, const imgret_limits *limits, imgret_error *error)
{
    static const uint8_t pixel[] = "P6 1 1 255\nabc";
    const ir_decode_options options = {.limits = *limits};
    imgret_error reason = IMGRET_ERROR_INIT;
    ir_picture picture;
    int32_t status = ir_isolation_decode(isolation, pixel, sizeof pixel - 1, &options, &picture,
                                         NULL, &reason);
    ir_picture_free(&picture);
    return status ? ir_fail(error, IMGRET_UNSUPPORTED, "%s cannot decode here: %s",
                            isolation->helper, reason.message)
                  : IMGRET_OK;
}

int32_t ir_isolation_create(ir_isolation **out, const char *helper, const imgret_limits *limits,
                            imgret_error *error)
{
    *out = NULL;
    ir_isolation *isolation = ir_calloc(1, sizeof *isolation);
    if (!isolation)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for isolated decoding");
    pthread_mutex_init(&isolation->lock, NULL);
    isolation->cpu_s_max = CPU_SECONDS_MAX;
    isolation->wall_s_max = WALL_SECONDS_MAX;
    uint64_t pixels;
    if (__builtin_mul_overflow(limits->pixel_count_max, PIXEL_BYTES_MAX, &pixels) ||
        __builtin_add_overflow(pixels, base_bytes, &pixels) ||
        __builtin_add_overflow(pixels, limits->file_bytes_max, &isolation->address_bytes_max))
        isolation->address_bytes_max = UINT64_MAX;
    int32_t status = find_helper(helper, &isolation->helper, error);
    if (!status)
        status = try_it(isolation, limits, error);
    if (status) {
        ir_isolation_free(isolation);
        return status;
    }
    *out = isolation;
    return IMGRET_OK;
}

void ir_isolation_set_patience(ir_isolation *isolation, uint32_t cpu_s, uint32_t wall_s)
{
    isolation->cpu_s_max = cpu_s ? cpu_s : isolation->cpu_s_max;
    isolation->wall_s_max = wall_s ? wall_s : isolation->wall_s_max;
}

void ir_isolation_free(ir_isolation *isolation)
{
    if (!isolation)
        return;
    while (isolation->idle) {
        worker *w = isolation->idle;
        isolation->idle = w->next;
        end_worker(w);
    }
    pthread_mutex_destroy(&isolation->lock);
    ir_free(isolation->helper);
    ir_free(isolation);
}
