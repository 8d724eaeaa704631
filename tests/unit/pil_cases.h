/* pil_cases.h: what PIL makes of pictures, written by a script of tests/reference, case by case. */
#ifndef IR_TESTS_PIL_CASES_H
#define IR_TESTS_PIL_CASES_H

#include "pictures.h"

#include <sys/wait.h>

/* Runs the script; returns how many cases it wrote, 0 without PIL. */
static inline int write_pil_cases(const char *script, const char *folder)
{
    char command[1024];
    snprintf(command, sizeof command, "/usr/bin/python3 %s/tests/reference/%s %s",
             IMGRET_TEST_SOURCE, script, folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    int count = 0;
    if (fscanf(pipe, "%d", &count) != 1)
        count = 0;
    int status = pclose(pipe);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 77 || code == 127)
        return 0; /* no PIL, no Python */
    assert_int_equal(code, 0);
    assert_true(count > 0);
    return count;
}

/* Calls `check` with the path of each case; skips the test where PIL is missing. */
static inline void check_pil_cases(const char *script, void (*check)(const char *path))
{
    char folder[256], path[300];
    make_folder(folder, "pil");
    int count = write_pil_cases(script, folder);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/case_%d.bin", folder, i);
        check(path);
    }
    remove_folder(folder);
    if (count == 0)
        skip_because("PIL is not installed for /usr/bin/python3 (package python3-pil)");
}

#endif
