/* vit_scalar.h: the vision transformer in plain scalar C, from the paper: one picture, one value
 * after the other, sums in double. What the plugin's ViT is compared with. */
#ifndef IR_TESTS_VIT_SCALAR_H
#define IR_TESTS_VIT_SCALAR_H

#include "testing.h"

#include <math.h>

typedef struct vit_shape {
    int width, heads, depth, patch, side, hidden, classes;
} vit_shape;

/* The float32 values of the tensor `name`, which fails the test when it does not exist. */
typedef const float *(*vit_tensor_fn)(void *context, const char *name);

typedef struct vit_scalar {
    vit_shape shape;
    vit_tensor_fn tensor;
    void *context;
} vit_scalar;

static inline int vit_token_count(const vit_shape *shape)
{
    int grid = shape->side / shape->patch;
    return grid * grid + 1;
}

static inline float *vit_floats(int rows, int columns)
{
    float *values = calloc((size_t)rows * (size_t)columns, sizeof *values);
    assert_non_null(values);
    return values;
}

static inline const float *vit_of_block(const vit_scalar *vit, int block, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blocks.%d.%s", block, name);
    return vit->tensor(vit->context, full);
}

/* y (rows x out) = x (rows x in) W^T + b */
static inline void vit_linear(const float *x, int rows, const float *weight, const float *bias,
                              int in, int out, float *y)
{
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++) {
            double sum = (double)bias[o];
            for (int i = 0; i < in; i++)
                sum += (double)weight[o * in + i] * (double)x[r * in + i];
            y[r * out + o] = (float)sum;
        }
}

static inline void vit_norm(const float *x, int rows, const float *weight, const float *bias,
                            int width, float *y)
{
    for (int r = 0; r < rows; r++, x += width, y += width) {
        double mean = 0, variance = 0;
        for (int i = 0; i < width; i++)
            mean += (double)x[i] / width;
        for (int i = 0; i < width; i++)
            variance += ((double)x[i] - mean) * ((double)x[i] - mean) / width;
        double scale = 1 / sqrt(variance + 1e-6);
        for (int i = 0; i < width; i++)
            y[i] = (float)(((double)x[i] - mean) * scale * (double)weight[i] + (double)bias[i]);
    }
}

/* One head of one token: softmax(q k / sqrt(d)) v. `qkv` tokens x 3 width. */
static inline void vit_attend(const vit_shape *shape, const float *qkv, int token, int head,
                              double *scores, float *out)
{
    int tokens = vit_token_count(shape), width = shape->width, d = width / shape->heads;
    const float *query = qkv + token * 3 * width + head * d;
    double largest = -INFINITY, total = 0;
    for (int t = 0; t < tokens; t++) {
        const float *key = qkv + t * 3 * width + width + head * d;
        scores[t] = 0;
        for (int i = 0; i < d; i++)
            scores[t] += (double)query[i] * (double)key[i];
        scores[t] /= sqrt(d);
        largest = fmax(largest, scores[t]);
    }
    for (int t = 0; t < tokens; t++)
        total += scores[t] = exp(scores[t] - largest);
    for (int i = 0; i < d; i++) {
        double sum = 0;
        for (int t = 0; t < tokens; t++)
            sum += scores[t] / total * (double)qkv[t * 3 * width + 2 * width + head * d + i];
        out[head * d + i] = (float)sum;
    }
}

static inline void vit_block(const vit_scalar *vit, int block, float *x)
{
    const vit_shape *shape = &vit->shape;
    int tokens = vit_token_count(shape), width = shape->width, hidden = shape->hidden;
    float *normed = vit_floats(tokens, width), *wide = vit_floats(tokens, 3 * width + hidden);
    float *mixed = vit_floats(tokens, width), *change = vit_floats(tokens, width);
    double *scores = calloc((size_t)tokens, sizeof *scores);
    assert_non_null(scores);
    vit_norm(x, tokens, vit_of_block(vit, block, "norm1.weight"),
             vit_of_block(vit, block, "norm1.bias"), width, normed);
    vit_linear(normed, tokens, vit_of_block(vit, block, "attn.qkv.weight"),
               vit_of_block(vit, block, "attn.qkv.bias"), width, 3 * width, wide);
    for (int t = 0; t < tokens; t++)
        for (int head = 0; head < shape->heads; head++)
            vit_attend(shape, wide, t, head, scores, mixed + t * width);
    vit_linear(mixed, tokens, vit_of_block(vit, block, "attn.proj.weight"),
               vit_of_block(vit, block, "attn.proj.bias"), width, width, change);
    for (int i = 0; i < tokens * width; i++)
        x[i] += change[i];
    vit_norm(x, tokens, vit_of_block(vit, block, "norm2.weight"),
             vit_of_block(vit, block, "norm2.bias"), width, normed);
    vit_linear(normed, tokens, vit_of_block(vit, block, "mlp.fc1.weight"),
               vit_of_block(vit, block, "mlp.fc1.bias"), width, hidden, wide);
    for (int i = 0; i < tokens * hidden; i++)
        wide[i] = (float)(0.5 * (double)wide[i] * (1 + erf((double)wide[i] / sqrt(2.0))));
    vit_linear(wide, tokens, vit_of_block(vit, block, "mlp.fc2.weight"),
               vit_of_block(vit, block, "mlp.fc2.bias"), hidden, width, change);
    for (int i = 0; i < tokens * width; i++)
        x[i] += change[i];
    free(normed), free(wide), free(mixed), free(change), free(scores);
}

/* Cuts the picture into patches, mean = std = 0.5, and embeds them behind the class token. */
static inline void vit_embed(const vit_scalar *vit, const uint8_t *pixels, float *x)
{
    const vit_shape *shape = &vit->shape;
    int patch = shape->patch, grid = shape->side / patch, width = shape->width;
    float *values = vit_floats(3, patch * patch);
    memcpy(x, vit->tensor(vit->context, "cls_token"), sizeof(float) * (size_t)width);
    for (int at = 0; at < grid * grid; at++) {
        for (int i = 0; i < 3 * patch * patch; i++) {
            int c = i / (patch * patch), row = at / grid * patch + i / patch % patch;
            int column = at % grid * patch + i % patch;
            values[i] = ((float)pixels[(row * shape->side + column) * 3 + c] - 127.5f) / 127.5f;
        }
        vit_linear(values, 1, vit->tensor(vit->context, "patch_embed.proj.weight"),
                   vit->tensor(vit->context, "patch_embed.proj.bias"), 3 * patch * patch, width,
                   x + (at + 1) * width);
    }
    const float *positions = vit->tensor(vit->context, "pos_embed");
    for (int i = 0; i < vit_token_count(shape) * width; i++)
        x[i] += positions[i];
    free(values);
}

/* `pixels` side x side x 3. Fills all tokens (tokens x width) after the last norm, and the logits
 * of the class token. */
static inline void vit_forward(const vit_scalar *vit, const uint8_t *pixels, float *tokens,
                               float *logits)
{
    const vit_shape *shape = &vit->shape;
    int count = vit_token_count(shape);
    float *x = vit_floats(count, shape->width);
    vit_embed(vit, pixels, x);
    for (int block = 0; block < shape->depth; block++)
        vit_block(vit, block, x);
    vit_norm(x, count, vit->tensor(vit->context, "norm.weight"),
             vit->tensor(vit->context, "norm.bias"), shape->width, tokens);
    vit_linear(tokens, 1, vit->tensor(vit->context, "head.weight"),
               vit->tensor(vit->context, "head.bias"), shape->width, shape->classes, logits);
    free(x);
}

#endif
