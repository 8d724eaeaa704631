/* model.c: loading, exchanging and unloading a database's extractor.
 *
 * Every user shares the extractor he got: one that is exchanged or unloaded ends with its last user,
 * so that what is going on is finished on the model it began with.
 */
#include "engine/database.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>

static int32_t check_extracts(const ir_database *database, imgret_error *error)
{
    if (strncmp(database->identity, "vectors;", 8) != 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "%s holds ready vectors (%s): it has no extractor for pictures", database->path,
                   database->model);
}

/* Opens `model` and makes sure that it gives this database's vectors. */
static int32_t open_same(const ir_database *database, const char *model, ir_extractor **out,
                         imgret_error *error)
{
    ir_extractor_options options = database->extract_options;
    ir_file_info copy; /* where the database has its own principal components, they are it */
    if (ir_file_stat(database->pca_copy, &copy, NULL) == IMGRET_OK)
        options.pca_path = database->pca_copy;
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
