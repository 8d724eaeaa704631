/* load.h: from a weights file and options to a network that is ready to run. */
#ifndef IR_TORCH_LOAD_H
#define IR_TORCH_LOAD_H

#include "torch/model.h"

namespace ir_torch {

struct Network {
    std::unique_ptr<Model> model;
    at::Device device{at::kCPU};
    Precision precision = Precision::f32;
    bool packs = false; /* its layers are oneDNN's */
    Pool pool = Pool::avg;
    double gem_p = 3;
    std::vector<std::string> notes; /* decisions and their reasons, a line each */
};

/* Loads and freezes a model. Takes the options pool, gem_p, precision, device and the model's own;
 * one that nobody knows throws Failure, as everything that does not fit does. precision=auto means
 * bf16 where the processor multiplies it and the vectors of some pictures keep a cosine of 0.9999 to
 * float32's. On a thread with gradients off, outside of InferenceMode. */
Network load_network(const std::string &path, Options &options);

/* N x dimension of normalised pictures; of a detector N x all its values. */
at::Tensor output_of(const Network &network, const at::Tensor &pixels);

const char *precision_name(Precision precision);

} // namespace ir_torch

#endif
