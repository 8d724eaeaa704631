/* test_torch_vit.c: a small random vision transformer against a plain scalar forward in C. */
#include "torch_fixture.h"

#include <math.h>

enum { WIDTH = 128, HEADS = 2, DEPTH = 2, PATCH = 4, SIDE = 16, HIDDEN = 256, CLASSES = 7 };
enum { GRID = SIDE / PATCH, TOKENS = GRID * GRID + 1, PATCH_VALUES = 3 * PATCH * PATCH };

typedef struct {
    float norm1_weight[WIDTH], norm1_bias[WIDTH], norm2_weight[WIDTH], norm2_bias[WIDTH];
    float qkv_weight[3 * WIDTH * WIDTH], qkv_bias[3 * WIDTH];
    float proj_weight[WIDTH * WIDTH], proj_bias[WIDTH];
    float fc1_weight[HIDDEN * WIDTH], fc1_bias[HIDDEN];
    float fc2_weight[WIDTH * HIDDEN], fc2_bias[WIDTH];
} block_weights;

typedef struct {
    float cls[WIDTH], positions[TOKENS * WIDTH];
    float patch_weight[WIDTH * PATCH_VALUES], patch_bias[WIDTH];
    block_weights blocks[DEPTH];
    float norm_weight[WIDTH], norm_bias[WIDTH];
    float head_weight[CLASSES * WIDTH], head_bias[CLASSES];
} vit_weights;

static void fill(float *out, size_t count, float scale, float centre, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++)
        out[i] = centre + scale * random_unit(seed);
}

#define FILL(field, scale, centre) \
    fill(field, sizeof(field) / sizeof(float), (scale), (centre), &seed)

static vit_weights *random_weights(uint64_t seed)
{
    vit_weights *w = malloc(sizeof *w);
    assert_non_null(w);
    FILL(w->cls, 1, 0), FILL(w->positions, 1, 0);
    FILL(w->patch_weight, 0.3f, 0), FILL(w->patch_bias, 0.1f, 0);
    for (int i = 0; i < DEPTH; i++) {
        block_weights *b = &w->blocks[i];
        FILL(b->norm1_weight, 0.3f, 1), FILL(b->norm1_bias, 0.2f, 0);
        FILL(b->norm2_weight, 0.3f, 1), FILL(b->norm2_bias, 0.2f, 0);
        FILL(b->qkv_weight, 0.2f, 0), FILL(b->qkv_bias, 0.1f, 0);
        FILL(b->proj_weight, 0.1f, 0), FILL(b->proj_bias, 0.1f, 0);
        FILL(b->fc1_weight, 0.1f, 0), FILL(b->fc1_bias, 0.1f, 0);
        FILL(b->fc2_weight, 0.1f, 0), FILL(b->fc2_bias, 0.1f, 0);
    }
    FILL(w->norm_weight, 0.3f, 1), FILL(w->norm_bias, 0.2f, 0);
    FILL(w->head_weight, 0.2f, 0), FILL(w->head_bias, 0.1f, 0);
    return w;
}

static void add_row(st_writer *writer, const char *prefix, const char *name, const float *data,
                    size_t rows, size_t columns)
{
    char full[128], shape[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (columns)
        snprintf(shape, sizeof shape, "[%zu,%zu]", rows, columns);
    else
        snprintf(shape, sizeof shape, "[%zu]", rows);
    st_add(writer, full, "F32", shape, data, sizeof(float) * rows * (columns ? columns : 1));
}

static void write_block(st_writer *writer, const block_weights *b, int index)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d.", index);
    add_row(writer, prefix, "norm1.weight", b->norm1_weight, WIDTH, 0);
    add_row(writer, prefix, "norm1.bias", b->norm1_bias, WIDTH, 0);
    add_row(writer, prefix, "attn.qkv.weight", b->qkv_weight, 3 * WIDTH, WIDTH);
    add_row(writer, prefix, "attn.qkv.bias", b->qkv_bias, 3 * WIDTH, 0);
    add_row(writer, prefix, "attn.proj.weight", b->proj_weight, WIDTH, WIDTH);
    add_row(writer, prefix, "attn.proj.bias", b->proj_bias, WIDTH, 0);
    add_row(writer, prefix, "norm2.weight", b->norm2_weight, WIDTH, 0);
    add_row(writer, prefix, "norm2.bias", b->norm2_bias, WIDTH, 0);
    add_row(writer, prefix, "mlp.fc1.weight", b->fc1_weight, HIDDEN, WIDTH);
    add_row(writer, prefix, "mlp.fc1.bias", b->fc1_bias, HIDDEN, 0);
    add_row(writer, prefix, "mlp.fc2.weight", b->fc2_weight, WIDTH, HIDDEN);
    add_row(writer, prefix, "mlp.fc2.bias", b->fc2_bias, WIDTH, 0);
}

/* `broken`: NULL, or the tensor to leave out ("-name"), to widen ("+name") or to make NaN ("!name"),
 * or one to add (anything else). */
static void write_vit(const vit_weights *w, const char *path, const char *broken)
{
    st_writer writer = {0};
    float *norm = malloc(sizeof(float) * (WIDTH + 1));
    assert_non_null(norm);
    memcpy(norm, w->norm_weight, sizeof w->norm_weight);
    norm[WIDTH] = 0;
    if (broken && broken[0] == '!')
        norm[5] = NAN;
    st_add(&writer, "cls_token", "F32", "[1,1,128]", w->cls, sizeof w->cls);
    st_add(&writer, "pos_embed", "F32", "[1,17,128]", w->positions, sizeof w->positions);
    st_add(&writer, "patch_embed.proj.weight", "F32", "[128,3,4,4]", w->patch_weight,
           sizeof w->patch_weight);
    add_row(&writer, "", "patch_embed.proj.bias", w->patch_bias, WIDTH, 0);
    for (int i = 0; i < DEPTH; i++)
        write_block(&writer, &w->blocks[i], i);
    if (!broken || broken[0] != '-')
        add_row(&writer, "", "norm.weight", norm, broken && broken[0] == '+' ? WIDTH + 1 : WIDTH, 0);
    add_row(&writer, "", "norm.bias", w->norm_bias, WIDTH, 0);
    add_row(&writer, "", "head.weight", w->head_weight, CLASSES, WIDTH);
    add_row(&writer, "", "head.bias", w->head_bias, CLASSES, 0);
    if (broken && !strchr("-+!", broken[0]))
        add_row(&writer, "", broken, w->norm_bias, WIDTH, 0);
    st_write(&writer, path);
    free(norm);
}

/* ---- The reference: one picture, one value after the other, sums in double ---- */

static void linear(const float *x, const float *weight, const float *bias, int in, int out,
                   float *y)
{
    for (int o = 0; o < out; o++) {
        double sum = bias[o];
        for (int i = 0; i < in; i++)
            sum += (double)weight[o * in + i] * (double)x[i];
        y[o] = (float)sum;
    }
}

static void layer_norm(const float *x, const float *weight, const float *bias, float *y)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < WIDTH; i++)
        mean += (double)x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / WIDTH;
    double scale = 1 / sqrt(variance + 1e-6);
    for (int i = 0; i < WIDTH; i++)
        y[i] = (float)(((double)x[i] - mean) * scale * (double)weight[i] + (double)bias[i]);
}

static void attend(float qkv[TOKENS][3 * WIDTH], int token, int head, float *out)
{
    enum { HEAD = WIDTH / HEADS };
    double scores[TOKENS], largest = -1e30, total = 0;
    for (int t = 0; t < TOKENS; t++) {
        scores[t] = 0;
        for (int i = 0; i < HEAD; i++)
            scores[t] += (double)qkv[token][head * HEAD + i] *
                         (double)qkv[t][WIDTH + head * HEAD + i];
        scores[t] /= sqrt(HEAD);
        largest = fmax(largest, scores[t]);
    }
    for (int t = 0; t < TOKENS; t++)
        total += scores[t] = exp(scores[t] - largest);
    for (int i = 0; i < HEAD; i++) {
        double sum = 0;
        for (int t = 0; t < TOKENS; t++)
            sum += scores[t] / total * (double)qkv[t][2 * WIDTH + head * HEAD + i];
        out[head * HEAD + i] = (float)sum;
    }
}

static void forward_block(const block_weights *b, float x[TOKENS][WIDTH])
{
    static float qkv[TOKENS][3 * WIDTH];
    float normed[WIDTH], mixed[WIDTH], change[WIDTH], hidden[HIDDEN];
    for (int t = 0; t < TOKENS; t++) {
        layer_norm(x[t], b->norm1_weight, b->norm1_bias, normed);
        linear(normed, b->qkv_weight, b->qkv_bias, WIDTH, 3 * WIDTH, qkv[t]);
    }
    for (int t = 0; t < TOKENS; t++) {
        for (int head = 0; head < HEADS; head++)
            attend(qkv, t, head, mixed);
        linear(mixed, b->proj_weight, b->proj_bias, WIDTH, WIDTH, change);
        for (int i = 0; i < WIDTH; i++)
            x[t][i] += change[i];
        layer_norm(x[t], b->norm2_weight, b->norm2_bias, normed);
        linear(normed, b->fc1_weight, b->fc1_bias, WIDTH, HIDDEN, hidden);
        for (int i = 0; i < HIDDEN; i++)
            hidden[i] = (float)(0.5 * (double)hidden[i] *
                                (1 + erf((double)hidden[i] / sqrt(2.0))));
        linear(hidden, b->fc2_weight, b->fc2_bias, HIDDEN, WIDTH, change);
        for (int i = 0; i < WIDTH; i++)
            x[t][i] += change[i];
    }
}

/* Fills every token after the last norm, and the logits of the class token. */
static void forward(const vit_weights *w, const uint8_t *pixels, float tokens[TOKENS][WIDTH],
                    float logits[CLASSES])
{
    memcpy(tokens[0], w->cls, sizeof w->cls);
    for (int patch = 0; patch < GRID * GRID; patch++) {
        float values[PATCH_VALUES];
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < PATCH; y++)
                for (int x = 0; x < PATCH; x++) {
                    int row = patch / GRID * PATCH + y, column = patch % GRID * PATCH + x;
                    values[(c * PATCH + y) * PATCH + x] =
                        ((float)pixels[(row * SIDE + column) * 3 + c] / 255.0f - 0.5f) / 0.5f;
                }
        linear(values, w->patch_weight, w->patch_bias, PATCH_VALUES, WIDTH, tokens[patch + 1]);
    }
    for (int t = 0; t < TOKENS; t++)
        for (int i = 0; i < WIDTH; i++)
            tokens[t][i] += w->positions[t * WIDTH + i];
    for (int i = 0; i < DEPTH; i++)
        forward_block(&w->blocks[i], tokens);
    for (int t = 0; t < TOKENS; t++) {
        float normed[WIDTH];
        layer_norm(tokens[t], w->norm_weight, w->norm_bias, normed);
        memcpy(tokens[t], normed, sizeof normed);
    }
    linear(tokens[0], w->head_weight, w->head_bias, WIDTH, CLASSES, logits);
}

/* ---- The tests ---- */

typedef struct {
    vit_weights *weights;
    char path[64];
    uint8_t pixels[5][SIDE * SIDE * 3];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->weights = random_weights(1);
    temporary_path(f->path);
    write_vit(f->weights, f->path, NULL);
    uint64_t seed = 2;
    for (size_t i = 0; i < sizeof f->pixels; i++)
        ((uint8_t *)f->pixels)[i] = (uint8_t)((random_unit(&seed) + 1) * 127.9f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    free(f->weights);
    free(f);
    return 0;
}

static void is_described(void **state)
{
    const fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(f->path, "", 1, &info);
    assert_int_equal(info.dimension, WIDTH);
    assert_int_equal(info.class_count, CLASSES);
    assert_int_equal(info.input_width, SIDE);
    assert_int_equal(info.input_height, SIDE);
    assert_int_equal(info.resize, IMGRET_RESIZE_SHORTER_SIDE);
    assert_int_equal(info.resize_px, 17);
    assert_int_equal(info.filter, IMGRET_FILTER_BICUBIC);
    assert_string_equal(info.architecture, "vit_w128d2_patch4_16");
    char sha256[65], wanted[512];
    assert_int_equal(ir_file_sha256(f->path, sha256, NULL), 0);
    snprintf(wanted, sizeof wanted,
             "architecture=vit_w128d2_patch4_16;weights=sha256:%s;precision=f32;pool=cls;"
             "mean=0.5,0.5,0.5;std=0.5,0.5,0.5;heads=2", sha256);
    assert_string_equal(info.identity, wanted);
    plugin()->unload(model);
}

static void agrees_with_scalar_code(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(f->path, "", 2, &info);
    float embeddings[5][WIDTH], logits[5][CLASSES], error_max = 0;
    run_model(model, f->pixels[0], 5, embeddings[0], logits[0]);
    for (int n = 0; n < 5; n++) {
        float tokens[TOKENS][WIDTH], wanted[CLASSES];
        forward(f->weights, f->pixels[n], tokens, wanted);
        for (int i = 0; i < WIDTH; i++)
            error_max = fmaxf(error_max, fabsf(tokens[0][i] - embeddings[n][i]));
        for (int i = 0; i < CLASSES; i++)
            error_max = fmaxf(error_max, fabsf(wanted[i] - logits[n][i]));
    }
    print_message("largest error %.2g\n", (double)error_max);
    assert_true(error_max < 2e-5f);
    plugin()->unload(model);
}

static void pools_agree_with_scalar_code(void **state)
{
    fixture *f = *state;
    static const char *const options[] = {"pool=avg", "pool=max", "pool=gem;gem_p=2",
                                          "pool=cls_avg"};
    float tokens[TOKENS][WIDTH], logits[CLASSES];
    forward(f->weights, f->pixels[0], tokens, logits);
    for (int pool = 0; pool < 4; pool++) {
        imgret_backend_info info;
        imgret_backend_model *model = load_model(f->path, options[pool], 1, &info);
        assert_int_equal(info.dimension, pool == 3 ? 2 * WIDTH : WIDTH);
        float embedding[2 * WIDTH], own_logits[CLASSES];
        run_model(model, f->pixels[0], 1, embedding, own_logits);
        for (int i = 0; i < WIDTH; i++) {
            double sum = 0, squares = 0, largest = -1e30;
            for (int t = 1; t < TOKENS; t++) {
                double value = (double)tokens[t][i];
                sum += value, largest = fmax(largest, value);
                squares += fmax(value, 1e-6) * fmax(value, 1e-6);
            }
            double mean = sum / (TOKENS - 1);
            double wanted = pool == 1 ? largest : pool == 2 ? sqrt(squares / (TOKENS - 1)) : mean;
            assert_true(fabs(wanted - (double)embedding[pool == 3 ? WIDTH + i : i]) < 2e-5);
            assert_true(pool != 3 || fabsf(tokens[0][i] - embedding[i]) < 2e-5f);
        }
        for (int i = 0; i < CLASSES; i++) /* the head keeps its own pooling */
            assert_true(fabsf(logits[i] - own_logits[i]) < 2e-5f);
        plugin()->unload(model);
    }
}

static void normalisation_can_be_chosen(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model =
        load_model(f->path, "mean=0,0,0;std=1,1,1;crop_pct=1;filter=bilinear;resize=squash", 1,
                   &info);
    assert_int_equal(info.filter, IMGRET_FILTER_BILINEAR);
    assert_int_equal(info.resize, IMGRET_RESIZE_SQUASH);
    assert_non_null(strstr(info.identity, "mean=0,0,0;std=1,1,1"));
    float chosen[WIDTH], usual[WIDTH];
    run_model(model, f->pixels[0], 1, chosen, NULL);
    plugin()->unload(model);
    model = load_model(f->path, "", 1, &info);
    /* (x - 0.5) / 0.5 of 64 is (y - 0) / 1 of a pixel that is not whole, so compare two pictures
     * that the two normalisations map to one value: 255 -> 1 in both. */
    uint8_t white[SIDE * SIDE * 3];
    memset(white, 255, sizeof white);
    run_model(model, white, 1, usual, NULL);
    plugin()->unload(model);
    model = load_model(f->path, "mean=0,0,0;std=1,1,1", 1, &info);
    float white_chosen[WIDTH];
    run_model(model, white, 1, white_chosen, NULL);
    plugin()->unload(model);
    assert_memory_equal(usual, white_chosen, sizeof usual);
    assert_memory_not_equal(chosen, usual, sizeof usual);
}

static void bf16_is_close(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    float exact[WIDTH], rounded[WIDTH];
    imgret_backend_model *model = load_model(f->path, "", 1, &info);
    run_model(model, f->pixels[0], 1, exact, NULL);
    plugin()->unload(model);
    model = load_model(f->path, "precision=bf16", 1, &info);
    assert_non_null(strstr(info.identity, "precision=bf16"));
    run_model(model, f->pixels[0], 1, rounded, NULL);
    plugin()->unload(model);
    double dot = 0, a = 0, b = 0;
    for (int i = 0; i < WIDTH; i++) {
        dot += (double)exact[i] * (double)rounded[i];
        a += (double)exact[i] * (double)exact[i], b += (double)rounded[i] * (double)rounded[i];
    }
    print_message("cosine %.6f\n", dot / sqrt(a * b));
    assert_true(dot / sqrt(a * b) > 0.999);
}

static void expect_failure(const char *path, const char *options, int32_t status,
                           const char *words)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_backend_model *model = (imgret_backend_model *)&error; /* must become NULL */
    int32_t got = plugin()->load(&model, path, options, 1, &error);
    if (got != status || !strstr(error.message, words))
        fail_msg("%d '%s', not %d '%s'", got, error.message, status, words);
    assert_null(model);
    assert_int_equal(error.code, status);
    assert_null(strchr(error.message, '\n'));
}

static void damaged_weights_are_named(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *broken, *words;
    } cases[] = {
        {"-norm.weight", "tensor 'norm.weight' is missing"},
        {"+norm.weight", "tensor 'norm.weight' has shape [129], [128] is wanted"},
        {"!norm.weight", "tensor 'norm.weight' holds a value that is not finite"},
        {"surprise", "tensor 'surprise' has no place in this architecture"},
        {"blocks.2.norm1.weight", "is missing"},
    };
    char path[64];
    temporary_path(path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_vit(f->weights, path, cases[i].broken);
        expect_failure(path, "", IMGRET_BAD_MODEL, cases[i].words);
        expect_failure(path, "", IMGRET_BAD_MODEL, path);
    }
    write_vit(f->weights, path, NULL);
    assert_int_equal(truncate(path, 100000), 0);
    expect_failure(path, "", IMGRET_BAD_MODEL, "lies outside of the file");
    assert_int_equal(truncate(path, 500), 0);
    expect_failure(path, "", IMGRET_BAD_MODEL, "cut short");
    unlink(path);
    expect_failure(path, "", IMGRET_NOT_FOUND, path);
    expect_failure("/tmp", "", IMGRET_INVALID_ARGUMENT, "/tmp");
    expect_failure("", "", IMGRET_INVALID_ARGUMENT, "weights");
    st_writer writer = {0};
    float value = 1;
    st_add(&writer, "what.weight", "F32", "[1]", &value, 4);
    st_write(&writer, path);
    expect_failure(path, "", IMGRET_BAD_MODEL, "unknown architecture");
    unlink(path);
}

static void options_are_checked(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *options, *words;
    } cases[] = {
        {"colour=red", "unknown option 'colour'"}, {"pool", "'pool': key=value"},
        {"pool=cls;pool=avg", "pool is given twice"}, {"pool=best", "pool=best"},
        {"precision=f64", "precision=f64"}, {"heads=3", "3 heads"}, {"heads=0", "heads=0"},
        {"mean=1,2", "mean=1,2"}, {"mean=a,b,c", "mean=a,b,c"}, {"std=0,1,1", "std"},
        {"input=18", "no multiple of the patch"}, {"input=99999", "input=99999"},
        {"crop_pct=nan", "crop_pct=nan"}, {"filter=nearest", "filter=nearest"},
        {"family=resnet50000", "family=resnet50000"}, {"batch=0", "batch=0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_failure(f->path, cases[i].options, IMGRET_INVALID_ARGUMENT, cases[i].words);
}

static void batches_are_checked(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(f->path, "batch=2", 1, &info);
    assert_int_equal(info.batch_max, 2);
    float embeddings[5 * WIDTH];
    imgret_backend_batch batch = {sizeof batch, 3, f->pixels[0], embeddings, NULL};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(plugin()->run(model, &batch, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "a batch of 3"));
    batch.count = 0;
    assert_int_equal(plugin()->run(model, &batch, NULL), IMGRET_INVALID_ARGUMENT);
    plugin()->unload(model);
    plugin()->unload(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_described),
        cmocka_unit_test(agrees_with_scalar_code),
        cmocka_unit_test(pools_agree_with_scalar_code),
        cmocka_unit_test(normalisation_can_be_chosen),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(damaged_weights_are_named),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(batches_are_checked),
    };
    return cmocka_run_group_tests_name("torch_vit", tests, set_up, tear_down);
}
