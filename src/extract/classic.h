/* classic.h: the built-in backend without weights. What it computes: docs/classic.md. */
#ifndef IR_EXTRACT_CLASSIC_H
#define IR_EXTRACT_CLASSIC_H

#include <imgret/backend.h>

extern const imgret_backend ir_classic_backend;

#endif
