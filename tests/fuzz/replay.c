/* replay.c: runs a fuzz target over files, without a fuzzer: a corpus becomes a test.
 *
 *   NAME-replay [FILE-OR-FOLDER...]
 *
 * Every file, in folders and the folders inside them, is given to LLVMFuzzerTestOneInput, and so
 * is the empty input. Prints TAP with one test; a crash or an input that takes too long ends the
 * program and names the input on stderr. Address space is limited: a small file that makes the
 * library ask for gigabytes is a failure too.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS_SPACE_BYTES ((rlim_t)4000000 * 1024)
#define INPUT_TIME_S 60u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static const char *current_input = "(none)";
static uint64_t input_count;
static uint64_t error_count;

/* Async-signal-safe: it also runs in a process that has just crashed. */
static void name_current_input(void)
{
    static const char text[] = "replay: ended while running on ";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    ignored += write(STDERR_FILENO, current_input, strlen(current_input));
    ignored += write(STDERR_FILENO, "\n", 1);
    (void)ignored;
}

static void on_fatal_signal(int number)
{
    name_current_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_the_end(void)
{
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(name_current_input);
    } else {
        /* A sanitizer reserves terabytes of addresses; elsewhere the limit means something. */
        const struct rlimit limit = {ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES};
        setrlimit(RLIMIT_AS, &limit);
        const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
        for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
            signal(fatal[i], on_fatal_signal);
    }
    signal(SIGALRM, on_fatal_signal);
}

/* Runs the target on bytes of exactly this length, so that reading past them is noticed. */
static void run_input(const char *name, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    if (!copy) {
        fprintf(stderr, "replay: out of memory for %s\n", name);
        error_count++;
        return;
    }
    if (bytes)
        memcpy(copy, data, bytes);
    current_input = name;
    alarm(INPUT_TIME_S);
    LLVMFuzzerTestOneInput(copy, bytes);
    alarm(0);
    current_input = "(none)";
    input_count++;
    free(copy);
}

static uint8_t *read_whole(const char *path, size_t bytes)
{
    uint8_t *data = malloc(bytes ? bytes : 1);
    FILE *file = data ? fopen(path, "rb") : NULL;
    if (!file || fread(data, 1, bytes, file) != bytes) {
        fprintf(stderr, "replay: cannot read %s: %s\n", path, strerror(errno));
        free(data);
        data = NULL;
        error_count++;
    }
    if (file)
        fclose(file);
    return data;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)where;
    if (kind != FTW_F || !S_ISREG(info->st_mode))
        return 0;
    uint8_t *data = read_whole(path, (size_t)info->st_size);
    if (data)
        run_input(path, data, (size_t)info->st_size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    watch_for_the_end();
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    printf("1..1\n");
    fflush(stdout);
    run_input("(the empty input)", (const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            fprintf(stderr, "replay: cannot read %s: %s\n", argv[i], strerror(errno));
            error_count++;
        }
    }
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    if (error_count)
        printf("not ok 1 - %s: %llu inputs could not be given to it\n", name,
               (unsigned long long)error_count);
    else if (input_count == 1)
        printf("ok 1 - %s # SKIP no corpus: set IMGRET_TEST_DATA, or name files\n", name);
    else
        printf("ok 1 - %s: survived %llu inputs\n", name, (unsigned long long)input_count);
    return error_count != 0;
}
