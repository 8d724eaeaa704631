/* places.h: places of a picture that can be found again in another one of the same thing. */
#ifndef IR_ANALYZE_PLACES_H
#define IR_ANALYZE_PLACES_H

#include "base/picture.h"

#include <imgret/imgret.h>

#define IR_PLACES_PX 320 /* the longer side of what is looked at, unless the picture is smaller */

/* Corners with the look of their surroundings: ORB (Rublee, Rabaud, Konolige, Bradski, "ORB: an
 * efficient alternative to SIFT or SURF", ICCV 2011). */
typedef struct ir_places ir_places;

/* At most 768, the strongest of every part of the picture; none in a plain one. The same pixels
 * give the same places. ir_places_free, which accepts NULL. Errors: NO_MEMORY. Any thread. */
int32_t ir_places_find(ir_places **out, const ir_picture *picture, imgret_error *error);
void ir_places_free(ir_places *places);

uint32_t ir_places_count(const ir_places *places);

/* How many places of `a` look like places of `b` that lie as they do, but for one shift, turn and
 * scale of all (found by RANSAC: Fischler & Bolles, CACM 1981). Pictures that have nothing in common
 * reach 5 by chance. A mirrored picture does not count. *out may be 0. Errors: NO_MEMORY. */
int32_t ir_places_agree(const ir_places *a, const ir_places *b, uint32_t *out, imgret_error *error);

/* That number as a score: 0 for what chance reaches, near 1 from some 60 on. */
double ir_places_score(uint32_t agreeing);

#endif
