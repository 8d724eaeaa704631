/* database.h: an open database: the catalogue on disk, the vectors in RAM, the extractor.
 *
 * Invariants:
 *  1. The catalogue is the truth. Delta and segments hold what the catalogue's snapshot held when
 *     they were last synchronised: vectors of regions up to ir_delta_last_id, without the removed
 *     ones (segments.h says which are where).
 *  2. Region ids ascend in the order of commits, across processes, since SQLite lets one writer in
 *     at a time. A writer synchronises the delta after it got the write lock and before it writes,
 *     so what it appends after its commit leaves no gap.
 *  3. With regions, ids are as base/region.h says, and the regions of an image are stored and removed
 *     together: they follow one another.
 *  4. Locks are taken in the order: optimize_lock, catalogue writer, delta_lock, segments.layout,
 *     catalogue reader.
 */
#ifndef IR_ENGINE_DATABASE_H
#define IR_ENGINE_DATABASE_H

#include "base/pool.h"
#include "catalog/catalog.h"
#include "decode/isolate.h"
#include "engine/call.h"
#include "engine/feature_cache.h"
#include "engine/filter_cache.h"
#include "engine/maintain.h"
#include "engine/regions.h"
#include "engine/segments.h"
#include "engine/transaction.h"
#include "extract/extract.h"
#include "index/delta.h"

#include <imgret/imgret.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What all queries of the handle did: imgret_stats. */
typedef struct ir_query_totals {
    atomic_uint_fast64_t count;
    atomic_uint_fast64_t us;
    atomic_uint_fast64_t partial_count;
    atomic_uint_fast64_t wait_us;
    atomic_uint_fast64_t reads;
    atomic_uint_fast64_t read_bytes;
    atomic_uint_fast64_t cache_hits;
    atomic_uint_fast64_t hops;
    atomic_uint_fast64_t sign_distances;
    atomic_uint_fast64_t code_distances;
    atomic_uint_fast64_t exact_distances;
} ir_query_totals;

struct ir_database {
    ir_catalog *catalog;
    ir_delta *delta;
    ir_segments segments;
    ir_pool *pool;
    imgret_limits limits;
    ir_isolation *isolation; /* decodes pictures; NULL: this process does */
    uint32_t metric;
    uint32_t vector_type;
    uint32_t dimension;
    uint32_t threads;
    bool read_only;
    char *path;           /* as the host gave it, for messages */
    char *model;          /* specification, paths absolute */
    char *identity;       /* the extractor's, from the settings */
    char *plugin_path;    /* NULL: none */
    char *pca_given;      /* absolute path of the host's principal components; NULL: none */
    ir_regions *regions;  /* which parts of pictures have vectors too; NULL: none */
    char *regions_wanted; /* their identity as the host asked for; NULL: as recorded */
    char *pca_copy;       /* where the database keeps its copy of them, if it has one */

    ir_extractor_options extract_options; /* plugin_path is the one above */
    pthread_mutex_t extractor_lock;
    ir_extractor *extractor;    /* NULL until first used */
    ir_feature_cache *features; /* NULL: nothing is kept */
    ir_filter_cache *filters;

    pthread_mutex_t delta_lock; /* appends and synchronisation */
    int64_t data_version_seen;
    int64_t removal_mark;

    pthread_mutex_t optimize_lock; /* one thread builds at a time */
    ir_maintenance *maintenance;   /* NULL: the host did not ask for it */
    /* The host's transaction: both fields belong to the thread inside the catalogue's gate. */
    bool transaction_open;
    ir_transaction transaction;

    atomic_uint_fast64_t interrupts;
    ir_query_totals totals;
};

/* `options` has passed ir_options_read. */
int32_t ir_database_open(ir_database **out, const char *path, const imgret_open_options *options,
                         imgret_error *error);
void ir_database_close(ir_database *database);

/* In a forked child: lets go without touching files, locks or threads of the parent. */
void ir_database_abandon(ir_database *database);

/* The extractor, loaded at the first call; IMGRET_INVALID_ARGUMENT for a database of ready
 * vectors. It is shared with the caller, who closes it. */
int32_t ir_database_extractor(ir_database *database, ir_extractor **out, imgret_error *error);

/* Loads the extractor again, from `model` or, when that is NULL, from where it was recorded, and puts
 * it in place of the one that is loaded. IMGRET_MISMATCH when it gives other vectors. */
int32_t ir_database_load_model(ir_database *database, const char *model, imgret_error *error);

/* Lets go of the extractor until it is needed again. */
void ir_database_unload_model(ir_database *database);

/* A model's specification with its paths absolute, in fresh memory; *pca likewise, the path of the
 * principal components that it names, or NULL. */
int32_t ir_database_absolute_model(const char *text, char **out, char **pca, imgret_error *error);

/* Where the components of the model stand that a database is being moved to: a name beside `pca_copy`, in
 * fresh memory (NULL: out of memory). Who finds the model there after a move that was cut short at its
 * very end puts them in place. */
char *ir_database_pca_next(const ir_database *database);

/* Records another model. Within a transaction, together with its vectors: every open handle, this one
 * too, answers IMGRET_MISMATCH afterwards, until it is opened again. */
int32_t ir_database_write_model(ir_database *database, const char *model, const char *identity,
                                uint32_t dimension, imgret_error *error);

/* Brings the delta up to what is committed, by this process and others. Cheap when nothing is. */
int32_t ir_database_sync(ir_database *database, imgret_error *error);

/* Lets a commit's thread say that what is in memory fell behind: the next synchronisation looks. */
void ir_database_distrust(ir_database *database);

/* A state of the database: what one commit left. */
typedef struct ir_database_view {
    int64_t last_region;
    int64_t removal_mark;
    bool held;
} ir_database_view;

/* Synchronises and tells what the delta holds then. With `hold`, catalogue and delta stay in that
 * state until ir_database_leave, which must follow; writers of this handle wait meanwhile. */
int32_t ir_database_look(ir_database *database, bool hold, ir_database_view *out,
                         imgret_error *error);
void ir_database_leave(ir_database *database, const ir_database_view *view);

/* Whether something was removed or replaced since the view was taken. Within ir_catalog_hold this
 * is about the snapshot that is held. */
int32_t ir_database_view_lost(ir_database *database, const ir_database_view *view, bool *out,
                              imgret_error *error);

/* Begins a transaction and synchronises (invariant 2); joins the host's when this thread has one
 * open. Ends in ir_database_commit or, after a failure, in ir_database_rollback. */
int32_t ir_database_begin(ir_database *database, imgret_error *error);

/* Commits and makes the changes (in the order they were made) visible to searches; of a call that
 * joined, they wait for the host's commit. */
int32_t ir_database_commit(ir_database *database, const ir_region_change *changes, uint64_t count,
                           imgret_error *error);

/* Undoes a call that failed. One that joined the host's transaction changed nothing, or the
 * catalogue has marked the transaction as lost. */
void ir_database_rollback(ir_database *database);

/* The host's transaction, which belongs to the calling thread: INVALID_ARGUMENT when it has one
 * already, or none to end. */
int32_t ir_database_begin_host(ir_database *database, imgret_error *error);
int32_t ir_database_commit_host(ir_database *database, imgret_error *error);
int32_t ir_database_rollback_host(ir_database *database, imgret_error *error);

/* Whether the calling thread has the host's transaction open. */
bool ir_database_is_joined(ir_database *database);

#endif
