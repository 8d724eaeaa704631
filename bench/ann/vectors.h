/* vectors.h: sets of vectors in the field's file formats, read as a stream of float rows. */
#ifndef IR_BENCH_VECTORS_H
#define IR_BENCH_VECTORS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Formats, by the name's end, each also with .gz after it:
 *   .fbin .u8bin .i8bin  uint32 count, uint32 dimension, rows (big-ann-benchmarks)
 *   .fvecs .bvecs        before each row its dimension as int32 (TEXMEX)
 *   .npy                 float32, float16, uint8 or int8, two-dimensional, C order (NumPy)
 *   idx*-ubyte           pictures as rows of bytes (MNIST)
 * Every failure ends the program with a message that names the file. */
typedef struct bench_vectors bench_vectors;

/* At most count_max vectors are read; 0: all. */
bench_vectors *bench_vectors_open(const char *path, uint64_t count_max);
void bench_vectors_close(bench_vectors *vectors);
uint64_t bench_vectors_count(const bench_vectors *vectors);
uint32_t bench_vectors_dimension(const bench_vectors *vectors);

/* Reads the next rows, at most row_max, into out; returns how many, 0 at the end. */
uint64_t bench_vectors_read(bench_vectors *vectors, float *out, uint64_t row_max);

/* All rows at once, count x dimension floats; free with free(). */
float *bench_vectors_load(const char *path, uint64_t count_max, uint64_t *count,
                          uint32_t *dimension);

#ifdef __cplusplus
}
#endif

#endif
