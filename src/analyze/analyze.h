/* analyze.h: RGB pixels in, what they look like out: colours, light, sharpness, a perceptual hash.
 * The room's only public face. */
#ifndef IR_ANALYZE_ANALYZE_H
#define IR_ANALYZE_ANALYZE_H

#include "base/picture.h"

#include <imgret/imgret.h>

/* Memory to work in, some 300 KiB, kept from picture to picture. */
typedef struct ir_analyzer ir_analyzer;

/* NULL is allowed. */
void ir_analyzer_free(ir_analyzer *analyzer);

/* Fills what is measured on pixels; what a camera wrote (EXIF) is left empty. The same pixels give
 * the same numbers; a picture that was decoded at a smaller scale gives nearly the same, since
 * all is measured at 128 pixels. *analyzer is made when it is NULL; its owner frees it. Errors: NO_MEMORY. Any
 * number of threads, each with its own analyzer. */
int32_t ir_analyze(ir_analyzer **analyzer, const ir_picture *picture, imgret_attributes *out,
                   imgret_error *error);

/* CIELAB under D65 of an sRGB colour: L* 0..100, a*, b*. Any thread. */
void ir_analyze_lab(const uint8_t rgb[3], float lab[3]);

#endif
