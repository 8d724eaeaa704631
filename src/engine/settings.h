/* settings.h: what a database is made with: its model, metric and vector type among its settings. */
#ifndef IR_ENGINE_SETTINGS_H
#define IR_ENGINE_SETTINGS_H

#include "engine/database.h"

/* Sets model, identity and dimension of a handle that is being opened to those of the specification
 * `text`; loads the extractor. */
int32_t ir_settings_take_model(ir_database *database, const char *text, imgret_error *error);

/* Once the catalogue is open: records the handle's wishes in a new database, else holds them against
 * what is recorded and takes that over. IMGRET_MISMATCH names what differs. */
int32_t ir_settings_settle(ir_database *database, imgret_error *error);

/* IMGRET_MISMATCH when another model is recorded than the one that the handle was opened with. */
int32_t ir_settings_check_identity(ir_database *database, imgret_error *error);

#endif
