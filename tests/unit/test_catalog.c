/* test_catalog.c: what the catalogue stores, finds, lists, replaces and removes. */
#include "test_catalog.h"

static void creating_then_opening(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog;
    bool created = false;
    ir_catalog_options options = {.existing = true};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(open_status(fixture->path, options, &error), IMGRET_NOT_FOUND);
    options = (ir_catalog_options){.read_only = true};
    assert_int_equal(open_status(fixture->path, options, &error), IMGRET_NOT_FOUND);
    options = (ir_catalog_options){.fresh = true};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, &created, NULL), 0);
    assert_true(created);
    ir_catalog_close(catalog);
    assert_int_equal(open_status(fixture->path, options, &error), IMGRET_EXISTS);
    assert_non_null(strstr(error.message, fixture->path));
    options = (ir_catalog_options){.existing = true};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, &created, NULL), 0);
    assert_false(created);
    ir_catalog_close(catalog);
    ir_catalog_close(NULL);
    ir_catalog_abandon(NULL);
}

static void parent_must_exist(void **state)
{
    const catalog_fixture *fixture = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/no/such.imgret", fixture->root);
    assert_int_equal(open_status(path, (ir_catalog_options){0}, NULL), IMGRET_NOT_FOUND);
}

static void settings_are_kept(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    char *value = NULL;
    assert_int_equal(ir_catalog_get_setting(catalog, "model", &value, NULL), IMGRET_OK);
    assert_null(value);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_set_setting(catalog, "model", "classic", NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_set_setting(catalog, "model", "vectors:8", NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    ir_catalog_close(catalog);
    catalog = open_catalog(fixture->path);
    assert_int_equal(ir_catalog_get_setting(catalog, "model", &value, NULL), IMGRET_OK);
    assert_string_equal(value, "vectors:8");
    ir_free(value);
    ir_catalog_close(catalog);
}

typedef struct seen_record {
    int count;
    imgret_record record;
    char uri[64], metadata[64], format[16], failure[64];
} seen_record;

static int32_t keep_record(void *context, uint64_t position, const imgret_record *record,
                           imgret_error *error)
{
    seen_record *seen = context;
    (void)position, (void)error;
    seen->count++;
    seen->record = *record;
    snprintf(seen->uri, sizeof seen->uri, "%s", record->uri ? record->uri : "(none)");
    snprintf(seen->metadata, sizeof seen->metadata, "%s",
             record->metadata ? record->metadata : "(none)");
    snprintf(seen->format, sizeof seen->format, "%s", record->format);
    snprintf(seen->failure, sizeof seen->failure, "%s", record->failure);
    return IMGRET_OK;
}

static seen_record record_of_uri(ir_catalog *catalog, const char *uri)
{
    seen_record seen = {0};
    imgret_list_options options = {.size = sizeof options, .uri = uri, .limit = 10};
    assert_int_equal(ir_catalog_list(catalog, &options, keep_record, &seen, NULL), IMGRET_OK);
    return seen;
}

static void an_image_comes_back_as_it_was_stored(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    ir_catalog_image image = image_of("/a.jpg", 7);
    image.metadata = "{\"camera\": \"X100\" }";
    image.width = UINT32_MAX;
    int64_t id, region, removed, found;
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL), 0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    assert_true(id > 0 && region > 0);
    assert_int_equal(removed, 0);
    seen_record seen = record_of_uri(catalog, "/a.jpg");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.record.id, id);
    assert_int_equal(seen.record.state, IMGRET_STATE_STORED);
    assert_int_equal(seen.record.size, sizeof(imgret_record));
    assert_string_equal(seen.metadata, image.metadata);
    assert_string_equal(seen.format, "jpeg");
    assert_string_equal(seen.failure, "");
    assert_int_equal(seen.record.width, UINT32_MAX);
    assert_int_equal(seen.record.height, 480);
    assert_int_equal(seen.record.file_bytes, 12345);
    assert_int_equal(seen.record.modified_ns, 1700000000123456789);
    assert_true(seen.record.added_ms > 1700000000000);
    assert_memory_equal(seen.record.content_hash, image.content_hash, 16);
    assert_int_equal(ir_catalog_image_region(catalog, id, &found, NULL), IMGRET_OK);
    assert_int_equal(found, region);
    assert_int_equal(ir_catalog_image_region(catalog, id + 1, &found, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(count_problems(catalog), 0);
    ir_catalog_close(catalog);
}

static void any_bytes_make_a_uri(void **state)
{
    const catalog_fixture *fixture = *state;
    static const char uri[] = "/\xFF\xFE\x80/'; DROP TABLE images; --\xC3(\x01.jpg";
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id = add(catalog, uri, 1), none;
    add(catalog, "/\xFF\xFE\x80/", 2);
    assert_string_equal(record_of_uri(catalog, uri).uri, uri);
    ir_catalog_known known;
    assert_int_equal(ir_catalog_find(catalog, uri, false, &known, NULL), IMGRET_OK);
    assert_int_equal(known.id, id);
    assert_int_equal(try_add(catalog, uri, 3, &none), IMGRET_EXISTS);
    assert_int_equal(count_images(catalog, NULL), 2);
    ir_catalog_close(catalog);
}

static void images_without_uri_are_many(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    assert_int_not_equal(add(catalog, NULL, 1), add(catalog, NULL, 1));
    ir_catalog_close(catalog);
}

static void finding_is_on_the_right_side_of_a_transaction(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    ir_catalog_known known;
    int64_t id, region, removed;
    ir_catalog_image image = image_of("/a", 9);
    assert_int_equal(ir_catalog_find(catalog, "/a", true, &known, NULL), IMGRET_INTERNAL);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL), 0);
    assert_int_equal(ir_catalog_find(catalog, "/a", false, &known, NULL), IMGRET_OK);
    assert_int_equal(known.id, 0);
    assert_int_equal(ir_catalog_find(catalog, "/a", true, &known, NULL), IMGRET_OK);
    assert_int_equal(known.id, id);
    assert_int_equal(known.file_bytes, 12345);
    assert_memory_equal(known.content_hash, image.content_hash, 16);
    ir_catalog_rollback(catalog);
    assert_int_equal(count_images(catalog, NULL), 0);
    ir_catalog_close(catalog);
}

typedef struct seen_changes {
    int vectors, removals;
    int64_t last_region, last_removed;
    uint8_t fill;
} seen_changes;

static int32_t see_vector(void *context, int64_t region, const void *vector, size_t bytes,
                          imgret_error *error)
{
    seen_changes *seen = context;
    (void)error;
    assert_true(region > seen->last_region);
    assert_int_equal(bytes, VECTOR_BYTES);
    seen->vectors++;
    seen->last_region = region;
    seen->fill = ((const uint8_t *)vector)[VECTOR_BYTES - 1];
    return IMGRET_OK;
}

static int32_t see_removal(void *context, int64_t region, imgret_error *error)
{
    seen_changes *seen = context;
    (void)error;
    seen->removals++;
    seen->last_removed = region;
    return IMGRET_OK;
}

static seen_changes changes(ir_catalog *catalog, int64_t after, int64_t *mark)
{
    seen_changes seen = {.last_region = after};
    assert_int_equal(ir_catalog_changes(catalog, after, mark, see_removal, see_vector, &seen, NULL),
                     0);
    return seen;
}

static void replacing_keeps_the_id_and_gives_a_new_region(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t first, first_region, region, id, removed, mark = 0;
    ir_catalog_image image = image_of("/a", 1);
    image.metadata = "{\"keep\":1}";
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &first, &first_region, &removed, NULL),
                     0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    image = image_of("/a", 2);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, &image, first, &id, &region, &removed, NULL), 0);
    assert_int_equal(ir_catalog_store(catalog, &image, 99, &id, &region, &removed, NULL),
                     IMGRET_NOT_FOUND);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    seen_record seen = record_of_uri(catalog, "/a");
    assert_int_equal(seen.record.id, first);
    assert_string_equal(seen.metadata, "{\"keep\":1}");
    seen_changes changed = changes(catalog, first_region, &mark);
    assert_int_equal(changed.removals, 1);
    assert_int_equal(changed.last_removed, first_region);
    assert_int_equal(changed.vectors, 1);
    assert_int_equal(changed.fill, 2);
    changed = changes(catalog, changed.last_region, &mark);
    assert_int_equal(changed.removals + changed.vectors, 0);
    assert_int_equal(count_problems(catalog), 0);
    ir_catalog_close(catalog);
}

static void failures_are_recorded_and_overcome(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id, same, region, removed;
    ir_catalog_image image = image_of("/bad.jpg", 3);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store_failure(catalog, &image, IMGRET_BAD_IMAGE, "cut short", 0,
                                              &id, &removed, NULL),
                     0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    seen_record seen = record_of_uri(catalog, "/bad.jpg");
    assert_int_equal(seen.record.state, IMGRET_STATE_FAILED);
    assert_int_equal(seen.record.failure_code, IMGRET_BAD_IMAGE);
    assert_string_equal(seen.failure, "cut short");
    assert_int_equal(ir_catalog_image_region(catalog, id, &region, NULL), IMGRET_NOT_FOUND);
    ir_catalog_counts counts;
    assert_int_equal(ir_catalog_get_counts(catalog, &counts, NULL), IMGRET_OK);
    assert_int_equal(counts.image_count, 0);
    assert_int_equal(counts.failed_count, 1);
    assert_true(counts.file_bytes > 8192);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, &image, id, &same, &region, &removed, NULL), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    seen = record_of_uri(catalog, "/bad.jpg");
    assert_int_equal(seen.record.id, id);
    assert_int_equal(seen.record.state, IMGRET_STATE_STORED);
    assert_string_equal(seen.failure, "");
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store_failure(catalog, &image, IMGRET_LIMIT, "too large", id, &same,
                                              &removed, NULL),
                     0);
    assert_int_equal(removed, region);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(count_problems(catalog), 0);
    ir_catalog_close(catalog);
}

static void touching_changes_size_and_time_only(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id = add(catalog, "/a", 1);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_touch(catalog, id, 5, -6, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_touch(catalog, id + 1, 5, 6, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(ir_catalog_touch(catalog, id, UINT64_MAX, 6, NULL), IMGRET_LIMIT);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    seen_record seen = record_of_uri(catalog, "/a");
    assert_int_equal(seen.record.file_bytes, 5);
    assert_int_equal(seen.record.modified_ns, -6);
    assert_int_equal(seen.record.content_hash[0], 1);
    ir_catalog_close(catalog);
}

static void ids_and_regions_are_never_given_twice(void **state)
{
    const catalog_fixture *fixture = *state;
    int64_t last_id = 0, last_region = 0, removed;
    for (int round = 0; round < 5; round++) {
        ir_catalog *catalog = open_catalog(fixture->path);
        int64_t region, id = add(catalog, "/a", 1);
        assert_int_equal(ir_catalog_image_region(catalog, id, &region, NULL), IMGRET_OK);
        assert_true(id > last_id && region > last_region);
        last_id = id;
        last_region = region;
        assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
        assert_int_equal(ir_catalog_remove(catalog, id, &removed, NULL), IMGRET_OK);
        assert_int_equal(removed, region);
        assert_int_equal(ir_catalog_remove(catalog, id, &removed, NULL), IMGRET_NOT_FOUND);
        assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
        int64_t mark = 0;
        seen_changes seen = changes(catalog, 0, &mark);
        assert_int_equal(seen.vectors, 0);
        assert_int_equal(seen.removals, round + 1);
        assert_int_equal(seen.last_removed, region);
        assert_int_equal(count_problems(catalog), 0);
        ir_catalog_close(catalog);
    }
}

static int32_t set_metadata(ir_catalog *catalog, int64_t id, const char *metadata,
                            imgret_error *error)
{
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    int32_t status = ir_catalog_set_metadata(catalog, id, metadata, error);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    return status;
}

static void metadata_is_a_json_object(void **state)
{
    const catalog_fixture *fixture = *state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"{}\"",
        "{} {}",
        "{'a':1}",
        "{\"a\":1,}",
        "{a:1}",
        "{}x",
        "{\"\xFF\":1}",
        "{\"a\":\"\xED\xA0\x80\"}",
        "{\"a\":\"\xC0\x80\"}",
        "{\"a\":\"\xF4\x90\x80\x80\"}",
        "{\"a\":\"\xE2\x82",
    };
    static const char *const right[] = {
        "{}",
        " { } ",
        "{\"a\":{\"b\":[1,2.5e3,null,true]}}",
        "{\"a\":\"\xE2\x82\xAC\xF0\x9F\x90\xB1\"}",
    };
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id = add(catalog, "/a", 1);
    imgret_error error = IMGRET_ERROR_INIT;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (set_metadata(catalog, id, wrong[i], &error) != IMGRET_INVALID_ARGUMENT)
            fail_msg("accepted %s", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_int_equal(set_metadata(catalog, id, right[i], &error), IMGRET_OK);
        assert_string_equal(record_of_uri(catalog, "/a").metadata, right[i]);
    }
    assert_int_equal(set_metadata(catalog, id, NULL, &error), IMGRET_OK);
    assert_null(record_of_uri(catalog, "/a").record.metadata);
    assert_int_equal(set_metadata(catalog, id + 1, "{}", &error), IMGRET_NOT_FOUND);
    ir_catalog_close(catalog);
}

static void metadata_has_limits(void **state)
{
    const catalog_fixture *fixture = *state;
    enum { LIMIT = 1 << 20, DEPTH = 10000 };
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id = add(catalog, "/a", 1);
    imgret_error error = IMGRET_ERROR_INIT;
    char *text = malloc(LIMIT + 2);
    memset(text, ' ', LIMIT + 1);
    text[0] = '{';
    text[LIMIT - 1] = '}';
    text[LIMIT] = '\0';
    assert_int_equal(set_metadata(catalog, id, text, &error), IMGRET_OK);
    text[LIMIT] = ' ';
    text[LIMIT + 1] = '\0';
    assert_int_equal(set_metadata(catalog, id, text, &error), IMGRET_LIMIT);
    char *at = text;
    for (int i = 0; i < DEPTH; i++)
        at = stpcpy(at, "{\"a\":");
    at = stpcpy(at, "1");
    memset(at, '}', DEPTH);
    at[DEPTH] = '\0';
    assert_int_equal(set_metadata(catalog, id, text, &error), IMGRET_INVALID_ARGUMENT);
    free(text);
    ir_catalog_close(catalog);
}

static void lists_are_paged_and_filtered(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    add_many(catalog, 0, 10);
    ir_catalog_image image = image_of("/bad", 1);
    int64_t bad, removed;
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(
        ir_catalog_store_failure(catalog, &image, IMGRET_IO, "x", 0, &bad, &removed, NULL), 0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    add_many(catalog, 10, 5);
    int64_t after = 0;
    int total = 0;
    for (;;) {
        seen_record seen = {0};
        imgret_list_options page = {.size = sizeof page, .after_id = after, .limit = 4};
        assert_int_equal(ir_catalog_list(catalog, &page, keep_record, &seen, NULL), IMGRET_OK);
        if (seen.count == 0)
            break;
        assert_true(seen.record.id > after);
        after = seen.record.id;
        total += seen.count;
    }
    assert_int_equal(total, 16);
    seen_record seen = {0};
    imgret_list_options options = {.state = IMGRET_STATE_FAILED, .limit = 100};
    assert_int_equal(ir_catalog_list(catalog, &options, keep_record, &seen, NULL), IMGRET_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.record.id, bad);
    options.state = IMGRET_STATE_STORED;
    assert_int_equal(ir_catalog_list(catalog, &options, keep_record, &seen, NULL), IMGRET_OK);
    assert_int_equal(seen.count, 16);
    options.uri = "/bad";
    seen.count = 0;
    assert_int_equal(ir_catalog_list(catalog, &options, keep_record, &seen, NULL), IMGRET_OK);
    assert_int_equal(seen.count, 0);
    ir_catalog_close(catalog);
}

typedef struct seen_positions {
    int count;
    uint64_t positions[8];
    int64_t ids[8];
} seen_positions;

static int32_t keep_position(void *context, uint64_t position, const imgret_record *record,
                             imgret_error *error)
{
    seen_positions *seen = context;
    (void)error;
    seen->positions[seen->count] = position;
    seen->ids[seen->count++] = record->id;
    return IMGRET_OK;
}

static int32_t refuse_record(void *context, uint64_t position, const imgret_record *record,
                             imgret_error *error)
{
    (void)position, (void)record, (void)error;
    ++*(int *)context;
    return IMGRET_FULL;
}

static void records_come_in_the_order_asked(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t ids[3], regions[6] = {0};
    for (int i = 0; i < 3; i++)
        ids[i] = add(catalog, NULL, i);
    assert_int_equal(ir_catalog_image_region(catalog, ids[2], &regions[0], NULL), IMGRET_OK);
    regions[1] = 12345; /* gone */
    assert_int_equal(ir_catalog_image_region(catalog, ids[0], &regions[2], NULL), IMGRET_OK);
    regions[3] = -1;
    regions[4] = INT64_MAX;
    regions[5] = regions[0];
    seen_positions seen = {0};
    assert_int_equal(ir_catalog_records_of_regions(catalog, regions, 6, keep_position, &seen, NULL),
                     IMGRET_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ids[0], ids[2]);
    assert_int_equal(seen.positions[0], 0);
    assert_int_equal(seen.ids[1], ids[0]);
    assert_int_equal(seen.positions[1], 2);
    assert_int_equal(seen.positions[2], 5);
    int calls = 0;
    assert_int_equal(
        ir_catalog_records_of_regions(catalog, regions, 6, refuse_record, &calls, NULL),
        IMGRET_FULL);
    assert_int_equal(calls, 1);
    assert_int_equal(count_images(catalog, NULL), 3); /* the reader is free again */
    ir_catalog_close(catalog);
}

static void commits_are_told_by_the_data_version(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *one = open_catalog(fixture->path), *two = open_catalog(fixture->path);
    int64_t before, after, same;
    assert_int_equal(ir_catalog_data_version(one, &before, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_data_version(one, &same, NULL), IMGRET_OK);
    assert_int_equal(before, same);
    add(one, "/own", 1);
    assert_int_equal(ir_catalog_data_version(one, &after, NULL), IMGRET_OK);
    assert_int_not_equal(before, after);
    add(two, "/other", 1);
    assert_int_equal(ir_catalog_data_version(one, &before, NULL), IMGRET_OK);
    assert_int_not_equal(before, after);
    ir_catalog_close(one);
    ir_catalog_close(two);
}

static void writing_needs_a_transaction(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id, region, removed;
    ir_catalog_image image = image_of("/a", 1);
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL),
                     IMGRET_INTERNAL);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_INTERNAL);
    ir_catalog_rollback(catalog);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_INTERNAL);
    ir_catalog_close(catalog); /* rolls back */
}

static void running_out_of_memory_leaks_nothing(void **state)
{
    const catalog_fixture *fixture = *state;
    bool opened = false;
    for (uint64_t n = 1; n < 50 && !opened; n++) {
        ir_catalog *catalog;
        ir_catalog_options options = {0};
        ir_alloc_fail_after(n);
        int32_t status = ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL);
        ir_alloc_fail_after(0);
        opened = status == IMGRET_OK;
        assert_true(opened || status == IMGRET_NO_MEMORY);
        ir_catalog_close(catalog);
        assert_int_equal(ir_alloc_live_count(), fixture->live_before);
    }
    assert_true(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(creating_then_opening),
        catalog_test(parent_must_exist),
        catalog_test(settings_are_kept),
        catalog_test(an_image_comes_back_as_it_was_stored),
        catalog_test(any_bytes_make_a_uri),
        catalog_test(images_without_uri_are_many),
        catalog_test(finding_is_on_the_right_side_of_a_transaction),
        catalog_test(replacing_keeps_the_id_and_gives_a_new_region),
        catalog_test(failures_are_recorded_and_overcome),
        catalog_test(touching_changes_size_and_time_only),
        catalog_test(ids_and_regions_are_never_given_twice),
        catalog_test(metadata_is_a_json_object),
        catalog_test(metadata_has_limits),
        catalog_test(lists_are_paged_and_filtered),
        catalog_test(records_come_in_the_order_asked),
        catalog_test(commits_are_told_by_the_data_version),
        catalog_test(writing_needs_a_transaction),
        catalog_test(running_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
