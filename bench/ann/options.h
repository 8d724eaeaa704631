/* options.h: the arguments of imgret-bench: numbers, sizes and lists of them, each checked. */
#ifndef IR_BENCH_OPTIONS_H
#define IR_BENCH_OPTIONS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every function ends the program with a message that names the option and its value when the
 * value makes no sense. */

/* Ends the program unless every argument from argv[2] on is one of the options listed (NULL at the
 * end of each list); `more` take a value too, `flags` take none. */
void bench_check_options(int argc, char **argv, const char *const *valued, const char *const *more,
                         const char *const *flags);

uint64_t bench_number(int argc, char **argv, const char *name, uint64_t fallback, uint64_t min,
                      uint64_t max);

double bench_real(int argc, char **argv, const char *name, double fallback, double min, double max);

/* Comma-separated lists; return how many there are, at most `capacity`. */
uint32_t bench_numbers(int argc, char **argv, const char *name, const char *fallback, uint32_t *out,
                       uint32_t capacity);
uint32_t bench_reals(int argc, char **argv, const char *name, const char *fallback, double *out,
                     uint32_t capacity);

/* A size in bytes: "300M", "2G", "4096"; or a share of each of `count` vectors: "600/vector". */
uint64_t bench_size(const char *name, const char *text, uint64_t count);

/* The words of such a list, each freed by the caller. */
uint32_t bench_texts(int argc, char **argv, const char *name, const char *fallback, char **out,
                     uint32_t capacity);

/* IMGRET_METRIC_* for "l2", "cosine", "ip". */
uint32_t bench_metric(int argc, char **argv);
const char *bench_metric_name(uint32_t metric);

#ifdef __cplusplus
}
#endif

#endif
