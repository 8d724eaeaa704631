/* steps.h: what the host does to a picture beside the model's own resize, as the user asked for it. */
#ifndef IR_EXTRACT_STEPS_H
#define IR_EXTRACT_STEPS_H

#include "base/picture.h"
#include "extract/extract.h"

#include <stdbool.h>

/* All zero: nothing. In the order in which they are done, on the picture at its full size. */
typedef struct ir_steps {
    bool grey;                 /* "grey=yes" */
    uint32_t denoise_px;       /* "denoise=3": side of the window whose median is taken; 0: none */
    uint32_t reencode_quality; /* "reencode=1..100": through a JPEG of that quality; 0: none */
    bool letterbox;  /* "letterbox=yes" or "letterbox=R,G,B", or the model's own way: all of
                                * the picture, between bars */
    bool top_left;   /* where it lies; else in the middle */
    uint8_t bars[3]; /* their colour */
} ir_steps;

/* Takes the keys out of the specification. INVALID_ARGUMENT for a value that is none of them,
 * UNSUPPORTED for a step that this build cannot do. */
int32_t ir_steps_take(ir_steps *out, ir_model_spec *spec, imgret_error *error);

/* ";grey=yes;..." in fresh memory, "" for nothing; without the letterbox, which is the resize's.
 * NULL: out of memory. */
char *ir_steps_describe(const ir_steps *steps);

/* Turns the pixels grey and takes the noise out, in place. Any thread. */
int32_t ir_steps_clean(const ir_steps *steps, ir_picture *picture, imgret_error *error);

#endif
