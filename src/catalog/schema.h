/* schema.h: the tables of a catalogue: made, brought up to date, and told from a stranger's. */
#ifndef IR_CATALOG_SCHEMA_H
#define IR_CATALOG_SCHEMA_H

#include "catalog/connection.h"

#define IR_CATALOG_APPLICATION_ID 0x49524554 /* "IRET", PRAGMA application_id */

/* The steps that lead from an empty file to the current tables: steps[n] takes user_version n to
 * n + 1. A step that was released is never edited: a change is a new step. */
typedef struct ir_schema {
    const char *const *steps;
    int32_t version;         /* number of steps */
    int32_t oldest_readable; /* a read-only handle, which cannot migrate, takes this and above */
    int32_t made;            /* what a new catalogue is and an older one becomes; 0: version */
} ir_schema;

extern const ir_schema ir_schema_current;

typedef struct ir_schema_state {
    bool blank;      /* nothing in it: a creation that did not finish, or has not begun */
    int32_t version; /* PRAGMA user_version; 0 when blank */
} ir_schema_state;

/* Reads the two numbers in the header: IMGRET_CORRUPT for another program's database,
 * IMGRET_VERSION_TOO_NEW for a later libimgret's. Reads nothing else of a catalogue that is not
 * ours. Best within a transaction. */
int32_t ir_schema_look(ir_connection *connection, const ir_schema *schema, ir_schema_state *out,
                       imgret_error *error);

/* The version that an older catalogue is brought to; later ones, up to schema->version, stay as they are. */
int32_t ir_schema_made(const ir_schema *schema);

/* Runs the steps that are missing and sets both numbers. Within a transaction. */
int32_t ir_schema_upgrade(ir_connection *connection, const ir_schema *schema, int32_t from,
                          imgret_error *error);

/* Compares every table and index with what the steps up to `version` make: a table of another
 * shape, or a trigger, view or table that is not ours, is IMGRET_CORRUPT; so is an index, but for those
 * that a host may have asked for (index_text.h) in a catalogue of version 5. After this the statements of
 * the catalogue mean what their text says. */
int32_t ir_schema_verify(ir_connection *connection, const ir_schema *schema, int32_t version,
                         imgret_error *error);

#endif
