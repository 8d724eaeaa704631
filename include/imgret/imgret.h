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

#define IMGRET_OK 0                  /* done */
#define IMGRET_INVALID_ARGUMENT (-1) /* the caller's arguments make no sense; message says which */
#define IMGRET_NO_MEMORY (-2)        /* an allocation failed */
#define IMGRET_IO (-3)               /* the operating system refused a read or write */
#define IMGRET_NOT_FOUND (-4)        /* no such file, image, plugin or setting */
#define IMGRET_CORRUPT (-5)          /* a file of the database is damaged or is no database */
#define IMGRET_BUSY (-6)             /* another process or thread holds what is needed */
#define IMGRET_FULL (-7)             /* the disk is full; what was acknowledged is safe */
#define IMGRET_LIMIT (-8)            /* a limit (bytes, dimensions, pixels) would be exceeded */
#define IMGRET_UNSUPPORTED (-9)      /* known, but not by this build */
#define IMGRET_BAD_IMAGE (-10)       /* the bytes are no picture, or a damaged one */
#define IMGRET_BAD_MODEL (-11)       /* weights or a backend that cannot be used */
#define IMGRET_MISMATCH (-12)        /* the database was made with another extractor or setting */
#define IMGRET_READ_ONLY (-13)       /* the handle or the medium does not allow writing */
#define IMGRET_INTERRUPTED (-14)     /* stopped by imgret_interrupt or by a callback */
#define IMGRET_VERSION_TOO_NEW (-15) /* written by, or built for, a newer libimgret */
#define IMGRET_FORKED (-16)          /* the handle belongs to the parent process */
#define IMGRET_EXISTS (-17)          /* it is there already */
#define IMGRET_INTERNAL (-18)        /* a bug in libimgret: please report the message */

typedef struct imgret_error {
    uint32_t size;     /* sizeof(imgret_error), set by the caller */
    int32_t code;      /* the status that the function returned */
    char message[504]; /* one line of UTF-8 that names the thing at fault */
} imgret_error;

/* clang-format off */
#define IMGRET_ERROR_INIT {sizeof(imgret_error), 0, {0}}
/* clang-format on */

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
#define IMGRET_INPUT_PIXELS 3 /* `data`, `data_bytes` and the fields that say PIXELS */
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
/* The handle starts a thread of its own that looks about once a second whether an optimize pays, by the
 * rules of imgret_optimize, and then does it on that one thread within 512 MiB of memory (a collection
 * that needs more is left to imgret_optimize). Queries and writers go on meanwhile; an optimize,
 * backup, export or repair of this handle goes first, one of another process is told BUSY while it
 * builds. Failures go to the log. imgret_close ends it; imgret_interrupt does not stop it. */
#define IMGRET_OPEN_MAINTAIN 8u

#define IMGRET_METRIC_COSINE 1        /* score = cosine of the angle, -1..1 (default) */
#define IMGRET_METRIC_INNER_PRODUCT 2 /* score = inner product */
#define IMGRET_METRIC_L2 3            /* score = minus the Euclidean distance, 0 is identical */

#define IMGRET_VECTOR_F16 1 /* stored as IEEE half precision (default) */
#define IMGRET_VECTOR_F32 2 /* stored as single precision, twice the space */

#define IMGRET_NO_WAIT UINT32_MAX  /* busy_timeout_ms, batch_delay_us: do not wait at all */
#define IMGRET_NO_CACHE UINT64_MAX /* feature_cache_bytes: keep nothing */

typedef struct imgret_open_options {
    uint32_t size;  /* sizeof(imgret_open_options) */
    uint32_t flags; /* IMGRET_OPEN_* */
    /* The extractor, "BACKEND[:WEIGHTS][;key=value...]" or the path of a weights file:
     *   "classic"             the weightless descriptor in plain C (default of a new database)
     *   "vectors:512"         no extractor: the caller adds ready vectors of that dimension
     *   "torch:FILE" or FILE  weights for a backend plugin, such as vit.safetensors
     * ";pca=FILE" after any of the extractors projects its vectors (imgret_pca_train),
     * ";labels=FILE" names the classes of its head, one a line: pictures that are stored get a label;
     * ";letterbox=yes", ";grey=yes", ";denoise=3", ";reencode=75": see docs/extraction.md.
     * NULL opens a database with the extractor it was made with. An extractor whose identity
     * differs from the database's is refused with IMGRET_MISMATCH. */
    const char *model;
    /* Folders, separated by ':', searched for backend plugins before those of the environment
     * variable IMGRET_PLUGIN_PATH, the folder imgret/ beside the library, and the installed one. */
    const char *plugin_path;
    const imgret_limits *limits; /* NULL: defaults */
    uint32_t metric;             /* IMGRET_METRIC_*; of a new database, else must agree */
    uint32_t vector_type;        /* IMGRET_VECTOR_*; of a new database, else must agree */
    uint32_t threads;            /* for decoding and scanning; default: the CPUs it may use */
    uint32_t busy_timeout_ms;    /* wait for another writer; default 5,000; IMGRET_NO_WAIT */
    /* RAM for codes and graphs of segments; default: as much as they want. Below that, part of them
     * is read from disk by each query: slower, found as well. What they leave of it holds vectors,
     * those first that queries read most often. */
    uint64_t index_ram_bytes;
    /* How the extractor serves many threads: see imgret_extractor_options. */
    uint32_t instances;
    uint32_t batch_max;
    uint32_t batch_delay_us;
    uint32_t queue_max;
    /* Memory for vectors of pictures seen lately, so that the same picture is not extracted twice
     * by imgret_query and imgret_add; default 8 MiB; IMGRET_NO_CACHE. */
    uint64_t feature_cache_bytes;
    /* Which parts of a picture, its objects, get a vector of their own beside the whole's; recorded
     * with a new database, which never changes it (another identity is IMGRET_MISMATCH). NULL: what
     * the database was made with, of a new one "none". docs/regions.md
     *   "none"                whole pictures alone
     *   "center", "center=S"  the middle too, each side S (default 0.5) of the picture's
     *   "grid=CxR"            C x R equal parts, at most 255
     *   "detector:MODEL[?score=0.3&nms=0.45&max=16&labels=FILE&key=value...]" what an object detector
     *                         finds; MODEL as above, further keys are its backend's options */
    const char *regions;
    /* NULL: pictures are decoded in this process. Else in processes of their own, which may only
     * compute (seccomp, limits of memory and time): for pictures from strangers. One that crashes or
     * hangs a decoder is one failed picture (BAD_IMAGE, LIMIT) with that reason. "auto" finds the program
     * imgret-decode beside the library or in imgret/ there, anything else is its path. Linux on x86-64
     * and arm64. Errors: NOT_FOUND, UNSUPPORTED (it cannot run or be confined). docs/isolation.md */
    const char *decode_isolation;
} imgret_open_options;

/* Opens the database in folder `path` (made when missing, its parent must exist) and reads its
 * vectors into memory; the extractor's weights are loaded at its first use, or here when
 * options->model names it. Close it with imgret_close.
 * A damaged or missing segment file does not keep it from opening: see imgret_repair.
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

/* Stops one call and no other: the calls that this thread begins on databases from now on, until it
 * sets another word or NULL, return IMGRET_INTERRUPTED soon after *stop has become other than 0, also
 * when it was that before; what they committed stays. Any thread, a signal handler too, may store
 * there, atomically. `stop` must live until it is replaced; it is remembered for this thread alone,
 * whose callbacks are under it as well. Returns the one before, NULL at first: put that back
 * afterwards. A host whose threads are not its own, like Go's, sets and puts back around each call,
 * in C. imgret_open, imgret_import, extraction without a database and imgret_commit do not heed it. */
IMGRET_API const uint32_t *imgret_set_stop(const uint32_t *stop);

typedef struct imgret_stats {
    uint32_t size;               /* sizeof(imgret_stats), set by the caller */
    uint32_t dimension;          /* of a feature vector */
    uint32_t metric;             /* IMGRET_METRIC_* */
    uint32_t vector_type;        /* IMGRET_VECTOR_* */
    uint64_t image_count;        /* pictures that can be found */
    uint64_t failed_count;       /* pictures recorded with the reason why they cannot be read */
    uint64_t vector_count;       /* vectors that are searched */
    uint64_t delta_ram_bytes;    /* RAM of the vectors not yet in a segment */
    uint64_t catalog_bytes;      /* size of the catalogue on disk, its log included */
    uint64_t query_count;        /* queries of this handle */
    uint64_t query_us_total;     /* their time, extraction of the query picture included */
    uint64_t scanned_count;      /* vectors compared by them */
    const char *model;           /* the extractor's specification, as in imgret_open_options */
    const char *model_identity;  /* what makes two extractors the same; both live as long as db */
    const char *kernels;         /* SIMD family in use: "scalar", "avx2", "avx512", "neon" */
    uint64_t delta_vector_count; /* vectors not yet in a segment */
    uint64_t segment_count;
    uint64_t segment_vector_count; /* in segments; removed ones count until they are rebuilt */
    uint64_t segment_bytes;        /* on disk */
    uint64_t segment_ram_bytes;    /* codes, graph, ids and checks in RAM */
    uint64_t disk_read_count;      /* reads that queries of this handle made */
    uint64_t batch_count;          /* batches that the loaded extractor ran; 0 when none is */
    uint64_t batch_image_count;    /* pictures in them */
    uint64_t feature_cache_hits;   /* pictures whose vector was remembered */
    uint64_t feature_cache_misses; /* and those that had to be extracted */
    uint64_t feature_cache_bytes;  /* in use */
    /* What the queries of this handle did, summed up: see imgret_query_stats. */
    uint64_t partial_count; /* queries that ended with part of their answer */
    uint64_t disk_read_bytes;
    uint64_t disk_wait_us_total;
    uint64_t cache_hit_count;
    uint64_t hop_count;
    uint64_t sign_distance_count;
    uint64_t code_distance_count;
    uint64_t exact_distance_count; /* the same as scanned_count */
    /* What segment_ram_bytes is for. */
    uint64_t code_ram_bytes; /* codes of vectors */
    uint64_t graph_ram_bytes;
    uint64_t id_ram_bytes;
    uint64_t check_ram_bytes;  /* checksums of what is read from disk */
    uint64_t other_ram_bytes;  /* vectors that queries need not read, centroids, entries */
    uint64_t graph_disk_bytes; /* of the graph, what does not fit in index_ram_bytes */
    /* How segments are read, "io_uring" or "threads", and why not by io_uring, else "". Static
     * text. */
    const char *io_kind;
    const char *io_reason;
    const char *regions; /* as in imgret_open_options, "none" for none; lives as long as db */
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
#define IMGRET_MOVED 7     /* a known picture under a new name: same id, same vector */
#define IMGRET_REMOVED 8   /* its file is gone, and so is the image */

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
    uint32_t size;   /* sizeof(imgret_ingest_item) of the library */
    int32_t outcome; /* IMGRET_STORED ... IMGRET_REMOVED */
    int64_t id;      /* 0 when it was not recorded */
    const char *uri; /* absolute path */
    int32_t code;    /* status code of a failure, else 0 */
    uint32_t width;  /* pixels, after orientation; 0 when unknown */
    uint32_t height;
    uint32_t reserved_zero;
    const char *format;  /* "jpeg", "png", ... or "" */
    const char *message; /* reason of a failure or skip, else "" */
} imgret_ingest_item;

typedef struct imgret_ingest_progress {
    uint32_t size;         /* sizeof(imgret_ingest_progress) of the library */
    uint32_t listing_done; /* 1 when file_count is final */
    uint64_t file_count;   /* files found so far */
    uint64_t done_count;   /* files whose outcome is settled */
    uint64_t stored_count; /* by outcome */
    uint64_t replaced_count;
    uint64_t unchanged_count;
    uint64_t failed_count;
    uint64_t known_bad_count;
    uint64_t skipped_count;
    uint64_t bytes_read; /* of picture files */
    uint64_t elapsed_us;
    uint64_t moved_count; /* with IMGRET_INGEST_SYNC, as the next; not part of done_count */
    uint64_t removed_count;
} imgret_ingest_progress;

/* Return 0 to go on, anything else to stop: what is done is committed, and the call returns
 * IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_ingest_item_fn)(void *user, const imgret_ingest_item *item);
typedef int32_t (*imgret_ingest_progress_fn)(void *user, const imgret_ingest_progress *progress);

#define IMGRET_INGEST_NO_RECURSION 1u /* do not enter folders inside the given ones */
#define IMGRET_INGEST_RETRY_FAILED 2u /* try pictures again that failed and did not change */
/* Bring the database in line with the given folders: besides adding, an image below one of them whose
 * file is gone gets the new name of a file with the same content, or is removed. Refused with NOT_FOUND,
 * and nothing is changed, when a given path is missing, or a folder is empty that the database has
 * pictures from: a disk may not be mounted. A file that exists but cannot be looked at stays. Images
 * below no given path are left alone. */
#define IMGRET_INGEST_SYNC 4u
#define IMGRET_INGEST_FORCE 8u /* with SYNC: what is missing or empty is meant so */

typedef struct imgret_ingest_options {
    uint32_t size;            /* sizeof(imgret_ingest_options) */
    uint32_t flags;           /* IMGRET_INGEST_* */
    const char *const *paths; /* files and folders */
    uint64_t path_count;
    imgret_ingest_item_fn on_item;         /* each file, in listing order, once it is durable */
    imgret_ingest_progress_fn on_progress; /* about ten times a second, and at the end */
    void *user;
    uint32_t commit_count; /* pictures a transaction; default 256 */
    uint32_t commit_ms;    /* or this much time, whichever comes first; default 1,000 */
} imgret_ingest_options;

/* Adds files and whole folders (names in byte order, symbolic links to files followed, to folders
 * not; inside folders, names that begin with '.' and the database itself are passed over). A
 * picture that cannot be read is recorded with its reason and never stops the run. A file
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

/* Labels an image, in place of the label it may have: UTF-8 of 1 to 4,096 bytes, with a score of 0 to
 * 1 that says how sure it is. NULL takes the label away; `score` is then not looked at. Filters know
 * both as label and label_score. A picture that is replaced keeps its label. Durable on return; joins
 * the thread's transaction. Errors: NOT_FOUND (no image has this id), INVALID_ARGUMENT (empty, no
 * UTF-8, a score out of range or NaN), LIMIT (too long), BUSY, READ_ONLY, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_set_label(imgret *db, int64_t id, const char *label, double score,
                                    imgret_error *error);

/* ---- Transactions ------------------------------------------------------------------------------ */

/* Begins a transaction: what this thread adds, removes or sets on `db` from now on becomes durable
 * and visible as a whole in imgret_commit, or not at all. It belongs to the calling thread: its
 * imgret_add, imgret_remove, imgret_set_metadata and imgret_set_label join it. Calls of other threads that write wait
 * until it has ended (imgret_interrupt stops them), other handles and processes for their
 * busy_timeout_ms. Everything that asks (query, list, get, stats, check...), of this thread too,
 * sees the state before the transaction until the commit; end it soon all the same.
 *
 * Within it, a call refused for its arguments or its picture (INVALID_ARGUMENT, NOT_FOUND, LIMIT,
 * BAD_IMAGE, UNSUPPORTED, ...) changes nothing and the transaction goes on. After FULL, IO, CORRUPT,
 * NO_MEMORY or INTERRUPTED it may be lost as a whole: what follows, and imgret_commit, then return
 * that failure. imgret_ingest, which commits on its own, is refused (INVALID_ARGUMENT).
 * imgret_close, and the end of the process, roll back what is open; the end of the thread does not.
 * Errors: INVALID_ARGUMENT (this thread has begun one already), BUSY, READ_ONLY, INTERRUPTED, FULL,
 * IO, VERSION_TOO_NEW, NO_MEMORY. */
IMGRET_API int32_t imgret_begin(imgret *db, imgret_error *error);

/* Makes the calling thread's transaction durable and visible. The transaction has ended in any
 * case: when this fails, nothing of it is stored. Not stopped by imgret_interrupt.
 * Errors: INVALID_ARGUMENT (this thread has begun none), FULL, IO, and what it was lost by. */
IMGRET_API int32_t imgret_commit(imgret *db, imgret_error *error);

/* Ends the calling thread's transaction and forgets what it did. Ids that it gave are not durable:
 * they may be given again. INVALID_ARGUMENT when this thread has begun none. */
IMGRET_API int32_t imgret_rollback(imgret *db, imgret_error *error);

/* ---- Ask -------------------------------------------------------------------------------------- */

/* Filters. `where` is an SQL boolean expression over the columns that docs/filters.md lists, such
 * as "label = 'cat' AND meta->>'camera' = :camera AND taken_at > '2024'". SQLite evaluates it on a
 * read-only connection that can do nothing else: no sub-query, no other table, only plain
 * functions, within limits of time (where_ms_max) and memory. What is wrong with it is
 * IMGRET_INVALID_ARGUMENT, a limit that it met IMGRET_LIMIT. A host that builds expressions from
 * what its users type puts that into parameters. */
#define IMGRET_PARAM_NULL 0
#define IMGRET_PARAM_INTEGER 1
#define IMGRET_PARAM_REAL 2
#define IMGRET_PARAM_TEXT 3

/* The value of one parameter. An array of them has params[0].size as its stride. */
typedef struct imgret_param {
    uint32_t size;    /* sizeof(imgret_param) */
    uint32_t kind;    /* IMGRET_PARAM_*: which of the values counts */
    const char *name; /* "camera" for :camera */
    const char *text;
    int64_t integer;
    double real;
} imgret_param;

#define IMGRET_QUERY_MIN_SCORE 1u    /* honour min_score */
#define IMGRET_QUERY_INCLUDE_SELF 2u /* a query by id may return that image too */
/* deadline_ms and imgret_interrupt end a search with what it has found by then, marked
 * IMGRET_QUERY_PARTIAL */
#define IMGRET_QUERY_ALLOW_PARTIAL 4u

/* One of several examples that a query is made of: a + b - c. An array of them has terms[0].size as
 * its stride. */
typedef struct imgret_term {
    uint32_t size; /* sizeof(imgret_term) */
    uint32_t reserved_zero;
    const imgret_input *input;
    double weight; /* of this example; negative: unlike it; default 1 */
} imgret_term;

/* One of the colours that a picture should have. An array has colors[0].size as its stride. */
typedef struct imgret_color_term {
    uint32_t size; /* sizeof(imgret_color_term) */
    uint8_t red;   /* sRGB */
    uint8_t green;
    uint8_t blue;
    uint8_t reserved_zero;
    double weight; /* share of the colour in the picture, beside those of the others; default 1 */
} imgret_color_term;

/* Reads colours as people write them, separated by commas: "#c03020", "#c32", or a name that
 * imgret_color_name knows ("gray" too), each with ":WEIGHT" where wanted: "red:2,#ffffff". *count
 * receives their number; capacity is the room in `out`, 16 is enough. Any thread.
 * Errors: INVALID_ARGUMENT (names the colour), LIMIT (more than capacity or 16). */
IMGRET_API int32_t imgret_parse_colors(imgret_color_term *out, uint32_t capacity, uint32_t *count,
                                       const char *text, imgret_error *error);

struct imgret_hit;

/* A host's own ranking of the best candidates: scores[i] is the score of hits[i] and may be changed
 * to any finite number; the results are ordered by what it is on return. The hits live until the
 * callback returns. Return 0 to go on, anything else to stop with IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_rerank_fn)(void *user, const struct imgret_hit *hits, uint64_t count,
                                    double *scores);

#define IMGRET_COMBINE_MEAN 0 /* one search, by the weighted mean of the examples' vectors */
/* a search for each example; a picture counts by the one it is most like */
#define IMGRET_COMBINE_BEST 1
/* results in segments that are certain to be among the k nearest are not read from disk: their
 * scores are estimates by codes, and so is their order; fewer reads */
#define IMGRET_QUERY_ESTIMATED 8u
/* id and score of each result are all that is wanted: what else a hit has may be left NULL or 0, and
 * records need not be read from the catalogue */
#define IMGRET_QUERY_IDS_ONLY 16u
#define IMGRET_QUERY_GROUP 0x100u /* one result an image: its best region */
/* Ask with the main object of the picture, not with all of it: the greatest product of score and
 * area among what the database's regions find, or, of an id, found. NOT_FOUND when there is none. */
#define IMGRET_QUERY_MAIN_OBJECT 0x200u

/* What is compared, in a database with regions; in any other, whole pictures are all there is. */
#define IMGRET_SEARCH_WHOLE 0u   /* whole pictures */
#define IMGRET_SEARCH_OBJECTS 1u /* their objects; an image may come several times */
#define IMGRET_SEARCH_BOTH 2u    /* both; the same */

/* A rectangle in pixels of an upright picture. */
typedef struct imgret_box {
    uint32_t size; /* sizeof(imgret_box) */
    int32_t x;     /* of the left edge */
    int32_t y;     /* of the upper edge */
    uint32_t width;
    uint32_t height;
} imgret_box;

typedef struct imgret_query_options {
    uint32_t size;    /* sizeof(imgret_query_options) */
    uint32_t flags;   /* IMGRET_QUERY_* */
    double min_score; /* with IMGRET_QUERY_MIN_SCORE: no result below it */
    uint32_t k;       /* results wanted; default 10, at most 1,000,000 */
    /* Candidates that a search of a segment keeps: more finds more of the nearest and takes longer.
     * Where RAM holds fewer bits of a segment's codes than it has (`index_ram_bytes`), more are kept,
     * by what was measured when it was built, so that as much is found. Default 0: what was measured
     * to find .99 of the k nearest, at least 64; at most 1,000,000. */
    uint32_t effort;
    const char *where;          /* only images that match this expression; default all */
    const imgret_param *params; /* param_count values for the parameters of `where`, no others */
    uint32_t param_count;
    uint32_t where_ms_max; /* what evaluating `where` may take; default 10,000 */
    /* What the call may take, from its beginning. Then it ends with IMGRET_INTERRUPTED or, with
     * IMGRET_QUERY_ALLOW_PARTIAL, with the best so far, perhaps nothing, whose scores may be
     * estimates. Default: no deadline. Pictures are decoded and run through the model to the end. */
    uint32_t deadline_ms;
    /* The share of the k nearest that is to be found on average, 0.5 to 0.9999: the effort is then
     * chosen from what was measured when each segment was built. Default 0: `effort` says; not
     * together with it. Vectors not yet in a segment are all compared in any case. */
    float target_recall;
    /* What follows may be combined with all above and with each other, but for what is said. */
    const imgret_term *terms; /* further examples, term_count of them (at most 100), beside `input`,
                               * which then counts as one of weight 1 or may be NULL */
    uint32_t term_count;
    uint32_t
        combine; /* IMGRET_COMBINE_*. MEAN: under cosine of unit vectors, else of the vectors as
                       * they are. BEST: all weights must be 1 */
    const imgret_color_term *colors; /* colours that pictures should have, color_count of them (at
                                      * most 16). Without any example the score is the likeness of
                                      * the colours alone, 0..1; `input` is NULL then */
    uint32_t color_count;
    uint32_t candidate_count; /* pictures that colours beside an example, diversity and rerank are
                               * worked out for; default 10 k, at least 100; at most 1,000,000 */
    double color_weight; /* of the colours beside examples, 0..1: the score is (1 - color_weight) *
                          * likeness + color_weight * likeness of colours; default 0.5 */
    const int64_t
        *exclude_ids; /* images that are not wanted, exclude_count of them, in any order, at
                                 * most 16,777,216; unknown ids are allowed */
    uint64_t exclude_count;
    /* From imgret_results_cursor of the page before: the results that follow it. The other options
     * and the input must be those of that page (k may differ). Pictures added since appear if they
     * belong after it; none comes twice. Not with rerank, diversity, or colours beside an example. */
    const char *cursor;
    /* 0 (default) to 1: how much a result should differ from those before it. The results are then
     * in the order in which they were chosen, by (1 - diversity) * score - diversity * greatest
     * likeness to one chosen before, as scores say it (Carbonell & Goldstein, "The Use of MMR",
     * SIGIR 1998); candidate_count and k at most 2,000. */
    double diversity;
    imgret_rerank_fn rerank; /* NULL: none. After the colours, before diversity */
    void *rerank_user;
    /* Ask with this part of the picture (FILE, BYTES, PIXELS), cut to the picture where it leaves it;
     * a box that is empty or wholly outside is IMGRET_INVALID_ARGUMENT. Default all of it. */
    const imgret_box *box;
    uint32_t search; /* IMGRET_SEARCH_* */
    uint32_t
        region; /* of an id: ask with this object of it (imgret_region.ordinal), not all of it */
    uint32_t min_likeness; /* IMGRET_LIKENESS_*: as min_score, what was calibrated for that level;
                            * NOT_FOUND where nothing was. Not with IMGRET_QUERY_MIN_SCORE */
    /* IMGRET_RERANK_*: the candidates (see candidate_count) are looked at in another way, too, and
     * the score becomes (1 - rerank_weight) * score + rerank_weight * what that says, 0..1. Before
     * `rerank` and diversity; not with a cursor. Only with one picture that is asked with (FILE,
     * BYTES, PIXELS or an ID), without terms. docs/asking.md */
    uint32_t rerank_by;
    double rerank_weight; /* 0..1; default 0.5 */
} imgret_query_options;

#define IMGRET_RERANK_COLOR 1 /* the dominant colours, as they are stored: reads no file */
/* places that look alike and lie alike; reads the candidates' files */
#define IMGRET_RERANK_GEOMETRY 2

/* One result; strings live as long as the results they come from. */
typedef struct imgret_hit {
    uint32_t size;  /* sizeof(imgret_hit) of the library */
    uint32_t width; /* of the picture in pixels, after orientation; 0 for a ready vector */
    uint32_t height;
    uint32_t reserved_zero;
    int64_t id;
    double score;         /* higher is more alike; its meaning is the metric's */
    const char *uri;      /* NULL when it has none */
    const char *metadata; /* JSON, NULL when it has none */
    const char *label;    /* as in imgret_record */
    double label_score;
    uint32_t region; /* what was found: 0: the whole picture, else imgret_region.ordinal */
    uint32_t box_x;  /* its box, in pixels as width and height; of the whole all of it */
    uint32_t box_y;
    uint32_t box_width;
    uint32_t box_height;
    uint32_t region_reserved_zero;
    double region_score;      /* the detector's, 0..1; 0 for the whole */
    const char *region_label; /* NULL when it has none */
} imgret_hit;

typedef struct imgret_results imgret_results;

/* Flags of imgret_query_stats. */
#define IMGRET_QUERY_PARTIAL 1u       /* stopped before its end: there may be better results */
#define IMGRET_QUERY_HAS_ESTIMATES 2u /* scores of some results are estimates */

/* What one query did; of a query in a batch, its own part. */
typedef struct imgret_query_stats {
    uint32_t size;       /* sizeof(imgret_query_stats) of the library */
    uint32_t flags;      /* IMGRET_QUERY_PARTIAL, IMGRET_QUERY_HAS_ESTIMATES */
    uint64_t elapsed_us; /* from the beginning of the call to this answer */
    uint64_t wait_us;    /* it could not go on before reads had come */
    uint64_t reads;      /* from disk */
    uint64_t read_bytes;
    uint64_t cache_hits;      /* nodes of the graph that were in RAM */
    uint64_t hops;            /* nodes of the graph whose neighbours were looked at */
    uint64_t sign_distances;  /* estimated by one bit a dimension */
    uint64_t code_distances;  /* estimated by all bits in RAM */
    uint64_t exact_distances; /* computed from the vectors: scanned and reranks */
    uint64_t scanned;         /* of them, vectors that lie in RAM */
    uint64_t reranks;         /* of them, vectors of segments: read for it, or kept in RAM */
    uint32_t effort;          /* the greatest that a segment was searched with; 0: there is none */
    float expected_recall;    /* that this effort gave when it was measured; 0: it was not */
} imgret_query_stats;

/* Finds the k images most alike to `input` (NULL where options->terms or colors say what is
 * wanted), best first, equal scores by ascending id, then region; fewer when the collection is
 * smaller, or fewer match options->where: never fewer than min(k, matches), also when they are
 * grouped. Every vector is compared exactly, in the precision it is stored in.
 * Free `out` with imgret_results_free.
 * Errors: NOT_FOUND (id or file), BAD_IMAGE, UNSUPPORTED, LIMIT, INVALID_ARGUMENT, BAD_MODEL,
 * INTERRUPTED, IO, CORRUPT, NO_MEMORY. */
IMGRET_API int32_t imgret_query(imgret_results **out, imgret *db, const imgret_input *input,
                                const imgret_query_options *options, imgret_error *error);

/* Answers `count` queries at once (at most 2^24, also none): out[i], of `count` entries, becomes what
 * imgret_query gives for inputs[i], equal to it as long as nothing is added or removed meanwhile.
 * inputs[0].size is the stride of the array. All threads of the handle take part, each with many
 * searches under way, pictures go through the model together, and options->where is evaluated once;
 * so that many queries take far less time than one by one. A long batch is answered in parts, each
 * from one state of the database. Free every out[i] with imgret_results_free.
 * The first input that fails is the failure of the call: the message begins "input N: ", N counted
 * from 0, where it is about one of several inputs; all of `out` is NULL then. Errors: as imgret_query. */
IMGRET_API int32_t imgret_query_batch(imgret_results **out, imgret *db, const imgret_input *inputs,
                                      uint64_t count, const imgret_query_options *options,
                                      imgret_error *error);

/* Number of results; 0 for NULL. Any thread. */
IMGRET_API uint64_t imgret_results_count(const imgret_results *results);

/* The result at `index` (0 is the best), or NULL past the end. Lives as long as `results`. They are
 * one array: the next result stands `size` bytes, a field of each, after this one. */
IMGRET_API const imgret_hit *imgret_results_at(const imgret_results *results, uint64_t index);

/* What finding them took; NULL for NULL. Lives as long as `results`. Any thread. */
IMGRET_API const imgret_query_stats *imgret_results_stats(const imgret_results *results);

/* What imgret_query_options.cursor wants for the results that follow these: a short text of letters
 * and digits, which lives as long as `results`. NULL when nothing can follow: fewer than k were
 * found, or they were ordered by rerank, diversity or colours beside an example. */
IMGRET_API const char *imgret_results_cursor(const imgret_results *results);

/* Frees results; NULL is allowed; also after the database was closed. */
IMGRET_API void imgret_results_free(imgret_results *results);

typedef struct imgret_count_options {
    uint32_t size;              /* sizeof(imgret_count_options) */
    int32_t state;              /* only this IMGRET_STATE_*; default both */
    const char *where;          /* only images that match; default all */
    const imgret_param *params; /* as in imgret_query_options */
    uint32_t param_count;
    uint32_t where_ms_max;
} imgret_count_options;

/* Counts images. Errors: as imgret_list. */
IMGRET_API int32_t imgret_count(uint64_t *out, imgret *db, const imgret_count_options *options,
                                imgret_error *error);

/* ---- Labels from examples ------------------------------------------------------------------------ */

/* A picture that the label fits; `uri` lives until the callback returns. */
typedef struct imgret_label_item {
    uint32_t size; /* sizeof(imgret_label_item) of the library */
    uint32_t reserved_zero;
    int64_t id;
    double confidence;        /* 0..1 */
    const char *uri;          /* NULL when it has none */
    const char *label_before; /* the label it has; NULL: none */
} imgret_label_item;

/* Return 0 to go on, anything else to stop with IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_label_fn)(void *user, const imgret_label_item *item);

/* store the label of the pictures that it fits; else only tell them */
#define IMGRET_LABEL_ASSIGN 1u

typedef struct imgret_label_options {
    uint32_t size;     /* sizeof(imgret_label_options) */
    uint32_t flags;    /* IMGRET_LABEL_* */
    const char *label; /* as in imgret_set_label */
    const imgret_input
        *examples; /* pictures, ids or vectors, example_count of them, at most 10,000;
                                   * examples[0].size is the stride */
    uint64_t example_count;
    double confidence_min;      /* the least that fits, 0..1; default 0.8 */
    const char *where;          /* only pictures that match; default all */
    const imgret_param *params; /* as in imgret_query_options */
    uint32_t param_count;
    uint32_t where_ms_max;
    imgret_label_fn on_item; /* each picture that the label fits, by ascending id; may be NULL */
    void *user;
} imgret_label_options;

typedef struct imgret_label_report {
    uint32_t size; /* sizeof(imgret_label_report), set by the caller */
    uint32_t reserved_zero;
    uint64_t example_count;  /* of this label, those stored by earlier calls included */
    uint64_t counter_count;  /* what it was told from: examples of other labels, and others */
    uint64_t examined_count; /* pictures looked at */
    uint64_t fitting_count;  /* of them, those that it fits */
    uint64_t assigned_count; /* and those whose label was stored */
} imgret_label_report;

/* Learns from a few examples what `label` looks like, by the vectors that the database holds, and
 * finds the pictures that it fits. What it is told from are the examples of other labels and a sample
 * of the collection, in which few are supposed to be of it: logistic regression on unit vectors, both
 * sides of equal weight. With IMGRET_LABEL_ASSIGN examples of the database (IMGRET_INPUT_ID) get the
 * label with a score of 1, and count as examples of it in later calls; pictures that it fits get it
 * with the confidence, at most 0.999, unless the label they have has a greater score. An example is
 * not told to on_item. What is stored is durable on return; after an interrupt or a failure, the part
 * that was done. `report` may be NULL.
 * Errors: INVALID_ARGUMENT (no examples; examples that do not differ from the rest), NOT_FOUND (id or
 * file), BAD_IMAGE, LIMIT, READ_ONLY (with ASSIGN), INTERRUPTED, and those of imgret_query. */
IMGRET_API int32_t imgret_label_examples(imgret *db, const imgret_label_options *options,
                                         imgret_label_report *report, imgret_error *error);

/* ---- What scores mean ---------------------------------------------------------------------------- */

/* What a score says depends on the model and on the collection. These levels say the same for all. */
#define IMGRET_LIKENESS_SIMILAR 1 /* it has to do with it: few pictures at random are as alike */
/* as alike as a picture and a copy that was cut a little or lightened */
#define IMGRET_LIKENESS_NEAR 2
#define IMGRET_LIKENESS_SAME 3 /* as alike as a picture and a copy encoded anew or made smaller */

#define IMGRET_CALIBRATE_NO_COPIES 1u /* do not read picture files */

typedef struct imgret_calibrate_options {
    uint32_t size;         /* sizeof(imgret_calibrate_options) */
    uint32_t flags;        /* IMGRET_CALIBRATE_* */
    uint32_t sample_count; /* pictures that are looked at; default 1,000, at most 100,000 */
    uint32_t copy_max;     /* of them, those whose files are read and altered; default 64 */
} imgret_calibrate_options;

/* Scores are those of the database's metric. */
typedef struct imgret_calibration {
    uint32_t size; /* sizeof(imgret_calibration), set by the caller */
    uint32_t
        copy_count;    /* altered copies that were compared with their pictures; below 20 of a kind
                          * other pairs stand in for them: see docs/calibration.md */
    double same_score; /* IMGRET_LIKENESS_SAME: this or more */
    double near_score;
    double similar_score;
    double random_median;     /* of the scores of pictures drawn at random */
    double random_high;       /* that one random pair in a hundred reaches */
    double nearest_median;    /* of the scores of pictures and the one nearest to each */
    uint64_t image_count;     /* pictures that the database had */
    uint64_t pair_count;      /* random pairs that were compared */
    uint32_t hash_pair_count; /* nearest pictures that are copies by their perceptual hash */
    uint32_t reserved_zero;
} imgret_calibration;

/* Measures what scores mean in this collection under its model and metric: scores of pictures drawn
 * at random, of each and its nearest, and of copies that it makes of pictures whose files it can read.
 * Stores that in the database, for IMGRET_LIKENESS_* and imgret_duplicates; `out` (may be NULL)
 * receives it. Another model, by imgret_reembed, makes it void. The same database gives the same.
 * Errors: INVALID_ARGUMENT (fewer than 10 pictures), READ_ONLY, INTERRUPTED, LIMIT, and those of
 * imgret_query and imgret_add. */
IMGRET_API int32_t imgret_calibrate(imgret *db, const imgret_calibrate_options *options,
                                    imgret_calibration *out, imgret_error *error);

/* Fills `out` (its `size` set by the caller) with what imgret_calibrate stored last. NOT_FOUND when it
 * never did, or under another model. */
IMGRET_API int32_t imgret_get_calibration(imgret *db, imgret_calibration *out, imgret_error *error);

/* ---- Duplicates ---------------------------------------------------------------------------------- */

#define IMGRET_DUPLICATE_IDENTICAL 1 /* the same bytes */
#define IMGRET_DUPLICATE_NEAR 2    /* the same picture: resized, encoded anew, grey, cut a little */
#define IMGRET_DUPLICATE_SIMILAR 3 /* alike by their vectors */

/* Why a picture is the one to keep: the first of these in which it beats the next best. */
#define IMGRET_KEEP_RESOLUTION 1 /* more pixels */
#define IMGRET_KEEP_COLOR 2      /* the other is grey */
#define IMGRET_KEEP_FORMAT 3     /* stored without loss */
#define IMGRET_KEEP_BYTES 4      /* the larger file */
#define IMGRET_KEEP_DATE 5       /* the older file */
#define IMGRET_KEEP_FIRST 6      /* they are equal: it was added first */

#define IMGRET_TURN_MIRRORED 4u /* left and right exchanged, after it was turned */

#define IMGRET_HASH_UNKNOWN UINT32_MAX

/* One picture of a group. An array of them has members[0].size as its stride. */
typedef struct imgret_duplicate {
    uint32_t size; /* sizeof(imgret_duplicate) of the library */
    uint32_t
        kind; /* IMGRET_DUPLICATE_*: what it is of the group's first picture; 0: it is the first */
    int64_t id;
    const char *uri; /* NULL when it has none */
    const char *format;
    uint32_t width; /* pixels */
    uint32_t height;
    uint64_t file_bytes;
    int64_t modified_ns; /* as in imgret_record */
    double score;        /* cosine of its vector and the first's, under every metric */
    uint32_t hash_bits;  /* in which the perceptual hashes differ; IMGRET_HASH_UNKNOWN */
    uint32_t turn;       /* quarters that it is turned, 0 to 3, and IMGRET_TURN_MIRRORED */
} imgret_duplicate;

/* Lives until the callback returns. */
typedef struct imgret_duplicate_group {
    uint32_t size;                   /* sizeof(imgret_duplicate_group) of the library */
    uint32_t kind;                   /* the greatest of the members' */
    uint64_t count;                  /* members, at least 2 */
    const imgret_duplicate *members; /* the first is the one to keep, then best ones first */
    uint32_t keep_reason; /* IMGRET_KEEP_*, against members[1] or one that is no better */
    uint32_t reserved_zero;
} imgret_duplicate_group;

/* Return 0 to go on, anything else to stop with IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_duplicates_fn)(void *user, const imgret_duplicate_group *group);

#define IMGRET_DUPLICATES_TURNED 1u /* also pictures that are mirrored or turned by quarters */

typedef struct imgret_duplicates_options {
    uint32_t size;     /* sizeof(imgret_duplicates_options) */
    uint32_t flags;    /* IMGRET_DUPLICATES_* */
    uint32_t kind_max; /* IMGRET_DUPLICATE_*: up to which kind; default NEAR */
    uint32_t reserved_zero;
    double similar_score;       /* the least score of SIMILAR ones; default what was calibrated
                           * (imgret_calibrate), else 0.95 under the cosine metric, to be given under
                           * any other */
    const char *where;          /* only pictures that match; default all */
    const imgret_param *params; /* as in imgret_query_options */
    uint32_t param_count;
    uint32_t where_ms_max;
} imgret_duplicates_options;

typedef struct imgret_duplicates_report {
    uint32_t size; /* sizeof(imgret_duplicates_report), set by the caller */
    uint32_t reserved_zero;
    uint64_t image_count; /* compared */
    uint64_t group_count;
    uint64_t duplicate_count; /* members of groups, without those to keep */
    uint64_t duplicate_bytes; /* of the files of IDENTICAL and NEAR ones among them */
} imgret_duplicates_report;

/* Finds pictures that show the same and tells `on_group` (may be NULL) of each group as it is found,
 * those whose first picture is best first: every member is a duplicate of the first, and of no group
 * more than one. Not all pairs are compared: hashes are found by multi-index hashing (Norouzi et al.,
 * CVPR 2012), vectors by searching the index, so a large collection wants imgret_optimize before;
 * some 100 bytes of memory a picture. docs/duplicates.md says what makes two pictures NEAR.
 * Pictures that are added meanwhile are left for the next call. `report` may be NULL.
 * Errors: INVALID_ARGUMENT, INTERRUPTED, LIMIT, and those of imgret_query. */
IMGRET_API int32_t imgret_duplicates(imgret *db, const imgret_duplicates_options *options,
                                     imgret_duplicates_fn on_group, void *user,
                                     imgret_duplicates_report *report, imgret_error *error);

#define IMGRET_VERDICT_NONE 0 /* forget what was said */
/* these two are no duplicates: neither joins the other's group */
#define IMGRET_VERDICT_DIFFERENT 1

/* Records what a user says of two images, in either order, until one of them is removed. Durable on
 * return; joins the thread's transaction. Errors: NOT_FOUND (no image has one of the ids),
 * INVALID_ARGUMENT (twice the same image, no such verdict), BUSY, READ_ONLY, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_set_verdict(imgret *db, int64_t id, int64_t other_id, int32_t verdict,
                                      imgret_error *error);

/* ---- Look after ------------------------------------------------------------------------------- */

#define IMGRET_OPTIMIZE_FORCE 1u /* also when it would hardly pay; erases all that was removed */

/* `done` goes from 0 to 1. Return 0 to go on, anything else to stop with IMGRET_INTERRUPTED. */
typedef int32_t (*imgret_optimize_fn)(void *user, double done);

typedef struct imgret_optimize_options {
    uint32_t size;  /* sizeof(imgret_optimize_options) */
    uint32_t flags; /* IMGRET_OPTIMIZE_* */
    uint64_t
        memory_bytes_max; /* that building may allocate; default no limit. With less than all at
                                * once takes, it works in parts, with files in the database's folder */
    imgret_optimize_fn on_progress; /* may be NULL */
    void *user;
} imgret_optimize_options;

/* Moves vectors from memory into a segment: a file with a graph over them that is searched from
 * disk, so that queries no longer compare every vector and the collection may outgrow RAM. Merges
 * segments and erases removed vectors from them when enough has gathered; does nothing when it
 * would not pay. Queries, adds and removals go on meanwhile; an interrupt or a crash leaves all as
 * it was. One thread of one process at a time (IMGRET_BUSY). Needs disk space for the new segment
 * beside the old ones. Dimensions from 2 to 4,096.
 * Errors: BUSY, INTERRUPTED, LIMIT (memory_bytes_max: names the least that works), UNSUPPORTED
 * (dimension), READ_ONLY, FULL, IO, CORRUPT, NO_MEMORY. */
IMGRET_API int32_t imgret_optimize(imgret *db, const imgret_optimize_options *options,
                                   imgret_error *error);

/* ---- Indexes for filters ---------------------------------------------------------------------- */

#define IMGRET_INDEX_COUNT_MAX 16 /* indexes of a database that were asked for */

/* Makes an index, so that a filter which compares `expression` with a value touches only what matches:
 * "meta->>'camera'", "meta->>'$.size.w'" (a key or path of the metadata, which the filter must write
 * in the same way), or a column of docs/filters.md such as "width". It is kept up to date by everything that
 * stores, and costs that a little. Reads all images once. Such a database needs a library that knows
 * indexes; after the last was dropped, no longer. Within a transaction of this thread it is part of it.
 * Errors: INVALID_ARGUMENT (another expression), EXISTS (also for columns that always have an index),
 * LIMIT, READ_ONLY, BUSY, FULL, IO, INTERRUPTED, NO_MEMORY. Nothing is changed then. */
IMGRET_API int32_t imgret_create_index(imgret *db, const char *expression, imgret_error *error);

/* Takes it away. NOT_FOUND when there is none; else as above. */
IMGRET_API int32_t imgret_drop_index(imgret *db, const char *expression, imgret_error *error);

typedef struct imgret_indexes imgret_indexes;

/* The indexes that were asked for, by name. Free `out` with imgret_indexes_free. */
IMGRET_API int32_t imgret_list_indexes(imgret_indexes **out, imgret *db, imgret_error *error);

/* Their number, 0 for NULL; the expression of one, or NULL past the end, which lives as long as the list;
 * its end, NULL is allowed. Any thread; also after the database was closed. */
IMGRET_API uint64_t imgret_indexes_count(const imgret_indexes *indexes);
IMGRET_API const char *imgret_indexes_at(const imgret_indexes *indexes, uint64_t index);
IMGRET_API void imgret_indexes_free(imgret_indexes *indexes);

/* ---- Look at what is there --------------------------------------------------------------------- */

#define IMGRET_STATE_STORED 1 /* can be found */
#define IMGRET_STATE_FAILED 2 /* recorded with the reason why it cannot be read */

/* The names of colour that pictures are described with: the basic colour terms of Berlin and Kay,
 * "Basic Color Terms", 1969. */
#define IMGRET_COLOR_BLACK 0
#define IMGRET_COLOR_GREY 1
#define IMGRET_COLOR_WHITE 2
#define IMGRET_COLOR_RED 3
#define IMGRET_COLOR_ORANGE 4
#define IMGRET_COLOR_YELLOW 5
#define IMGRET_COLOR_GREEN 6
#define IMGRET_COLOR_BLUE 7
#define IMGRET_COLOR_PURPLE 8
#define IMGRET_COLOR_PINK 9
#define IMGRET_COLOR_BROWN 10
#define IMGRET_COLOR_COUNT 11

/* "black", "grey" and so on; NULL for any other number. Static text. Any thread. */
IMGRET_API const char *imgret_color_name(uint32_t color);

#define IMGRET_SWATCH_MAX 5

/* One dominant colour of a picture. */
typedef struct imgret_swatch {
    uint8_t red; /* sRGB */
    uint8_t green;
    uint8_t blue;
    uint8_t color; /* IMGRET_COLOR_*: its name */
    float share;   /* of the picture's area, 0..1 */
} imgret_swatch;

/* What a picture looks like, and what its camera wrote into it. Measured on the upright picture,
 * scaled down to at most 128 pixels a side; docs/attributes.md defines every number. */
typedef struct imgret_attributes {
    uint32_t size;            /* sizeof(imgret_attributes) of the library */
    uint32_t orientation;     /* EXIF, 1..8, applied already; 0: the file says nothing */
    double brightness;        /* mean lightness L*, 0..100 */
    double contrast;          /* standard deviation of L*, 0..50 */
    double saturation;        /* mean chroma C*ab, 0 (grey) to some 130 */
    double warmth;            /* -1 (all cool colours) to 1 (all warm ones), 0 without colour */
    double sharpness;         /* standard deviation of the Laplacian of L*, 0 (plain) upwards */
    uint64_t perceptual_hash; /* 64 bits of a DCT; alike pictures differ in few bits */
    float color_shares[IMGRET_COLOR_COUNT];    /* of the area, by IMGRET_COLOR_*; their sum is 1 */
    uint32_t swatch_count;                     /* dominant colours, 1..IMGRET_SWATCH_MAX */
    imgret_swatch swatches[IMGRET_SWATCH_MAX]; /* greatest share first */
    double latitude;          /* EXIF, degrees, north positive; NaN when there is none */
    double longitude;         /* EXIF, degrees, east positive; NaN when there is none */
    const char *taken_at;     /* EXIF, "2024-05-31 18:04:59" in the camera's time; NULL: none */
    const char *camera_make;  /* EXIF; NULL: none */
    const char *camera_model; /* EXIF; NULL: none */
} imgret_attributes;

/* One image as the catalogue has it; strings live as long as the records they come from. */
typedef struct imgret_record {
    uint32_t size; /* sizeof(imgret_record) of the library */
    int32_t state; /* IMGRET_STATE_* */
    int64_t id;
    const char *uri;      /* NULL when it has none */
    const char *metadata; /* JSON, NULL when it has none */
    const char *format;   /* "jpeg", "png", ...; "pixels", "vector"; "" when unknown */
    const char *failure;  /* reason of a failure, else "" */
    int32_t failure_code; /* status code of a failure, else 0 */
    uint32_t width;       /* pixels, after orientation */
    uint32_t height;
    uint32_t reserved_zero;
    uint64_t file_bytes;      /* of the encoded picture */
    int64_t modified_ns;      /* file's modification time, Unix epoch; 0 when it was no file */
    int64_t added_ms;         /* time of the last store, Unix epoch */
    uint8_t content_hash[16]; /* XXH3-128 of the encoded bytes, pixels or vector */
    /* NULL for a ready vector, a failure, and a picture stored by a version that measured none.
     * Lives as long as the records. */
    const imgret_attributes *attributes;
    const char
        *label; /* what the picture is said to be (imgret_set_label); NULL when it has none */
    double label_score; /* how sure that is, 0..1; 0 without a label */
} imgret_record;

typedef struct imgret_list_options {
    uint32_t size;     /* sizeof(imgret_list_options) */
    int32_t state;     /* only this IMGRET_STATE_*; default all */
    int64_t after_id;  /* only ids above it, to page through; default all */
    const char *uri;   /* only this uri; default all */
    uint64_t limit;    /* at most so many; default 1,000 */
    const char *where; /* only images that match this expression, failures included; default all;
                        * not together with uri */
    const imgret_param *params; /* as in imgret_query_options */
    uint32_t param_count;
    uint32_t where_ms_max;
} imgret_list_options;

typedef struct imgret_records imgret_records;

/* Lists images by ascending id. An empty list is no error. Free `out` with imgret_records_free. */
IMGRET_API int32_t imgret_list(imgret_records **out, imgret *db, const imgret_list_options *options,
                               imgret_error *error);

/* The one image with this id, as a list of one. NOT_FOUND when there is none. */
IMGRET_API int32_t imgret_get(imgret_records **out, imgret *db, int64_t id, imgret_error *error);

/* The number of records, 0 for NULL; the record at `index`, or NULL past the end, which lives as long
 * as the records; their end, NULL is allowed. Any thread; also after the database was closed. */
IMGRET_API uint64_t imgret_records_count(const imgret_records *records);
IMGRET_API const imgret_record *imgret_records_at(const imgret_records *records, uint64_t index);
IMGRET_API void imgret_records_free(imgret_records *records);

/* Copies the stored vector of image `id` as `capacity` floats into `out`; capacity must be the
 * database's dimension (imgret_stats). NOT_FOUND when there is no such image, or it failed. */
IMGRET_API int32_t imgret_get_vector(imgret *db, int64_t id, float *out, uint32_t capacity,
                                     imgret_error *error);

/* One region of an image: all of it, or an object. */
typedef struct imgret_region {
    uint32_t size;    /* sizeof(imgret_region) of the library */
    uint32_t ordinal; /* 0: the whole picture; objects from 1, best score first */
    uint32_t x;       /* in pixels of the upright picture; of the whole 0, 0, width, height */
    uint32_t y;
    uint32_t width;
    uint32_t height;
    double score; /* the detector's, 0..1; 1 for a part that is just cut out, 0 for the whole */
    const char
        *label; /* of the detector's class; NULL when it has none. Lives as long as the list */
} imgret_region;

typedef struct imgret_regions imgret_regions;

/* The regions of image `id`, by ordinal; the whole alone in a database without regions. NOT_FOUND
 * when there is no such image, or it failed. Free `out` with imgret_regions_free. */
IMGRET_API int32_t imgret_get_regions(imgret_regions **out, imgret *db, int64_t id,
                                      imgret_error *error);

/* The number of regions, 0 for NULL; the region at `index`, or NULL past the end, which lives as long
 * as the list; its end, NULL is allowed. Any thread; also after the database was closed. */
IMGRET_API uint64_t imgret_regions_count(const imgret_regions *regions);
IMGRET_API const imgret_region *imgret_regions_at(const imgret_regions *regions, uint64_t index);
IMGRET_API void imgret_regions_free(imgret_regions *regions);

/* A thing that imgret_check found wrong; `message` lives until the callback returns. Return 0 to
 * go on, anything else to stop. */
typedef int32_t (*imgret_check_fn)(void *user, const char *message);

/* Reads the whole database and reports each problem to `on_problem` (may be NULL): the catalogue's
 * own integrity, vectors of a wrong length or not finite, images without a vector, vectors without
 * an image, vectors in memory that differ from the stored ones. `problem_count` (may be NULL)
 * receives their number; finding problems is not an error of this call. */
IMGRET_API int32_t imgret_check(imgret *db, imgret_check_fn on_problem, void *user,
                                uint64_t *problem_count, imgret_error *error);

typedef struct imgret_repair_options {
    uint32_t size; /* sizeof(imgret_repair_options) */
    uint32_t flags_zero;
    /* Each image whose vector was lost: outcome IMGRET_STORED (extracted again from its file) or
     * IMGRET_FAILED, with the reason. */
    imgret_ingest_item_fn on_item;
    void *user;
    uint64_t memory_bytes_max; /* that building a segment may take; default no limit */
} imgret_repair_options;

typedef struct imgret_repair_report {
    uint32_t size; /* sizeof(imgret_repair_report), set by the caller */
    uint32_t segments_rebuilt;
    uint64_t vectors_kept;     /* in them */
    uint64_t images_extracted; /* whose vectors were lost, and made again from their files */
    uint64_t images_lost;      /* whose vectors were lost: now in state FAILED, with a reason */
} imgret_repair_report;

/* Makes damaged or missing segment files anew from the vectors that can still be read. (A database
 * with such a file opens, and what does not need its vectors works; a query that does is
 * IMGRET_CORRUPT, so that no answer lacks a part.) An image whose vector is lost is extracted again
 * from the file that its uri names; where that is not possible it becomes a failure, keeps its id,
 * uri, metadata and label, and comes back when it is added again. Does nothing where nothing is damaged.
 * Each segment is exchanged in one transaction: stopped or killed, a later call goes on. `report` may
 * be NULL. Images that an imgret_salvage left without a vector are extracted again in the same way.
 * Damage of catalog.db itself is not mended here: see imgret_salvage.
 * Errors: BUSY (somebody optimizes or copies), READ_ONLY, CORRUPT (the catalogue), VERSION_TOO_NEW,
 * INTERRUPTED, LIMIT, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_repair(imgret *db, const imgret_repair_options *options,
                                 imgret_repair_report *report, imgret_error *error);

typedef struct imgret_salvage_options {
    uint32_t size;            /* sizeof(imgret_salvage_options) */
    uint32_t busy_timeout_ms; /* as in imgret_open_options */
    /* What is wrong, and then each loss, in one line of text. Non-zero stops: nothing is changed. */
    imgret_check_fn on_loss;
    void *user;
} imgret_salvage_options;

typedef struct imgret_salvage_report {
    uint32_t size;        /* sizeof(imgret_salvage_report), set by the caller */
    uint32_t salvaged;    /* 0: catalog.db is sound, nothing was done; 1: it was made anew */
    uint64_t image_count; /* with a vector, afterwards */
    uint64_t
        images_without_record; /* of these: metadata, label and attributes are lost, some uris too */
    uint64_t images_lost;      /* whose vectors are lost: in state FAILED, with a reason */
    uint64_t loss_count;       /* calls of on_loss */
    char original[64];         /* name of the damaged file in the database's folder, with a NUL */
} imgret_salvage_report;

/* Makes a damaged catalog.db anew from all rows that can still be read, and puts it in place at once:
 * stopped or killed, the old one stays. It is kept as report->original. A database that cannot be opened
 * any more is the usual case, so this takes its path, and nobody may have it open. Does nothing where
 * nothing is wrong. Of an image whose record is lost, the vector stays searchable under its id, and its
 * uri where the index of uris can be read; add it again to have the rest. One whose vector is lost becomes
 * a failure; a call of imgret_repair afterwards extracts it again where its file is there, and mends
 * segments. What a damaged page held can be told only as ranges of ids. SQLite has no check sums: a row
 * that was changed and is still well formed passes. `report` may be NULL.
 * Errors: BUSY (it is open somewhere), NOT_FOUND, CORRUPT (the settings are lost, so that nobody can tell
 * what the vectors are, or it is another program's file; nothing is changed), VERSION_TOO_NEW, READ_ONLY,
 * INTERRUPTED, FULL, IO (a disk that cannot read a page: copy the database to a sound one first),
 * NO_MEMORY. */
IMGRET_API int32_t imgret_salvage(const char *path, const imgret_salvage_options *options,
                                  imgret_salvage_report *report, imgret_error *error);

/* ---- Copy ------------------------------------------------------------------------------------- */

/* Now and then, with the bytes copied of all there are. Return 0 to go on, anything else to stop. */
typedef int32_t (*imgret_backup_progress_fn)(void *user, uint64_t done_bytes, uint64_t total_bytes);

typedef struct imgret_backup_options {
    uint32_t size; /* sizeof(imgret_backup_options) */
    uint32_t flags_zero;
    imgret_backup_progress_fn on_progress;
    void *user;
} imgret_backup_options;

/* Copies the database, as the last commit left it, to the new folder `folder`, itself a database,
 * while this and other handles and processes go on reading and writing. The folder appears whole
 * and durable at the end, or not at all; until then the copy is in "FOLDER.imgret-partial" beside
 * it, which a later backup to the same place takes over when the process died. An open transaction
 * is not part of it. Works on a read-only handle. Stopped by imgret_interrupt.
 * Errors: EXISTS (something is at `folder`), BUSY (another backup to it is running, or the
 * database is being optimized), NOT_FOUND (the folder to put it in), INTERRUPTED, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_backup(imgret *db, const char *folder,
                                 const imgret_backup_options *options, imgret_error *error);

/* Now and then, with the images done of all there are. Return 0 to go on, anything else to stop. */
typedef int32_t (*imgret_transfer_fn)(void *user, uint64_t done_count, uint64_t total_count);

typedef struct imgret_transfer_options {
    uint32_t size; /* sizeof(imgret_transfer_options) */
    uint32_t flags_zero;
    imgret_transfer_fn on_progress;
    void *user;
} imgret_transfer_options;

/* Writes everything that the database holds, as the last commit left it, to the new folder `folder`,
 * in forms that other programs read: images.ndjson (a JSON object a line: an image with all its
 * columns, its regions and the rows of their vectors), vectors.npy (a NumPy matrix of the vectors as
 * they are stored) and manifest.json; docs/export.md describes them. The folder appears whole and
 * durable at the end, or not at all. Memory does not grow with the database. Queries, adds and
 * removals go on meanwhile. Works on a read-only handle. Stopped by imgret_interrupt.
 * Errors: EXISTS (something is at `folder`), BUSY (the database is being optimized or copied),
 * NOT_FOUND (the folder to put it in), CORRUPT (a vector cannot be read: see imgret_repair),
 * INTERRUPTED, LIMIT, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_export(imgret *db, const char *folder,
                                 const imgret_transfer_options *options, imgret_error *error);

/* Makes the new database `path` from a folder that imgret_export, or another program, wrote: same
 * images under the same ids, same vectors, same settings. Nothing in the folder is trusted; what
 * does not fit is IMGRET_CORRUPT and named by file and line. The database appears whole and durable
 * at the end, or not at all: an import that was stopped or killed is made anew. Vectors may be of
 * single precision where the database stores half.
 * Errors: EXISTS (something is at `path`), NOT_FOUND (a file of the folder), CORRUPT, LIMIT,
 * VERSION_TOO_NEW, BUSY (another import to it is running), INTERRUPTED, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_import(const char *path, const char *folder,
                                 const imgret_transfer_options *options, imgret_error *error);

/* ---- Extraction alone --------------------------------------------------------------------------- */

typedef struct imgret_extractor imgret_extractor;

typedef struct imgret_extractor_options {
    uint32_t size;               /* sizeof(imgret_extractor_options) */
    uint32_t threads;            /* default: the CPUs it may use */
    const char *plugin_path;     /* as in imgret_open_options */
    const imgret_limits *limits; /* NULL: defaults */
    /* Requests of many threads are gathered into batches and answered in order of arrival. */
    uint32_t instances; /* copies of the model that run at once, at most 64, each with its share
                              * of the threads; default: 1, of `classic` one a thread */
    uint32_t batch_max; /* pictures in a batch; default: as many as the backend takes */
    uint32_t batch_delay_us; /* the longest that a batch waits for more pictures while other threads
                              * are about; default: a quarter of a run, at most 5,000;
                              * IMGRET_NO_WAIT. A caller who is alone never waits. */
    uint32_t queue_max; /* threads that may wait; another one gets IMGRET_BUSY; default 1,024 */
} imgret_extractor_options;

typedef struct imgret_extractor_info {
    uint32_t size;        /* sizeof(imgret_extractor_info), set by the caller */
    uint32_t dimension;   /* floats in a vector */
    uint32_t input_width; /* pixels the model sees, after resize and crop */
    uint32_t input_height;
    uint32_t batch_max; /* largest batch that is run at once */
    uint32_t reserved_zero;
    const char *backend;      /* "classic", "torch"; these live as long as the extractor */
    const char *architecture; /* "vit_tiny_patch16_224" */
    const char *identity;     /* equal for two extractors that give the same vectors */
    uint32_t instances;       /* copies of the model that are loaded */
    uint32_t class_count;     /* of the model's classification head; 0: it has none */
} imgret_extractor_info;

/* Opens the extractor `model`, written as in imgret_open_options ("vectors:N" extracts nothing and
 * is refused). Close it with imgret_extractor_close. Errors: NOT_FOUND (weights or plugin),
 * BAD_MODEL, INVALID_ARGUMENT, UNSUPPORTED, NO_MEMORY. */
IMGRET_API int32_t imgret_extractor_open(imgret_extractor **out, const char *model,
                                         const imgret_extractor_options *options,
                                         imgret_error *error);

/* Closes the extractor and unloads its model. No other call on it may be running or follow. NULL is
 * allowed. */
IMGRET_API void imgret_extractor_close(imgret_extractor *extractor);

/* Fills `out` (its `size` set by the caller) with what the extractor is. Any thread. */
IMGRET_API int32_t imgret_extractor_get_info(const imgret_extractor *extractor,
                                             imgret_extractor_info *out, imgret_error *error);

/* Extracts `count` pictures (kinds FILE, BYTES, PIXELS; inputs[0].size is the stride of the array)
 * into `out`, count rows of `dimension` floats, L2-normalised; `out_floats` is its capacity.
 * With `statuses` (count entries) a bad picture, or one whose vector is not finite or for which memory
 * was short, only sets its own status and a row of zeros, and the call returns IMGRET_OK; with NULL
 * the first bad picture fails the call. */
IMGRET_API int32_t imgret_extract(imgret_extractor *extractor, const imgret_input *inputs,
                                  uint32_t count, float *out, uint64_t out_floats,
                                  int32_t *statuses, imgret_error *error);

/* the pictures are PIXELS of input_width x input_height, which go to the model as they are: no
 * resize, no crop, no clean-up */
#define IMGRET_EXTRACT_PREPARED 1u

/* What imgret_extract_with is to find out; each array has `count` rows or entries and is the
 * caller's, NULL: not wanted. */
typedef struct imgret_extraction {
    uint32_t size;          /* sizeof(imgret_extraction) */
    uint32_t flags;         /* IMGRET_EXTRACT_* */
    float *vectors;         /* rows of `dimension`, L2-normalised */
    uint64_t vector_floats; /* capacity of `vectors` */
    float *logits; /* rows of `class_count`: the classification head's, before any softmax */
    uint64_t logit_floats; /* capacity of `logits` */
    uint32_t *labels;      /* class of the largest logit; with label_scores */
    float *label_scores;   /* its softmax, 0..1; with labels */
    int32_t *statuses;     /* as in imgret_extract */
} imgret_extraction;

/* imgret_extract, for more than vectors. A picture whose status is no IMGRET_OK has zeros everywhere.
 * INVALID_ARGUMENT also when logits or labels are wanted of a model without head. */
IMGRET_API int32_t imgret_extract_with(imgret_extractor *extractor, const imgret_input *inputs,
                                       uint32_t count, const imgret_extraction *wanted,
                                       imgret_error *error);

/* Copies the name of class `index`, UTF-8 and a NUL, into `out` of `capacity` bytes; 1,025 always do.
 * NOT_FOUND when the specification has no "labels=FILE", or the model fewer classes; LIMIT when it does
 * not fit. */
IMGRET_API int32_t imgret_extractor_get_label(const imgret_extractor *extractor, uint32_t index,
                                              char *out, uint32_t capacity, imgret_error *error);

/* ---- Models while queries run ---------------------------------------------------------------------- */

/* Loads the database's extractor now, from `model` (written as in imgret_open_options; NULL: from
 * where it was recorded), and puts it in place of the one that is loaded, if any: so that the first
 * query does not wait for it, or to go over to another file, precision library or device that gives
 * the same vectors. Calls that run meanwhile end on the model they began with, which is then
 * unloaded; none of them fails or waits. Nothing is recorded. Any thread.
 * Errors: MISMATCH (another identity: nothing changed), INVALID_ARGUMENT (a database of ready
 * vectors), NOT_FOUND, BAD_MODEL, UNSUPPORTED, NO_MEMORY. */
IMGRET_API int32_t imgret_load_model(imgret *db, const char *model, imgret_error *error);

/* Lets go of the loaded extractor and its memory once the calls that use it are done; it is loaded
 * again when it is needed. Any thread. */
IMGRET_API int32_t imgret_unload_model(imgret *db, imgret_error *error);

/* Opens `model` with the options that `extractor` was opened with and goes over to it: calls that
 * run meanwhile end on the old model, which is then unloaded, later ones use the new. Its vectors
 * may differ, their dimension may not: IMGRET_MISMATCH, and nothing changed. Strings given by
 * imgret_extractor_get_info stay as long as the extractor. Any thread.
 * Errors: as imgret_extractor_open, and MISMATCH. */
IMGRET_API int32_t imgret_extractor_replace(imgret_extractor *extractor, const char *model,
                                            imgret_error *error);

/* What a file of weights is, found without needing it to be fit for use. Texts are never NULL and live
 * as long as the inspection; lists have one entry a line, each with a newline behind it. What a
 * backend cannot tell is "" or 0. */
typedef struct imgret_model_report {
    uint32_t size;       /* sizeof(imgret_model_report) of the library */
    int32_t status;      /* IMGRET_OK: it can be loaded; else the error that loading it gives */
    const char *reason;  /* that error's message */
    const char *backend; /* "torch" */
    const char *backend_version;
    const char *family;       /* "vit": the backend's option that would be chosen */
    const char *naming;       /* whose names the tensors have: "timm" */
    const char *architecture; /* "vit_tiny_patch16_224" */
    const char *identity;     /* the backend's part of imgret_extractor_info.identity */
    const char *missing;      /* tensors that the architecture wants and has not */
    const char *left_over;    /* tensors that it has no place for */
    const char *misshapen;    /* tensors of a wrong shape, with the right one */
    const char *class_names;  /* that the file holds */
    const char *notes;        /* what was decided, and why */
    uint64_t parameter_count; /* values in all tensors that have their place */
    uint64_t tensor_bytes;    /* of all tensors */
    uint32_t tensor_count;
    uint32_t missing_count;
    uint32_t left_over_count;
    uint32_t misshapen_count;
    uint32_t dimension;   /* floats in an embedding; 0 for a detector */
    uint32_t class_count; /* of the classification head */
    uint32_t input_width; /* pixels */
    uint32_t input_height;
    uint32_t anchor_count;    /* of a detector: boxes that it proposes for a picture */
    uint32_t box_class_count; /* and classes that it knows */
} imgret_model_report;

typedef struct imgret_inspection imgret_inspection;

/* Looks into the weights of `model`, written as in imgret_open_options; `plugin_path` as there, may be
 * NULL. A file that cannot be used is described, too: its report has the reason. Any thread. Free `out`
 * with imgret_inspection_free. Errors: NOT_FOUND (file or plugin), INVALID_ARGUMENT (an option), IO,
 * BAD_MODEL (a plugin that cannot be used), NO_MEMORY. */
IMGRET_API int32_t imgret_inspect_model(imgret_inspection **out, const char *model,
                                        const char *plugin_path, imgret_error *error);

/* The report, which lives as long as the inspection. NULL for NULL. */
IMGRET_API const imgret_model_report *imgret_inspection_report(const imgret_inspection *inspection);

/* Frees an inspection and its report; NULL is allowed. */
IMGRET_API void imgret_inspection_free(imgret_inspection *inspection);

#define IMGRET_REEMBED_DROP_MISSING 1u /* pictures that cannot be had become failures */

typedef struct imgret_reembed_options {
    uint32_t size;                  /* sizeof(imgret_reembed_options) */
    uint32_t flags;                 /* IMGRET_REEMBED_* */
    const char *model;              /* as in imgret_open_options */
    imgret_ingest_item_fn on_item;  /* each picture that cannot be had: outcome IMGRET_FAILED */
    imgret_transfer_fn on_progress; /* pictures done, of all there are */
    void *user;
    uint64_t memory_bytes_max; /* that building the segment may take; default no limit */
} imgret_reembed_options;

typedef struct imgret_reembed_report {
    uint32_t size; /* sizeof(imgret_reembed_report), set by the caller */
    uint32_t reserved_zero;
    uint64_t embedded_count; /* by this call */
    uint64_t resumed_count;  /* that an earlier call had done */
    uint64_t missing_count;  /* whose pictures cannot be had */
} imgret_reembed_report;

/* Moves the database to another model: extracts every picture anew from the file that its uri names,
 * while queries, adds and removals go on and are answered with the old model, and exchanges
 * vectors and settings in one transaction at the end. Call it on a thread of its own. What is done is
 * kept in "reembed.imgret-partial" in the database's folder, so that a call with the same model goes on
 * after a stop, a failure or a kill; until the end nothing of the database is changed.
 * A picture cannot be had when its file is gone or changed, or when it was added from memory. Then the call
 * fails at the end with NOT_FOUND, unless IMGRET_REEMBED_DROP_MISSING turns such images into failures
 * that keep id, uri, metadata and label, and come back when they are added again.
 * After success every handle that has the database open, in any process, this one too, answers
 * IMGRET_MISMATCH to whatever needs vectors: close it and open it again. With the model that the
 * database has already it does nothing. `report` may be NULL. Regions inside pictures keep their boxes,
 * and get vectors of the new model. Principal components go with the model they were learned for; those of
 * the new model are named as for a new database (";pca=FILE"). Not for databases of ready vectors: nobody
 * but who made them can make others.
 * Errors: NOT_FOUND, BAD_MODEL, INVALID_ARGUMENT, UNSUPPORTED, BUSY (somebody else moves, optimizes or
 * copies it: what is done is kept), INTERRUPTED, READ_ONLY, FULL, IO, NO_MEMORY. */
IMGRET_API int32_t imgret_reembed(imgret *db, const imgret_reembed_options *options,
                                  imgret_reembed_report *report, imgret_error *error);

/* ---- Principal components ------------------------------------------------------------------------ */

#define IMGRET_PCA_WHITEN 1u /* divide each component by its standard deviation */

typedef struct imgret_pca_options {
    uint32_t size;      /* sizeof(imgret_pca_options) */
    uint32_t flags;     /* IMGRET_PCA_* */
    uint32_t dimension; /* components to keep; default 128 */
    uint32_t reserved_zero;
    /* imgret_extractor_info.identity of the extractor that made the vectors: the file is then
     * refused for any other. NULL: any of that dimension. */
    const char *identity;
} imgret_pca_options;

/* Learns the principal components of `count` vectors of `vector_dimension` floats each, row by row,
 * and writes them to the file `path`, in place of what is there. A model specification uses it by
 * "torch:FILE;pca=PATH": each vector is then projected and L2-normalised again, and the file's
 * SHA-256 is part of the extractor's identity. `count` must be above options->dimension; several
 * times the vectors' dimension is a good sample. *variance_kept (may be NULL) receives the share of
 * the sample's variance that the components hold, 0 to 1. Two runs write the same file as long as
 * the BLAS library uses the same number of threads. Any thread; nothing is kept.
 * Errors: INVALID_ARGUMENT (sample too small, not finite, or varying in fewer directions),
 * UNSUPPORTED (no BLAS library), LIMIT, IO, FULL, NO_MEMORY. */
IMGRET_API int32_t imgret_pca_train(const char *path, const float *vectors, uint64_t count,
                                    uint32_t vector_dimension, const imgret_pca_options *options,
                                    double *variance_kept, imgret_error *error);

#ifdef __cplusplus
}
#endif

#endif
