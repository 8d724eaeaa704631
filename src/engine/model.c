/* model.c: loading, exchanging and unloading a database's extractor.
 *
 * Every user shares the extractor he got: one that is exchanged or unloaded ends with its last user,
 * so that what is going on is finished on the model it began with.
 */
#include "engine/database.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

static int32_t check_extracts(const ir_database *database, imgret_error *error)
{
    if (strncmp(database->identity, "vectors;", 8) != 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "%s holds ready vectors (%s): it has no extractor for pictures", database->path,
                   database->model);
}

char *ir_database_pca_next(const ir_database *database)
{
    return ir_asprintf("%s.next", database->pca_copy);
}

/* Opens `model`, with components from `pca_path` unless that is NULL, and makes sure that it gives this
 * database's vectors. */
static int32_t open_with(const ir_database *database, const char *model, const char *pca_path,
                         ir_extractor **out, imgret_error *error)
{
    ir_extractor_options options = database->extract_options;
    options.pca_path = pca_path;
    int32_t status = ir_extractor_open_with(out, model, &options, error);
    if (status)
        return status;
    const char *identity = ir_extractor_get_info(*out)->identity;
    if (strcmp(identity, database->identity) == 0)
        return IMGRET_OK;
    status = ir_fail(error, IMGRET_MISMATCH,
                     "%s gives other vectors than %s was made with: it is %s, needed is %s", model,
                     database->path, identity, database->identity);
    ir_extractor_close(*out);
    *out = NULL;
    return status;
}

/* Where the database has its own principal components, they are it. When a move to another model was cut
 * short after its last commit, they are those of the old model, and the new ones are beside them. */
static int32_t open_same(const ir_database *database, const char *model, ir_extractor **out,
                         imgret_error *error)
{
    ir_file_info info;
    bool copied = ir_file_stat(database->pca_copy, &info, NULL) == IMGRET_OK;
    int32_t status = open_with(database, model, copied ? database->pca_copy : NULL, out, error);
    if (!status)
        return IMGRET_OK;
    char *next = ir_database_pca_next(database);
    imgret_error other = IMGRET_ERROR_INIT;
    if (next && ir_file_stat(next, &info, NULL) == IMGRET_OK &&
        open_with(database, model, next, out, &other) == IMGRET_OK) {
        status = IMGRET_OK;
        if (!database->read_only)
            rename(next, database->pca_copy); /* a failure costs this search the next time, too */
    }
    ir_free(next);
    return status;
}

int32_t ir_database_extractor(ir_database *database, ir_extractor **out, imgret_error *error)
{
    *out = NULL;
    int32_t status = check_extracts(database, error);
    if (status)
        return status;
    pthread_mutex_lock(&database->extractor_lock);
    if (!database->extractor)
        status = open_same(database, database->model, &database->extractor, error);
    if (!status)
        *out = ir_extractor_share(database->extractor);
    pthread_mutex_unlock(&database->extractor_lock);
    return status;
}

/* The new model is loaded before the lock is taken: queries go on with the old one until then. */
int32_t ir_database_load_model(ir_database *database, const char *model, imgret_error *error)
{
    int32_t status = check_extracts(database, error);
    if (status)
        return status;
    ir_extractor *loaded;
    status = open_same(database, model ? model : database->model, &loaded, error);
    if (status)
        return status;
    pthread_mutex_lock(&database->extractor_lock);
    ir_extractor *before = database->extractor;
    database->extractor = loaded;
    pthread_mutex_unlock(&database->extractor_lock);
    ir_extractor_close(before);
    return IMGRET_OK;
}

void ir_database_unload_model(ir_database *database)
{
    pthread_mutex_lock(&database->extractor_lock);
    ir_extractor *before = database->extractor;
    database->extractor = NULL;
    pthread_mutex_unlock(&database->extractor_lock);
    ir_extractor_close(before);
}
