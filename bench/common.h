/* common.h: what the end-to-end benchmarks share: arguments, a scratch folder, time. */
#ifndef IR_BENCH_COMMON_H
#define IR_BENCH_COMMON_H

#include <stdint.h>

/* Prints "PROGRAM: message" to stderr and exits with status 2. */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The value of "--name value" among the arguments, or `fallback`. */
const char *bench_option(int argc, char **argv, const char *name, const char *fallback);

/* Whether "--name" is among the arguments. */
int bench_flag(int argc, char **argv, const char *name);

/* The first argument that is no option (options that take a value are listed, NULL at the end). */
const char *bench_argument(int argc, char **argv, const char *const *valued);

/* Seconds of a clock that never goes back. */
double bench_seconds(void);

/* Processor time that all threads of this process took so far, in seconds. */
double bench_processor_seconds(void);

/* Makes a fresh folder below TMPDIR (or /tmp) and removes it with all it holds. */
void bench_make_folder(char *out, uint32_t capacity);
void bench_remove_folder(const char *path);

#endif
