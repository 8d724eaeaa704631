/* scripted.h: TorchScript modules (.pt): the way in for networks that have no architecture here. */
#ifndef IR_TORCH_SCRIPTED_H
#define IR_TORCH_SCRIPTED_H

#include "torch/model.h"

namespace ir_torch {

/* True when the file is a ZIP archive, as TorchScript and everything else that torch.save writes. */
bool is_archive(const std::string &path);

/* Loads a module, runs it once on two pictures (on one, when it takes no more) and takes it for what
 * its output's shape says: vectors, tokens, a map, or detections. Throws Failure naming the shape
 * when it is none of these. */
std::unique_ptr<Model> build_script(const std::string &path, Options &options,
                                    const at::Device &device);

} // namespace ir_torch

#endif
