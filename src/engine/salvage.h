/* salvage.h: making the catalogue anew from what can be read of a damaged one. */
#ifndef IR_ENGINE_SALVAGE_H
#define IR_ENGINE_SALVAGE_H

#include <imgret/imgret.h>

/* `options` has passed ir_options_read; *report is filled as far as the salvage came. */
int32_t ir_salvage_database(const char *path, const imgret_salvage_options *options,
                            imgret_salvage_report *report, imgret_error *error);

#endif
