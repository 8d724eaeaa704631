// pool.cpp: from a feature map or tokens to one vector.
#include "torch/pool.h"

#include "torch/failure.h"

#include <algorithm>
#include <cmath>

namespace ir_torch {

static const struct {
    Pool pool;
    const char *name;
} pools[] = {
    {Pool::cls, "cls"}, {Pool::avg, "avg"},         {Pool::max, "max"},
    {Pool::gem, "gem"}, {Pool::cls_avg, "cls_avg"}, {Pool::rmac, "rmac"},
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
    throw Failure(IMGRET_INVALID_ARGUMENT,
                  "option pool=" + name + ": one of" + known + " is wanted");
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

// Where `count` squares of `side` begin along a length: spread evenly, in whole places.
static std::vector<int64_t> starts(int64_t length, int64_t side, int64_t count)
{
    std::vector<int64_t> at;
    for (int64_t i = 0; i < count; i++)
        at.push_back(count > 1 ? (length - side) * i / (count - 1) : (length - side) / 2);
    return at;
}

// How many more squares than along the shorter side lie along the longer one, so that neighbours
// share nearest to 40% of their area.
static int64_t extra_squares(int64_t shorter, int64_t longer)
{
    int64_t best = 0;
    double nearest = 1e9;
    for (int64_t extra = 1; longer > shorter && extra <= 6; extra++) {
        double step = static_cast<double>(longer - shorter) / static_cast<double>(extra);
        double away = std::abs(1 - step / static_cast<double>(shorter) - 0.4);
        if (away < nearest)
            best = extra;
        nearest = std::min(nearest, away);
    }
    return best;
}

// At scale l the squares have 2 / (l + 1) of the shorter side, l of them along it. Each region's
// maxima are brought to length 1 and summed up.
static at::Tensor regional_maxima(const at::Tensor &map)
{
    constexpr int64_t SCALES = 3;
    int64_t height = map.size(2), width = map.size(3), shorter = std::min(height, width);
    int64_t extra = extra_squares(shorter, std::max(height, width));
    at::Tensor sum;
    for (int64_t scale = 1; scale <= SCALES; scale++) {
        int64_t side = std::max<int64_t>(1, 2 * shorter / (scale + 1));
        for (int64_t top : starts(height, side, scale + (height > width ? extra : 0)))
            for (int64_t left : starts(width, side, scale + (width > height ? extra : 0))) {
                at::Tensor region = map.slice(2, top, top + side).slice(3, left, left + side);
                at::Tensor vector = region.amax({2, 3}).to(at::kFloat);
                vector = vector / vector.norm(2, {1}, true).clamp_min(1e-12);
                sum = sum.defined() ? sum + vector : vector;
            }
    }
    return sum;
}

at::Tensor apply_pool(const Features &features, Pool pool, double p)
{
    if (features.data.dim() == 2)
        return features.data.to(at::kFloat);
    at::Tensor pooled;
    switch (pool) {
    case Pool::cls:
        pooled = class_token(features);
        break;
    case Pool::avg:
        pooled = places(features).to(at::kFloat).mean(1);
        break;
    case Pool::max:
        pooled = places(features).amax(1);
        break;
    case Pool::gem:
        pooled = places(features).to(at::kFloat).clamp_min(1e-6).pow(p).mean(1).pow(1.0 / p);
        break;
    case Pool::cls_avg:
        pooled = at::cat({apply_pool(features, Pool::cls, p), apply_pool(features, Pool::avg, p)},
                         1);
        break;
    case Pool::rmac:
        if (features.data.dim() != 4)
            throw Failure(IMGRET_INVALID_ARGUMENT, "option pool=rmac: this model has no map");
        pooled = regional_maxima(features.data);
        break;
    }
    return pooled.to(at::kFloat);
}

} // namespace ir_torch
