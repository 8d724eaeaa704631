/* runner.h: a loaded model and its threads: a batch of 8-bit pictures in, vectors out. */
#ifndef IR_TORCH_RUNNER_H
#define IR_TORCH_RUNNER_H

#include "torch/load.h"
#include "torch/sharing.h"
#include "torch/workers.h"

#include <array>
#include <memory>

namespace ir_torch {

class Runner {
public:
    /* Loads and freezes the model; `options_text` as backend.h has it. Throws Failure. */
    Runner(const std::string &path, const std::string &options_text, uint32_t threads,
           const std::string &weights_sha256);

    /* `pixels` count x input x input x 3, RGB; `embeddings` count x dimension; `logits`
     * count x class_count, or NULL. One call at a time. */
    void run(const uint8_t *pixels, uint32_t count, float *embeddings, float *logits);

    /* `detections` count x anchor_count x (5 + box_class_count). Throws Failure when the model is no
     * detector. One call at a time, of run and detect together. */
    void detect(const uint8_t *pixels, uint32_t count, float *detections);

    uint32_t dimension() const { return dimension_; }
    uint32_t batch_max() const { return batch_max_; }
    const Model &model() const { return *network_.model; }
    const Network &network() const { return network_; }
    /* Each with a '\n' behind it; "" when no file tells. */
    const std::string &class_names() const { return class_names_; }
    const std::string &identity() const { return identity_; }

private:
    std::string pool_text() const;
    void fill_tables();
    void measure_dimension();
    void write_identity(const std::string &weights_sha256);
    at::Tensor normalised(const uint8_t *pixels, int64_t count) const;
    void choose_sharing(const std::string &wanted);
    void in_pieces(uint32_t count, const std::function<void(uint32_t, uint32_t)> &work);
    void run_together(const uint8_t *pixels, int64_t count, float *embeddings, float *logits) const;

    Network network_;
    ir_torch_sharing sharing_{};   /* whether threads work on one picture together */
    bool shares_by_clock_ = false; /* that is settled while it runs */
    uint32_t dimension_ = 0, batch_max_ = 1;
    std::array<std::array<float, 256>, 3> levels_{}; // a byte's value after normalisation
    std::string identity_, class_names_;
    std::unique_ptr<Workers> workers_;
};

} // namespace ir_torch

#endif
