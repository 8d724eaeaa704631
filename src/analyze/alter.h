/* alter.h: copies of a picture as people make them: smaller, cut, lighter. */
#ifndef IR_ANALYZE_ALTER_H
#define IR_ANALYZE_ALTER_H

#include "base/picture.h"

#include <imgret/imgret.h>

/* What is done to a copy. */
typedef enum ir_alteration {
    IR_ALTER_NOTHING,
    IR_ALTER_HALF,    /* half the width and height, by averages of 2 x 2 pixels */
    IR_ALTER_CUT,     /* a twentieth of the width and height taken off at every side */
    IR_ALTER_LIGHTER, /* gamma 1.3 */
} ir_alteration;

/* Fresh pixels (ir_picture_free) of a picture that stays as it is; one too small to be halved or cut
 * is copied. Errors: NO_MEMORY. Any thread. */
int32_t ir_alter(const ir_picture *picture, ir_alteration how, ir_picture *out,
                 imgret_error *error);

#endif
