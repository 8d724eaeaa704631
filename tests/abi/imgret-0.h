/* imgret.h: the whole public contract of libimgret, image search as a library.
 *
 * Rules that hold for every function here, unless its comment says otherwise:
 *
 *  - Status. Functions return IMGRET_OK (0) or one of the pinned negative codes below.
 *  - Errors. The last argument is an optional imgret_error owned by the caller: set its `size` (or
 *    use IMGRET_ERROR_INIT) and pass its address; NULL is allowed. On success it is not touched.
 *  - Results. A function that makes something stores it in its first argument `out`, and stores
 *    NULL there when it fails. What is given to the caller is released by the function named in
 *    its comment; those functions accept NULL.
 *  - Options. An options struct starts with its own `size` in bytes; zero in any other field means
 *    the default, NULL for the whole struct means all defaults. A struct larger than this
 *    library's is accepted as long as the bytes it does not know are zero.
 *  - Pointers. Nothing the caller passes is kept after the call returns.
 *  - Threads. A handle may be used by any number of threads at once. Callbacks run on the thread
 *    that made the call, with no lock of the library held.
 *  - Text is UTF-8 and ends in NUL; paths are bytes as the operating system has them.
 *  - The library prints nothing, installs no signal handler and never exits the process.
 *  - A handle is bound to the process that opened it: used after fork() it answers
 *    IMGRET_FORKED.
 */
#ifndef IMGRET_IMGRET_H
#define IMGRET_IMGRET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IMGRET_VERSION_MAJOR 0
#define IMGRET_VERSION_MINOR 1
#define IMGRET_VERSION_PATCH 0
/* major * 1000000 + minor * 1000 + patch */
#define IMGRET_VERSION \
    (IMGRET_VERSION_MAJOR * 1000000 + IMGRET_VERSION_MINOR * 1000 + IMGRET_VERSION_PATCH)

#if defined(__GNUC__) || defined(__clang__)
#define IMGRET_API __attribute__((visibility("default")))
#else
#define IMGRET_API
#endif

/* ---- Status codes. Pinned: a code never changes its number or its meaning. ------------------ */

#define IMGRET_OK 0                 /* done */
#define IMGRET_INVALID_ARGUMENT (-1) /* the caller's arguments make no sense; message says which */
#define IMGRET_NO_MEMORY (-2)       /* an allocation failed */
#define IMGRET_IO (-3)              /* the operating system refused a read or write */
#define IMGRET_NOT_FOUND (-4)       /* no such file, image, plugin or setting */
#define IMGRET_CORRUPT (-5)         /* a file of the database is damaged or is no database */
#define IMGRET_BUSY (-6)            /* another process or thread holds what is needed */
#define IMGRET_FULL (-7)            /* the disk is full; what was acknowledged is safe */
#define IMGRET_LIMIT (-8)           /* a limit (bytes, dimensions, pixels) would be exceeded */
#define IMGRET_UNSUPPORTED (-9)     /* known, but not by this build */
#define IMGRET_BAD_IMAGE (-10)      /* the bytes are no picture, or a damaged one */
#define IMGRET_BAD_MODEL (-11)      /* weights or a backend that cannot be used */
#define IMGRET_MISMATCH (-12)       /* the database was made with another extractor or setting */
#define IMGRET_READ_ONLY (-13)      /* the handle or the medium does not allow writing */
#define IMGRET_INTERRUPTED (-14)    /* stopped by imgret_interrupt or by a callback */
#define IMGRET_VERSION_TOO_NEW (-15) /* written by, or built for, a newer libimgret */
#define IMGRET_FORKED (-16)         /* the handle belongs to the parent process */
#define IMGRET_EXISTS (-17)         /* it is there already */
#define IMGRET_INTERNAL (-18)       /* a bug in libimgret: please report the message */

typedef struct imgret_error {
    uint32_t size;     /* sizeof(imgret_error), set by the caller */
    int32_t code;      /* the status that the function returned */
    char message[504]; /* one line of UTF-8 that names the thing at fault */
} imgret_error;

#define IMGRET_ERROR_INIT {sizeof(imgret_error), 0, {0}}

/* The pinned name of a status code, "IMGRET_OK" and so on; "IMGRET_UNKNOWN" for any other number.
 * Static text. Any thread. */
IMGRET_API const char *imgret_status_name(int32_t status);

/* IMGRET_VERSION and "major.minor.patch" of the library that is loaded (the header's macros tell
 * what the program was compiled for). Static text. Any thread. */
IMGRET_API uint32_t imgret_version(void);
IMGRET_API const char *imgret_version_string(void);

/* ---- Hooks of the process -------------------------------------------------------------------- */

/* Every allocation of the core library goes through these; SQLite, the picture codecs and backend
 * plugins keep their own. Semantics of malloc, realloc (also with pointer NULL) and free; memory
 * aligned to at least 16 bytes. Called by many threads at once. */
typedef struct imgret_allocator {
    uint32_t size; /* sizeof(imgret_allocator) */
    uint32_t reserved_zero;
    void *user; /* handed back as the first argument */
    void *(*alloc)(void *user, uint64_t bytes);
    void *(*realloc)(void *user, void *pointer, uint64_t bytes);
    void (*free)(void *user, void *pointer);
} imgret_allocator;

/* Sets the allocator of the process; NULL sets the C library's again. The struct is copied; `user`
 * must live as long as the library is used. Only while no handle and no result of this library is
 * alive: IMGRET_BUSY otherwise. Not to be called from two threads at once. */
IMGRET_API int32_t imgret_set_allocator(const imgret_allocator *allocator, imgret_error *error);

#define IMGRET_LOG_ERROR 1
#define IMGRET_LOG_WARNING 2
#define IMGRET_LOG_INFO 3
#define IMGRET_LOG_DEBUG 4

/* `message` is one line without a newline and lives until the callback returns. Unlike other
 * callbacks it may run on the library's own threads, and under the library's locks: it must not
 * call back into libimgret. */
typedef void (*imgret_log_fn)(void *user, int32_t level, const char *message);

/* Sends messages of `level` and more urgent to `log`; NULL (the default) silences the library.
 * Any thread; a message being delivered by another thread may still reach the old callback. */
IMGRET_API void imgret_set_log(imgret_log_fn log, void *user, int32_t level);

/* ---- What goes in: a picture or a vector ------------------------------------------------------ */

#define IMGRET_INPUT_FILE 1   /* `path` */
#define IMGRET_INPUT_BYTES 2  /* `data`, `data_bytes`: an encoded picture (JPEG, PNG, ...) */
#define IMGRET_INPUT_PIXELS 3 /* `data`, `width`, `height`, `row_bytes`, `pixel_format` */
#define IMGRET_INPUT_VECTOR 4 /* `vector`, `dimension`: a ready feature vector */
#define IMGRET_INPUT_ID 5     /* `id`: an image that is in the database (queries only) */

#define IMGRET_PIXELS_RGB8 0  /* 3 bytes a pixel, sRGB */
#define IMGRET_PIXELS_RGBA8 1 /* 4 bytes, alpha not premultiplied; composed over white */
#define IMGRET_PIXELS_GRAY8 2 /* 1 byte */
#define IMGRET_PIXELS_BGR8 3  /* 3 bytes */

/* One picture or vector; only the fields of its kind are read. The format of a picture is found
 * from its content, never from its name. EXIF orientation is applied to FILE and BYTES, not to
 * PIXELS. Vectors must be finite; under the cosine metric they need not have unit length, a zero
 * vector is allowed and is alike to nothing (score 0). */
typedef struct imgret_input {
    uint32_t size; /* sizeof(imgret_input) */
    uint32_t kind; /* IMGRET_INPUT_* */
    const char *path;
    const void *data;
    uint64_t data_bytes;   /* length of `data` in bytes */
    uint64_t row_bytes;    /* PIXELS: bytes from one row to the next; 0: rows are packed */
    uint32_t width;        /* PIXELS: in pixels */
    uint32_t height;       /* PIXELS: in pixels */
    uint32_t pixel_format; /* PIXELS: IMGRET_PIXELS_* */
    uint32_t dimension;    /* VECTOR: number of floats */
    const float *vector;
    int64_t id;
} imgret_input;

/* What a picture may cost. Checked before anything is allocated for its pixels. */
typedef struct imgret_limits {
    uint32_t size;            /* sizeof(imgret_limits) */
    uint32_t dimension_max;   /* pixels of width or of height; default 65,535 */
    uint64_t file_bytes_max;  /* bytes of an encoded picture; default 256 MiB */
    uint64_t pixel_count_max; /* width x height; default 128 Mi pixels (384 MiB of RGB) */
} imgret_limits;

/* ---- A database's life ------------------------------------------------------------------------ */

typedef struct imgret imgret;

#define IMGRET_OPEN_READ_ONLY 1u /* nothing is written; the database must exist */
#define IMGRET_OPEN_EXISTING 2u  /* IMGRET_NOT_FOUND instead of creating */
#define IMGRET_OPEN_NEW 4u       /* IMGRET_EXISTS instead of opening */

#define IMGRET_METRIC_COSINE 1        /* score = cosine of the angle, -1..1 (default) */
#define IMGRET_METRIC_INNER_PRODUCT 2 /* score = inner product */
#define IMGRET_METRIC_L2 3            /* score = minus the Euclidean distance, 0 is identical */

#define IMGRET_VECTOR_F16 1 /* stored as IEEE half precision (default) */
#define IMGRET_VECTOR_F32 2 /* stored as single precision, twice the space */

#define IMGRET_NO_WAIT UINT32_MAX /* busy_timeout_ms: do not wait at all */

typedef struct imgret_open_options {
    uint32_t size;  /* sizeof(imgret_open_options) */
    uint32_t flags; /* IMGRET_OPEN_* */
    /* The extractor, "BACKEND[:WEIGHTS][;key=value...]" or the path of a weights file:
     *   "classic"             the weightless descriptor in plain C (default of a new database)
     *   "vectors:512"         no extractor: the caller adds ready vectors of that dimension
     *   "torch:FILE" or FILE  weights for a backend plugin, such as vit.safetensors
     * NULL opens a database with the extractor it was made with. An extractor whose identity
     * differs from the database's is refused with IMGRET_MISMATCH. */
    const char *model;
    /* Folders, separated by ':', searched for backend plugins before IMGRET_PLUGIN_PATH and the
     * installed folder. */
    const char *plugin_path;
    const imgret_limits *limits; /* NULL: defaults */
    uint32_t metric;             /* IMGRET_METRIC_*; of a new database, else must agree */
    uint32_t vector_type;        /* IMGRET_VECTOR_*; of a new database, else must agree */
    uint32_t threads;            /* for decoding and scanning; default: the CPUs it may use */
    uint32_t busy_timeout_ms;    /* wait for another writer; default 5,000; IMGRET_NO_WAIT */
} imgret_open_options;

/* Opens the database in folder `path` (made when missing, its parent must exist) and reads its
 * vectors into memory; the extractor's weights are loaded at its first use, or here when
 * options->model names it. Close it with imgret_close.
 * Errors: NOT_FOUND, EXISTS, CORRUPT (no database), VERSION_TOO_NEW, MISMATCH (names the extractor
 * that is needed), BAD_MODEL, BUSY, IO, READ_ONLY, NO_MEMORY. */
IMGRET_API int32_t imgret_open(imgret **out, const char *path, const imgret_open_options *options,
                               imgret_error *error);

/* Closes the database and frees the handle, results made from it stay valid. No other call on the
 * handle may be running or follow. NULL is allowed. In a forked child it frees nothing that the
 * parent shares on disk. */
IMGRET_API void imgret_close(imgret *db);

/* Makes every call that is running on `db` return IMGRET_INTERRUPTED soon; what they committed
 * stays. Calls that start later are not affected. Any thread; also from a signal handler. */
IMGRET_API void imgret_interrupt(imgret *db);

typedef struct imgret_stats {
    uint32_t size;              /* sizeof(imgret_stats), set by the caller */
    uint32_t dimension;         /* of a feature vector */
    uint32_t metric;            /* IMGRET_METRIC_* */
    uint32_t vector_type;       /* IMGRET_VECTOR_* */
    uint64_t image_count;       /* pictures that can be found */
    uint64_t failed_count;      /* pictures recorded with the reason why they cannot be read */
    uint64_t vector_count;      /* vectors that are searched */
    uint64_t delta_ram_bytes;   /* RAM of the vectors not yet in a segment */
    uint64_t catalog_bytes;     /* size of the catalogue on disk, its log included */
    uint64_t query_count;       /* queries of this handle */
    uint64_t query_us_total;    /* their time, extraction of the query picture included */
    uint64_t scanned_count;     /* vectors compared by them */
    const char *model;          /* the extractor's specification, as in imgret_open_options */
    const char *model_identity; /* what makes two extractors the same; both live as long as db */
    const char *kernels;        /* SIMD family in use: "scalar", "avx2", "avx512", "neon" */
} imgret_stats;

/* Fills `out` (its `size` set by the caller) with what the database and this handle hold. */
IMGRET_API int32_t imgret_get_stats(imgret *db, imgret_stats *out, imgret_error *error);

/* ---- Put in ----------------------------------------------------------------------------------- */

#define IMGRET_STORED 1    /* new, can be found */
#define IMGRET_REPLACED 2  /* its uri was known with other content; same id, new vector */
#define IMGRET_UNCHANGED 3 /* known with the same content; nothing was done */
#define IMGRET_FAILED 4    /* cannot be read; recorded with the reason when it has a uri */
#define IMGRET_KNOWN_BAD 5 /* failed before and has not changed since; not tried again */
#define IMGRET_SKIPPED 6   /* a file that is no picture, met in a folder; not recorded */

typedef struct imgret_add_options {
    uint32_t size; /* sizeof(imgret_add_options) */
    uint32_t flags_zero;
    const char *uri;      /* unique name; default: the absolute path of a FILE, else none */
    const char *metadata; /* a JSON object of at most 1 MiB; default none */
} imgret_add_options;

typedef struct imgret_add_result {
    uint32_t size;   /* sizeof(imgret_add_result), set by the caller */
    int32_t outcome; /* IMGRET_STORED, REPLACED or UNCHANGED */
    int64_t id;      /* the image's id, never used again once removed */
} imgret_add_result;

/* Adds one picture or ready vector. When it returns IMGRET_OK the picture survives a crash and is
 * found by the next query. A `uri` that exists is replaced when the content differs, and its
 * metadata when options->metadata is given. `result` may be NULL.
 * Errors: BAD_IMAGE, UNSUPPORTED, LIMIT (the picture; it is not recorded), INVALID_ARGUMENT (vector
 * of another dimension or not finite, metadata that is no JSON object), NOT_FOUND, IO, FULL, BUSY,
 * READ_ONLY, BAD_MODEL, NO_MEMORY. Nothing is stored then. */
IMGRET_API int32_t imgret_add(imgret *db, const imgret_input *input,
                              const imgret_add_options *options, imgret_add_result *result,
                              imgret_error *error);

/* One file of an ingest; pointers live until the callback returns. */
typedef struct imgret_ingest_item {
    uint32_t size;       /* sizeof(imgret_ingest_item) of the library */
    int32_t outcome;     /* IMGRET_STORED ... IMGRET_SKIPPED */
    int64_t id;          /* 0 when it was not recorded */
    const char *uri;     /* absolute path */
    int32_t code;        /* status code of a failure, else 0 */
    uint32_t width;      /* pixels, after orientation; 0 when unknown */
    uint32_t height;
    uint32_t reserved_zero;
    const char *format;  /* "jpeg", "png", ... or "" */
    const char *message; /* reason of a failure or skip, else "" */
} imgret_ingest_item;

typedef struct imgret_ingest_progress {
    uint32_t size;           /* sizeof(imgret_ingest_progress) of the library */
    uint32_t listing_done;   /* 1 when file_count is final */
    uint64_t file_count;     /* files found so far */
    uint64_t done_count;     /* files whose outcome is settled */
    uint64_t stored_count;   /* by outcome */
    uint64_t replaced_count;
    uint64_t unchanged_count;
    uint64_t failed_count;
    uint64_t known_bad_count;
    uint64_t skipped_count;
    uint64_t bytes_read;     /* of picture files */
    uint64_t elapsed_us;
} imgret_ingest_progress;

/* Return 0 to go on, anything else to stop: what is done is committed, and the call returns
 * IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_ingest_item_fn)(void *user, const imgret_ingest_item *item);
typedef int32_t (*imgret_ingest_progress_fn)(void *user, const imgret_ingest_progress *progress);

#define IMGRET_INGEST_NO_RECURSION 1u   /* do not enter folders inside the given ones */
#define IMGRET_INGEST_RETRY_FAILED 2u   /* try pictures again that failed and did not change */

typedef struct imgret_ingest_options {
    uint32_t size;  /* sizeof(imgret_ingest_options) */
    uint32_t flags; /* IMGRET_INGEST_* */
    const char *const *paths; /* files and folders */
    uint64_t path_count;
    imgret_ingest_item_fn on_item; /* each file, in listing order, once it is durable */
    imgret_ingest_progress_fn on_progress; /* about ten times a second, and at the end */
    void *user;
    uint32_t commit_count; /* pictures a transaction; default 256 */
    uint32_t commit_ms;    /* or this much time, whichever comes first; default 1,000 */
} imgret_ingest_options;

/* Adds files and whole folders (names in byte order, symbolic links to files followed, to folders
 * not). A picture that cannot be read is recorded with its reason and never stops the run. A file
 * of unchanged size and modification time is not opened; one whose content is unchanged is not
 * extracted again. Run again after an interrupt, a crash or new files, it does what is left.
 * `report` (may be NULL; set its `size`) receives the final counts, also when the call fails.
 * Errors: INTERRUPTED, NOT_FOUND (a given path is missing: the others are still done), FULL, IO,
 * BUSY, READ_ONLY, BAD_MODEL, NO_MEMORY; what was reported to on_item is durable in any case. */
IMGRET_API int32_t imgret_ingest(imgret *db, const imgret_ingest_options *options,
                                 imgret_ingest_progress *report, imgret_error *error);

/* Removes an image; it is durable on return and no later query finds it. NOT_FOUND when no image
 * has this id. Its id is never used again. */
IMGRET_API int32_t imgret_remove(imgret *db, int64_t id, imgret_error *error);

/* Replaces an image's metadata: a JSON object of at most 1 MiB, or NULL for none. NOT_FOUND when
 * no image has this id. Durable on return. */
IMGRET_API int32_t imgret_set_metadata(imgret *db, int64_t id, const char *metadata,
                                       imgret_error *error);

/* ---- Ask -------------------------------------------------------------------------------------- */

#define IMGRET_QUERY_MIN_SCORE 1u    /* honour min_score */
#define IMGRET_QUERY_INCLUDE_SELF 2u /* a query by id may return that image too */

typedef struct imgret_query_options {
    uint32_t size;    /* sizeof(imgret_query_options) */
    uint32_t flags;   /* IMGRET_QUERY_* */
    double min_score; /* with IMGRET_QUERY_MIN_SCORE: no result below it */
    uint32_t k;       /* results wanted; default 10, at most 1,000,000 */
    uint32_t reserved_zero;
} imgret_query_options;

/* One result; strings live as long as the results they come from. */
typedef struct imgret_hit {
    uint32_t size; /* sizeof(imgret_hit) of the library */
    uint32_t width; /* of the picture in pixels, after orientation; 0 for a ready vector */
    uint32_t height;
    uint32_t reserved_zero;
    int64_t id;
    double score;         /* higher is more alike; its meaning is the metric's */
    const char *uri;      /* NULL when it has none */
    const char *metadata; /* JSON, NULL when it has none */
} imgret_hit;

typedef struct imgret_results imgret_results;

/* Finds the k images most alike to `input`, best first, equal scores by ascending id; fewer when
 * the collection is smaller. Every vector is compared exactly, in the precision it is stored in.
 * Free `out` with imgret_results_free.
 * Errors: NOT_FOUND (id or file), BAD_IMAGE, UNSUPPORTED, LIMIT, INVALID_ARGUMENT, BAD_MODEL,
 * INTERRUPTED, IO, CORRUPT, NO_MEMORY. */
IMGRET_API int32_t imgret_query(imgret_results **out, imgret *db, const imgret_input *input,
                                const imgret_query_options *options, imgret_error *error);

/* Number of results; 0 for NULL. Any thread. */
IMGRET_API uint64_t imgret_results_count(const imgret_results *results);

/* The result at `index` (0 is the best), or NULL past the end. Lives as long as `results`. */
IMGRET_API const imgret_hit *imgret_results_at(const imgret_results *results, uint64_t index);

/* Frees results; NULL is allowed; also after the database was closed. */
IMGRET_API void imgret_results_free(imgret_results *results);

/* ---- Look at what is there --------------------------------------------------------------------- */

#define IMGRET_STATE_STORED 1 /* can be found */
#define IMGRET_STATE_FAILED 2 /* recorded with the reason why it cannot be read */

/* One image as the catalogue has it; strings live as long as the records they come from. */
typedef struct imgret_record {
    uint32_t size;  /* sizeof(imgret_record) of the library */
    int32_t state;  /* IMGRET_STATE_* */
    int64_t id;
    const char *uri;            /* NULL when it has none */
    const char *metadata;       /* JSON, NULL when it has none */
    const char *format;         /* "jpeg", "png", ...; "pixels", "vector"; "" when unknown */
    const char *failure;        /* reason of a failure, else "" */
    int32_t failure_code;       /* status code of a failure, else 0 */
    uint32_t width;             /* pixels, after orientation */
    uint32_t height;
    uint32_t reserved_zero;
    uint64_t file_bytes;        /* of the encoded picture */
    int64_t modified_ns;        /* file's modification time, Unix epoch; 0 when it was no file */
    int64_t added_ms;           /* time of the last store, Unix epoch */
    uint8_t content_hash[16];   /* XXH3-128 of the encoded bytes, pixels or vector */
} imgret_record;

typedef struct imgret_list_options {
    uint32_t size;    /* sizeof(imgret_list_options) */
    int32_t state;    /* only this IMGRET_STATE_*; default all */
    int64_t after_id; /* only ids above it, to page through; default all */
    const char *uri;  /* only this uri; default all */
    uint64_t limit;   /* at most so many; default 1,000 */
} imgret_list_options;

typedef struct imgret_records imgret_records;

/* Lists images by ascending id. An empty list is no error. Free `out` with imgret_records_free. */
IMGRET_API int32_t imgret_list(imgret_records **out, imgret *db, const imgret_list_options *options,
                               imgret_error *error);

/* The one image with this id, as a list of one. NOT_FOUND when there is none. */
IMGRET_API int32_t imgret_get(imgret_records **out, imgret *db, int64_t id, imgret_error *error);

IMGRET_API uint64_t imgret_records_count(const imgret_records *records);
IMGRET_API const imgret_record *imgret_records_at(const imgret_records *records, uint64_t index);
IMGRET_API void imgret_records_free(imgret_records *records);

/* Copies the stored vector of image `id` as `capacity` floats into `out`; capacity must be the
 * database's dimension (imgret_stats). NOT_FOUND when there is no such image, or it failed. */
IMGRET_API int32_t imgret_get_vector(imgret *db, int64_t id, float *out, uint32_t capacity,
                                     imgret_error *error);

/* A thing that imgret_check found wrong; `message` lives until the callback returns. Return 0 to
 * go on, anything else to stop. */
typedef int32_t (*imgret_check_fn)(void *user, const char *message);

/* Reads the whole database and reports each problem to `on_problem` (may be NULL): the catalogue's
 * own integrity, vectors of a wrong length or not finite, images without a vector, vectors without
 * an image, vectors in memory that differ from the stored ones. `problem_count` (may be NULL)
 * receives their number; finding problems is not an error of this call. */
IMGRET_API int32_t imgret_check(imgret *db, imgret_check_fn on_problem, void *user,
                                uint64_t *problem_count, imgret_error *error);

/* ---- Extraction alone --------------------------------------------------------------------------- */

typedef struct imgret_extractor imgret_extractor;

typedef struct imgret_extractor_options {
    uint32_t size;               /* sizeof(imgret_extractor_options) */
    uint32_t threads;            /* default: the CPUs it may use */
    const char *plugin_path;     /* as in imgret_open_options */
    const imgret_limits *limits; /* NULL: defaults */
} imgret_extractor_options;

typedef struct imgret_extractor_info {
    uint32_t size;         /* sizeof(imgret_extractor_info), set by the caller */
    uint32_t dimension;    /* floats in a vector */
    uint32_t input_width;  /* pixels the model sees, after resize and crop */
    uint32_t input_height;
    uint32_t batch_max;    /* largest batch the backend takes at once */
    uint32_t reserved_zero;
    const char *backend;      /* "classic", "torch"; these live as long as the extractor */
    const char *architecture; /* "vit_tiny_patch16_224" */
    const char *identity;     /* equal for two extractors that give the same vectors */
} imgret_extractor_info;

/* Opens the extractor `model`, written as in imgret_open_options ("vectors:N" extracts nothing and
 * is refused). Close it with imgret_extractor_close. Errors: NOT_FOUND (weights or plugin),
 * BAD_MODEL, INVALID_ARGUMENT, UNSUPPORTED, NO_MEMORY. */
IMGRET_API int32_t imgret_extractor_open(imgret_extractor **out, const char *model,
                                         const imgret_extractor_options *options,
                                         imgret_error *error);

IMGRET_API void imgret_extractor_close(imgret_extractor *extractor);

IMGRET_API int32_t imgret_extractor_get_info(const imgret_extractor *extractor,
                                             imgret_extractor_info *out, imgret_error *error);

/* Extracts `count` pictures (kinds FILE, BYTES, PIXELS; inputs[0].size is the stride of the array)
 * into `out`, count rows of `dimension` floats, L2-normalised; `out_floats` is its capacity.
 * With `statuses` (count entries) a bad picture only sets its own status and a row of zeros, and
 * the call returns IMGRET_OK; with NULL the first bad picture fails the call. */
IMGRET_API int32_t imgret_extract(imgret_extractor *extractor, const imgret_input *inputs,
                                  uint32_t count, float *out, uint64_t out_floats,
                                  int32_t *statuses, imgret_error *error);

#ifdef __cplusplus
}
#endif

#endif
