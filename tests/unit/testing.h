/* testing.h: what the unit tests share: cmocka with its includes, and the way to real data. */
#ifndef IR_TESTS_TESTING_H
#define IR_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ends the test as skipped and says why: cmocka's skip() takes no reason, and a skip without one
 * cannot be judged. tests/run.sh shows the reason. */
#define skip_because(reason)                 \
    do {                                     \
        printf("# SKIP reason: %s\n", reason); \
        fflush(stdout);                      \
        skip();                              \
    } while (0)

/* The path of `relative` under IMGRET_TEST_DATA in `buffer`, or NULL when there is no such data:
 * the test then calls skip_because(). */
static inline const char *test_data(char *buffer, size_t capacity, const char *relative)
{
    const char *root = getenv("IMGRET_TEST_DATA");
    if (!root || !root[0])
        return NULL;
    snprintf(buffer, capacity, "%s/%s", root, relative);
    FILE *file = fopen(buffer, "rb");
    if (!file)
        return NULL;
    fclose(file);
    return buffer;
}

#endif
