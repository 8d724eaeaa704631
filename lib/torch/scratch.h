/* scratch.h: memory of intermediate results, kept by each thread for its next picture.
 *
 * Why not ATen's: malloc may map a result of some megabytes afresh each time, whose pages the
 * kernel must clear one by one. */
#ifndef IR_TORCH_SCRATCH_H
#define IR_TORCH_SCRATCH_H

#include <ATen/ATen.h>
#include <vector>

namespace ir_torch {

/* A tensor of undefined values with these strides, which cover all of it. Its memory goes back to
 * the thread that drops the last reference. Throws std::bad_alloc. */
at::Tensor scratch(const std::vector<int64_t> &sizes, const std::vector<int64_t> &strides,
                   at::ScalarType type);

/* The same, contiguous, or channels last for four sides when `channels_last`. */
at::Tensor scratch(const std::vector<int64_t> &sizes, at::ScalarType type,
                   bool channels_last = false);

/* Gives the system back what the calling thread keeps for tensors: others may lack it. */
void scratch_forget();

/* At least `bytes`, aligned for vectors, until the thread's next call. Throws std::bad_alloc. */
void *scratch_bytes(size_t bytes);

} // namespace ir_torch

#endif
