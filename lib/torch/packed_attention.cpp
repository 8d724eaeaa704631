// packed_attention.cpp: the attention of a transformer's block by oneDNN, where qkv lies.
#include "torch/failure.h"
#include "torch/packed.h"
#include "torch/scratch.h"

#include <algorithm>

#if IR_TORCH_WITH_ONEDNN

#include "torch/onednn.h"

#include <ATen/Parallel.h>

namespace ir_torch {

// Scores of so many values stay in the cache between their three uses.
static constexpr int64_t SCORES_MAX = int64_t(1) << 18;

struct PackedAttention::State {
    int64_t heads;
    Plans plans;
};

PackedAttention::PackedAttention(int64_t heads) : state_(new State{heads, {}}) {}

PackedAttention::~PackedAttention() = default;

namespace {

enum Step { SCORES, SOFTMAX, MIX };

/* Some heads of one picture. */
struct Shape {
    int64_t group, asking, tokens, head, width; // width = heads x head
    at::ScalarType type;

    // The first rows of a part of qkv, each of a head's width.
    Desc part(int64_t rows) const
    {
        return onednn_desc({group, rows, head}, type, {head, 3 * width, 1});
    }
    Desc turned_keys() const
    {
        return onednn_desc({group, head, tokens}, type, {head, 1, 3 * width});
    }
    Desc scores(at::ScalarType of) const
    {
        return onednn_desc({group, asking, tokens}, of, {asking * tokens, tokens, 1});
    }
    Plan plan(Step step) const
    {
        dnnl::primitive_attr attributes = onednn_attributes(Act::none, false);
        if (step == SCORES)
            return plan_product(part(asking), turned_keys(), nullptr, scores(at::kFloat),
                                attributes);
        if (step == SOFTMAX)
            return plan_softmax(scores(at::kFloat), scores(type));
        Desc result = onednn_desc({group, asking, head}, type, {head, width, 1});
        return plan_product(scores(type), part(tokens), nullptr, result, attributes);
    }
};

} // namespace

at::Tensor PackedAttention::run(const at::Tensor &qkv, int64_t asking) const
{
    int64_t heads = state_->heads, tokens = qkv.size(1), width = qkv.size(2) / 3;
    int64_t at_once = std::clamp<int64_t>(SCORES_MAX / (asking * tokens), 1, heads);
    at::ScalarType type = qkv.scalar_type();
    at::Tensor scores = scratch({at_once, asking, tokens}, at::kFloat);
    at::Tensor shares = type == at::kFloat ? scores : scratch({at_once, asking, tokens}, type);
    at::Tensor result = scratch({qkv.size(0), asking, width}, type);
    size_t bytes = c10::elementSize(type);
    const dnnl::engine &engine = onednn_engine();
    translated([&] {
        for (int64_t i = 0, group = 0; i < qkv.size(0) * heads; i += group) {
            int64_t picture = i / heads, head = i % heads;
            group = std::min(at_once, heads - head);
            Shape shape = {group, asking, tokens, width / heads, width, type};
            auto plan = [&](Step step) -> const Plan & {
                return state_->plans.find(
                    {step, group, tokens, asking, static_cast<int>(type), at::get_num_threads()},
                    [&] { return shape.plan(step); });
            };
            int64_t first = picture * tokens * width * 3 + head * shape.head;
            auto at_part = [&](int64_t part, const Desc &desc) {
                size_t offset = static_cast<size_t>(first + part * width) * bytes;
                return dnnl::memory(desc, engine, static_cast<char *>(qkv.data_ptr()) + offset);
            };
            dnnl::memory raw(shape.scores(at::kFloat), engine, scores.data_ptr());
            dnnl::memory share(shape.scores(type), engine, shares.data_ptr());
            size_t to = static_cast<size_t>(picture * asking * width + head * shape.head) * bytes;
            const Plan &ask = plan(SCORES), &weigh = plan(SOFTMAX), &mix = plan(MIX);
            run_plan(ask, {{DNNL_ARG_SRC, at_part(0, ask.source)},
                           {DNNL_ARG_WEIGHTS, at_part(1, ask.weights)},
                           {DNNL_ARG_DST, raw}});
            run_plan(weigh, {{DNNL_ARG_SRC, raw}, {DNNL_ARG_DST, share}});
            run_plan(mix,
                     {{DNNL_ARG_SRC, share},
                      {DNNL_ARG_WEIGHTS, at_part(2, mix.weights)},
                      {DNNL_ARG_DST, dnnl::memory(mix.result, engine,
                                                  static_cast<char *>(result.data_ptr()) + to)}});
        }
    });
    return result;
}

} // namespace ir_torch

#else

namespace ir_torch {

struct PackedAttention::State {};

PackedAttention::PackedAttention(int64_t)
{
    throw Failure(IMGRET_INTERNAL, "this plugin was built without oneDNN");
}

PackedAttention::~PackedAttention() = default;

at::Tensor PackedAttention::run(const at::Tensor &, int64_t) const
{
    return {};
}

} // namespace ir_torch

#endif
