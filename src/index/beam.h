/* beam.h: what a walk over the graph keeps: its best candidates so far and the nodes it has seen. */
#ifndef IR_INDEX_BEAM_H
#define IR_INDEX_BEAM_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Set in ir_beam_entry.slot when the node's neighbours were looked at. */
#define IR_BEAM_EXPANDED 0x80000000u
#define IR_BEAM_SLOT 0x7FFFFFFFu

typedef struct ir_beam_entry {
    float key;   /* smaller is nearer */
    float error; /* standard deviation of the key, where it is an estimate */
    uint32_t slot;
} ir_beam_entry;

/* Sorted by key; equal keys in order of insertion. */
typedef struct ir_beam {
    ir_beam_entry *entries; /* room for `capacity` */
    uint32_t count;
    uint32_t capacity;
    uint32_t first_open; /* no entry before it waits to be expanded */
} ir_beam;

static inline float ir_beam_worst(const ir_beam *beam)
{
    return beam->count < beam->capacity ? __builtin_inff() : beam->entries[beam->count - 1].key;
}

/* The caller inserts a slot at most once. */
static inline void ir_beam_insert(ir_beam *beam, float key, float error, uint32_t slot)
{
    if (!(key < ir_beam_worst(beam)))
        return;
    uint32_t low = 0, high = beam->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (beam->entries[middle].key <= key)
            low = middle + 1;
        else
            high = middle;
    }
    if (beam->count < beam->capacity)
        beam->count++;
    memmove(beam->entries + low + 1, beam->entries + low,
            (beam->count - 1 - low) * sizeof beam->entries[0]);
    beam->entries[low] = (ir_beam_entry){key, error, slot};
    if (low < beam->first_open)
        beam->first_open = low;
}

/* The nearest entry not yet expanded, now marked so; NULL when there is none. */
static inline const ir_beam_entry *ir_beam_next(ir_beam *beam)
{
    while (beam->first_open < beam->count) {
        ir_beam_entry *entry = &beam->entries[beam->first_open++];
        if (!(entry->slot & IR_BEAM_EXPANDED)) {
            entry->slot |= IR_BEAM_EXPANDED;
            return entry;
        }
    }
    return NULL;
}

/* What ir_beam_next would give, without marking it. */
static inline const ir_beam_entry *ir_beam_peek(const ir_beam *beam)
{
    for (uint32_t i = beam->first_open; i < beam->count; i++)
        if (!(beam->entries[i].slot & IR_BEAM_EXPANDED))
            return &beam->entries[i];
    return NULL;
}

/* Open addressing with slot + 1, 0 is empty; grows by itself. */
typedef struct ir_visited {
    uint32_t *table;
    uint32_t size; /* a power of two */
    uint32_t count;
} ir_visited;

static inline uint32_t ir_visited_place(const ir_visited *visited, uint32_t slot)
{
    uint32_t place = (slot * 0x9E3779B1u) & (visited->size - 1);
    while (visited->table[place] != 0 && visited->table[place] != slot + 1)
        place = (place + 1) & (visited->size - 1);
    return place;
}

static inline bool ir_visited_grow(ir_visited *visited)
{
    ir_visited larger = {.size = visited->size ? 2 * visited->size : 1024};
    larger.table = ir_calloc(larger.size, sizeof larger.table[0]);
    if (!larger.table)
        return false;
    for (uint32_t i = 0; i < visited->size; i++)
        if (visited->table[i] != 0)
            larger.table[ir_visited_place(&larger, visited->table[i] - 1)] = visited->table[i];
    larger.count = visited->count;
    ir_free(visited->table);
    *visited = larger;
    return true;
}

/* Makes room for `more` slots; false when out of memory. */
static inline bool ir_visited_reserve(ir_visited *visited, uint32_t more)
{
    while (visited->size / 2 < visited->count + more)
        if (!ir_visited_grow(visited))
            return false;
    return true;
}

/* True when the slot is new. Room must be reserved. */
static inline bool ir_visited_add(ir_visited *visited, uint32_t slot)
{
    uint32_t place = ir_visited_place(visited, slot);
    if (visited->table[place] != 0)
        return false;
    visited->table[place] = slot + 1;
    visited->count++;
    return true;
}

static inline void ir_visited_clear(ir_visited *visited)
{
    if (visited->table && visited->count > 0)
        memset(visited->table, 0, visited->size * sizeof visited->table[0]);
    visited->count = 0;
}

#endif
