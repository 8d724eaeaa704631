/* regions.c: which parts of a picture get a vector of their own, and how they get it. */
#include "engine/regions.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/prepare.h"
#include "engine/regions_detector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CENTRE_SHARE_DEFAULT 0.5

typedef enum regions_kind { REGIONS_CENTRE, REGIONS_GRID, REGIONS_DETECTOR } regions_kind;

struct ir_regions {
    regions_kind kind;
    char *spec;                    /* paths absolute */
    char *expected;                /* identity recorded in the database; NULL: none */
    double share;                  /* of CENTRE */
    uint32_t columns, rows;        /* of GRID */
    ir_regions_detector *detector; /* of DETECTOR */
};

/* ---- the specification ---- */

static int32_t refuse(const char *spec, const char *what, imgret_error *error)
{
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "regions \"%.200s\": %s", spec, what);
}

/* The text behind "NAME" or "NAME="; NULL when `spec` is something else. */
static const char *argument_of(const char *spec, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(spec, name, length) != 0)
        return NULL;
    if (spec[length] == '\0')
        return spec + length;
    return spec[length] == '=' && spec[length + 1] ? spec + length + 1 : NULL;
}

static int32_t read_centre(ir_regions *regions, const char *text, imgret_error *error)
{
    char *end = NULL;
    regions->kind = REGIONS_CENTRE;
    regions->share = text[0] ? strtod(text, &end) : CENTRE_SHARE_DEFAULT;
    bool digits = text[strspn(text, "0123456789.")] == '\0'; /* no sign, nan, hexadecimal, space */
    if ((end && *end) || !digits || !(regions->share >= 0.01 && regions->share < 1.0))
        return refuse(regions->spec, "center wants a share from 0.01 to below 1", error);
    return IMGRET_OK;
}

/* A number of one to three digits. */
static const char *read_count(const char *text, uint32_t *out)
{
    size_t length = strspn(text, "0123456789");
    *out = length >= 1 && length <= 3 ? (uint32_t)strtoul(text, NULL, 10) : 0;
    return text + length;
}

static int32_t read_grid(ir_regions *regions, const char *text, imgret_error *error)
{
    regions->kind = REGIONS_GRID;
    const char *at = read_count(text, &regions->columns);
    at = *at == 'x' ? read_count(at + 1, &regions->rows) : "?";
    uint32_t count = regions->columns * regions->rows;
    if (*at || count < 2 || count > IR_REGION_OBJECTS_MAX)
        return refuse(regions->spec, "a grid is written grid=3x3 and has 2 to 255 parts", error);
    return IMGRET_OK;
}

static int32_t read_spec(ir_regions *regions, const ir_extractor_options *options,
                         imgret_error *error)
{
    if (strncmp(regions->spec, "detector:", 9) == 0) {
        regions->kind = REGIONS_DETECTOR;
        return ir_regions_detector_create(&regions->detector, regions->spec + 9, options, error);
    }
    const char *text = argument_of(regions->spec, "center");
    if (text)
        return read_centre(regions, text, error);
    text = argument_of(regions->spec, "grid");
    if (text)
        return read_grid(regions, text, error);
    return refuse(regions->spec, "there are none, center, center=0.7, grid=3x3 and detector:MODEL",
                  error);
}

int32_t ir_regions_create(ir_regions **out, const char *spec, const ir_extractor_options *options,
                          imgret_error *error)
{
    *out = NULL;
    if (strcmp(spec, "none") == 0)
        return IMGRET_OK;
    ir_regions *regions = ir_calloc(1, sizeof *regions);
    if (!regions || !(regions->spec = ir_strdup(spec))) {
        ir_free(regions);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for regions");
    }
    int32_t status = read_spec(regions, options, error);
    if (status)
        ir_regions_free(regions);
    else
        *out = regions;
    return status;
}

void ir_regions_free(ir_regions *regions)
{
    if (!regions)
        return;
    ir_regions_detector_free(regions->detector);
    ir_free(regions->expected);
    ir_free(regions->spec);
    ir_free(regions);
}

const char *ir_regions_spec(const ir_regions *regions)
{
    if (!regions)
        return "none";
    return regions->detector ? ir_regions_detector_spec(regions->detector) : regions->spec;
}

int32_t ir_regions_identify(ir_regions *regions, char **out, imgret_error *error)
{
    int32_t status = ir_regions_load(regions, error);
    *out = NULL;
    if (status)
        return status;
    if (!regions)
        *out = ir_strdup("none");
    else if (regions->detector)
        *out = ir_regions_detector_identify(regions->detector);
    else if (regions->kind == REGIONS_CENTRE)
        *out = ir_asprintf("center=%g", regions->share);
    else
        *out = ir_asprintf("grid=%ux%u", regions->columns, regions->rows);
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for regions");
}

void ir_regions_expect(ir_regions *regions, char *identity)
{
    if (regions)
        regions->expected = identity;
    else
        ir_free(identity);
}

int32_t ir_regions_load(ir_regions *regions, imgret_error *error)
{
    if (!regions || !regions->detector)
        return IMGRET_OK;
    return ir_regions_detector_load(regions->detector, regions->expected, error);
}

void ir_regions_zoom(const ir_regions *regions, uint32_t *columns, uint32_t *rows)
{
    *columns = *rows = 1;
    if (!regions)
        return;
    if (regions->detector) { /* an object may be small */
        *columns = *rows = UINT32_MAX;
    } else if (regions->kind == REGIONS_CENTRE) {
        *columns = *rows = (uint32_t)ceil(1.0 / regions->share);
    } else {
        *columns = regions->columns;
        *rows = regions->rows;
    }
}

/* ---- boxes ---- */

int32_t ir_regions_propose(ir_regions *regions, const ir_picture *picture,
                           const ir_regions_run *run, ir_box **out, uint32_t *count,
                           imgret_error *error)
{
    *count = 0;
    *out = NULL;
    int32_t status = ir_regions_load(regions, error);
    if (status)
        return status;
    if (regions->detector)
        return ir_regions_detector_find(regions->detector, picture, run, out, count, error);
    uint32_t most = regions->kind == REGIONS_GRID ? regions->columns * regions->rows : 1;
    ir_box *boxes = *out = ir_malloc_array(most, sizeof *boxes);
    if (!boxes)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u boxes", most);
    uint32_t width = picture->source_width, height = picture->source_height;
    *count = 1;
    if (regions->kind == REGIONS_CENTRE)
        ir_box_centre(boxes, width, height, regions->share);
    else
        *count = ir_box_grid(boxes, width, height, regions->columns, regions->rows);
    return IMGRET_OK;
}

/* The name of a box's class: from the file of labels, or the model's, else "class 17"; NULL for a box
 * without one. Lives as long as `regions`. */
static const char *label_of(const ir_regions *regions, const ir_box *box)
{
    return regions->detector && box->label != IR_BOX_UNLABELLED
               ? ir_regions_detector_label(regions->detector, box->label)
               : NULL;
}

/* ---- objects ---- */

int32_t ir_regions_prepare_box(const ir_extractor *extractor, const ir_picture *picture,
                               const ir_box *box, uint8_t *prepared, imgret_error *error)
{
    ir_picture part;
    int32_t status = ir_box_crop(picture, box, &part, error);
    if (!status)
        status = ir_prepare(extractor, &part, prepared, error);
    ir_picture_free(&part);
    return status;
}

static ir_catalog_object object_of(const ir_regions *regions, const ir_box *box)
{
    return (ir_catalog_object){box->x,    box->y, box->width, box->height, label_of(regions, box),
                               box->score};
}

int32_t ir_regions_prepare(ir_regions *regions, const ir_extractor *extractor,
                           const ir_picture *picture, const ir_regions_run *run, ir_objects *out,
                           imgret_error *error)
{
    *out = (ir_objects){0};
    size_t bytes = ir_extractor_input_bytes(extractor);
    ir_box *boxes = NULL;
    uint32_t count = 0;
    int32_t status = ir_regions_propose(regions, picture, run, &boxes, &count, error);
    if (!status && count > 0) {
        out->items = ir_malloc_array(count, sizeof *out->items);
        out->prepared = ir_malloc_array(count, bytes);
        if (!out->items || !out->prepared)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u parts of a picture", count);
    }
    for (uint32_t i = 0; i < count && !status; i++) {
        out->items[i] = object_of(regions, &boxes[i]);
        status = ir_regions_prepare_box(extractor, picture, &boxes[i], out->prepared + i * bytes,
                                        error);
    }
    if (!status)
        out->count = count;
    ir_free(boxes);
    return status;
}

void ir_objects_free_pixels(ir_objects *objects)
{
    ir_free(objects->prepared);
    objects->prepared = NULL;
}

void ir_objects_free(ir_objects *objects)
{
    ir_free(objects->items);
    ir_free(objects->prepared);
    *objects = (ir_objects){0};
}
