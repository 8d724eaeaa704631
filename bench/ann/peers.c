/* peers.c: `imgret-bench peers`: the same work with hnswlib, Faiss and DiskANN, where they are there.
 *
 * They stand in programs of their own beside this one: C++ and Python stay out of imgret-bench.
 */
#include "commands.h"
#include "options.h"

#include "../common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a program with this one's arguments from `skip` on; returns its exit status. */
static int run_program(const char *program, const char *script, int argc, char **argv, int skip)
{
    char **words = calloc((size_t)argc + 4, sizeof *words);
    if (!words)
        bench_die("no memory");
    int count = 0;
    words[count++] = (char *)program; /* execvp changes none of them */
    if (script)
        words[count++] = (char *)script;
    for (int i = skip; i < argc; i++)
        words[count++] = argv[i];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execvp(program, words);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        bench_die("cannot start %s", program);
    free(words);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

/* Whether one of the names that --engines lists begins so; all are wanted where there is no list. */
static int is_wanted(const char *engines, const char *name)
{
    return !engines || strstr(engines, name) != NULL;
}

static int has_diskann(const char *python)
{
    char *words[] = {"-c", "import diskannpy, numpy"};
    return run_program(python, NULL, 2, words, 0) == 0;
}

int bench_peers(int argc, char **argv)
{
    char beside[4096], program[4200], script[4200];
    const char *engines = bench_option(argc, argv, "--engines", NULL);
    const char *python = getenv("PYTHON") ? getenv("PYTHON") : "python3";
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - 1);
    if (length < 0)
        bench_die("cannot tell where imgret-bench is");
    beside[length] = 0;
    *strrchr(beside, '/') = 0;
    snprintf(program, sizeof program, "%s/imgret-bench-peers", beside);
    snprintf(script, sizeof script, "%s/bench/diskann.py", beside);
    int status = 0, ran = 0;
    if (is_wanted(engines, "hnswlib") || is_wanted(engines, "faiss")) {
        if (access(program, X_OK) == 0) {
            status = run_program(program, NULL, argc, argv, 1);
            ran = 1;
        } else
            fprintf(stderr, "hnswlib and Faiss are left out: install libhnswlib-dev and "
                            "libfaiss-dev, then make bench\n");
    }
    if (status == 0 && is_wanted(engines, "diskann")) {
        if (has_diskann(python)) {
            status = run_program(python, script, argc, argv, 2);
            ran = 1;
        } else
            fprintf(stderr, "DiskANN is left out: %s has no diskannpy\n", python);
    }
    return ran ? status : 1;
}
