/* transaction.h: a host's transaction: what its calls did to regions, kept until the commit. */
#ifndef IR_ENGINE_TRANSACTION_H
#define IR_ENGINE_TRANSACTION_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* What a transaction did to regions, for the delta. */
typedef struct ir_region_change {
    int64_t added;          /* 0: none */
    int64_t removed;        /* 0: none */
    const void *vector;     /* of `added`, as stored, and behind it those of its objects */
    uint32_t objects_added; /* regions after `added`, and after `removed` */
    uint32_t objects_removed;
} ir_region_change;

/* Belongs to the thread inside the catalogue's gate; all zeros is empty. */
typedef struct ir_transaction {
    ir_region_change *changes; /* vectors are copies in `vectors` */
    uint64_t count;
    uint64_t capacity;
    uint64_t bytes;
    ir_arena vectors;
    /* There was no memory for a change, or there are too many: the next synchronisation reads
     * them from the catalogue. */
    bool incomplete;
} ir_transaction;

/* Keeps copies of changes whose vectors have `vector_bytes`. Never fails: see `incomplete`. */
void ir_transaction_keep(ir_transaction *transaction, const ir_region_change *changes,
                         uint64_t count, size_t vector_bytes);

/* Forgets everything and frees it. */
void ir_transaction_clear(ir_transaction *transaction);

#endif
