/* weights.h: the named tensors of a weights file, under one family's own names, in float32. */
#ifndef IR_TORCH_WEIGHTS_H
#define IR_TORCH_WEIGHTS_H

#include "torch/safetensors.h"

#include <ATen/ATen.h>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ir_torch {

/* One line of a family's renaming table. In `from` and `to`, '#' stands for a number and '*', only
 * at the end, for anything; what they matched is put into `to` in the same order. With part_count
 * > 1 the tensor is part `part` of `to`, whose parts are joined along the first dimension (a
 * separate query, key and value become one qkv). An empty `to` leaves the tensor out. */
struct Rename {
    std::string from, to;
    int part = 0;
    int part_count = 1;
};

/* What is found out about a file while a network is built from it. Tensors under the file's names. */
struct Report {
    std::string family, naming; /* "vit", "timm"; "" as long as none fits */
    std::vector<std::string> missing, misshapen, left_over;
};

class Weights {
public:
    /* Throws Failure when the file cannot be read or is no safetensors file. */
    explicit Weights(const std::string &path);

    /* From now on tensors go to `device`. */
    void place_on(const at::Device &device) { device_ = device; }

    /* Whether layers keep their weights in oneDNN's order once they are frozen (packed.h). */
    void pack(bool wanted) { packs_ = wanted; }
    bool packs() const { return packs_; }

    /* From now on no values are read: zeros stand for every tensor, also for one that is missing or
     * has another shape, which report() then tells. For looking into a file that load refuses. */
    void tolerate() { tolerant_ = true; }
    Report &report() { return report_; }

    /* Fills report().left_over with what nobody took. */
    void report_left_over();

    uint32_t tensor_count() const { return ir_safetensors_count(file_.get()); }
    uint64_t tensor_bytes() const;
    uint64_t parameter_count() const; /* values in the tensors that were taken */

    const std::string &path() const { return path_; }

    /* Puts a renaming table into force: each name is rewritten by the first line that matches it,
     * other names stay. Undoes an earlier one. Two tensors that end under one name throw. Batch
     * norm's counters (NAME.num_batches_tracked) are always left out. */
    void rename(const std::vector<Rename> &table);

    bool has(const std::string &name) const { return entries_.count(name) > 0; }

    /* The shape of a tensor; throws Failure when it is missing. */
    std::vector<int64_t> shape(const std::string &name) const;

    /* 1 + the largest N for which a name begins with `prefix` + N + ".", 0 when there is none. */
    int64_t count(const std::string &prefix) const;

    /* The tensor in float32: exact from F16, BF16 and F32, rounded from F64. Throws Failure when it
     * is missing, has another shape, another type, or holds a value that is not finite. */
    at::Tensor take(const std::string &name, const std::vector<int64_t> &shape);

    /* Leaves a tensor out that only told something by being there. */
    void forget(const std::string &name) { entries_.erase(name); }

    /* Throws Failure naming a tensor that nobody took: a model that ignores weights would give
     * vectors that are silently wrong. */
    void refuse_left_over() const;

    /* The text under `key` of the file's metadata, or NULL. */
    const char *metadata(const std::string &key) const;

private:
    struct Entry {
        std::vector<const ir_safetensors_tensor *> parts;
    };
    struct Close {
        void operator()(ir_safetensors *file) const { ir_safetensors_close(file); }
    };
    const Entry &entry(const std::string &name) const;
    std::string file_name(const std::string &name, size_t part) const;
    at::Tensor take_tolerantly(const std::string &name, const std::vector<int64_t> &shape);
    at::Tensor read(const ir_safetensors_tensor *tensor) const;

    std::string path_;
    std::unique_ptr<ir_safetensors, Close> file_;
    std::map<std::string, Entry> entries_;
    std::set<std::string> taken_;
    std::vector<Rename> table_;
    Report report_;
    at::Device device_{at::kCPU};
    bool tolerant_ = false, packs_ = false;
};

/* "[197, 192]" */
std::string shape_text(const std::vector<int64_t> &shape);

} // namespace ir_torch

#endif
