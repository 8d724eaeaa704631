/* file_work.h: what a worker does with one file of an ingest. */
#ifndef IR_ENGINE_FILE_WORK_H
#define IR_ENGINE_FILE_WORK_H

#include "engine/pipe.h"
#include "engine/walker.h"

typedef struct ir_file_work {
    ir_database *database;
    ir_call *call; /* whose thread this is not */
    bool retry_failed;
    ir_pipe_file *file;     /* filled */
    ir_analyzer **analyzer; /* made when NULL; its owner frees it */
    uint8_t **prepared; /* buffer for the prepared picture, made when NULL; its owner frees it */
} ir_file_work;

/* Settles what can be settled without the model: unchanged, skipped, failed; or prepares the
 * picture. Whatever is wrong with the file goes into `file`; a status is returned only when the run
 * cannot go on. Any number of threads, each with its own work. */
int32_t ir_file_work_run(ir_file_work *work, const ir_walker_entry *entry, imgret_error *error);

#endif
