/* label.h: labels from a few examples. */
#ifndef IR_ENGINE_LABEL_H
#define IR_ENGINE_LABEL_H

#include "engine/database.h"

/* `options` are checked and have their defaults; options->examples are checked copies. */
int32_t ir_label_examples(ir_database *database, const imgret_label_options *options,
                          const ir_catalog_filter *filter, imgret_label_report *report,
                          ir_call *call, imgret_error *error);

#endif
