/* settings.c: what a database is made with, recorded once and agreed with at each opening.
 *
 * That is the model with its identity, the dimension, the metric, how vectors are stored, and regions
 * (regions_settings.c). The host's wishes are in the handle until they are settled; then what is recorded
 * is there, and wishes that differ are IMGRET_MISMATCH.
 */
#include "engine/settings.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/regions_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING_MODEL "model"
#define SETTING_IDENTITY "extractor_identity"
#define SETTING_DIMENSION "dimension"
#define SETTING_METRIC "metric"
#define SETTING_VECTOR_TYPE "vector_type"

#define PCA_BYTES_MAX ((uint64_t)1 << 30)

/* ---- the extractor's specification ---- */

static int32_t join_spec(const ir_model_spec *spec, const char *weights, const char *labels,
                         const char *pca, char **out, imgret_error *error)
{
    *out = ir_asprintf("%s%s%s%s%s%s%s%s%s", spec->backend ? spec->backend : "",
                       spec->backend && weights[0] ? ":" : "", weights, spec->options[0] ? ";" : "",
                       spec->options, labels ? ";labels=" : "", labels ? labels : "",
                       pca ? ";pca=" : "", pca ? pca : "");
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's name");
}

/* Takes option `key`, a path, out of the specification; NULL when it is not there. */
static int32_t take_path(ir_model_spec *spec, const char *key, char **path, imgret_error *error)
{
    char *given;
    *path = NULL;
    int32_t status = ir_model_spec_take(spec, key, &given, error);
    if (!status && given)
        status = ir_path_absolute(given, path, error);
    ir_free(given);
    return status;
}

/* The specification with the paths made absolute, so that it still works when the host runs from
 * another folder. *pca is fresh memory, NULL when the specification names none. */
static int32_t absolute_spec(ir_model_spec *spec, char **out, char **pca, imgret_error *error)
{
    char *labels = NULL, *weights = NULL;
    *out = NULL;
    int32_t status = take_path(spec, "pca", pca, error);
    if (!status)
        status = take_path(spec, "labels", &labels, error);
    if (!status && spec->weights[0])
        status = ir_path_absolute(spec->weights, &weights, error);
    if (!status)
        status = join_spec(spec, weights ? weights : "", labels, *pca, out, error);
    ir_free(weights);
    ir_free(labels);
    return status;
}

int32_t ir_database_absolute_model(const char *text, char **out, char **pca, imgret_error *error)
{
    ir_model_spec spec;
    *out = NULL;
    *pca = NULL;
    int32_t status = ir_model_spec_parse(&spec, text, error);
    if (status)
        return status;
    if (spec.vectors_dimension > 0)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s extracts nothing", text);
    else
        status = absolute_spec(&spec, out, pca, error);
    ir_model_spec_free(&spec);
    return status;
}

int32_t ir_settings_take_model(ir_database *database, const char *text, imgret_error *error)
{
    ir_model_spec spec;
    int32_t status = ir_model_spec_parse(&spec, text, error);
    if (status)
        return status;
    if (spec.vectors_dimension > 0)
        database->model = ir_strdup(text);
    else
        status = absolute_spec(&spec, &database->model, &database->pca_given, error);
    if (!status && !database->model)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's name");
    if (!status && spec.vectors_dimension > 0) {
        database->dimension = spec.vectors_dimension;
        database->identity = ir_asprintf("vectors;dimension=%u", spec.vectors_dimension);
    } else if (!status) {
        status = ir_extractor_open_with(&database->extractor, database->model,
                                        &database->extract_options, error);
        if (!status) {
            const ir_extractor_info *info = ir_extractor_get_info(database->extractor);
            database->dimension = info->dimension;
            database->identity = ir_strdup(info->identity);
        }
    }
    ir_model_spec_free(&spec);
    if (!status && !database->identity)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's identity");
    return status;
}

/* ---- what is recorded ---- */

static int32_t read_number(ir_database *database, const char *name, uint32_t most, uint32_t *out,
                           imgret_error *error)
{
    char *text;
    int32_t status = ir_catalog_get_setting(database->catalog, name, &text, error);
    if (status)
        return status;
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end != '\0' || value == 0 || value > most)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"%s\" is \"%s\"", database->path,
                         name, text ? text : "(missing)");
    *out = (uint32_t)value;
    ir_free(text);
    return status;
}

static int32_t write_number(ir_database *database, const char *name, uint32_t value,
                            imgret_error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    return ir_catalog_set_setting(database->catalog, name, text, error);
}

static int32_t write_settings(ir_database *database, imgret_error *error)
{
    ir_catalog *catalog = database->catalog;
    int32_t status = write_number(database, SETTING_DIMENSION, database->dimension, error);
    if (!status)
        status = write_number(database, SETTING_METRIC, database->metric, error);
    if (!status)
        status = write_number(database, SETTING_VECTOR_TYPE, database->vector_type, error);
    if (!status)
        status = ir_catalog_set_setting(catalog, SETTING_MODEL, database->model, error);
    if (!status)
        status = ir_catalog_set_setting(catalog, SETTING_IDENTITY, database->identity, error);
    return status ? status : ir_regions_write_settings(database, error);
}

int32_t ir_database_write_model(ir_database *database, const char *model, const char *identity,
                                uint32_t dimension, imgret_error *error)
{
    int32_t status = write_number(database, SETTING_DIMENSION, dimension, error);
    if (!status)
        status = ir_catalog_set_setting(database->catalog, SETTING_MODEL, model, error);
    if (!status)
        status = ir_catalog_set_setting(database->catalog, SETTING_IDENTITY, identity, error);
    return status;
}

/* A copy of the principal components in the database's folder: they are small, and learned, so that
 * nobody could make them again once the file is lost. The identity holds their hash. */
static int32_t keep_pca(const ir_database *database, imgret_error *error)
{
    if (!database->pca_given)
        return IMGRET_OK;
    uint8_t *data;
    size_t bytes;
    int32_t status = ir_file_read(database->pca_given, PCA_BYTES_MAX, &data, &bytes, error);
    if (status)
        return status;
    status = ir_file_write(database->pca_copy, data, bytes, error);
    ir_free(data);
    return status;
}

/* Settles a new database's settings; two processes may try at once, the first one decides. */
static int32_t settle_new(ir_database *database, const char *identity, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_NOT_FOUND, "%s: the database was never finished",
                       database->path);
    if (!database->model) {
        int32_t status = ir_settings_take_model(database, identity, error);
        if (status)
            return status;
    }
    if (database->metric == 0)
        database->metric = IMGRET_METRIC_COSINE;
    if (database->vector_type == 0)
        database->vector_type = IMGRET_VECTOR_F16;
    int32_t status = ir_catalog_begin(database->catalog, error);
    if (status)
        return status;
    char *settled = NULL;
    status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &settled, error);
    if (!status && !settled)
        status = write_settings(database, error);
    if (!status && !settled)
        status = keep_pca(database, error);
    if (status || settled) {
        ir_catalog_rollback(database->catalog);
        ir_free(settled);
        return status;
    }
    return ir_catalog_commit(database->catalog, NULL, NULL, error);
}

static const char *metric_name(uint32_t metric)
{
    return metric == IMGRET_METRIC_L2              ? "L2"
           : metric == IMGRET_METRIC_INNER_PRODUCT ? "inner product"
                                                   : "cosine";
}

static int32_t check_number(const ir_database *database, uint32_t wanted, uint32_t found,
                            const char *what, imgret_error *error)
{
    if (wanted == 0 || wanted == found)
        return IMGRET_OK;
    bool metric = strcmp(what, SETTING_METRIC) == 0;
    return ir_fail(error, IMGRET_MISMATCH, "%s was made with %s %s, not %s", database->path,
                   metric ? "the metric" : "vectors of",
                   metric                       ? metric_name(found)
                   : found == IMGRET_VECTOR_F32 ? "f32"
                                                : "f16",
                   metric                        ? metric_name(wanted)
                   : wanted == IMGRET_VECTOR_F32 ? "f32"
                                                 : "f16");
}

/* The same extractor under another path (weights that moved): remember where it is now. Failing to
 * is no reason to refuse the database. */
static void remember_model(ir_database *database, const char *recorded)
{
    if (database->read_only || strcmp(recorded, database->model) == 0)
        return;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_begin(database->catalog, &error);
    if (!status) {
        status = ir_catalog_set_setting(database->catalog, SETTING_MODEL, database->model, &error);
        if (!status)
            status = ir_catalog_commit(database->catalog, NULL, NULL, &error);
        else
            ir_catalog_rollback(database->catalog);
    }
    if (status)
        ir_log(IMGRET_LOG_WARNING, "%s: the model's new place is not recorded: %s", database->path,
               error.message);
}

/* Holds what the host asked for against what the settings say. */
static int32_t agree_model(ir_database *database, char *recorded_identity, imgret_error *error)
{
    char *recorded = NULL;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_MODEL, &recorded, error);
    if (!status && !recorded)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"%s\" is missing", database->path,
                         SETTING_MODEL);
    if (!status && database->model && strcmp(database->identity, recorded_identity) != 0)
        status = ir_fail(error, IMGRET_MISMATCH,
                         "%s was made with the extractor %s, not with %s (needed: %s; given: %s)",
                         database->path, recorded, database->model, recorded_identity,
                         database->identity);
    if (status) {
        ir_free(recorded);
        ir_free(recorded_identity);
        return status;
    }
    if (database->model) {
        remember_model(database, recorded);
        ir_free(recorded);
    } else {
        database->model = recorded;
    }
    ir_free(database->identity);
    database->identity = recorded_identity;
    return IMGRET_OK;
}

static int32_t settle_existing(ir_database *database, char *identity, imgret_error *error)
{
    uint32_t metric = database->metric, vector_type = database->vector_type;
    int32_t status = agree_model(database, identity, error);
    if (!status)
        status = read_number(database, SETTING_DIMENSION, 65536, &database->dimension, error);
    if (!status)
        status = read_number(database, SETTING_METRIC, IMGRET_METRIC_L2, &database->metric, error);
    if (!status)
        status = read_number(database, SETTING_VECTOR_TYPE, IMGRET_VECTOR_F32,
                             &database->vector_type, error);
    if (!status)
        status = check_number(database, metric, database->metric, SETTING_METRIC, error);
    if (!status)
        status = check_number(database, vector_type, database->vector_type, SETTING_VECTOR_TYPE,
                              error);
    return status ? status : ir_regions_agree(database, error);
}

int32_t ir_settings_settle(ir_database *database, imgret_error *error)
{
    char *identity = NULL;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    if (!status && !identity) {
        status = settle_new(database, "classic", error);
        if (!status)
            status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    }
    if (!status && !identity)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: its settings are missing", database->path);
    return status ? status : settle_existing(database, identity, error);
}

int32_t ir_settings_check_identity(ir_database *database, imgret_error *error)
{
    char *identity;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    if (!status && (!identity || strcmp(identity, database->identity) != 0))
        status = ir_fail(
            error, IMGRET_MISMATCH,
            "%s was moved to another model while it was open: close it and open it again "
            "(%s)",
            database->path, identity ? identity : "none");
    ir_free(identity);
    return status;
}
