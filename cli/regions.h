/* regions.h: boxes and objects of pictures, as the command line takes and prints them. */
#ifndef IMGRET_CLI_REGIONS_H
#define IMGRET_CLI_REGIONS_H

#include "options.h"
#include "output.h"

#include <imgret/imgret.h>

/* What a search asks for by --box, --object, --region, --search and --group; `box` is what *out then
 * points to. False: said on stderr. */
bool cli_regions_read(imgret_query_options *out, imgret_box *box, const cli_options *options);

/* Whether hits may be objects, so that what they are is printed. */
bool cli_regions_are_searched(const cli_options *options);

/* The heading and the columns of a hit's region, between its size and its path. Not for JSON. */
void cli_regions_print_heading(cli_form form);
void cli_regions_print_hit(cli_form form, const imgret_hit *hit);

/* The same as fields of a JSON object. */
void cli_regions_print_hit_json(const imgret_hit *hit);

/* Whether pictures of the database have objects. */
bool cli_regions_are_in(imgret *db);

/* The objects of image `id`: lines of "show", or the field "objects" of a JSON object. A failure is
 * said on stderr; a picture without regions, such as one that failed, has none. */
void cli_regions_print_objects(imgret *db, int64_t id);
void cli_regions_print_objects_json(imgret *db, int64_t id);

#endif
