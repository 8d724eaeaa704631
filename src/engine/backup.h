/* backup.h: a database copied into a folder of its own while it is in use. */
#ifndef IR_ENGINE_BACKUP_H
#define IR_ENGINE_BACKUP_H

#include "engine/database.h"

/* `options` has passed ir_options_read. */
int32_t ir_backup(ir_database *database, const char *folder, const imgret_backup_options *options,
                  imgret_error *error);

#endif
