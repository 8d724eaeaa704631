/* transaction.c: a host's transaction: what its calls did to regions, kept until the commit. */
#include "engine/transaction.h"

#include "base/alloc.h"

#include <string.h>

#define BYTES_MAX (64u << 20) /* of copies: reading more back after the commit costs less */

static bool make_room(ir_transaction *transaction)
{
    if (transaction->count < transaction->capacity)
        return true;
    uint64_t capacity = transaction->capacity ? 2 * transaction->capacity : 64;
    size_t bytes;
    if (!ir_mul_size((size_t)capacity, sizeof *transaction->changes, &bytes))
        return false;
    ir_region_change *changes = ir_realloc(transaction->changes, bytes);
    if (!changes)
        return false;
    transaction->changes = changes;
    transaction->capacity = capacity;
    return true;
}

static bool keep_one(ir_transaction *transaction, const ir_region_change *change,
                     size_t vector_bytes)
{
    ir_region_change kept = *change;
    vector_bytes *= 1 + (size_t)change->objects_added;
    transaction->bytes += sizeof kept + (change->added ? vector_bytes : 0);
    if (transaction->bytes > BYTES_MAX || !make_room(transaction))
        return false;
    if (change->added) {
        void *copy = ir_arena_alloc(&transaction->vectors, vector_bytes);
        if (!copy)
            return false;
        memcpy(copy, change->vector, vector_bytes);
        kept.vector = copy;
    }
    transaction->changes[transaction->count++] = kept;
    return true;
}

void ir_transaction_keep(ir_transaction *transaction, const ir_region_change *changes,
                         uint64_t count, size_t vector_bytes)
{
    for (uint64_t i = 0; i < count && !transaction->incomplete; i++) {
        if (!changes[i].added && !changes[i].removed)
            continue;
        if (keep_one(transaction, &changes[i], vector_bytes))
            continue;
        ir_transaction_clear(transaction);
        transaction->incomplete = true;
    }
}

void ir_transaction_clear(ir_transaction *transaction)
{
    ir_free(transaction->changes);
    ir_arena_free(&transaction->vectors);
    *transaction = (ir_transaction){0};
}
