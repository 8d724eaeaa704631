/* catalog.h: the SQLite catalogue, log and truth of a database. Further faces of the room: transfer.h
 * (export, import), repair.h and salvage.h.
 *
 * Two connections: a writer, held for the length of a transaction by one thread, and a reader for
 * everything else; each has its own lock, so that reading never waits for a writer's transaction.
 * Strings in structs given to callbacks live until the callback returns. Callbacks run under the
 * connection's lock: they must not call the catalogue.
 */
#ifndef IR_CATALOG_CATALOG_H
#define IR_CATALOG_CATALOG_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ir_catalog ir_catalog;

#define IR_CATALOG_FORMAT 5      /* PRAGMA user_version; a greater one is IMGRET_VERSION_TOO_NEW */
#define IR_CATALOG_FORMAT_MADE 4 /* of one without indexes that a host asked for */

typedef struct ir_catalog_options {
    bool read_only;
    bool existing;            /* do not create */
    bool fresh;               /* do not open one that exists */
    uint32_t busy_timeout_ms; /* 0: 5,000; IMGRET_NO_WAIT: none */
    /* Asked now and then while a statement runs (SQLite's progress handler) and between retries;
     * true ends it with IMGRET_INTERRUPTED. NULL: never. */
    bool (*stop)(void *context);
    void *stop_context;
} ir_catalog_options;

/* Opens or creates the folder `path` and its catalog.db (WAL, synchronous=FULL, trusted_schema
 * off, defensive). *created tells which. A folder that holds other files but no catalog.db is not
 * turned into a database (IMGRET_INVALID_ARGUMENT); a file that is no SQLite database, or is
 * another program's, is IMGRET_CORRUPT. A new catalogue is complete or not there: a crash while
 * creating leaves nothing that a later open trips over. */
int32_t ir_catalog_open(ir_catalog **out, const char *path, const ir_catalog_options *options,
                        bool *created, imgret_error *error);
void ir_catalog_close(ir_catalog *catalog);

/* In a forked child: forgets the handle without touching the files or their locks. */
void ir_catalog_abandon(ir_catalog *catalog);

/* ---- Settings: small texts by name ---- */

/* *out is fresh memory (ir_free), or NULL when there is no such setting. */
int32_t ir_catalog_get_setting(ir_catalog *catalog, const char *name, char **out,
                               imgret_error *error);
/* Within a transaction. */
int32_t ir_catalog_set_setting(ir_catalog *catalog, const char *name, const char *value,
                               imgret_error *error);

/* ---- Writing: begin takes the writer's lock, commit and rollback release it ----
 *
 * A write that is refused for its arguments (INVALID_ARGUMENT, LIMIT, NOT_FOUND, EXISTS) changes
 * nothing, and the transaction goes on. After any other failure (FULL, IO, INTERRUPTED, ...) the
 * transaction is lost as a whole: further writes and commit return the same failure. */

/* Waits its turn among threads until `stop`, and busy_timeout_ms for other processes
 * (IMGRET_BUSY). */
int32_t ir_catalog_begin(ir_catalog *catalog, imgret_error *error);

/* Durable on IMGRET_OK. On failure the transaction is rolled back. `committed` (may be NULL) is
 * called after the commit, before the writer's lock is released: what other rooms hold in memory
 * is brought up to date there, in the order of commits. */
int32_t ir_catalog_commit(ir_catalog *catalog, void (*committed)(void *context), void *context,
                          imgret_error *error);
void ir_catalog_rollback(ir_catalog *catalog);

/* Whether the calling thread has begun a transaction and not ended it. */
bool ir_catalog_in_transaction(ir_catalog *catalog);

/* What is known of a file before it is read. */
typedef struct ir_catalog_known {
    int64_t id;    /* 0: nothing */
    int32_t state; /* IMGRET_STATE_* */
    int32_t failure_code;
    uint64_t file_bytes;
    int64_t modified_ns;
    uint8_t content_hash[16];
} ir_catalog_known;

/* Looks a uri up; id 0 when it is not there. On the writer when this thread's transaction is open
 * (in_transaction), else on the reader. */
int32_t ir_catalog_find(ir_catalog *catalog, const char *uri, bool in_transaction,
                        ir_catalog_known *out, imgret_error *error);

/* An object: a box of a picture with a vector of its own. */
typedef struct ir_catalog_object {
    uint32_t x; /* pixels of the upright picture, as all that follow; within it */
    uint32_t y;
    uint32_t width; /* at least 1 */
    uint32_t height;
    const char *label; /* at most 4 KiB; NULL: none */
    double score;      /* 0..1 */
} ir_catalog_object;

/* One image to store. Whole-image region 0 is made with it, and regions 1.. of its objects. */
typedef struct ir_catalog_image {
    const char *uri;      /* NULL: none */
    const char *metadata; /* NULL: none; must be a JSON object in UTF-8 of at most 1 MiB (else
                           * IMGRET_LIMIT), nested at most 2,000 deep; checked here */
    const char *format;
    uint32_t width; /* pixels, upright; 0 for a vector */
    uint32_t height;
    uint64_t file_bytes;
    int64_t modified_ns;
    uint8_t content_hash[16];
    const void *vector; /* as stored */
    size_t vector_bytes;
    const imgret_attributes *attributes; /* NULL: none */
    const char *label;                   /* NULL: none; as in ir_catalog_set_label */
    double label_score;                  /* with a label */
    bool spaced; /* the region's id is the next turn's, base/region.h; needed for objects */
    const ir_catalog_object *objects;
    uint32_t object_count; /* at most IR_REGION_OBJECTS_MAX; their vectors stand behind `vector` */
} ir_catalog_image;

/* Stores a new image, or replaces what `replaced_id` (0: none) holds: same id, metadata kept when
 * image->metadata is NULL, likewise the label, a new region. Within a transaction. *region is above
 * every region id ever given; object i's is *region + 1 + i. *removed_region (0: none) is the one it
 * replaced; its objects, which ir_catalog_object_count told before, go with it, here and below. */
int32_t ir_catalog_store(ir_catalog *catalog, const ir_catalog_image *image, int64_t replaced_id,
                         int64_t *id, int64_t *region, int64_t *removed_region,
                         imgret_error *error);

/* Records that a file cannot be read (state FAILED, no region, no vector), new or in place of what
 * `replaced_id` holds. Within a transaction. */
int32_t ir_catalog_store_failure(ir_catalog *catalog, const ir_catalog_image *image,
                                 int32_t failure_code, const char *failure, int64_t replaced_id,
                                 int64_t *id, int64_t *removed_region, imgret_error *error);

/* The number of objects of image `id`. Within a transaction. */
int32_t ir_catalog_object_count(ir_catalog *catalog, int64_t id, uint32_t *out,
                                imgret_error *error);

/* Notes that a file's size or time changed but not its content. Within a transaction. */
int32_t ir_catalog_touch(ir_catalog *catalog, int64_t id, uint64_t file_bytes, int64_t modified_ns,
                         imgret_error *error);

/* Gives an image another uri, which no other has. Within a transaction; IMGRET_NOT_FOUND when there is
 * no such image. */
int32_t ir_catalog_move(ir_catalog *catalog, int64_t id, const char *uri, imgret_error *error);

/* Within a transaction; IMGRET_NOT_FOUND when there is no such image. */
int32_t ir_catalog_set_metadata(ir_catalog *catalog, int64_t id, const char *metadata,
                                imgret_error *error);

/* Labels an image: UTF-8 of 1 to 4,096 bytes and a score of 0 to 1; NULL takes its label away. Within
 * a transaction; IMGRET_NOT_FOUND when there is no such image. */
int32_t ir_catalog_set_label(ir_catalog *catalog, int64_t id, const char *label, double score,
                             imgret_error *error);

/* Refuses what is no label, as above. */
int32_t ir_catalog_check_label(const char *label, double score, imgret_error *error);

/* Records what a user says of two images, IMGRET_VERDICT_*; NONE forgets it. Gone with either of
 * them. Within a transaction; IMGRET_NOT_FOUND when one is not there. */
int32_t ir_catalog_set_verdict(ir_catalog *catalog, int64_t one, int64_t other, int32_t verdict,
                               imgret_error *error);

/* Removes an image with its regions and vectors, and overwrites their bytes (secure_delete); its
 * regions go into the list of removals. *removed_region as above. Within a transaction. */
int32_t ir_catalog_remove(ir_catalog *catalog, int64_t id, int64_t *removed_region,
                          imgret_error *error);

/* ---- Reading ---- */

/* A number that differs whenever something was committed since, by anyone. Cheap. */
int32_t ir_catalog_data_version(ir_catalog *catalog, int64_t *out, imgret_error *error);

typedef int32_t (*ir_catalog_vector_fn)(void *context, int64_t region, const void *vector,
                                        size_t vector_bytes, imgret_error *error);
typedef int32_t (*ir_catalog_removal_fn)(void *context, int64_t region, imgret_error *error);

/* Calls `on_removal` for regions removed after *removal_mark, then `on_vector` for pending vectors
 * of regions above `region_after`, ascending; one consistent snapshot. Moves *removal_mark. A
 * callback's status other than 0 ends it and is returned. */
int32_t ir_catalog_changes(ir_catalog *catalog, int64_t region_after, int64_t *removal_mark,
                           ir_catalog_removal_fn on_removal, ir_catalog_vector_fn on_vector,
                           void *context, imgret_error *error);

/* Until ir_catalog_release, all reads of this thread see one and the same snapshot; reads of other
 * threads wait. Not within one another, and not for long. */
int32_t ir_catalog_hold(ir_catalog *catalog, imgret_error *error);
void ir_catalog_release(ir_catalog *catalog);

/* The number of the last removal, as in *removal_mark of ir_catalog_changes; 0: none yet. */
int32_t ir_catalog_last_removal(ir_catalog *catalog, int64_t *out, imgret_error *error);

/* The region of image `id`'s whole picture; IMGRET_NOT_FOUND when it has none. */
int32_t ir_catalog_image_region(ir_catalog *catalog, int64_t id, int64_t *region,
                                imgret_error *error);

/* Called for each region that still exists, in the order given. */
typedef int32_t (*ir_catalog_record_fn)(void *context, uint64_t position,
                                        const imgret_record *record, imgret_error *error);

/* The images that these regions belong to; one consistent snapshot; regions removed meanwhile are
 * passed over. */
int32_t ir_catalog_records_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                      ir_catalog_record_fn on_record, void *context,
                                      imgret_error *error);

/* The same with no more of each record than a result of a query shows, which is read in a fraction of
 * the time: id, uri, metadata, width, height, label and its score. */
int32_t ir_catalog_hits_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                   ir_catalog_record_fn on_record, void *context,
                                   imgret_error *error);

/* The same with nothing but the id, which is read faster still. */
int32_t ir_catalog_images_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                     ir_catalog_record_fn on_record, void *context,
                                     imgret_error *error);

/* The images with these ids; otherwise as above. */
int32_t ir_catalog_records_of_images(ir_catalog *catalog, const int64_t *ids, uint64_t count,
                                     ir_catalog_record_fn on_record, void *context,
                                     imgret_error *error);

/* One region: the whole picture (ordinal 0, its box is all of it) or an object. */
typedef struct ir_catalog_region {
    int64_t id;
    uint32_t ordinal;
    ir_catalog_object object; /* its label lives until the callback returns */
} ir_catalog_region;

typedef int32_t (*ir_catalog_region_fn)(void *context, uint64_t position,
                                        const ir_catalog_region *region, imgret_error *error);

/* What is recorded of these regions; otherwise as ir_catalog_records_of_regions. */
int32_t ir_catalog_boxes_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                    ir_catalog_region_fn on_region, void *context,
                                    imgret_error *error);

/* The regions of image `id` by ascending ordinal; IMGRET_NOT_FOUND when it has none. */
int32_t ir_catalog_regions_of_image(ir_catalog *catalog, int64_t id, ir_catalog_region_fn on_region,
                                    void *context, imgret_error *error);

/* ---- Filters: docs/filters.md ----
 *
 * They run on a read-only connection of their own, one at a time. Errors of both: INVALID_ARGUMENT
 * (the expression, or what it may not do), LIMIT (its length, time or memory), INTERRUPTED. */
typedef struct ir_catalog_filter {
    const char *where;          /* an SQL expression */
    const imgret_param *params; /* checked */
    uint32_t param_count;
    uint32_t ms_max;         /* 0: 10,000 */
    const int64_t *excluded; /* image ids that never match, ascending; not for listings */
    uint64_t excluded_count;
} ir_catalog_filter;

/* The regions of the images that match, ascending; *out is fresh memory (ir_free), perhaps NULL
 * when *count is 0. */
int32_t ir_catalog_filter_regions(ir_catalog *catalog, const ir_catalog_filter *given,
                                  int64_t **out, uint64_t *count, imgret_error *error);

/* ir_catalog_list among those that match; options->uri is not looked at. */
int32_t ir_catalog_filter_list(ir_catalog *catalog, const ir_catalog_filter *given,
                               const imgret_list_options *options, ir_catalog_record_fn on_record,
                               void *context, imgret_error *error);

/* How many images match; `state` 0: of either state. */
int32_t ir_catalog_filter_count(ir_catalog *catalog, const ir_catalog_filter *given, int32_t state,
                                uint64_t *count, imgret_error *error);

/* Makes an index for filters by `expression`, one that ir_index_text_read takes. Within a transaction.
 * EXISTS, LIMIT (IMGRET_INDEX_COUNT_MAX), INVALID_ARGUMENT. */
int32_t ir_catalog_create_index(ir_catalog *catalog, const char *expression, imgret_error *error);

/* Takes it away. Within a transaction. NOT_FOUND. */
int32_t ir_catalog_drop_index(ir_catalog *catalog, const char *expression, imgret_error *error);

/* Tells of each, by name, the expression that it was made from. */
typedef int32_t (*ir_catalog_index_fn)(void *context, const char *expression, imgret_error *error);
int32_t ir_catalog_list_indexes(ir_catalog *catalog, ir_catalog_index_fn on_index, void *context,
                                imgret_error *error);

/* The dominant colours of an image. */
typedef int32_t (*ir_catalog_palette_fn)(void *context, int64_t id, const imgret_swatch *swatches,
                                         uint32_t count, imgret_error *error);

/* Those of each stored image that matches and has any, in no order; given->where NULL: of all. The
 * callback runs under the filter's lock. */
int32_t ir_catalog_filter_palettes(ir_catalog *catalog, const ir_catalog_filter *given,
                                   ir_catalog_palette_fn on_palette, void *context,
                                   imgret_error *error);

/* ---- Segments: files with the vectors of a range of regions, which are no longer pending ---- */

typedef struct ir_catalog_segment {
    int64_t id; /* the file's number, at least 1 */
    int64_t first_region;
    int64_t last_region;
    uint64_t vector_count;
    uint64_t file_bytes;
    uint64_t identity; /* of the file's content */
} ir_catalog_segment;

/* The segments by ascending regions, in fresh memory (ir_free; NULL when there are none). */
int32_t ir_catalog_get_segments(ir_catalog *catalog, ir_catalog_segment **out, uint32_t *count,
                                imgret_error *error);

/* Lists `added` in place of the segments replaced_ids, and forgets the pending vectors and (up to
 * removal_mark) the removals that it covers. Within a transaction. */
int32_t ir_catalog_replace_segments(ir_catalog *catalog, const ir_catalog_segment *added,
                                    const int64_t *replaced_ids, uint32_t replaced_count,
                                    int64_t removal_mark, imgret_error *error);

/* The ids of all regions from `first` on, ascending, in fresh memory (ir_free). */
int32_t ir_catalog_region_ids(ir_catalog *catalog, int64_t first, int64_t **out, uint64_t *count,
                              imgret_error *error);

/* The same, letting other readers of the catalogue in between: what is committed meanwhile may be
 * in it or not. */
int32_t ir_catalog_region_ids_beside(ir_catalog *catalog, int64_t first, int64_t **out,
                                     uint64_t *count, imgret_error *error);

/* All verdicts, `first` below `second`, ascending. */
typedef int32_t (*ir_catalog_verdict_fn)(void *context, int64_t first, int64_t second,
                                         int32_t verdict, imgret_error *error);
int32_t ir_catalog_verdicts(ir_catalog *catalog, ir_catalog_verdict_fn on_verdict, void *context,
                            imgret_error *error);

/* The absolute path of the database's folder; lives as long as the catalogue. */
const char *ir_catalog_folder(const ir_catalog *catalog);

/* Images by ascending id; options as in imgret_list (all fields set). */
int32_t ir_catalog_list(ir_catalog *catalog, const imgret_list_options *options,
                        ir_catalog_record_fn on_record, void *context, imgret_error *error);

/* Told after each part; a status other than 0 ends the copy and is returned. Runs under no lock. */
typedef int32_t (*ir_catalog_copy_fn)(void *context, uint64_t done_bytes, uint64_t total_bytes,
                                      imgret_error *error);

/* Writes the state that the last commit left to a new file `path`, durable on IMGRET_OK, while
 * others read and write. What there is of the file after a failure is the caller's to remove. */
int32_t ir_catalog_backup(ir_catalog *catalog, const char *path, ir_catalog_copy_fn on_copy,
                          void *context, imgret_error *error);

typedef struct ir_catalog_counts {
    uint64_t image_count; /* state STORED */
    uint64_t failed_count;
    uint64_t region_count;
    uint64_t file_bytes; /* catalog.db and its -wal */
} ir_catalog_counts;

/* Waits for no reader, and lets none wait. */
int32_t ir_catalog_get_counts(ir_catalog *catalog, ir_catalog_counts *out, imgret_error *error);

/* SQLite's integrity_check and foreign_key_check, then the catalogue's own rules: every stored
 * image has region 0 and its vector of `vector_bytes`, every vector a region, every region an
 * image, every object a box within its picture, metadata is JSON. `on_problem` non-zero ends it with IMGRET_INTERRUPTED. */
int32_t ir_catalog_check(ir_catalog *catalog, size_t vector_bytes,
                         int32_t (*on_problem)(void *context, const char *message), void *context,
                         imgret_error *error);

#endif
