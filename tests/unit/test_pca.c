/* test_pca.c: learning principal components, their file, damaged ones, and extractors with them. */
#include "pictures.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "extract/extract.h"
#include "extract/pca.h"
#include "linalg/linalg.h"

#include <math.h>

enum { N = 12, K = 3, COUNT = 600 };

static float noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

/* Vectors that vary along axes 2, 7 and 4, ever less, around 0.25, and a little everywhere. */
static void fill(float *vectors)
{
    uint32_t seed = 5;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < N; j++) {
            float scale = j == 2 ? 4.0f : j == 7 ? 2.0f : j == 4 ? 1.0f : 0.01f;
            vectors[i * N + j] = 0.25f + scale * noise(&seed);
        }
}

static ir_pca *learn(uint32_t flags, const char *identity, double *kept)
{
    static float vectors[COUNT * N];
    ir_pca *pca;
    imgret_error error = IMGRET_ERROR_INIT;
    fill(vectors);
    if (ir_linalg_check(&error) != IMGRET_OK)
        return NULL;
    if (ir_pca_learn(&pca, vectors, COUNT, N, K, flags, identity, kept, &error))
        fail_msg("%s", error.message);
    return pca;
}

#define need_blas(pca)                                  \
    do {                                                \
        if (!(pca))                                     \
            skip_because("no OpenBLAS or LAPACK here"); \
    } while (0)

static void the_axes_are_found(void **state)
{
    (void)state;
    double kept = 0;
    ir_pca *pca = learn(0, "", &kept);
    need_blas(pca);
    static const int axes[K] = {2, 7, 4};
    assert_true(kept > 0.999 && kept < 1.0);
    for (int i = 0; i < K; i++) {
        for (int j = 0; j < N; j++)
            assert_float_equal(pca->matrix[i * N + j], (j == axes[i] ? 1.0f : 0.0f), 0.1f);
        /* a uniform value of -s..s has the variance s * s / 3 */
        double spread = i == 0 ? 16.0 / 3 : i == 1 ? 4.0 / 3 : 1.0 / 3;
        assert_true(fabs(pca->variance[i] / spread - 1.0) < 0.1);
        double length = 0;
        for (int j = 0; j < N; j++)
            length += (double)pca->matrix[i * N + j] * (double)pca->matrix[i * N + j];
        assert_true(fabs(length - 1.0) < 1e-6);
    }
    float at_mean[K];
    ir_pca_apply(pca, pca->mean, at_mean);
    for (int i = 0; i < K; i++)
        assert_float_equal(at_mean[i], 0.0f, 1e-5f);
    ir_pca_free(pca);
}

static void whitening_evens_the_variance(void **state)
{
    (void)state;
    static float vectors[COUNT * N];
    fill(vectors);
    ir_pca *pca = learn(IMGRET_PCA_WHITEN, "", NULL);
    need_blas(pca);
    double sum[K] = {0};
    for (int i = 0; i < COUNT; i++) {
        float out[K];
        ir_pca_apply(pca, vectors + i * N, out);
        for (int j = 0; j < K; j++)
            sum[j] += (double)out[j] * (double)out[j];
    }
    for (int j = 0; j < K; j++)
        assert_true(fabs(sum[j] / (COUNT - 1) - 1.0) < 1e-4);
    ir_pca_free(pca);
}

static void two_runs_agree_to_the_bit(void **state)
{
    (void)state;
    ir_pca *first = learn(0, "", NULL), *second = learn(0, "", NULL);
    need_blas(first);
    assert_memory_equal(first->matrix, second->matrix, N * K * sizeof(float));
    for (int i = 0; i < K; i++) {
        const float *row = first->matrix + i * N;
        float largest = 0;
        for (int j = 0; j < N; j++)
            if (fabsf(row[j]) > fabsf(largest))
                largest = row[j];
        assert_true(largest > 0);
    }
    ir_pca_free(first);
    ir_pca_free(second);
}

static void refuse_to_learn(const float *vectors, uint64_t count, uint32_t k, const char *words)
{
    ir_pca *pca = (ir_pca *)1;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_pca_learn(&pca, vectors, count, N, k, 0, "", NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_null(pca);
    if (!strstr(error.message, words))
        fail_msg("%s", error.message);
}

static void poor_samples_are_refused(void **state)
{
    (void)state;
    if (ir_linalg_check(NULL) != IMGRET_OK)
        skip_because("no OpenBLAS or LAPACK here");
    static float vectors[COUNT * N];
    fill(vectors);
    refuse_to_learn(vectors, 3, 3, "need at least 4 vectors");
    refuse_to_learn(vectors, COUNT, 13, "13 components of vectors with 12 dimensions");
    refuse_to_learn(vectors, COUNT, 0, "0 components");
    vectors[5 * N + 1] = NAN;
    refuse_to_learn(vectors, COUNT, K, "vector 5 is not finite");
    for (int i = 0; i < COUNT * N; i++)
        vectors[i] = i % N == 2 ? (float)(i / N) : 1.0f;
    refuse_to_learn(vectors, COUNT, K, "varies in 1 directions only");
}

/* A file of `bytes` bytes, read into *out. */
static size_t saved_bytes(const char *path, uint8_t *out, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(out, 1, capacity, file);
    fclose(file);
    return bytes;
}

static void the_file_comes_back_and_damage_is_found(void **state)
{
    (void)state;
    char folder[256], path[300];
    ir_pca *pca = learn(IMGRET_PCA_WHITEN, "net=1;dimension=12", NULL), *again;
    need_blas(pca);
    make_folder(folder, "pca");
    snprintf(path, sizeof path, "%s/a.imgret-pca", folder);
    assert_int_equal(ir_pca_save(pca, path, NULL), 0);
    assert_int_equal(ir_pca_load(&again, path, NULL), 0);
    assert_string_equal(again->identity, "net=1;dimension=12");
    assert_int_equal(again->sample_count, COUNT);
    assert_int_equal(again->flags, IMGRET_PCA_WHITEN);
    assert_memory_equal(again->matrix, pca->matrix, N * K * sizeof(float));
    assert_memory_equal(again->shift, pca->shift, K * sizeof(float));
    assert_int_equal(strlen(again->sha256), 64);
    ir_pca_free(again);
    ir_pca_free(pca);

    uint8_t data[4096];
    size_t bytes = saved_bytes(path, data, sizeof data);
    for (size_t cut = 0; cut < bytes; cut++) { /* every shorter file, every flipped byte */
        assert_int_equal(ir_pca_parse(&again, "cut", data, cut, NULL), IMGRET_CORRUPT);
        data[cut] ^= 0x55;
        assert_int_equal(ir_pca_parse(&again, "flipped", data, bytes, NULL), IMGRET_CORRUPT);
        assert_null(again);
        data[cut] ^= 0x55;
    }
    /* a good checksum over a bad value */
    uint32_t nan_bits = 0x7FC00000u;
    memcpy(data + bytes - 20, &nan_bits, sizeof nan_bits);
    ir_content_hash(data, bytes - 16, data + bytes - 16);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_pca_parse(&again, "nan", data, bytes, &error), IMGRET_CORRUPT);
    assert_non_null(strstr(error.message, "not finite"));
    remove_folder(folder);
}

/* ---- with extractors and databases ---- */

static void draw_folder(const char *folder, int count)
{
    char name[300];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/p%03d.ppm", folder, i);
        write_stripes(name, 64, (uint32_t)i);
    }
}

/* Learns from the classic vectors of drawn pictures. False: no BLAS here. */
static bool train_on_classic(const char *folder, const char *out)
{
    enum { PICTURES = 40 };
    imgret_extractor *extractor;
    assert_int_equal(imgret_extractor_open(&extractor, "classic", NULL, NULL), IMGRET_OK);
    imgret_extractor_info info = {.size = sizeof info};
    assert_int_equal(imgret_extractor_get_info(extractor, &info, NULL), IMGRET_OK);
    imgret_input inputs[PICTURES];
    char names[PICTURES][300];
    for (int i = 0; i < PICTURES; i++) {
        snprintf(names[i], sizeof names[i], "%s/p%03d.ppm", folder, i);
        inputs[i] = (imgret_input){
            .size = sizeof inputs[i], .kind = IMGRET_INPUT_FILE, .path = names[i]};
    }
    float *rows = malloc(sizeof(float) * PICTURES * info.dimension);
    assert_int_equal(
        imgret_extract(extractor, inputs, PICTURES, rows, PICTURES * info.dimension, NULL, NULL),
        IMGRET_OK);
    imgret_pca_options options = {
        .size = sizeof options, .dimension = 8, .identity = info.identity};
    double kept = 0;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_pca_train(out, rows, PICTURES, info.dimension, &options, &kept, &error);
    if (status && status != IMGRET_UNSUPPORTED)
        fail_msg("%s", error.message);
    assert_true(status || (kept > 0.1 && kept <= 1.0));
    free(rows);
    imgret_extractor_close(extractor);
    return status == IMGRET_OK;
}

static void a_database_keeps_its_components(void **state)
{
    (void)state;
    char folder[256], pca[300], model[400], path[300], picture[300];
    make_folder(folder, "pcadb");
    draw_folder(folder, 40);
    snprintf(pca, sizeof pca, "%s/p.imgret-pca", folder);
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    snprintf(picture, sizeof picture, "%s/p007.ppm", folder);
    snprintf(model, sizeof model, "classic;pca=%s", pca);
    if (!train_on_classic(folder, pca)) {
        remove_folder(folder);
        skip_because("no OpenBLAS or LAPACK here");
    }
    imgret_open_options options = {.size = sizeof options, .model = model};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    if (imgret_open(&db, path, &options, &error))
        fail_msg("%s", error.message);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = picture};
    assert_int_equal(imgret_add(db, &input, NULL, NULL, NULL), IMGRET_OK);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.dimension, 8);
    assert_non_null(strstr(stats.model_identity, ";pca=sha256:"));
    imgret_close(db);

    assert_int_equal(unlink(pca), 0); /* the database has its own copy */
    if (imgret_open(&db, path, NULL, &error))
        fail_msg("%s", error.message);
    imgret_results *results;
    if (imgret_query(&results, db, &input, NULL, &error))
        fail_msg("%s", error.message);
    assert_int_equal(imgret_results_count(results), 1);
    assert_true(imgret_results_at(results, 0)->score > 0.999);
    imgret_results_free(results);
    imgret_close(db);

    options.model = "classic"; /* without the projection it is another extractor */
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_MISMATCH);
    remove_folder(folder);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void components_of_another_model_are_refused(void **state)
{
    (void)state;
    char folder[256], path[300], model[400];
    make_folder(folder, "pcaother");
    snprintf(path, sizeof path, "%s/o.imgret-pca", folder);
    snprintf(model, sizeof model, "classic;pca=%s", path);
    ir_pca *pca = learn(0, "", NULL);
    need_blas(pca);
    assert_int_equal(ir_pca_save(pca, path, NULL), 0);
    ir_pca_free(pca);
    ir_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_extractor_open(&extractor, model, NULL, 1, &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "are for vectors of 12 dimensions"));
    write_text(path, "IMGRPCA1 and no more");
    assert_int_equal(ir_extractor_open(&extractor, model, NULL, 1, &error), IMGRET_CORRUPT);
    unlink(path);
    assert_int_equal(ir_extractor_open(&extractor, model, NULL, 1, &error), IMGRET_NOT_FOUND);
    remove_folder(folder);
}

static void options_are_taken_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value, *left;
    } cases[] = {
        {"torch:w;pca=x", "x", ""},        {"torch:w;pca=x;a=1", "x", "a=1"},
        {"torch:w;a=1;pca=x", "x", "a=1"}, {"torch:w;a=1;pca=x;b=2", "x", "a=1;b=2"},
        {"torch:w;a=1", NULL, "a=1"},      {"torch:w;pcas=1;pca=", "", "pcas=1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_model_spec spec;
        char *value;
        assert_int_equal(ir_model_spec_parse(&spec, cases[i].text, NULL), 0);
        assert_int_equal(ir_model_spec_take(&spec, "pca", &value, NULL), 0);
        if (cases[i].value)
            assert_string_equal(value, cases[i].value);
        else
            assert_null(value);
        assert_string_equal(spec.options, cases[i].left);
        ir_free(value);
        ir_model_spec_free(&spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_axes_are_found),
        cmocka_unit_test(whitening_evens_the_variance),
        cmocka_unit_test(two_runs_agree_to_the_bit),
        cmocka_unit_test(poor_samples_are_refused),
        cmocka_unit_test(the_file_comes_back_and_damage_is_found),
        cmocka_unit_test(a_database_keeps_its_components),
        cmocka_unit_test(components_of_another_model_are_refused),
        cmocka_unit_test(options_are_taken_out),
    };
    return cmocka_run_group_tests_name("pca", tests, NULL, NULL);
}
