/* places_inside.h: what finding and comparing places share. */
#ifndef IR_ANALYZE_PLACES_INSIDE_H
#define IR_ANALYZE_PLACES_INSIDE_H

#include "analyze/places.h"

#define IR_PLACE_WORDS 4 /* of 64 bits: a descriptor has 256 */

typedef struct ir_place {
    float x, y; /* pixels of the scaled picture, whose longer side is at most IR_PLACES_PX */
    uint32_t strength;
    uint64_t bits[IR_PLACE_WORDS];
} ir_place;

struct ir_places {
    uint32_t count;
    ir_place *rows;
};

#endif
