/* first_query.c: takes in a folder of pictures and prints those most alike to one. */
#include <imgret/imgret.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: first_query DATABASE FOLDER PICTURE\n"), 2;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db = NULL;
    imgret_results *results = NULL;
    const char *paths[] = {argv[2]};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    imgret_input picture = {.size = sizeof picture, .kind = IMGRET_INPUT_FILE, .path = argv[3]};

    if (imgret_open(&db, argv[1], NULL, &error) || imgret_ingest(db, &ingest, NULL, &error) ||
        imgret_query(&results, db, &picture, NULL, &error))
        fprintf(stderr, "first_query: %s\n", error.message);
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        printf("%.4f  %s\n", hit->score, hit->uri);
    }
    imgret_results_free(results);
    imgret_close(db);
    return error.code ? 1 : 0;
}
