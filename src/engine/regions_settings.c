/* regions_settings.c: the regions of a database among its settings.
 *
 * A database of whole pictures alone has neither setting. In any other, `regions` is the
 * specification, and `regions_identity` what decides the boxes.
 */
#include "engine/regions_settings.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define SETTING_REGIONS "regions"
#define SETTING_IDENTITY "regions_identity"

int32_t ir_regions_take_wanted(ir_database *database, const char *spec, imgret_error *error)
{
    if (!spec)
        return IMGRET_OK;
    int32_t status = ir_regions_create(&database->regions, spec, &database->extract_options, error);
    return status ? status
                  : ir_regions_identify(database->regions, &database->regions_wanted, error);
}

int32_t ir_regions_write_settings(ir_database *database, imgret_error *error)
{
    if (!database->regions)
        return IMGRET_OK;
    if (strncmp(database->model, "vectors:", 8) == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s: a database of ready vectors has no pictures to find regions in",
                       database->path);
    int32_t status = ir_catalog_set_setting(database->catalog, SETTING_REGIONS,
                                            ir_regions_spec(database->regions), error);
    return status ? status
                  : ir_catalog_set_setting(database->catalog, SETTING_IDENTITY,
                                           database->regions_wanted, error);
}

/* The same regions under another specification (a detector or labels that moved): remember it.
 * Failing to is no reason to refuse the database. */
static void remember(ir_database *database, const char *recorded)
{
    const char *spec = ir_regions_spec(database->regions);
    if (database->read_only || strcmp(recorded, spec) == 0)
        return;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_begin(database->catalog, &error);
    if (!status) {
        status = ir_catalog_set_setting(database->catalog, SETTING_REGIONS, spec, &error);
        if (!status)
            status = ir_catalog_commit(database->catalog, NULL, NULL, &error);
        else
            ir_catalog_rollback(database->catalog);
    }
    if (status)
        ir_log(IMGRET_LOG_WARNING, "%s: the detector's new place is not recorded: %s",
               database->path, error.message);
}

static int32_t agree(ir_database *database, const char *spec, char **identity, imgret_error *error)
{
    const char *recorded = *identity ? *identity : "none", *wanted = database->regions_wanted;
    if (wanted && strcmp(wanted, recorded) != 0)
        return ir_fail(error, IMGRET_MISMATCH,
                       "%s was made with the regions %s, not with %s (needed: %s; given: %s)",
                       database->path, spec ? spec : "none", ir_regions_spec(database->regions),
                       recorded, wanted);
    if (wanted && spec)
        remember(database, spec);
    if (wanted || !spec)
        return IMGRET_OK;
    int32_t status = ir_regions_create(&database->regions, spec, &database->extract_options, error);
    if (status == IMGRET_INVALID_ARGUMENT)
        return ir_fail_within(error, IMGRET_CORRUPT, "%s: its settings", database->path);
    if (!status) {
        ir_regions_expect(database->regions, *identity);
        *identity = NULL;
    }
    return status;
}

int32_t ir_regions_agree(ir_database *database, imgret_error *error)
{
    char *spec = NULL, *identity = NULL;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_REGIONS, &spec, error);
    if (!status)
        status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    if (!status && !spec != !identity)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"%s\" is missing", database->path,
                         spec ? SETTING_IDENTITY : SETTING_REGIONS);
    if (!status)
        status = agree(database, spec, &identity, error);
    ir_free(identity);
    ir_free(spec);
    return status;
}
