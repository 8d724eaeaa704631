/* maintain.h: a thread that optimizes a database now and then, where the host asked for one. */
#ifndef IR_ENGINE_MAINTAIN_H
#define IR_ENGINE_MAINTAIN_H

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_maintenance ir_maintenance;
typedef struct ir_database ir_database;

/* Starts the thread; end it with ir_maintenance_stop before anything of the database is freed. */
int32_t ir_maintenance_start(ir_maintenance **out, ir_database *database, imgret_error *error);

/* Stops what it builds, and waits for its end. NULL is allowed. */
void ir_maintenance_stop(ir_maintenance *maintenance);

/* Between these two, a call of the host that needs the segments to itself: a build that is going on
 * stops, and none begins. *was_busy is whether one is going on. NULL is allowed. */
void ir_maintenance_yield(ir_maintenance *maintenance, bool *was_busy);
void ir_maintenance_resume(ir_maintenance *maintenance);

/* Whether the calling thread is such a thread. */
bool ir_maintenance_runs(void);

#endif
