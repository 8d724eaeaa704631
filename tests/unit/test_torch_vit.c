/* test_torch_vit.c: a small random vision transformer against a plain scalar forward in C. */
#include "torch_fixture.h"

#include "vit_scalar.h"

#include <stdbool.h>

enum { WIDTH = 128, SIDE = 16, CLASSES = 7, TOKENS = 17, TENSOR_MAX = 40 };
static const vit_shape shape = {WIDTH, 2, 2, 4, SIDE, 256, CLASSES};

typedef struct {
    char name[64], shape[32];
    float *values;
    size_t count;
} tensor;

typedef struct {
    tensor tensors[TENSOR_MAX];
    int count;
    uint64_t seed;
} model_file;

static void add(model_file *file, const char *name, const char *json_shape, int count, float scale,
                float centre)
{
    assert_true(file->count < TENSOR_MAX);
    tensor *t = &file->tensors[file->count++];
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->shape, sizeof t->shape, "%s", json_shape);
    t->count = (size_t)count;
    t->values = vit_floats(1, count);
    for (int i = 0; i < count; i++)
        t->values[i] = centre + scale * random_unit(&file->seed);
}

static void add_matrix(model_file *file, const char *prefix, const char *name, int out, int in,
                       float scale)
{
    char full[64], json[32];
    snprintf(full, sizeof full, "%s%s.weight", prefix, name);
    snprintf(json, sizeof json, "[%d,%d]", out, in);
    add(file, full, json, out * in, scale, 0);
    snprintf(full, sizeof full, "%s%s.bias", prefix, name);
    snprintf(json, sizeof json, "[%d]", out);
    add(file, full, json, out, 0.1f, 0);
}

static void add_norm(model_file *file, const char *prefix, const char *name)
{
    char full[64], json[32];
    snprintf(json, sizeof json, "[%d]", WIDTH);
    snprintf(full, sizeof full, "%s%s.weight", prefix, name);
    add(file, full, json, WIDTH, 0.3f, 1);
    snprintf(full, sizeof full, "%s%s.bias", prefix, name);
    add(file, full, json, WIDTH, 0.2f, 0);
}

static void make_model(model_file *file)
{
    add(file, "cls_token", "[1,1,128]", WIDTH, 1, 0);
    add(file, "pos_embed", "[1,17,128]", TOKENS * WIDTH, 1, 0);
    add(file, "patch_embed.proj.weight", "[128,3,4,4]", WIDTH * 48, 0.3f, 0);
    add(file, "patch_embed.proj.bias", "[128]", WIDTH, 0.1f, 0);
    for (int i = 0; i < shape.depth; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "blocks.%d.", i);
        add_norm(file, prefix, "norm1");
        add_matrix(file, prefix, "attn.qkv", 3 * WIDTH, WIDTH, 0.2f);
        add_matrix(file, prefix, "attn.proj", WIDTH, WIDTH, 0.1f);
        add_norm(file, prefix, "norm2");
        add_matrix(file, prefix, "mlp.fc1", shape.hidden, WIDTH, 0.1f);
        add_matrix(file, prefix, "mlp.fc2", WIDTH, shape.hidden, 0.1f);
    }
    add_norm(file, "", "norm");
    add_matrix(file, "", "head", CLASSES, WIDTH, 0.2f);
}

static tensor *find(model_file *file, const char *name)
{
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    fail_msg("no tensor %s", name);
    abort(); /* not reached: fail_msg leaves the test */
}

static const float *values_of(void *context, const char *name)
{
    return find(context, name)->values;
}

/* All but the tensor `without`, which may be NULL. */
static void write_model(const model_file *file, const char *path, const char *without)
{
    st_writer writer = {0};
    for (int i = 0; i < file->count; i++) {
        const tensor *t = &file->tensors[i];
        if (!without || strcmp(t->name, without) != 0)
            st_add(&writer, t->name, "F32", t->shape, t->values, t->count * sizeof(float));
    }
    st_write(&writer, path);
}

/* ---- The tests ---- */

typedef struct {
    model_file file;
    char path[64];
    uint8_t pixels[5][SIDE * SIDE * 3];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->file.seed = 1;
    make_model(&f->file);
    temporary_path(f->path);
    write_model(&f->file, f->path, NULL);
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
    for (int i = 0; i < f->file.count; i++)
        free(f->file.tensors[i].values);
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
             "mean=0.5,0.5,0.5;std=0.5,0.5,0.5;heads=2;epsilon=1e-06",
             sha256);
    assert_string_equal(info.identity, wanted);
    plugin()->unload(model);
}

/* The largest distance of `count` pictures' vectors and logits from the scalar code's. */
static float error_of(fixture *f, imgret_backend_model *model, uint32_t count)
{
    float embeddings[5][WIDTH], logits[5][CLASSES], error_max = 0;
    run_model(model, f->pixels[0], count, embeddings[0], logits[0]);
    for (uint32_t n = 0; n < count; n++) {
        float tokens[TOKENS][WIDTH], wanted[CLASSES];
        vit_forward(&(vit_scalar){shape, values_of, &f->file}, f->pixels[n], tokens[0], wanted);
        for (int i = 0; i < WIDTH; i++)
            error_max = fmaxf(error_max, fabsf(tokens[0][i] - embeddings[n][i]));
        for (int i = 0; i < CLASSES; i++)
            error_max = fmaxf(error_max, fabsf(wanted[i] - logits[n][i]));
    }
    return error_max;
}

static void agrees_with_scalar_code(void **state)
{
    static const char *const options[] = {"", "kernels=torch", "kernels=torch;share=yes"};
    for (int i = 0; i < 3; i++) {
        imgret_backend_info info;
        imgret_backend_model *model = load_model(((fixture *)*state)->path, options[i], 2, &info);
        float error_max = error_of(*state, model, 5);
        print_message("%s: largest error %.2g\n", options[i], (double)error_max);
        assert_true(error_max < 2e-5f);
        error_max = error_of(*state, model, 1); /* two threads and one picture */
        assert_true(error_max < 2e-5f);
        plugin()->unload(model);
    }
}

/* The same vectors within rounding, and the same identity: databases go from one to the other. */
static void kernels_are_one_extractor(void **state)
{
    const fixture *f = *state;
    imgret_backend_info fast, plain;
    imgret_backend_model *model = load_model(f->path, "kernels=torch", 1, &plain);
    char identity[512];
    snprintf(identity, sizeof identity, "%s", plain.identity);
    plugin()->unload(model);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(plugin()->load(&model, f->path, "kernels=fast", 1, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "kernels"));
    int32_t status = plugin()->load(&model, f->path, "kernels=onednn", 1, &error);
    if (status) { /* built without it, or another processor */
        assert_int_equal(status, IMGRET_UNSUPPORTED);
        assert_non_null(strstr(error.message, "onednn"));
        return;
    }
    memset(&fast, 0, sizeof fast);
    fast.size = sizeof fast;
    assert_int_equal(plugin()->describe(model, &fast, &error), 0);
    assert_string_equal(fast.identity, identity);
    assert_true(error_of(*state, model, 5) < 2e-5f);
    plugin()->unload(model);
}

static void threads_may_share_a_picture(void **state)
{
    fixture *f = *state;
    float tokens[TOKENS][WIDTH], wanted[CLASSES], embedding[WIDTH], logits[CLASSES];
    vit_forward(&(vit_scalar){shape, values_of, &f->file}, f->pixels[0], tokens[0], wanted);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        imgret_backend_info info;
        imgret_backend_model *model = load_model(
            f->path, bf16 ? "share=yes;precision=bf16" : "share=yes", 3, &info);
        run_model(model, f->pixels[0], 1, embedding, logits);
        for (int i = 0; i < WIDTH; i++)
            assert_true(fabsf(tokens[0][i] - embedding[i]) < (bf16 ? 0.1f : 2e-5f));
        plugin()->unload(model);
    }
}

/* Where there is no CUDA device, one clear error; else the same vectors, but for its rounding. */
static void cuda_is_used_or_refused(void **state)
{
    const fixture *f = *state;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_backend_model *model = NULL;
    int32_t status = plugin()->load(&model, f->path, "device=cuda", 2, &error);
    if (status) {
        assert_int_equal(status, IMGRET_UNSUPPORTED);
        assert_null(model);
        assert_non_null(strstr(error.message, "device=cuda"));
        assert_int_equal(plugin()->load(&model, f->path, "", 2, &error), 0); /* no harm done */
    }
    assert_true(error_of(*state, model, 5) < (status ? 2e-5f : 1e-3f));
    plugin()->unload(model);
    assert_int_equal(plugin()->load(&model, f->path, "device=cuda;kernels=onednn", 1, &error),
                     IMGRET_UNSUPPORTED); /* those are the processor's */
}

static void pools_agree_with_scalar_code(void **state)
{
    fixture *f = *state;
    static const char *const options[] = {"pool=avg", "pool=max", "pool=gem;gem_p=2",
                                          "pool=cls_avg"};
    float tokens[TOKENS][WIDTH], logits[CLASSES];
    vit_forward(&(vit_scalar){shape, values_of, &f->file}, f->pixels[0], tokens[0], logits);
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

/* timm's name of a part of a block, torchvision's and Hugging Face's. */
static const char *const names[][3] = {
    {"norm1.", "ln_1.", "layernorm_before."},
    {"attn.proj.", "self_attention.out_proj.", "attention.output.dense."},
    {"norm2.", "ln_2.", "layernorm_after."},
    {"mlp.fc1.", "mlp.linear_1.", "intermediate.dense."},
    {"mlp.fc2.", "mlp.linear_2.", "output.dense."},
};
static const char *const outer_names[][3] = {
    {"cls_token", "class_token", "vit.embeddings.cls_token"},
    {"pos_embed", "encoder.pos_embedding", "vit.embeddings.position_embeddings"},
    {"patch_embed.proj.", "conv_proj.", "vit.embeddings.patch_embeddings.projection."},
    {"norm.", "encoder.ln.", "vit.layernorm."},
    {"head.", "heads.head.", "classifier."},
};

/* Hugging Face's query, key and value, which follow one another in timm's qkv. */
static void add_three(st_writer *writer, const tensor *t, const char *prefix, const char *end)
{
    static const char *const parts[] = {"query", "key", "value"};
    size_t rows = WIDTH, columns = t->count / (3 * WIDTH);
    for (size_t i = 0; i < 3; i++) {
        char name[128], json[32];
        snprintf(name, sizeof name, "%sattention.attention.%s.%s", prefix, parts[i], end);
        snprintf(json, sizeof json, strcmp(end, "bias") == 0 ? "[%zu]" : "[%zu,%zu]", rows,
                 columns);
        st_add(writer, name, "F32", json, t->values + i * rows * columns,
               rows * columns * sizeof(float));
    }
}

static void add_renamed(st_writer *writer, const tensor *t, int origin)
{
    char prefix[64] = "", name[128];
    const char *rest = t->name;
    int block, length = 0;
    bool in_block = sscanf(rest, "blocks.%d.%n", &block, &length) == 1;
    if (in_block)
        snprintf(prefix, sizeof prefix,
                 origin == 1 ? "encoder.layers.encoder_layer_%d." : "vit.encoder.layer.%d.", block);
    rest += length;
    const char *end = strrchr(rest, '.') ? strrchr(rest, '.') + 1 : "";
    if (strncmp(rest, "attn.qkv.", 9) == 0 && origin == 2) {
        add_three(writer, t, prefix, end);
        return;
    }
    snprintf(name, sizeof name, "%sself_attention.in_proj_%s", prefix, end);
    const char *const(*table)[3] = in_block ? names : outer_names;
    for (int i = 0; i < 5; i++)
        if (strncmp(rest, table[i][0], strlen(table[i][0])) == 0)
            snprintf(name, sizeof name, "%s%s%s", prefix, table[i][origin],
                     rest + strlen(table[i][0]));
    st_add(writer, name, "F32", t->shape, t->values, t->count * sizeof(float));
}

static void names_of_others_are_understood(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(f->path, "", 1, &info);
    float wanted[WIDTH], got[WIDTH], wanted_logits[CLASSES], logits[CLASSES];
    run_model(model, f->pixels[0], 1, wanted, wanted_logits);
    plugin()->unload(model);
    for (int origin = 1; origin < 3; origin++) {
        char path[64];
        temporary_path(path);
        st_writer writer = {0};
        for (int i = 0; i < f->file.count; i++)
            add_renamed(&writer, &f->file.tensors[i], origin);
        st_write(&writer, path);
        model = load_model(path, "mean=0.5,0.5,0.5;std=0.5,0.5,0.5;epsilon=1e-6", 1, &info);
        run_model(model, f->pixels[0], 1, got, logits);
        assert_memory_equal(got, wanted, sizeof got);
        assert_memory_equal(logits, wanted_logits, sizeof logits);
        plugin()->unload(model);
        model = load_model(path, "", 1, &info); /* and its own defaults */
        assert_non_null(
            strstr(info.identity, origin == 1 ? "mean=0.485,0.456,0.406" : "epsilon=1e-12"));
        assert_int_equal(info.resize,
                         origin == 1 ? IMGRET_RESIZE_SHORTER_SIDE : IMGRET_RESIZE_SQUASH);
        plugin()->unload(model);
        unlink(path);
    }
}

static imgret_backend_inspection *look_into(const char *path)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_backend_inspection *found = NULL;
    if (plugin()->inspect(&found, path, "", &error) != 0)
        fail_msg("%s", error.message);
    assert_non_null(found);
    assert_int_equal(found->size, sizeof *found);
    return found;
}

static void a_good_file_is_looked_into(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(f->path, "", 1, &info);
    imgret_backend_inspection *found = look_into(f->path);
    uint64_t values = 0;
    for (int i = 0; i < f->file.count; i++)
        values += f->file.tensors[i].count;
    assert_int_equal(found->status, IMGRET_OK);
    assert_string_equal(found->reason, "");
    assert_string_equal(found->family, "vit");
    assert_string_equal(found->naming, "timm");
    assert_string_equal(found->architecture, info.architecture);
    assert_string_equal(found->identity, info.identity);
    assert_string_equal(found->missing, "");
    assert_string_equal(found->left_over, "");
    assert_string_equal(found->misshapen, "");
    assert_null(found->class_names);
    assert_int_equal(found->tensor_count, f->file.count);
    assert_int_equal(found->parameter_count, values);
    assert_int_equal(found->tensor_bytes, values * sizeof(float));
    assert_int_equal(found->dimension, WIDTH);
    assert_int_equal(found->class_count, CLASSES);
    assert_int_equal(found->input_width, SIDE);
    plugin()->end_inspection(found);
    plugin()->unload(model);
    plugin()->end_inspection(NULL);
}

/* torchvision's names; without one tensor, with one of another shape and one too many. */
static void a_file_that_does_not_fit_is_looked_into(void **state)
{
    fixture *f = *state;
    char path[64];
    temporary_path(path);
    st_writer writer = {0};
    for (int i = 0; i < f->file.count; i++) {
        tensor *t = &f->file.tensors[i];
        if (strcmp(t->name, "blocks.1.norm2.bias") == 0)
            continue;
        if (strcmp(t->name, "blocks.0.norm1.weight") == 0)
            st_add(&writer, "encoder.layers.encoder_layer_0.ln_1.weight", "F32", "[2,64]",
                   t->values, t->count * sizeof(float));
        else
            add_renamed(&writer, t, 1);
    }
    st_add(&writer, "encoder.rope", "F32", "[2]", f->file.tensors[0].values, 2 * sizeof(float));
    st_write(&writer, path);
    imgret_backend_inspection *found = look_into(path);
    assert_int_equal(found->status, IMGRET_BAD_MODEL);
    assert_non_null(strstr(found->reason, "blocks.0.norm1.weight"));
    assert_string_equal(found->naming, "torchvision");
    assert_string_equal(found->identity, "");
    assert_string_equal(found->missing, "encoder.layers.encoder_layer_1.ln_2.bias\n");
    assert_string_equal(found->left_over, "encoder.rope\n");
    assert_string_equal(found->misshapen,
                        "encoder.layers.encoder_layer_0.ln_1.weight [2, 64], [128] is wanted\n");
    assert_int_equal(found->missing_count + found->left_over_count + found->misshapen_count, 3);
    assert_string_equal(found->architecture, "vit_w128d2_patch4_16");
    assert_int_equal(found->dimension, WIDTH);
    plugin()->end_inspection(found);
    unlink(path);
}

static void what_is_no_network_is_said_to_be_none(void **state)
{
    (void)state;
    char path[64];
    temporary_path(path);
    st_writer writer = {0};
    float value = 1;
    st_add(&writer, "alpha", "F32", "[1]", &value, sizeof value);
    st_write(&writer, path);
    imgret_backend_inspection *found = look_into(path);
    assert_int_equal(found->status, IMGRET_BAD_MODEL);
    assert_non_null(strstr(found->reason, "unknown architecture"));
    assert_string_equal(found->family, "");
    assert_string_equal(found->left_over, "");
    assert_int_equal(found->tensor_count, 1);
    plugin()->end_inspection(found);
    unlink(path);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(plugin()->inspect(&found, path, "", &error), IMGRET_NOT_FOUND);
    assert_null(found);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("this is no safetensors file at all", file);
    fclose(file);
    assert_int_equal(plugin()->inspect(&found, path, "", &error), IMGRET_BAD_MODEL);
    assert_null(found);
    unlink(path);
}

static void names_of_classes_come_from_the_config(void **state)
{
    fixture *f = *state;
    char config[80];
    snprintf(config, sizeof config, "%.*s.json", (int)(strrchr(f->path, '.') - f->path), f->path);
    for (int count = CLASSES - 1; count <= CLASSES; count++) {
        FILE *file = fopen(config, "wb");
        assert_non_null(file);
        fputs("{\"id2label\": {", file);
        for (int i = count - 1; i >= 0; i--)
            fprintf(file, "\"%d\": \"class\\n%d\"%s", i, i, i ? ", " : "}}");
        fclose(file);
        imgret_backend_info info;
        imgret_backend_model *model = load_model(f->path, "", 1, &info);
        if (count == CLASSES) /* a line break in a name does not make two of it */
            assert_string_equal(info.class_names, "class 0\nclass 1\nclass 2\nclass 3\nclass 4\n"
                                                  "class 5\nclass 6\n");
        else
            assert_null(info.class_names);
        plugin()->unload(model);
    }
    unlink(config);
}

static void normalisation_can_be_chosen(void **state)
{
    fixture *f = *state;
    imgret_backend_info info;
    imgret_backend_model *model = load_model(
        f->path, "mean=0,0,0;std=1,1,1;crop_pct=1;filter=bilinear;resize=squash", 1, &info);
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

static void expect_failure(const char *path, const char *options, int32_t status, const char *words)
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
    char path[64];
    temporary_path(path);
    write_model(&f->file, path, "norm.weight");
    expect_failure(path, "", IMGRET_BAD_MODEL, "tensor 'norm.weight' is missing");
    expect_failure(path, "", IMGRET_BAD_MODEL, path);

    tensor *norm = find(&f->file, "norm.weight");
    strcpy(norm->shape, "[2,64]");
    write_model(&f->file, path, NULL);
    expect_failure(path, "", IMGRET_BAD_MODEL, "'norm.weight' has shape [2, 64], [128] is wanted");
    strcpy(norm->shape, "[128]");

    float kept = norm->values[5];
    norm->values[5] = NAN;
    write_model(&f->file, path, NULL);
    expect_failure(path, "", IMGRET_BAD_MODEL, "'norm.weight' holds a value that is not finite");
    norm->values[5] = kept;

    strcpy(norm->name, "blocks.1.surprise");
    write_model(&f->file, path, NULL);
    strcpy(norm->name, "norm.weight");
    expect_failure(path, "", IMGRET_BAD_MODEL, "tensor 'norm.weight' is missing");
    st_writer writer = {0};
    float value = 1;
    st_add(&writer, "what.weight", "F32", "[1]", &value, 4);
    st_write(&writer, path);
    expect_failure(path, "", IMGRET_BAD_MODEL, "unknown architecture");
    unlink(path);
}

static void left_over_weights_are_named(void **state)
{
    fixture *f = *state;
    char path[64];
    temporary_path(path);
    add(&f->file, "surprise", "[3]", 3, 1, 0);
    write_model(&f->file, path, NULL);
    free(f->file.tensors[--f->file.count].values);
    expect_failure(path, "", IMGRET_BAD_MODEL,
                   "tensor 'surprise' has no place in this architecture");
    unlink(path);
}

static void damaged_files_are_named(void **state)
{
    fixture *f = *state;
    char path[64];
    temporary_path(path);
    write_model(&f->file, path, NULL);
    assert_int_equal(truncate(path, 100000), 0);
    expect_failure(path, "", IMGRET_BAD_MODEL, "lies outside of the file");
    assert_int_equal(truncate(path, 500), 0);
    expect_failure(path, "", IMGRET_BAD_MODEL, "cut short");
    unlink(path);
    expect_failure(path, "", IMGRET_NOT_FOUND, path);
    expect_failure("/tmp", "", IMGRET_INVALID_ARGUMENT, "/tmp");
    expect_failure("", "", IMGRET_INVALID_ARGUMENT, "weights");
}

static void options_are_checked(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *options, *words;
    } cases[] = {
        {"colour=red", "unknown option 'colour'"},
        {"pool", "'pool': key=value"},
        {"pool=cls;pool=avg", "pool is given twice"},
        {"pool=best", "pool=best"},
        {"precision=f64", "precision=f64"},
        {"heads=3", "3 heads"},
        {"heads=0", "heads=0"},
        {"mean=1,2", "mean=1,2"},
        {"mean=a,b,c", "mean=a,b,c"},
        {"std=0,1,1", "std"},
        {"input=18", "no multiple of the patch"},
        {"input=99999", "input=99999"},
        {"crop_pct=nan", "crop_pct=nan"},
        {"filter=nearest", "filter=nearest"},
        {"family=resnet50000", "family=resnet50000"},
        {"batch=0", "batch=0"},
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
        cmocka_unit_test(kernels_are_one_extractor),
        cmocka_unit_test(threads_may_share_a_picture),
        cmocka_unit_test(cuda_is_used_or_refused),
        cmocka_unit_test(pools_agree_with_scalar_code),
        cmocka_unit_test(names_of_others_are_understood),
        cmocka_unit_test(a_good_file_is_looked_into),
        cmocka_unit_test(a_file_that_does_not_fit_is_looked_into),
        cmocka_unit_test(what_is_no_network_is_said_to_be_none),
        cmocka_unit_test(names_of_classes_come_from_the_config),
        cmocka_unit_test(normalisation_can_be_chosen),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(damaged_weights_are_named),
        cmocka_unit_test(left_over_weights_are_named),
        cmocka_unit_test(damaged_files_are_named),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(batches_are_checked),
    };
    return cmocka_run_group_tests_name("torch_vit", tests, set_up, tear_down);
}
