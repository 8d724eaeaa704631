/* region.h: what the id of a region says, in a database whose pictures have several.
 *
 * There the id of region `ordinal` of a picture is turn * 256 + ordinal: ordinal 0 is the whole
 * picture, the others are its objects, and turns ascend with the stores. So kind and picture of
 * what a search meets are known without asking anyone. In a database of whole pictures alone ids
 * are just ascending numbers and say nothing.
 */
#ifndef IR_BASE_REGION_H
#define IR_BASE_REGION_H

#include <stdbool.h>
#include <stdint.h>

#define IR_REGION_ORDINAL_BITS 8
#define IR_REGION_OBJECTS_MAX 255u /* of one picture */

/* Kinds, as a set; 0: ids say nothing. */
#define IR_REGION_WHOLE 1u
#define IR_REGION_OBJECT 2u

static inline uint32_t ir_region_ordinal(int64_t id)
{
    return (uint32_t)id & IR_REGION_OBJECTS_MAX;
}

/* Equal for the regions of one picture, and only for these. */
static inline int64_t ir_region_turn(int64_t id)
{
    return id >> IR_REGION_ORDINAL_BITS;
}

/* Whether a region may be found: it is of one of the kinds, and not of the picture that `excluded`
 * (0: none) is a region of. */
static inline bool ir_region_is_wanted(int64_t id, uint32_t kinds, int64_t excluded)
{
    if (kinds == 0)
        return id != excluded;
    uint32_t kind = ir_region_ordinal(id) ? IR_REGION_OBJECT : IR_REGION_WHOLE;
    return (kinds & kind) && (excluded == 0 || ir_region_turn(id) != ir_region_turn(excluded));
}

#endif
