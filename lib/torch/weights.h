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

class Weights {
public:
    /* Throws Failure when the file cannot be read or is no safetensors file. */
    explicit Weights(const std::string &path);

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
    at::Tensor read(const ir_safetensors_tensor *tensor) const;

    std::string path_;
    std::unique_ptr<ir_safetensors, Close> file_;
    std::map<std::string, Entry> entries_;
    std::set<std::string> taken_;
};

/* "[197, 192]" */
std::string shape_text(const std::vector<int64_t> &shape);

} // namespace ir_torch

#endif
