/* pool.h: from a feature map or tokens to one vector. */
#ifndef IR_TORCH_POOL_H
#define IR_TORCH_POOL_H

#include <ATen/ATen.h>
#include <string>

namespace ir_torch {

/* A network's last features. */
struct Features {
    at::Tensor data; /* tokens N x T x C, a map N x C x H x W, or vectors N x C, pooled already */
    int64_t prefix_count = 0; /* tokens before those of the patches; the first is the class token */
    at::Tensor logits;        /* N x classes, from a module that gives them in the same run */
};

enum class Pool {
    cls,     /* the class token; tokens only */
    avg,     /* mean over patches or places */
    max,     /* largest over patches or places */
    gem,     /* generalised mean (Radenovic et al. 2017): (mean of max(x, 1e-6)^p)^(1/p) */
    cls_avg, /* both side by side; tokens only */
    rmac,    /* regional maxima (Tolias et al. 2016): three scales of squares; maps only */
};

/* NULL-free text of a pool: "cls", "avg", ... */
const char *pool_name(Pool pool);

/* Throws Failure for a name that is no pool. */
Pool pool_from_name(const std::string &name);

/* N x C (cls_avg: N x 2C) in float32. `p` is for gem. Throws Failure when the features have no
 * class token and the pool wants one. */
at::Tensor apply_pool(const Features &features, Pool pool, double p);

} // namespace ir_torch

#endif
