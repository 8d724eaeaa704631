/* read.c: looking things up, records, and the changes since a moment. */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <string.h>

int32_t ir_catalog_begin_read(ir_catalog *catalog, imgret_error *error)
{
    pthread_mutex_lock(&catalog->reader_lock);
    if (catalog->held)
        return IMGRET_OK;
    int32_t status = ir_connection_control(&catalog->reader, IR_SQL_BEGIN_READ, error);
    if (status)
        pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

void ir_catalog_end_read(ir_catalog *catalog)
{
    if (!catalog->held && ir_connection_in_transaction(&catalog->reader))
        ir_connection_control(&catalog->reader, IR_SQL_ROLLBACK, NULL);
    pthread_mutex_unlock(&catalog->reader_lock);
}

int32_t ir_catalog_hold(ir_catalog *catalog, imgret_error *error)
{
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (!status)
        catalog->held = true;
    return status;
}

void ir_catalog_release(ir_catalog *catalog)
{
    catalog->held = false;
    ir_catalog_end_read(catalog);
}

int32_t ir_catalog_get_setting(ir_catalog *catalog, const char *name, char **out,
                               imgret_error *error)
{
    ir_statement statement;
    bool row;
    const char *value;
    *out = NULL;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_GET_SETTING, "reading a setting");
    ir_statement_bind_text(&statement, name);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_text(&statement, 0, false, &value, error);
    if (!status && row) {
        *out = ir_strdup(value);
        if (!*out)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for setting %s", name);
    }
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

/* One column of integers as the field of a record wants it. */
typedef struct int_column {
    int column;
    int64_t least, most;
    int64_t value;
} int_column;

static int32_t read_ints(ir_statement *statement, int_column *columns, size_t count,
                         imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (size_t i = 0; !status && i < count; i++)
        status = ir_statement_int(statement, columns[i].column, columns[i].least, columns[i].most,
                                  &columns[i].value, error);
    return status;
}

static int32_t read_known(ir_statement *statement, ir_catalog_known *out, imgret_error *error)
{
    int_column ints[] = {
        {0, 1, INT64_MAX, 0},         {1, IMGRET_STATE_STORED, IMGRET_STATE_FAILED, 0},
        {2, INT32_MIN, 0, 0},         {3, 0, INT64_MAX, 0},
        {4, INT64_MIN, INT64_MAX, 0},
    };
    int32_t status = read_ints(statement, ints, sizeof ints / sizeof ints[0], error);
    if (!status)
        status = ir_statement_bytes(statement, 5, out->content_hash, sizeof out->content_hash,
                                    error);
    if (status)
        return status;
    out->id = ints[0].value;
    out->state = (int32_t)ints[1].value;
    out->failure_code = (int32_t)ints[2].value;
    out->file_bytes = (uint64_t)ints[3].value;
    out->modified_ns = ints[4].value;
    return IMGRET_OK;
}

int32_t ir_catalog_find(ir_catalog *catalog, const char *uri, bool in_transaction,
                        ir_catalog_known *out, imgret_error *error)
{
    ir_statement statement;
    bool row;
    ir_catalog_known known = {0};
    *out = known;
    if (in_transaction && !ir_gate_is_mine(&catalog->gate))
        return ir_fail(error, IMGRET_INTERNAL, "%s: there is no transaction to look up in",
                       catalog->path);
    if (!in_transaction)
        pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, in_transaction ? &catalog->writer : &catalog->reader,
                       IR_SQL_FIND, "looking up a uri");
    ir_statement_bind_text(&statement, uri);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = read_known(&statement, &known, error);
    ir_statement_end(&statement);
    if (!in_transaction)
        pthread_mutex_unlock(&catalog->reader_lock);
    if (!status)
        *out = known;
    return status;
}

int32_t ir_catalog_data_version(ir_catalog *catalog, int64_t *out, imgret_error *error)
{
    ir_statement statement;
    bool row;
    *out = 0;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_DATA_VERSION, "looking for changes");
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, INT64_MIN, INT64_MAX, out, error);
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

/* What must follow `last` in an ascending column: a damaged tree can yield rows in any order. */
static int64_t above(int64_t last)
{
    return last < INT64_MAX ? last + 1 : INT64_MAX;
}

static int32_t pass_removals(ir_connection *reader, int64_t *mark, ir_catalog_removal_fn fn,
                             void *context, imgret_error *error)
{
    ir_statement statement;
    bool row;
    ir_statement_start(&statement, reader, IR_SQL_REMOVALS, "reading the removals");
    ir_statement_bind_int(&statement, *mark);
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        int_column ints[] = {{0, above(*mark), INT64_MAX, 0}, {1, 1, INT64_MAX, 0}};
        status = read_ints(&statement, ints, 2, error);
        if (!status)
            status = fn(context, ints[1].value, error);
        if (!status) {
            *mark = ints[0].value;
            status = ir_statement_step(&statement, &row, error);
        }
    }
    ir_statement_end(&statement);
    return status;
}

static int32_t pass_vectors(ir_connection *reader, int64_t region_after, ir_catalog_vector_fn fn,
                            void *context, imgret_error *error)
{
    ir_statement statement;
    bool row;
    ir_statement_start(&statement, reader, IR_SQL_VECTORS, "reading the vectors");
    ir_statement_bind_int(&statement, region_after);
    int64_t last = region_after;
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        const void *vector;
        size_t bytes;
        int_column region = {0, above(last), INT64_MAX, 0};
        status = read_ints(&statement, &region, 1, error);
        if (!status)
            status = ir_statement_blob(&statement, 1, &vector, &bytes, error);
        if (!status)
            status = fn(context, region.value, vector, bytes, error);
        last = region.value;
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    return status;
}

int32_t ir_catalog_changes(ir_catalog *catalog, int64_t region_after, int64_t *removal_mark,
                           ir_catalog_removal_fn on_removal, ir_catalog_vector_fn on_vector,
                           void *context, imgret_error *error)
{
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    status = pass_removals(&catalog->reader, removal_mark, on_removal, context, error);
    if (!status)
        status = pass_vectors(&catalog->reader, region_after, on_vector, context, error);
    ir_catalog_end_read(catalog);
    return status;
}

int32_t ir_catalog_last_removal(ir_catalog *catalog, int64_t *out, imgret_error *error)
{
    ir_statement statement;
    bool row;
    *out = 0;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_LAST_REMOVAL, "looking for removals");
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 0, INT64_MAX, out, error);
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

int32_t ir_catalog_image_region(ir_catalog *catalog, int64_t id, int64_t *region,
                                imgret_error *error)
{
    ir_statement statement;
    bool row;
    *region = 0;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, IR_SQL_IMAGE_REGION, "looking up a region");
    ir_statement_bind_int(&statement, id);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 1, INT64_MAX, region, error);
    else if (!status)
        status = ir_fail(error, IMGRET_NOT_FOUND, "no image with a vector has id %lld",
                         (long long)id);
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}

typedef struct record_row {
    imgret_record record;
    imgret_attributes attributes;
} record_row;

/* Where the attributes stand in a row: after the columns of version 1; then the label. */
enum { FIRST_ATTRIBUTE = 13, LABEL = FIRST_ATTRIBUTE + IR_ATTRIBUTE_COLUMNS };

static int32_t read_record(ir_statement *statement, record_row *row, imgret_error *error)
{
    imgret_record *out = &row->record;
    bool has_attributes = false;
    *out = (imgret_record){.size = sizeof *out};
    int_column ints[] = {
        {0, 1, INT64_MAX, 0},          {1, IMGRET_STATE_STORED, IMGRET_STATE_FAILED, 0},
        {6, INT32_MIN, 0, 0},          {7, 0, UINT32_MAX, 0},
        {8, 0, UINT32_MAX, 0},         {9, 0, INT64_MAX, 0},
        {10, INT64_MIN, INT64_MAX, 0}, {11, INT64_MIN, INT64_MAX, 0},
    };
    int32_t status = read_ints(statement, ints, sizeof ints / sizeof ints[0], error);
    if (!status)
        status = ir_statement_text(statement, 2, true, &out->uri, error);
    if (!status)
        status = ir_statement_text(statement, 3, true, &out->metadata, error);
    if (!status)
        status = ir_statement_text(statement, 4, false, &out->format, error);
    if (!status)
        status = ir_statement_text(statement, 5, false, &out->failure, error);
    if (!status)
        status = ir_statement_bytes(statement, 12, out->content_hash, sizeof out->content_hash,
                                    error);
    if (!status)
        status = ir_catalog_read_attributes(statement, FIRST_ATTRIBUTE, &has_attributes,
                                            &row->attributes, error);
    if (!status)
        status = ir_statement_text(statement, LABEL, true, &out->label, error);
    if (!status)
        status = ir_statement_real(statement, LABEL + 1, !out->label, &out->label_score, error);
    if (!out->label)
        out->label_score = 0;
    out->attributes = has_attributes ? &row->attributes : NULL;
    out->id = ints[0].value;
    out->state = (int32_t)ints[1].value;
    out->failure_code = (int32_t)ints[2].value;
    out->width = (uint32_t)ints[3].value;
    out->height = (uint32_t)ints[4].value;
    out->file_bytes = (uint64_t)ints[5].value;
    out->modified_ns = ints[6].value;
    out->added_ms = ints[7].value;
    return status;
}

/* What IR_SQL_HIT_OF_REGION selects. */
static int32_t read_hit(ir_statement *statement, record_row *row, imgret_error *error)
{
    imgret_record *out = &row->record;
    *out = (imgret_record){.size = sizeof *out, .state = IMGRET_STATE_STORED};
    int_column ints[] = {{0, 1, INT64_MAX, 0}, {3, 0, UINT32_MAX, 0}, {4, 0, UINT32_MAX, 0}};
    int32_t status = read_ints(statement, ints, sizeof ints / sizeof ints[0], error);
    if (!status)
        status = ir_statement_text(statement, 1, true, &out->uri, error);
    if (!status)
        status = ir_statement_text(statement, 2, true, &out->metadata, error);
    if (!status)
        status = ir_statement_text(statement, 5, true, &out->label, error);
    if (!status && out->label)
        status = ir_statement_real(statement, 6, false, &out->label_score, error);
    out->id = ints[0].value;
    out->width = (uint32_t)ints[1].value;
    out->height = (uint32_t)ints[2].value;
    return status;
}

/* What IR_SQL_IMAGE_OF_REGION selects. */
static int32_t read_image(ir_statement *statement, record_row *row, imgret_error *error)
{
    row->record = (imgret_record){.size = sizeof row->record, .state = IMGRET_STATE_STORED};
    return ir_statement_int(statement, 0, 1, INT64_MAX, &row->record.id, error);
}

static int32_t read_selected(ir_statement *statement, ir_sql sql, record_row *row,
                             imgret_error *error)
{
    return sql == IR_SQL_HIT_OF_REGION     ? read_hit(statement, row, error)
           : sql == IR_SQL_IMAGE_OF_REGION ? read_image(statement, row, error)
                                           : read_record(statement, row, error);
}

static int32_t pass_record(ir_connection *reader, ir_sql sql, int64_t id, uint64_t position,
                           ir_catalog_record_fn on_record, void *context, imgret_error *error)
{
    ir_statement statement;
    bool row;
    record_row record;
    ir_statement_start(&statement, reader, sql, "reading a result");
    ir_statement_bind_int(&statement, id);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = read_selected(&statement, sql, &record, error);
    if (!status && row)
        status = on_record(context, position, &record.record, error);
    ir_statement_end(&statement);
    return status;
}

static int32_t pass_records(ir_catalog *catalog, ir_sql sql, const int64_t *ids, uint64_t count,
                            ir_catalog_record_fn on_record, void *context, imgret_error *error)
{
    if (count == 0)
        return IMGRET_OK;
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    for (uint64_t i = 0; !status && i < count; i++)
        status = pass_record(&catalog->reader, sql, ids[i], i, on_record, context, error);
    ir_catalog_end_read(catalog);
    return status;
}

int32_t ir_catalog_records_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                      ir_catalog_record_fn on_record, void *context,
                                      imgret_error *error)
{
    return pass_records(catalog, IR_SQL_RECORD_OF_REGION, regions, count, on_record, context,
                        error);
}

int32_t ir_catalog_hits_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                   ir_catalog_record_fn on_record, void *context,
                                   imgret_error *error)
{
    return pass_records(catalog, IR_SQL_HIT_OF_REGION, regions, count, on_record, context, error);
}

int32_t ir_catalog_images_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                     ir_catalog_record_fn on_record, void *context,
                                     imgret_error *error)
{
    return pass_records(catalog, IR_SQL_IMAGE_OF_REGION, regions, count, on_record, context, error);
}

int32_t ir_catalog_records_of_images(ir_catalog *catalog, const int64_t *ids, uint64_t count,
                                     ir_catalog_record_fn on_record, void *context,
                                     imgret_error *error)
{
    return pass_records(catalog, IR_SQL_RECORD_OF_IMAGE, ids, count, on_record, context, error);
}

static ir_sql list_statement(const imgret_list_options *options)
{
    if (options->uri)
        return IR_SQL_LIST_URI;
    return options->state == IMGRET_STATE_STORED   ? IR_SQL_LIST_STORED
           : options->state == IMGRET_STATE_FAILED ? IR_SQL_LIST_FAILED
                                                   : IR_SQL_LIST;
}

int32_t ir_catalog_list(ir_catalog *catalog, const imgret_list_options *options,
                        ir_catalog_record_fn on_record, void *context, imgret_error *error)
{
    ir_statement statement;
    bool row;
    record_row record;
    uint64_t position = 0;
    pthread_mutex_lock(&catalog->reader_lock);
    ir_statement_start(&statement, &catalog->reader, list_statement(options), "listing images");
    ir_statement_bind_int(&statement, options->after_id);
    ir_statement_bind_int(&statement,
                          options->limit < INT64_MAX ? (int64_t)options->limit : INT64_MAX);
    if (options->uri) {
        ir_statement_bind_text(&statement, options->uri);
        ir_statement_bind_int(&statement, options->state);
    }
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        status = read_record(&statement, &record, error);
        if (!status)
            status = on_record(context, position++, &record.record, error);
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    pthread_mutex_unlock(&catalog->reader_lock);
    return status;
}
