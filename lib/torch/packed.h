/* packed.h: convolutions, matrix products and attention by oneDNN itself, weights laid out once.
 *
 * libtorch reaches oneDNN only for some shapes, lays the weights out anew at each call, and leaves
 * float32 matrix products to a BLAS; here each layer keeps its weights in the order that the
 * processor wants, and bias, activation and sum are done while a result is still in the registers.
 * For inference only. Everything may run on several threads at once, with the thread count that
 * OpenMP has on the calling one. Without oneDNN's headers at build time can_pack() is false and
 * nothing else may be called.
 *
 * oneDNN's failures are thrown as std::bad_alloc or Failure. */
#ifndef IR_TORCH_PACKED_H
#define IR_TORCH_PACKED_H

#include "torch/activation.h"

#include <ATen/ATen.h>
#include <memory>

namespace ir_torch {

/* Whether oneDNN has fast code for `precision` on this processor. */
bool can_pack(Precision precision);

struct PackedGeometry {
    int64_t stride = 1, groups = 1;
    int64_t pad = 0;      /* zeros at each side */
    bool tf_same = false; /* instead: as ConvPlan has it */
};

class PackedConv {
public:
    /* `weight` [out, in / groups, k, k] and `bias` [out], both float32 on the CPU; they are kept
     * until the first run has laid them out. */
    PackedConv(const at::Tensor &weight, const at::Tensor &bias, const PackedGeometry &geometry,
               Precision precision);
    ~PackedConv();

    /* `x` N x in x H x W of any layout and type. Channels last, in the precision's type. With `sum`
     * (the result's shape, nobody else's) act(conv(x) + sum), which may be written into it. */
    at::Tensor run(const at::Tensor &x, Act act, const at::Tensor &sum = {}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

class PackedLinear {
public:
    /* `weight` [out, in], `bias` [out] or undefined; else as PackedConv. */
    PackedLinear(const at::Tensor &weight, const at::Tensor &bias, Precision precision);
    ~PackedLinear();

    /* Over the last dimension of `x`. In the precision's type; with `sum` (float32, the result's
     * shape, contiguous, nobody else's) linear(x) + sum in float32, written into it. */
    at::Tensor run(const at::Tensor &x, Act act, const at::Tensor &sum = {}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

class PackedAttention {
public:
    explicit PackedAttention(int64_t heads);
    ~PackedAttention();

    /* `qkv` N x tokens x (3 x heads x width), contiguous, the queries scaled already: for the first
     * `asking` tokens N x asking x (heads x width) of the same type. Scores and their softmax are in
     * float32. All calls with the same width. */
    at::Tensor run(const at::Tensor &qkv, int64_t asking) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace ir_torch

#endif
