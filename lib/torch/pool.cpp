// pool.cpp: from a feature map or tokens to one vector.
#include "torch/pool.h"

#include "torch/failure.h"

namespace ir_torch {

static const struct {
    Pool pool;
    const char *name;
} pools[] = {
    {Pool::cls, "cls"}, {Pool::avg, "avg"}, {Pool::max, "max"}, {Pool::gem, "gem"},
    {Pool::cls_avg, "cls_avg"},
};

const char *pool_name(Pool pool)
{
    for (const auto &one : pools)
        if (one.pool == pool)
            return one.name;
    return "";
}

Pool pool_from_name(const std::string &name)
{
    std::string known;
    for (const auto &one : pools) {
        if (name == one.name)
            return one.pool;
        known += std::string(" ") + one.name;
    }
    throw Failure(IMGRET_INVALID_ARGUMENT, "option pool=" + name + ": one of" + known +
                                               " is wanted");
}

// N x P x C: what is averaged over stands in the middle.
static at::Tensor places(const Features &features)
{
    if (features.data.dim() == 4)
        return features.data.flatten(2).transpose(1, 2);
    return features.data.slice(1, features.prefix_count);
}

static at::Tensor class_token(const Features &features)
{
    if (features.data.dim() == 4 || features.prefix_count == 0)
        throw Failure(IMGRET_INVALID_ARGUMENT, "option pool: this model has no class token");
    return features.data.select(1, 0);
}

at::Tensor apply_pool(const Features &features, Pool pool, double p)
{
    at::Tensor pooled;
    switch (pool) {
    case Pool::cls: pooled = class_token(features); break;
    case Pool::avg: pooled = places(features).to(at::kFloat).mean(1); break;
    case Pool::max: pooled = places(features).amax(1); break;
    case Pool::gem:
        pooled = places(features).to(at::kFloat).clamp_min(1e-6).pow(p).mean(1).pow(1.0 / p);
        break;
    case Pool::cls_avg:
        pooled = at::cat({apply_pool(features, Pool::cls, p), apply_pool(features, Pool::avg, p)}, 1);
        break;
    }
    return pooled.to(at::kFloat);
}

} // namespace ir_torch
