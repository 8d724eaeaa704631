/* picture.c: decoded pixels, the one form in which pictures travel between rooms. */
#include "base/picture.h"

#include "base/alloc.h"

#include <string.h>

void ir_picture_free(ir_picture *picture)
{
    ir_free(picture->rgb);
    memset(picture, 0, sizeof *picture);
}
