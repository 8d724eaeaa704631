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

/* A number of rounds, rows or the like; the second where a sanitizer makes each several times as long:
 * the same code, with less of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED(otherwise, with_sanitizer) (with_sanitizer)
#else
#define SANITIZED(otherwise, with_sanitizer) (otherwise)
#endif

/* What tests/run.sh shows as the reason of the skip that follows: cmocka's skip() takes none, and a
 * skip without a reason cannot be judged. */
static inline void skip_reason(const char *what, const char *detail)
{
    printf("# SKIP reason: %s%s\n", what, detail);
    fflush(stdout);
}

/* Ends the test as skipped. */
#define skip_because(reason)     \
    do {                         \
        skip_reason(reason, ""); \
        skip();                  \
    } while (0)

/* The path of `relative` under IMGRET_TEST_DATA in `buffer`, or NULL when there is no such data:
 * the test then calls skip(), the reason is told already. */
static inline const char *test_data(char *buffer, size_t capacity, const char *relative)
{
    const char *root = getenv("IMGRET_TEST_DATA");
    if (!root || !root[0]) {
        skip_reason("IMGRET_TEST_DATA is not set, needed: ", relative);
        return NULL;
    }
    snprintf(buffer, capacity, "%s/%s", root, relative);
    FILE *file = fopen(buffer, "rb");
    if (!file) {
        skip_reason("not in IMGRET_TEST_DATA: ", relative);
        return NULL;
    }
    fclose(file);
    return buffer;
}

#endif
