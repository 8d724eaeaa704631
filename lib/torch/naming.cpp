// naming.cpp: trying the renaming tables of a family on a weights file.
#include "torch/naming.h"

#include <algorithm>

namespace ir_torch {

Preset preset_of(const std::array<double, 3> &mean, const std::array<double, 3> &std,
                 int64_t input_px, double crop_pct, bool squash, bool bicubic)
{
    Preset preset;
    preset.mean = mean;
    preset.std = std;
    preset.input_px = input_px;
    preset.crop_pct = crop_pct;
    preset.squash = squash;
    preset.bicubic = bicubic;
    return preset;
}

bool try_naming(Weights &weights, const Naming &naming, const std::vector<std::string> &wanted,
                const std::vector<Rename> &tail)
{
    for (const std::string &prefix : naming.prefixes) {
        std::vector<Rename> table = naming.table;
        for (Rename &line : table)
            line.from = prefix + line.from;
        table.insert(table.end(), tail.begin(), tail.end());
        weights.rename(table);
        if (std::all_of(wanted.begin(), wanted.end(),
                        [&](const std::string &name) { return weights.has(name); })) {
            weights.report().naming = naming.origin;
            return true;
        }
    }
    weights.rename({});
    return false;
}

const Naming *find_naming(Weights &weights, const std::vector<Naming> &namings,
                          const std::vector<std::string> &wanted, const std::vector<Rename> &tail)
{
    for (const Naming &naming : namings)
        if (try_naming(weights, naming, wanted, tail))
            return &naming;
    return nullptr;
}

} // namespace ir_torch
