/* filter_index.c: indexes for filters that a host asks for, and the list of them. */
#include "engine/filter_index.h"

#include "base/alloc.h"
#include "base/error.h"

struct imgret_indexes {
    uint64_t count;
    char *expressions[IMGRET_INDEX_COUNT_MAX];
};

typedef int32_t (*change_fn)(ir_catalog *catalog, const char *expression, imgret_error *error);

static int32_t change(ir_database *database, change_fn run, const char *expression,
                      imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = run(database->catalog, expression, error);
    if (!status)
        return ir_database_commit(database, NULL, 0, error);
    ir_database_rollback(database);
    return status;
}

int32_t ir_create_index(ir_database *database, const char *expression, imgret_error *error)
{
    return change(database, ir_catalog_create_index, expression, error);
}

int32_t ir_drop_index(ir_database *database, const char *expression, imgret_error *error)
{
    return change(database, ir_catalog_drop_index, expression, error);
}

static int32_t keep(void *context, const char *expression, imgret_error *error)
{
    imgret_indexes *list = context;
    if (list->count == IMGRET_INDEX_COUNT_MAX)
        return ir_fail(error, IMGRET_LIMIT, "there are more than %d indexes",
                       IMGRET_INDEX_COUNT_MAX);
    list->expressions[list->count] = ir_strdup(expression);
    if (!list->expressions[list->count])
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to list indexes");
    list->count++;
    return IMGRET_OK;
}

int32_t ir_list_indexes(imgret_indexes **out, ir_database *database, imgret_error *error)
{
    imgret_indexes *list = ir_calloc(1, sizeof *list);
    if (!list)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to list indexes");
    int32_t status = ir_catalog_list_indexes(database->catalog, keep, list, error);
    if (status) {
        imgret_indexes_free(list);
        return status;
    }
    *out = list;
    return IMGRET_OK;
}

uint64_t imgret_indexes_count(const imgret_indexes *indexes)
{
    return indexes ? indexes->count : 0;
}

const char *imgret_indexes_at(const imgret_indexes *indexes, uint64_t index)
{
    return index < imgret_indexes_count(indexes) ? indexes->expressions[index] : NULL;
}

void imgret_indexes_free(imgret_indexes *indexes)
{
    for (uint64_t i = 0; i < imgret_indexes_count(indexes); i++)
        ir_free(indexes->expressions[i]);
    ir_free(indexes);
}
