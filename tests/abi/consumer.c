/* consumer.c: a program as a stranger writes it, built against an installed copy of libimgret. */
#include <imgret/imgret.h>

#include <stdio.h>
#include <string.h>

static int failed(const char *what, const imgret_error *error)
{
    fprintf(stderr, "%s: %s: %s\n", what, imgret_status_name(error->code), error->message);
    return 1;
}

static int32_t add_vector(imgret *db, const float *vector, imgret_error *error)
{
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .vector = vector, .dimension = 4};
    return imgret_add(db, &input, NULL, NULL, error);
}

/* Usage: consumer DATABASE. Adds three vectors and finds the one that is most alike to a fourth. */
int main(int argc, char **argv)
{
    static const float vectors[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 1}};
    static const float wanted[4] = {0, 0, 2, 1};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {
        .size = sizeof options, .flags = IMGRET_OPEN_NEW, .model = "vectors:4"};
    imgret *db = NULL;
    if (argc != 2)
        return 2;
    if (imgret_version() != IMGRET_VERSION)
        return fprintf(stderr, "compiled for another version\n"), 1;
    if (imgret_open(&db, argv[1], &options, &error) != IMGRET_OK)
        return failed("imgret_open", &error);
    for (int i = 0; i < 3; i++)
        if (add_vector(db, vectors[i], &error) != IMGRET_OK)
            return failed("imgret_add", &error);

    imgret_input query = {
        .size = sizeof query, .kind = IMGRET_INPUT_VECTOR, .vector = wanted, .dimension = 4};
    imgret_results *results = NULL;
    if (imgret_query(&results, db, &query, NULL, &error) != IMGRET_OK)
        return failed("imgret_query", &error);
    uint64_t count = imgret_results_count(results);
    int64_t best = count ? imgret_results_at(results, 0)->id : 0;
    imgret_results_free(results);
    imgret_close(db);
    printf("libimgret %s: %d results, best is %d\n", imgret_version_string(), (int)count,
           (int)best);
    return count == 3 && best == 3 ? 0 : 1;
}
