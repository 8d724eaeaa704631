/* segments.c: the list of segment files and the regions whose vectors they hold. */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/error.h"

/* Listed at a time where others may read in between: a millisecond's worth. */
enum { PAGE_REGIONS = 8192 };

static int32_t read_segment(ir_statement *statement, ir_catalog_segment *out, imgret_error *error)
{
    int64_t columns[6];
    int32_t status = IMGRET_OK;
    for (int i = 0; i < 6 && !status; i++)
        status = ir_statement_int(statement, i,
                                  i == 5  ? INT64_MIN
                                  : i < 3 ? 1
                                          : 0,
                                  INT64_MAX, &columns[i], error);
    if (status)
        return status;
    *out = (ir_catalog_segment){
        .id = columns[0],
        .first_region = columns[1],
        .last_region = columns[2],
        .vector_count = (uint64_t)columns[3],
        .file_bytes = (uint64_t)columns[4],
        .identity = (uint64_t)columns[5],
    };
    return IMGRET_OK;
}

/* Room for one more of `bytes`; *rows is moved and *capacity grows. */
static int32_t make_room(void **rows, uint64_t count, uint64_t *capacity, size_t bytes,
                         imgret_error *error)
{
    if (count < *capacity)
        return IMGRET_OK;
    uint64_t more = *capacity ? *capacity * 2 : 64;
    size_t total;
    void *moved = ir_mul_size((size_t)more, bytes, &total) ? ir_realloc(*rows, total) : NULL;
    if (!moved)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a list of the catalogue");
    *rows = moved;
    *capacity = more;
    return IMGRET_OK;
}

int32_t ir_catalog_get_segments(ir_catalog *catalog, ir_catalog_segment **out, uint32_t *count,
                                imgret_error *error)
{
    ir_statement statement;
    bool row;
    void *rows = NULL;
    uint64_t found = 0, capacity = 0;
    *out = NULL;
    *count = 0;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_SEGMENTS, "listing segments");
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        status = make_room(&rows, found, &capacity, sizeof **out, error);
        if (!status)
            status = read_segment(&statement, (ir_catalog_segment *)rows + found++, error);
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    if (status) {
        ir_free(rows);
        return status;
    }
    *out = rows;
    *count = (uint32_t)found;
    return IMGRET_OK;
}

static int32_t run_with(ir_catalog *catalog, ir_sql sql, const char *doing, const int64_t *numbers,
                        uint32_t count, imgret_error *error)
{
    ir_statement statement;
    imgret_error failure = IMGRET_ERROR_INIT;
    ir_statement_start(&statement, &catalog->writer, sql, doing);
    for (uint32_t i = 0; i < count; i++)
        ir_statement_bind_int(&statement, numbers[i]);
    return ir_catalog_note_write(catalog, ir_statement_run(&statement, &failure), &failure, error);
}

int32_t ir_catalog_replace_segments(ir_catalog *catalog, const ir_catalog_segment *added,
                                    const int64_t *replaced_ids, uint32_t replaced_count,
                                    int64_t removal_mark, imgret_error *error)
{
    int32_t status = ir_catalog_may_write(catalog, error);
    for (uint32_t i = 0; i < replaced_count && !status; i++)
        status = run_with(catalog, IR_SQL_DELETE_SEGMENT, "dropping a segment", &replaced_ids[i], 1,
                          error);
    const int64_t row[] = {added->id,
                           added->first_region,
                           added->last_region,
                           (int64_t)added->vector_count,
                           (int64_t)added->file_bytes,
                           (int64_t)added->identity};
    if (!status)
        status = run_with(catalog, IR_SQL_INSERT_SEGMENT, "listing a segment", row, 6, error);
    if (!status)
        status = run_with(catalog, IR_SQL_DELETE_PENDING, "clearing pending vectors",
                          &added->last_region, 1, error);
    const int64_t removals[] = {removal_mark, added->last_region};
    if (!status && removal_mark > 0)
        status = run_with(catalog, IR_SQL_DELETE_REMOVALS, "clearing removals", removals, 2, error);
    return status;
}

/* Adds the ids from `first` on to the list, `most` of them (-1: all). */
static int32_t list_region_ids(ir_catalog *catalog, int64_t first, int64_t most, void **ids,
                               uint64_t *count, uint64_t *capacity, imgret_error *error)
{
    ir_statement statement;
    bool row;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_REGION_IDS, "listing regions");
    ir_statement_bind_int(&statement, first);
    ir_statement_bind_int(&statement, most);
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        status = make_room(ids, *count, capacity, sizeof(int64_t), error);
        if (!status)
            status = ir_statement_int(&statement, 0, 1, INT64_MAX, (int64_t *)*ids + (*count)++,
                                      error);
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

static int32_t settle_list(int32_t status, void *ids, uint64_t *count, int64_t **out)
{
    if (status) {
        ir_free(ids);
        ids = NULL;
        *count = 0;
    }
    *out = ids;
    return status;
}

int32_t ir_catalog_region_ids(ir_catalog *catalog, int64_t first, int64_t **out, uint64_t *count,
                              imgret_error *error)
{
    void *ids = NULL;
    uint64_t capacity = 0;
    *count = 0;
    int32_t status = list_region_ids(catalog, first, -1, &ids, count, &capacity, error);
    return settle_list(status, ids, count, out);
}

int32_t ir_catalog_region_ids_beside(ir_catalog *catalog, int64_t first, int64_t **out,
                                     uint64_t *count, imgret_error *error)
{
    void *ids = NULL;
    uint64_t capacity = 0, before;
    int32_t status;
    *count = 0;
    do {
        before = *count;
        status = list_region_ids(catalog, first, PAGE_REGIONS, &ids, count, &capacity, error);
        if (!status && *count > before)
            first = ((int64_t *)ids)[*count - 1] + 1;
    } while (!status && *count - before == PAGE_REGIONS);
    return settle_list(status, ids, count, out);
}

const char *ir_catalog_folder(const ir_catalog *catalog)
{
    return catalog->folder;
}
