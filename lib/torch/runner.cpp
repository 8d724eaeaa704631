// runner.cpp: a loaded model and its threads: a batch of 8-bit pictures in, vectors out.
#include "torch/runner.h"

#include "torch/failure.h"
#include "torch/scratch.h"

#include <algorithm>
#include <atomic>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <cstring>

namespace ir_torch {

static constexpr int64_t BATCH_DEFAULT = 32, BATCH_MAX = 1024;

// Threads that share a picture meet at hundreds of barriers and spin there: on idle cores that takes a
// third off ViT-tiny's time (2 GFLOP), with other work on the cores it took ten times as long. Below the
// first no sharing is tried; from the second on a thread alone is so slow that sharing comes first.
// (Small transformers in float32 also come out different in the last bit when shared.)
static constexpr double SHARE_FLOPS_MIN = 3e9, SHARE_FIRST_FLOPS_MIN = 5e9;

// Layers with many weights and few places read their weights from memory, once for all pictures that come
// together: four take a tenth (float32) to a fifth (bf16) off the time of each, and eight little more. Of
// large ones fewer, since intermediate results grow with them.
static constexpr size_t TOGETHER_MAX = 4, TOGETHER_AREA = 4 * 256 * 256;

Runner::Runner(const std::string &path, const std::string &options_text, uint32_t threads,
               const std::string &weights_sha256)
    : workers_(std::make_unique<Workers>(std::max(threads, 1u)))
{
    Options options(options_text);
    std::string share = options.choice("share", "auto", {"auto", "yes", "no"});
    batch_max_ = static_cast<uint32_t>(options.whole("batch", BATCH_DEFAULT, 1, BATCH_MAX));
    workers_->run(1, 1, [&](uint32_t) {
        c10::NoGradGuard no_grad; // not InferenceMode: its tensors could never be trained
        network_ = load_network(path, options);
    });
    choose_sharing(share);
    if (model().batch_max > 0)
        batch_max_ = std::min(batch_max_, static_cast<uint32_t>(model().batch_max));
    fill_tables();
    measure_dimension();
    write_identity(weights_sha256);
    int64_t classes = std::max(model().class_count, model().box_class_count);
    for (const std::string &name : config_class_names(path, classes))
        class_names_ += name + "\n";
}

void Runner::choose_sharing(const std::string &wanted)
{
    sharing_.shares = wanted == "yes" ||
                      (wanted == "auto" && model().flops >= SHARE_FIRST_FLOPS_MIN);
    shares_by_clock_ = wanted == "auto" && model().flops >= SHARE_FLOPS_MIN &&
                       network_.device.is_cpu() && workers_->count() > 1;
}

// What decides the vectors. The device is not in it: it moves them no more than another processor.
void Runner::write_identity(const std::string &weights_sha256)
{
    bool pools = model().anchor_count == 0 && !model().gives_vectors;
    identity_ = "architecture=" + model().architecture + ";weights=sha256:" + weights_sha256 +
                ";precision=" + precision_name(network_.precision) +
                (pools ? ";pool=" + pool_text() : "") +
                ";mean=" + triple_text(model().preset.mean) +
                ";std=" + triple_text(model().preset.std) +
                (model().traits.empty() ? "" : ";" + model().traits);
}

std::string Runner::pool_text() const
{
    return std::string(pool_name(network_.pool)) +
           (network_.pool == Pool::gem ? ";gem_p=" + shortest(network_.gem_p) : "");
}

void Runner::fill_tables()
{
    for (size_t c = 0; c < 3; c++)
        for (size_t level = 0; level < 256; level++)
            levels_[c][level] = static_cast<float>(
                (static_cast<double>(level) / 255.0 - model().preset.mean[c]) /
                model().preset.std[c]);
}

// A first run on a black picture: it finds a pool that does not fit, and pays the first inference's
// own cost (code generation, packing) before a user waits for it.
void Runner::measure_dimension()
{
    size_t side = static_cast<size_t>(model().preset.input_px);
    std::vector<uint8_t> black(3 * side * side, 0);
    workers_->run(1, 1, [&](uint32_t) {
        c10::InferenceMode inference;
        at::Tensor output = output_of(network_, normalised(black.data(), 1));
        if (model().anchor_count == 0)
            dimension_ = static_cast<uint32_t>(output.size(1));
    });
}

at::Tensor Runner::normalised(const uint8_t *pixels, int64_t count) const
{
    int64_t side = model().preset.input_px, places = side * side;
    auto options = at::TensorOptions().dtype(at::kFloat);
    if (model().channels_last) {
        at::Tensor out = at::empty({count, side, side, 3}, options);
        float *to = out.data_ptr<float>();
        for (int64_t i = 0; i < count * places; i++, pixels += 3, to += 3)
            for (size_t c = 0; c < 3; c++)
                to[c] = levels_[c][pixels[c]];
        return out.permute({0, 3, 1, 2}).to(network_.device);
    }
    at::Tensor out = at::empty({count, 3, side, side}, options);
    float *to = out.data_ptr<float>();
    for (int64_t n = 0; n < count; n++, to += 3 * places)
        for (int64_t i = 0; i < places; i++, pixels += 3)
            for (size_t c = 0; c < 3; c++)
                to[static_cast<int64_t>(c) * places + i] = levels_[c][pixels[c]];
    return out.to(network_.device);
}

static void copy_out(const at::Tensor &from, int64_t rows, int64_t columns, float *to)
{
    at::Tensor values = from.to(at::kCPU, at::kFloat).contiguous();
    if (values.size(0) != rows || values.numel() != rows * columns)
        throw Failure(IMGRET_INTERNAL, "the model's output has an unexpected shape");
    std::memcpy(to, values.data_ptr<float>(), sizeof(float) * static_cast<size_t>(rows * columns));
}

void Runner::run_together(const uint8_t *pixels, int64_t count, float *embeddings,
                          float *logits) const
{
    Features features = model().features(normalised(pixels, count));
    double p = network_.gem_p;
    at::Tensor embedding = model().after_pool(apply_pool(features, network_.pool, p));
    copy_out(embedding, count, dimension_, embeddings);
    if (!logits || model().class_count == 0)
        return;
    if (network_.pool != model().pool)
        embedding = model().after_pool(apply_pool(features, model().pool, p));
    copy_out(model().classify(features, embedding), count, model().class_count, logits);
}

/* Parts of 0..count for threads that take the next one when they are done: cores are not equally fast
 * where others use them too. Each begins with its own; the last ones are small, so that threads end
 * together. */
class Parts {
public:
    Parts(uint32_t count, uint32_t threads, uint32_t most)
        : count_(count), threads_(threads), most_(most), at_first_(rounded(count / threads)),
          taken_(at_first_ * threads)
    {
    }
    // How many thread `thread` has to begin with, and where.
    uint32_t begin(uint32_t thread, uint32_t *first) const
    {
        *first = at_first_ * thread;
        return at_first_;
    }
    // The next ones, 0 when there are no more.
    uint32_t next(uint32_t *first)
    {
        uint32_t some;
        *first = taken_;
        do
            some = *first < count_ ? rounded((count_ - *first) / (threads_ > 1 ? 2 * threads_ : 1))
                                   : 0;
        while (!taken_.compare_exchange_weak(*first, *first + some));
        return some;
    }

private:
    // Powers of two: each size needs plans of its own.
    uint32_t rounded(uint32_t count) const
    {
        uint32_t size = 1;
        while (2 * size <= std::min(count, most_))
            size *= 2;
        return size;
    }

    uint32_t count_, threads_, most_, at_first_;
    std::atomic<uint32_t> taken_;
};

// Calls work(first, count) for parts of 0..count, on all threads. oneDNN's layers get few pictures at
// a time: what lies between two layers then stays in the cache.
void Runner::in_pieces(uint32_t count, const std::function<void(uint32_t, uint32_t)> &work)
{
    if (count == 0)
        return;
    uint32_t pieces = network_.device.is_cpu() ? std::min(count, workers_->count()) : 1;
    bool learns = shares_by_clock_ && count == 1;
    bool shares = learns ? ir_torch_sharing_next(&sharing_) : sharing_.shares;
    uint32_t threads_each = shares ? std::max(workers_->count() / pieces, 1u) : 1;
    size_t area = static_cast<size_t>(model().preset.input_px * model().preset.input_px);
    uint32_t most = static_cast<uint32_t>(
        std::clamp(TOGETHER_AREA / area, size_t(1), TOGETHER_MAX));
    Parts parts(count, pieces, most);
    auto started = std::chrono::steady_clock::now();
    workers_->run(pieces, threads_each, [&](uint32_t piece) {
        c10::InferenceMode inference;
        uint32_t first = static_cast<uint32_t>(uint64_t(count) * piece / pieces);
        uint32_t end = static_cast<uint32_t>(uint64_t(count) * (piece + 1) / pieces);
        try {
            if (!network_.packs)
                work(first, end - first);
            uint32_t part;
            for (uint32_t some = network_.packs ? parts.begin(piece, &part) : 0; some > 0;
                 some = parts.next(&part))
                work(part, some);
        } catch (...) { // memory, as a rule: what this thread has, another may lack
            scratch_forget();
            throw;
        }
    });
    std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - started;
    if (learns)
        ir_torch_sharing_took(&sharing_, shares, took.count());
}

void Runner::run(const uint8_t *pixels, uint32_t count, float *embeddings, float *logits)
{
    if (model().anchor_count > 0)
        throw Failure(IMGRET_UNSUPPORTED, model().architecture + ": a detector makes no vectors");
    size_t side = static_cast<size_t>(model().preset.input_px);
    size_t class_count = static_cast<size_t>(model().class_count);
    in_pieces(count, [&](uint32_t first, uint32_t some) {
        run_together(pixels + first * side * side * 3, some,
                     embeddings + size_t(first) * dimension_,
                     logits ? logits + first * class_count : nullptr);
    });
}

void Runner::detect(const uint8_t *pixels, uint32_t count, float *detections)
{
    size_t side = static_cast<size_t>(model().preset.input_px);
    int64_t values = model().anchor_count * (5 + model().box_class_count);
    in_pieces(count, [&](uint32_t first, uint32_t some) {
        at::Tensor found = model().detect(normalised(pixels + first * side * side * 3, some));
        copy_out(found, some, values, detections + first * static_cast<size_t>(values));
    });
}

} // namespace ir_torch
