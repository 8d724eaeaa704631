/* library.h: libimgret as one of the engines that are measured, through its public interface. */
#ifndef IR_BENCH_LIBRARY_H
#define IR_BENCH_LIBRARY_H

#include "measure.h"
#include "vectors.h"

#include <imgret/imgret.h>
#include <stdint.h>

enum { BENCH_TARGET_UNIT = 10000 };

typedef struct bench_library {
    imgret *db;
    uint32_t dimension;
    int by_target;    /* efforts are target_recall in units of 1 / BENCH_TARGET_UNIT */
    int estimated;    /* scores of those that are certainly among the nearest need no read */
    int ids_only;     /* no records of results, as other engines have none */
    int64_t first_id; /* of the vector at the base's first position */
} bench_library;

/* Opens a database of ready vectors; ends the program where that fails. threads, memory (bytes of the
 * segments' RAM) and vector_type as in imgret_open_options. */
imgret *bench_library_open(const char *path, uint32_t dimension, uint32_t metric,
                           uint32_t vector_type, uint32_t flags, uint32_t threads, uint64_t memory);

/* Adds the next `count` vectors (fewer where the file ends), in transactions of 1,000, without names. The
 * first must get `id`, the others the next ones; returns the id after the last. */
int64_t bench_library_add(imgret *db, bench_vectors *vectors, uint64_t count, int64_t id);

/* The engine that searches library->db; `library` must outlive it. */
bench_engine bench_library_engine(bench_library *library, uint32_t k);

#endif
