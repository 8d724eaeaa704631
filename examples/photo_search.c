/* photo_search.c: keeps a database of a folder of photos up to date, and searches it with a filter.
 *
 *   photo_search DATABASE FOLDER PICTURE [WHERE]
 *
 * Run again, it reads only what is new or has changed. WHERE is an SQL expression over what the
 * pictures look like and what their cameras wrote, such as "brightness > 50 AND width >= 640".
 */
#include <imgret/imgret.h>
#include <stdio.h>

/* A line for every picture that cannot be read; the run goes on. */
static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    (void)user;
    if (item->outcome == IMGRET_FAILED)
        fprintf(stderr, "cannot read %s: %s\n", item->uri, item->message);
    return 0;
}

static int take_in(imgret *db, const char *folder, imgret_error *error)
{
    const imgret_ingest_options options = {
        .size = sizeof options, .paths = &folder, .path_count = 1, .on_item = on_item};
    imgret_ingest_progress report = {.size = sizeof report};
    if (imgret_ingest(db, &options, &report, error))
        return 1;
    fprintf(stderr, "%llu pictures: %llu new, %llu unchanged, %llu cannot be read\n",
            (unsigned long long)report.file_count, (unsigned long long)report.stored_count,
            (unsigned long long)report.unchanged_count,
            (unsigned long long)(report.failed_count + report.known_bad_count));
    return 0;
}

static int search(imgret *db, const char *picture, const char *where, imgret_error *error)
{
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = picture};
    const imgret_query_options options = {.size = sizeof options, .k = 5, .where = where};
    imgret_results *results;
    if (imgret_query(&results, db, &input, &options, error))
        return 1;
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        printf("%.4f\t%ux%u\t%s\n", hit->score, hit->width, hit->height, hit->uri);
    }
    imgret_results_free(results);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        return fprintf(stderr, "usage: photo_search DATABASE FOLDER PICTURE [WHERE]\n"), 2;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    int failed = imgret_open(&db, argv[1], NULL, &error) || take_in(db, argv[2], &error) ||
                 search(db, argv[3], argc == 5 ? argv[4] : NULL, &error);
    if (failed)
        fprintf(stderr, "photo_search: %s\n", error.message);
    imgret_close(db);
    return failed;
}
