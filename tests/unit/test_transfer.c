/* test_transfer.c: export and import: what comes back is what went out, and nothing hostile gets in. */
#include "vectors.h"

#include "base/alloc.h"

#include <math.h>

typedef struct fixture {
    char folder[256];
    char path[300];
    char out[300];
    char copy[300];
    imgret *db;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "transfer");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->out, sizeof f->out, "%s/out", f->folder);
    snprintf(f->copy, sizeof f->copy, "%s/copy.imgret", f->folder);
    f->db = open_vectors(f->path, 0, 0);
    *state = f;
    return f->db ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void export_to(imgret *db, const char *folder)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_export(db, folder, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_attributes(const imgret_attributes *a, const imgret_attributes *b)
{
    if (!a || !b)
        return a == b;
    return a->brightness == b->brightness && a->contrast == b->contrast &&
           a->saturation == b->saturation && a->warmth == b->warmth &&
           a->sharpness == b->sharpness && a->perceptual_hash == b->perceptual_hash &&
           memcmp(a->color_shares, b->color_shares, sizeof a->color_shares) == 0 &&
           a->swatch_count == b->swatch_count &&
           memcmp(a->swatches, b->swatches, a->swatch_count * sizeof a->swatches[0]) == 0 &&
           same_text(a->taken_at, b->taken_at) && same_text(a->camera_model, b->camera_model);
}

static void assert_same_record(const imgret_record *a, const imgret_record *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_true(same_text(a->uri, b->uri));
    assert_true(same_text(a->metadata, b->metadata));
    assert_true(same_text(a->format, b->format));
    assert_true(same_text(a->failure, b->failure));
    assert_int_equal(a->failure_code, b->failure_code);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_true(a->file_bytes == b->file_bytes);
    assert_true(a->modified_ns == b->modified_ns);
    assert_true(a->added_ms == b->added_ms);
    assert_memory_equal(a->content_hash, b->content_hash, 16);
    assert_true(same_attributes(a->attributes, b->attributes));
}

static void assert_same_hits(imgret *a, imgret *b, int64_t id)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = id};
    imgret_query_options options = {
        .size = sizeof options, .k = 20, .effort = 1000, .flags = IMGRET_QUERY_INCLUDE_SELF};
    imgret_results *x, *y;
    assert_int_equal(imgret_query(&x, a, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_query(&y, b, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(x), imgret_results_count(y));
    for (uint64_t i = 0; i < imgret_results_count(x); i++) {
        assert_int_equal(imgret_results_at(x, i)->id, imgret_results_at(y, i)->id);
        /* One may come from a segment, the other from memory: sums in another order. */
        assert_true(fabs(imgret_results_at(x, i)->score - imgret_results_at(y, i)->score) < 1e-6);
    }
    imgret_results_free(x);
    imgret_results_free(y);
}

static void assert_same_vector(imgret *a, imgret *b, int64_t id)
{
    imgret_stats stats = {.size = sizeof stats};
    float x[1024], y[1024];
    assert_int_equal(imgret_get_stats(a, &stats, NULL), IMGRET_OK);
    int32_t status = imgret_get_vector(a, id, x, stats.dimension, NULL);
    assert_int_equal(imgret_get_vector(b, id, y, stats.dimension, NULL), status);
    if (!status)
        assert_memory_equal(x, y, stats.dimension * sizeof *x);
}

static void assert_same(imgret *a, imgret *b)
{
    imgret_list_options all = {.size = sizeof all, .limit = 100000};
    imgret_records *x, *y;
    assert_int_equal(imgret_list(&x, a, &all, NULL), IMGRET_OK);
    assert_int_equal(imgret_list(&y, b, &all, NULL), IMGRET_OK);
    assert_true(imgret_records_count(x) > 0);
    assert_int_equal(imgret_records_count(x), imgret_records_count(y));
    for (uint64_t i = 0; i < imgret_records_count(x); i++) {
        const imgret_record *record = imgret_records_at(x, i);
        assert_same_record(record, imgret_records_at(y, i));
        assert_same_vector(a, b, record->id);
        if (record->state == IMGRET_STATE_STORED && i % 17 == 0)
            assert_same_hits(a, b, record->id);
    }
    imgret_records_free(x);
    imgret_records_free(y);
    assert_int_equal(count_problems(b), 0);
}

static void add_many(imgret *db, uint32_t first, uint32_t count)
{
    char uri[64];
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = first; i < first + count; i++) {
        int64_t id;
        snprintf(uri, sizeof uri, "pictures/%u \"\\u0000\n\x01", i);
        if (i % 5 == 1)
            strcat(uri, "\xff\xfe"); /* names need not be UTF-8 */
        assert_int_equal(try_add(db, i, i % 3 ? uri : NULL, &id, NULL), IMGRET_OK);
        if (i % 4 == 0)
            assert_int_equal(imgret_set_metadata(
                                 db, id, "{\"n\":[1,2.50,1e400,{\"\\u00e9\":\"\xc3\xa9\"}]}", NULL),
                             IMGRET_OK);
    }
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

static void optimize(imgret *db)
{
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &options, NULL), IMGRET_OK);
}

static void what_comes_back_is_what_went_out(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 300);
    optimize(f->db);
    add_many(f->db, 300, 50);                                     /* pending, beside a segment */
    assert_int_equal(imgret_remove(f->db, 10, NULL), IMGRET_OK);  /* from the segment */
    assert_int_equal(imgret_remove(f->db, 350, NULL), IMGRET_OK); /* the last id given */
    assert_int_equal(try_add(f->db, 9000, "pictures/7 \"\\u0000\n\x01", NULL, NULL), IMGRET_OK);
    export_to(f->db, f->out);
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_import(f->copy, f->out, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    imgret *copy = open_vectors(f->copy, IMGRET_OPEN_EXISTING, 0);
    assert_same(f->db, copy);
    int64_t id;
    assert_int_equal(try_add(copy, 9999, NULL, &id, NULL), IMGRET_OK);
    assert_int_equal(id, 351); /* ids of what was removed stay unused */
    imgret_close(copy);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, &error), IMGRET_EXISTS);
    assert_int_equal(imgret_export(f->db, f->out, NULL, &error), IMGRET_EXISTS);
}

static void pictures_keep_attributes_and_failures(void **state)
{
    fixture *f = *state;
    char from[300], name[400], out[300], path[300];
    snprintf(from, sizeof from, "%s/pictures", f->folder);
    snprintf(out, sizeof out, "%s/pictures-out", f->folder);
    snprintf(path, sizeof path, "%s/pictures.imgret", f->folder);
    mkdir(from, 0777);
    for (uint32_t i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "%s/%u.ppm", from, i);
        write_stripes(name, 32, i);
    }
    snprintf(name, sizeof name, "%s/bad.jpg", from);
    write_text(name, "this is no picture");
    imgret *db, *copy;
    const char *paths[] = {from};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_open(&db, path, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_ingest(db, &ingest, NULL, NULL), IMGRET_OK);
    export_to(db, out);
    assert_int_equal(imgret_import(f->copy, out, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_open(&copy, f->copy, NULL, NULL), IMGRET_OK);
    assert_same(db, copy);
    imgret_close(copy);
    imgret_close(db);
}

static char *slurp(const char *folder, const char *name, size_t *bytes)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *data = calloc(1 << 16, 1);
    *bytes = fread(data, 1, (1 << 16) - 1, file);
    fclose(file);
    return data;
}

static void spill(const char *folder, const char *name, const char *data, size_t bytes)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

/* A change to one file of a good export: `from` is replaced by `to`; NULL: `to` is the whole file. */
typedef struct change {
    const char *file, *from, *to;
    int32_t status;
    const char *message; /* part of it */
} change;

static void try_change(fixture *f, const change *c)
{
    size_t bytes;
    char *good = slurp(f->out, c->file, &bytes);
    char *bad = calloc(bytes + 65536, 1);
    const char *at = c->from ? strstr(good, c->from) : NULL;
    if (c->from)
        assert_non_null(at);
    if (at)
        sprintf(bad, "%.*s%s%s", (int)(at - good), good, c->to, at + strlen(c->from));
    else
        strcpy(bad, c->to);
    spill(f->out, c->file, bad, strlen(bad));
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_import(f->copy, f->out, NULL, &error);
    if (status != c->status || !strstr(error.message, c->message))
        fail_msg("%s: '%s' for '%s': %d %s", c->file, c->to, c->from ? c->from : "all", status,
                 error.message);
    assert_int_not_equal(access(f->copy, F_OK), 0);
    char partial[320];
    snprintf(partial, sizeof partial, "%s.imgret-partial", f->copy);
    assert_int_not_equal(access(partial, F_OK), 0);
    spill(f->out, c->file, good, bytes);
    free(bad);
    free(good);
}

static void hostile_exports_are_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(try_add(f->db, 1, "a", NULL, NULL), IMGRET_OK);
    assert_int_equal(try_add(f->db, 2, "b", NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_metadata(f->db, 1, "{\"k\":1}", NULL), IMGRET_OK);
    export_to(f->db, f->out);
    char *deep = calloc(30001, 1), *huge = calloc(40000, 1);
    strcpy(deep, "{\"metadata\":");
    memset(deep + 12, '[', 10000);
    memset(huge, '9', 500);
    const char *const lines = "images.ndjson", *const head = "manifest.json";
    const change changes[] = {
        {lines, NULL, deep, IMGRET_CORRUPT, "line 1: not a JSON object"},
        {lines, NULL, "", IMGRET_CORRUPT, "announced"},
        {lines, NULL, "[1]\n", IMGRET_CORRUPT, "line 1: not a JSON object"},
        {lines, NULL, "{}\n", IMGRET_CORRUPT, "\"id\" is missing"},
        {lines, "{\"id\":1,", "{\"id\":1,\"id\":1,", IMGRET_CORRUPT, "there twice"},
        {lines, "{\"id\":1,", "{\"id\":0,", IMGRET_CORRUPT, "\"id\""},
        {lines, "{\"id\":1,", "{\"id\":9223372036854775807,", IMGRET_CORRUPT, "\"id\""},
        {lines, "{\"id\":1,", "{\"id\":1.5,", IMGRET_CORRUPT, "\"id\""},
        {lines, "{\"id\":1,", "{\"id\":7,", IMGRET_CORRUPT, "line 2: image 2 does not ascend"},
        {lines, "\"uri\":\"b\"", "\"uri\":\"a\"", IMGRET_CORRUPT, "line 2: refused: UNIQUE"},
        {lines, "\"uri\":\"b\"", "\"uri\":{}", IMGRET_CORRUPT, "wrong type"},
        {lines, "\"uri\":\"b\"", "\"uri\":\"b\\u0000c\"", IMGRET_CORRUPT, "NUL"},
        {lines, "\"uri\":\"b\"", "\"uri\":\"\xff\"", IMGRET_CORRUPT, "UTF-8"},
        {lines, "\"uri\":\"b\"", "\"uri_hex\":\"6\"", IMGRET_CORRUPT, "hexadecimal"},
        {lines, "\"uri\":\"b\"", "\"uri_hex\":\"00\"", IMGRET_CORRUPT, "NUL"},
        {lines, "\"uri\":\"b\"", "\"uri\":\"b\",\"shape\":1", IMGRET_CORRUPT,
         "\"shape\" is not known"},
        {lines, "\"state\":1", "\"state\":3", IMGRET_CORRUPT, "refused: CHECK"},
        {lines, "\"state\":1", "\"state\":2", IMGRET_CORRUPT, "failed but has a region"},
        {lines, "\"width\":0", "\"width\":-1", IMGRET_CORRUPT, "out of range"},
        {lines, "\"width\":0", "\"width\":\"wide\"", IMGRET_CORRUPT, "wrong type"},
        {lines, "\"width\":0,", "", IMGRET_CORRUPT, "refused: NOT NULL"},
        {lines, "\"width\":0", huge, IMGRET_CORRUPT, "line 1"},
        {lines, "\"content_hash\":\"", "\"content_hash\":\"00", IMGRET_CORRUPT, "refused: CHECK"},
        {lines, "{\"k\":1}", "[1]", IMGRET_CORRUPT, "wrong type"},
        {lines, "{\"k\":1}", "\"no object\"", IMGRET_CORRUPT, "metadata is not a JSON object"},
        {lines, "\"vector\":0", "\"vector\":1", IMGRET_CORRUPT, "must follow"},
        {lines, "\"vector\":1", "\"vector\":0", IMGRET_CORRUPT, "line 2: vector 0 stands where 1"},
        {lines, ",\"vector\":0", "", IMGRET_CORRUPT, "\"vector\" is missing"},
        {lines, "\"regions\":[{\"id\":2", "\"regions\":[{\"id\":1", IMGRET_CORRUPT,
         "refused: UNIQUE"},
        {lines, "\"regions\":[{", "\"regions\":[7,{", IMGRET_CORRUPT, "a region is no object"},
        {lines, ",\"regions\":[{", ",\"regions\":[{\"image\":2,", IMGRET_CORRUPT, ""},
        {lines, "\"ordinal\":0", "\"ordinal\":1", IMGRET_CORRUPT,
         "no region for its whole picture"},
        {head, NULL, "", IMGRET_CORRUPT, "not a JSON object"},
        {head, NULL, "{}", IMGRET_CORRUPT, "not what libimgret exported"},
        {head, "\"version\":1", "\"version\":2", IMGRET_VERSION_TOO_NEW, "version"},
        {head, "\"catalog_version\":", "\"catalog_version\":9", IMGRET_VERSION_TOO_NEW,
         "catalogue"},
        {head, "\"image_count\":2", "\"image_count\":1", IMGRET_CORRUPT, "more than the 1"},
        {head, "\"image_count\":2", "\"image_count\":3", IMGRET_CORRUPT, "announced were 3"},
        {head, "\"vector_count\":2", "\"vector_count\":3", IMGRET_CORRUPT, "needed are 3"},
        {head, "\"dimension\":\"24\"", "\"dimension\":\"25\"", IMGRET_CORRUPT,
         "needed are 2 of 25"},
        {head, "\"dimension\":\"24\"", "\"dimension\":\"65537\"", IMGRET_CORRUPT, "dimension"},
        {head, "\"dimension\":\"24\"", "\"dimension\":24", IMGRET_CORRUPT, "a setting is not"},
        {head, "\"metric\":", "\"Met'ric\":", IMGRET_CORRUPT, "a setting is not"},
        {head, "\"model\":", "\"modem\":", IMGRET_CORRUPT, "\"model\" is missing"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        try_change(f, &changes[i]);
    free(deep);
    free(huge);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, NULL),
                     IMGRET_OK); /* it was the changes */
}

static void assert_verdicts(const char *folder, const char *wanted)
{
    size_t bytes;
    char *found = slurp(folder, "verdicts.ndjson", &bytes);
    assert_string_equal(found, wanted);
    free(found);
}

static void what_users_said_of_pairs_goes_along(void **state)
{
    fixture *f = *state;
    const char *const both = "{\"first\":1,\"second\":2,\"verdict\":1}\n"
                             "{\"first\":1,\"second\":3,\"verdict\":1}\n";
    char again[300], without[400];
    snprintf(again, sizeof again, "%s/again", f->folder);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(try_add(f->db, i, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_verdict(f->db, 3, 1, IMGRET_VERDICT_DIFFERENT, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_verdict(f->db, 1, 2, IMGRET_VERDICT_DIFFERENT, NULL), IMGRET_OK);
    export_to(f->db, f->out);
    assert_verdicts(f->out, both);
    const char *const lines = "verdicts.ndjson", *const head = "manifest.json";
    const change changes[] = {
        {lines, NULL, "", IMGRET_CORRUPT, "verdicts.ndjson: has 0 lines, announced were 2"},
        {lines, NULL, "[1,2,1]\n", IMGRET_CORRUPT, "verdicts.ndjson: line 1: not a JSON object"},
        {lines, "\"first\":1,", "", IMGRET_CORRUPT, "line 1: not {\"first\""},
        {lines, "\"first\":1,", "\"first\":1,\"first\":1,", IMGRET_CORRUPT, "line 1: not"},
        {lines, "\"first\":1,", "\"first\":1.0,", IMGRET_CORRUPT, "line 1: not"},
        {lines, "\"first\":1,", "\"first\":2,", IMGRET_CORRUPT, "line 1: refused: CHECK"},
        {lines, "\"second\":3", "\"second\":4", IMGRET_CORRUPT, "line 2: refused: FOREIGN KEY"},
        {lines, "\"second\":3", "\"second\":2", IMGRET_CORRUPT, "line 2: refused: UNIQUE"},
        {lines, "\"verdict\":1", "\"verdict\":0", IMGRET_CORRUPT, "line 1: not"},
        {lines, "\"verdict\":1", "\"verdict\":2147483648", IMGRET_CORRUPT, "line 1: not"},
        {head, "\"verdict_count\":2", "\"verdict_count\":1", IMGRET_CORRUPT,
         "verdicts.ndjson: line 2: more than the 1"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        try_change(f, &changes[i]);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, NULL), IMGRET_OK);
    imgret *copy = open_vectors(f->copy, IMGRET_OPEN_EXISTING, 0);
    export_to(copy, again);
    assert_verdicts(again, both);
    remove_folder(again);
    assert_int_equal(imgret_remove(copy, 1, NULL), IMGRET_OK); /* and the verdicts with it */
    export_to(copy, again);
    snprintf(without, sizeof without, "%s/verdicts.ndjson", again);
    assert_int_not_equal(access(without, F_OK), 0);
    imgret_close(copy);
}

/* Exports had no verdicts at first: a manifest that says nothing of them is taken. */
static void exports_without_verdicts_are_taken(void **state)
{
    fixture *f = *state;
    const char *const said = ",\"verdict_count\":0";
    assert_int_equal(try_add(f->db, 1, NULL, NULL, NULL), IMGRET_OK);
    export_to(f->db, f->out);
    size_t bytes;
    char *head = slurp(f->out, "manifest.json", &bytes), *at = strstr(head, said);
    assert_non_null(at);
    memmove(at, at + strlen(said), strlen(at + strlen(said)) + 1);
    spill(f->out, "manifest.json", head, strlen(head));
    free(head);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, NULL), IMGRET_OK);
}

static int32_t import_with_vectors(fixture *f, const char *data, size_t bytes, imgret_error *error)
{
    spill(f->out, "vectors.npy", data, bytes);
    return imgret_import(f->copy, f->out, NULL, error);
}

static void hostile_matrices_are_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(try_add(f->db, 1, NULL, NULL, NULL), IMGRET_OK);
    export_to(f->db, f->out);
    size_t bytes;
    char *good = slurp(f->out, "vectors.npy", &bytes), *bad = calloc(bytes + 1, 1);
    assert_int_equal(bytes, 128 + 2 * DIMENSION);
    imgret_error error = IMGRET_ERROR_INIT;
    for (size_t cut = 0; cut < bytes; cut += cut < 128 ? 7 : 1) /* truncated anywhere */
        assert_int_equal(import_with_vectors(f, good, cut, &error), IMGRET_CORRUPT);
    memcpy(bad, good, bytes);
    assert_int_equal(import_with_vectors(f, bad, bytes + 1, &error), IMGRET_CORRUPT);
    static const struct {
        size_t at;
        const char *bytes;
    } wrong[] = {{0, "X"},         {6, "\x04"},   {8, "\xff\xff"},
                 {10, "["},        {21, "<f8"},   {21, ">f2"},
                 {21, "|O2"},      {44, "True "}, {128, "\xff\x7f"} /* NaN */,
                 {130, "\x01\x7c"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(bad, good, bytes);
        memcpy(bad + wrong[i].at, wrong[i].bytes, strlen(wrong[i].bytes));
        int32_t status = import_with_vectors(f, bad, bytes, &error);
        if (status != IMGRET_CORRUPT || !strstr(error.message, "vectors.npy"))
            fail_msg("%zu: %d %s", i, status, error.message);
    }
    char path[400];
    snprintf(path, sizeof path, "%s/vectors.npy", f->out);
    unlink(path);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, &error), IMGRET_NOT_FOUND);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_int_equal(imgret_import(f->copy, f->out, NULL, &error), IMGRET_CORRUPT);
    unlink(path);
    assert_int_equal(import_with_vectors(f, good, bytes, &error), IMGRET_OK);
    free(bad);
    free(good);
}

static void singles_are_taken_where_halves_are_stored(void **state)
{
    fixture *f = *state;
    assert_int_equal(try_add(f->db, 1, NULL, NULL, NULL), IMGRET_OK);
    export_to(f->db, f->out);
    size_t bytes;
    char *good = slurp(f->out, "vectors.npy", &bytes);
    static const char head[] = "{\"shape\": (1, 24,), 'descr': '<f4', 'fortran_order': False}\n";
    char data[512] = "\x93NUMPY\x02";
    uint32_t length = sizeof head - 1;
    float vector[DIMENSION];
    assert_int_equal(imgret_get_vector(f->db, 1, vector, DIMENSION, NULL), IMGRET_OK);
    memcpy(data + 8, &length, 4);
    memcpy(data + 12, head, length);
    memcpy(data + 12 + length, vector, sizeof vector);
    assert_int_equal(import_with_vectors(f, data, 12 + length + sizeof vector, NULL), IMGRET_OK);
    imgret *copy = open_vectors(f->copy, IMGRET_OPEN_EXISTING, 0);
    assert_same(f->db, copy);
    imgret_close(copy);
    free(good);
}

static int32_t stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

static void both_can_be_stopped(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 300);
    imgret_transfer_options stop = {.size = sizeof stop, .on_progress = stop_at_once};
    assert_int_equal(imgret_export(f->db, f->out, &stop, NULL), IMGRET_INTERRUPTED);
    assert_int_not_equal(access(f->out, F_OK), 0);
    export_to(f->db, f->out);
    assert_int_equal(imgret_import(f->copy, f->out, &stop, NULL), IMGRET_INTERRUPTED);
    assert_int_not_equal(access(f->copy, F_OK), 0);
    assert_int_equal(imgret_import(f->copy, f->out, NULL, NULL), IMGRET_OK);
}

static void without_memory_nothing_leaks_or_stays(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 5);
    int32_t status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; n < 2000 && status; n++) {
        ir_alloc_fail_after(n);
        status = imgret_export(f->db, f->out, NULL, NULL);
        ir_alloc_fail_after(0);
        if (status)
            assert_int_not_equal(access(f->out, F_OK), 0);
    }
    assert_int_equal(status, IMGRET_OK);
    status = IMGRET_NO_MEMORY;
    uint64_t alive = ir_alloc_live_count();
    for (uint64_t n = 1; n < 2000 && status; n++) {
        ir_alloc_fail_after(n);
        status = imgret_import(f->copy, f->out, NULL, NULL);
        ir_alloc_fail_after(0);
        assert_int_equal(ir_alloc_live_count(), alive);
        if (status)
            assert_int_not_equal(access(f->copy, F_OK), 0);
    }
    assert_int_equal(status, IMGRET_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_back_is_what_went_out),
        TEST(pictures_keep_attributes_and_failures),
        TEST(hostile_exports_are_refused),
        TEST(what_users_said_of_pairs_goes_along),
        TEST(exports_without_verdicts_are_taken),
        TEST(hostile_matrices_are_refused),
        TEST(singles_are_taken_where_halves_are_stored),
        TEST(both_can_be_stopped),
        TEST(without_memory_nothing_leaks_or_stays),
    };
    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
