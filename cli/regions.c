/* regions.c: boxes and objects of pictures, as the command line takes and prints them. */
#include "regions.h"

#include "json.h"
#include "message.h"
#include "session.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is asked ---- */

/* A whole number and what must follow it; NULL when it is not there. */
static const char *read_number(const char *text, int64_t least, int64_t most, char end,
                               int64_t *out)
{
    const char *digits = text + (*text == '-');
    if (*digits < '0' || *digits > '9') /* no space, no '+' */
        return NULL;
    char *after;
    errno = 0;
    *out = strtoll(text, &after, 10);
    if (errno || *out < least || *out > most || *after != end)
        return NULL;
    return end ? after + 1 : after;
}

static bool read_box(imgret_box *out, const char *text)
{
    int64_t x, y, width, height;
    const char *at = read_number(text, INT32_MIN, INT32_MAX, ',', &x);
    at = at ? read_number(at, INT32_MIN, INT32_MAX, ',', &y) : NULL;
    at = at ? read_number(at, 1, UINT32_MAX, ',', &width) : NULL;
    at = at ? read_number(at, 1, UINT32_MAX, '\0', &height) : NULL;
    if (!at) {
        cli_error("--box wants X,Y,WIDTH,HEIGHT in pixels, such as 120,40,200,180, not '%s'", text);
        return false;
    }
    *out = (imgret_box){sizeof *out, (int32_t)x, (int32_t)y, (uint32_t)width, (uint32_t)height};
    return true;
}

bool cli_regions_read(imgret_query_options *out, imgret_box *box, const cli_options *options)
{
    if ((options->box != NULL) + options->object + (options->region > 0) > 1) {
        cli_error("of --box, --object and --region only one goes");
        return false;
    }
    if (options->region && !options->id) {
        cli_error("--region is of a picture in the database: give --id too");
        return false;
    }
    if (options->box && options->id) {
        cli_error("--box is of an IMAGE; of --id there are --region and --object");
        return false;
    }
    if (options->box && !read_box(box, options->box))
        return false;
    out->box = options->box ? box : NULL;
    out->region = options->region;
    out->search = options->search ? options->search - 1 : IMGRET_SEARCH_WHOLE;
    if (options->object)
        out->flags |= IMGRET_QUERY_MAIN_OBJECT;
    if (options->group)
        out->flags |= IMGRET_QUERY_GROUP;
    return true;
}

bool cli_regions_are_searched(const cli_options *options)
{
    return options->search > 1;
}

/* ---- hits ---- */

void cli_regions_print_heading(cli_form form)
{
    if (form == CLI_FORM_TABLE)
        printf("%6s  %-21s  %-14s  ", "region", "box", "label");
}

void cli_regions_print_hit(cli_form form, const imgret_hit *hit)
{
    char box[64];
    snprintf(box, sizeof box, "%u,%u,%u,%u", hit->box_x, hit->box_y, hit->box_width,
             hit->box_height);
    if (form == CLI_FORM_TABLE) {
        printf("%6u  %-21s  ", hit->region, box);
        cli_text_visible(stdout, hit->region_label ? hit->region_label : "-");
        size_t length = strlen(hit->region_label ? hit->region_label : "-");
        printf("%*s", length < 16 ? (int)(16 - length) : 2, "");
    } else if (form == CLI_FORM_FIELDS) {
        printf("%u\t%s\t%.6f\t", hit->region, box, hit->region_score);
        cli_text_field(stdout, hit->region_label ? hit->region_label : "");
        putchar('\t');
    }
}

void cli_regions_print_hit_json(const imgret_hit *hit)
{
    char box[64];
    snprintf(box, sizeof box, "[%u,%u,%u,%u]", hit->box_x, hit->box_y, hit->box_width,
             hit->box_height);
    cli_json_count("region", hit->region);
    cli_json_raw("box", box);
    cli_json_text("region_label", hit->region_label);
    cli_json_number("region_score", hit->region_score);
}

/* ---- objects of one picture ---- */

bool cli_regions_are_in(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    return imgret_get_stats(db, &stats, NULL) == IMGRET_OK && strcmp(stats.regions, "none") != 0;
}

/* NULL when there are none. */
static imgret_regions *get_regions(imgret *db, int64_t id)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_regions *regions;
    int32_t code = imgret_get_regions(&regions, db, id, &error);
    if (code != IMGRET_OK && code != IMGRET_NOT_FOUND)
        cli_session_fail(&error);
    return regions;
}

void cli_regions_print_objects(imgret *db, int64_t id)
{
    imgret_regions *regions = get_regions(db, id);
    for (uint64_t i = 1; i < imgret_regions_count(regions); i++) {
        const imgret_region *object = imgret_regions_at(regions, i);
        printf("object %-6u %u,%u,%u,%u  %.4f  ", object->ordinal, object->x, object->y,
               object->width, object->height, object->score);
        cli_text_visible(stdout, object->label ? object->label : "-");
        putchar('\n');
    }
    imgret_regions_free(regions);
}

static void write_object(FILE *out, const imgret_region *object)
{
    fprintf(out, "{\"region\":%u,\"box\":[%u,%u,%u,%u],\"score\":%.9g,\"label\":", object->ordinal,
            object->x, object->y, object->width, object->height, object->score);
    if (object->label) {
        fputc('"', out);
        cli_text_json(out, object->label);
        fputc('"', out);
    } else {
        fputs("null", out);
    }
    fputc('}', out);
}

void cli_regions_print_objects_json(imgret *db, int64_t id)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    imgret_regions *regions = get_regions(db, id);
    if (out) {
        fputc('[', out);
        for (uint64_t i = 1; i < imgret_regions_count(regions); i++) {
            if (i > 1)
                fputc(',', out);
            write_object(out, imgret_regions_at(regions, i));
        }
        fputc(']', out);
        if (fclose(out) == 0)
            cli_json_raw("objects", text);
    }
    if (!out)
        cli_error("out of memory");
    free(text);
    imgret_regions_free(regions);
}
