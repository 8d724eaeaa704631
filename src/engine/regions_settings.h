/* regions_settings.h: the regions of a database among its settings. */
#ifndef IR_ENGINE_REGIONS_SETTINGS_H
#define IR_ENGINE_REGIONS_SETTINGS_H

#include "engine/database.h"

/* Sets database->regions and its identity from what the host asked for; NULL: nothing. */
int32_t ir_regions_take_wanted(ir_database *database, const char *spec, imgret_error *error);

/* Of a new database. Within the catalogue's transaction. */
int32_t ir_regions_write_settings(ir_database *database, imgret_error *error);

/* Holds what the host asked for against what is recorded (IMGRET_MISMATCH), or takes that over. */
int32_t ir_regions_agree(ir_database *database, imgret_error *error);

#endif
