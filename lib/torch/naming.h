/* naming.h: the names that one code base gives to a family's tensors, as data. */
#ifndef IR_TORCH_NAMING_H
#define IR_TORCH_NAMING_H

#include "torch/preset.h"
#include "torch/weights.h"

namespace ir_torch {

struct Naming {
    const char *origin;                /* "timm" */
    std::vector<std::string> prefixes; /* that may stand before every name; "" for none */
    std::vector<Rename> table;         /* without the prefix */
    double epsilon;                    /* of the norms; its code's, no file says it */
    Preset preset;                     /* input_px may be left to the weights' own */
};

/* True when `weights` has all of `wanted` under `naming`, with one of its prefixes; its table then
 * stays in force, otherwise none does. Lines of `tail` follow the table and take no prefix. */
bool try_naming(Weights &weights, const Naming &naming, const std::vector<std::string> &wanted,
                const std::vector<Rename> &tail = {});

/* Finds the first naming under which `weights` has all of `wanted` and leaves its table in force;
 * NULL when there is none, with no table in force. */
const Naming *find_naming(Weights &weights, const std::vector<Naming> &namings,
                          const std::vector<std::string> &wanted,
                          const std::vector<Rename> &tail = {});

Preset preset_of(const std::array<double, 3> &mean, const std::array<double, 3> &std,
                 int64_t input_px, double crop_pct, bool squash, bool bicubic);

} // namespace ir_torch

#endif
