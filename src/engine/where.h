/* where.h: the filter of a query or listing, as the host gave it: checked and copied. */
#ifndef IR_ENGINE_WHERE_H
#define IR_ENGINE_WHERE_H

#include "catalog/catalog.h"

/* Reads a filter whose parts have passed ir_options_read; out->where is NULL when there is none.
 * INVALID_ARGUMENT names what is wrong with a parameter. Free it with ir_where_free, also after a
 * failure. Texts stay the host's. */
int32_t ir_where_read(ir_catalog_filter *out, const char *where, const imgret_param *params,
                      uint32_t param_count, uint32_t ms_max, imgret_error *error);
void ir_where_free(ir_catalog_filter *filter);

#endif
