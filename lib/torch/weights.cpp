// weights.cpp: the named tensors of a weights file, renamed, in float32, finite.
#include "torch/weights.h"

#include "torch/failure.h"

#include <algorithm>
#include <cstring>

namespace ir_torch {

// Values of one tensor that need not be in the file: more than any published one has.
static constexpr int64_t TOLERATED_COUNT_MAX = int64_t(1) << 31;

std::string shape_text(const std::vector<int64_t> &shape)
{
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); i++)
        text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

static std::vector<int64_t> shape_of(const ir_safetensors_tensor *tensor)
{
    return std::vector<int64_t>(tensor->shape, tensor->shape + tensor->rank);
}

Weights::Weights(const std::string &path) : path_(path)
{
    imgret_error error = IMGRET_ERROR_INIT;
    ir_safetensors *file = nullptr;
    int32_t status = ir_safetensors_open(&file, path.c_str(), &error);
    if (status)
        throw Failure(status, error.message);
    file_.reset(file);
    rename({});
}

// Matches `name` against `pattern` and gathers what '#' and '*' stood for.
static bool matches(const char *pattern, const char *name, std::vector<std::string> *found)
{
    found->clear();
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            found->push_back(name);
            return true;
        }
        if (*pattern == '#') {
            size_t digits = strspn(name, "0123456789");
            if (digits == 0)
                return false;
            found->emplace_back(name, digits);
            name += digits;
        } else if (*pattern != *name++) {
            return false;
        }
    }
    return *name == '\0';
}

static std::string filled(const char *pattern, const std::vector<std::string> &found)
{
    std::string name;
    size_t next = 0;
    for (; *pattern; pattern++) {
        if ((*pattern == '#' || *pattern == '*') && next < found.size())
            name += found[next++];
        else
            name += *pattern;
    }
    return name;
}

// Batch norm's count of the batches it was trained on: an integer that inference never reads.
static bool is_counter(const std::string &name)
{
    static const std::string ending = ".num_batches_tracked";
    return name.size() > ending.size() &&
           name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

void Weights::rename(const std::vector<Rename> &table)
{
    entries_.clear();
    taken_.clear();
    table_ = table;
    std::vector<std::string> found;
    for (uint32_t i = 0; i < ir_safetensors_count(file_.get()); i++) {
        const ir_safetensors_tensor *tensor = ir_safetensors_at(file_.get(), i);
        std::string name = tensor->name;
        size_t part = 0, part_count = 1;
        for (const Rename &line : table) {
            if (!matches(line.from.c_str(), tensor->name, &found))
                continue;
            name = filled(line.to.c_str(), found);
            part = static_cast<size_t>(line.part);
            part_count = static_cast<size_t>(line.part_count);
            break;
        }
        if (name.empty() || is_counter(tensor->name))
            continue;
        Entry &entry = entries_[name];
        if (entry.parts.empty())
            entry.parts.resize(part_count, nullptr);
        if (entry.parts.size() != part_count || entry.parts[part])
            throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + tensor->name +
                                                "' and another are both '" + name + "'");
        entry.parts[part] = tensor;
    }
}

const Weights::Entry &Weights::entry(const std::string &name) const
{
    auto found = entries_.find(name);
    if (found == entries_.end())
        throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + name + "' is missing");
    for (const ir_safetensors_tensor *part : found->second.parts)
        if (!part)
            throw Failure(IMGRET_BAD_MODEL, path_ + ": a part of tensor '" + name + "' is missing");
    return found->second;
}

// The name that the file's naming gives to part `part` of a tensor: the table read backwards.
std::string Weights::file_name(const std::string &name, size_t part) const
{
    std::vector<std::string> found;
    for (const Rename &line : table_)
        if (!line.to.empty() && static_cast<size_t>(line.part) == part &&
            matches(line.to.c_str(), name.c_str(), &found))
            return filled(line.from.c_str(), found);
    return name;
}

std::vector<int64_t> Weights::shape(const std::string &name) const
{
    if (tolerant_ && !has(name))
        throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + file_name(name, 0) + "' is missing");
    const Entry &found = entry(name);
    std::vector<int64_t> shape = shape_of(found.parts[0]);
    for (size_t i = 1; i < found.parts.size() && !shape.empty(); i++)
        if (found.parts[i]->rank > 0)
            shape[0] += static_cast<int64_t>(found.parts[i]->shape[0]);
    return shape;
}

int64_t Weights::count(const std::string &prefix) const
{
    int64_t count = 0;
    for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
        if (at->first.compare(0, prefix.size(), prefix) != 0)
            break;
        const char *number = at->first.c_str() + prefix.size();
        size_t digits = strspn(number, "0123456789");
        if (digits > 0 && digits < 7 && number[digits] == '.')
            count = std::max<int64_t>(count, std::stoll(std::string(number, digits)) + 1);
    }
    return count;
}

static at::ScalarType scalar_type(ir_safetensors_type type)
{
    switch (type) {
    case IR_ST_F16:
        return at::kHalf;
    case IR_ST_BF16:
        return at::kBFloat16;
    case IR_ST_F32:
        return at::kFloat;
    case IR_ST_F64:
        return at::kDouble;
    default:
        return at::ScalarType::Undefined;
    }
}

// The exponent bits tell; a comparison of floats would be dropped under -ffast-math.
static bool all_finite(const at::Tensor &tensor)
{
    const float *values = tensor.data_ptr<float>();
    uint32_t bad = 0;
    for (int64_t i = 0; i < tensor.numel(); i++) {
        uint32_t bits;
        std::memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return bad == 0;
}

at::Tensor Weights::read(const ir_safetensors_tensor *tensor) const
{
    at::ScalarType type = scalar_type(tensor->type);
    if (type == at::ScalarType::Undefined)
        throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + tensor->name + "' is " +
                                            ir_safetensors_type_name(tensor->type) +
                                            ", a floating-point type is wanted");
    at::Tensor raw = at::empty(shape_of(tensor), at::TensorOptions().dtype(type));
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_safetensors_read(file_.get(), tensor, raw.data_ptr(), &error);
    if (status)
        throw Failure(status, error.message);
    at::Tensor values = raw.to(at::kFloat);
    if (!all_finite(values))
        throw Failure(IMGRET_BAD_MODEL,
                      path_ + ": tensor '" + tensor->name + "' holds a value that is not finite");
    return values;
}

// Zeros that take no memory; a network built of them is only looked at.
at::Tensor Weights::take_tolerantly(const std::string &name, const std::vector<int64_t> &shape)
{
    auto found = entries_.find(name);
    if (found == entries_.end())
        report_.missing.push_back(file_name(name, 0));
    else
        for (size_t i = 0; i < found->second.parts.size(); i++)
            if (!found->second.parts[i])
                report_.missing.push_back(file_name(name, i));
    bool whole = found != entries_.end() &&
                 std::count(found->second.parts.begin(), found->second.parts.end(), nullptr) == 0;
    if (whole && this->shape(name) != shape)
        report_.misshapen.push_back(file_name(name, 0) + " " + shape_text(this->shape(name)) +
                                    ", " + shape_text(shape) + " is wanted");
    int64_t count = 1;
    for (int64_t side : shape)
        if (side < 0 || (side > 0 && count > TOLERATED_COUNT_MAX / side))
            throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + file_name(name, 0) +
                                                "' would have the shape " + shape_text(shape));
        else
            count *= side;
    taken_.insert(name);
    return at::zeros(std::vector<int64_t>(shape.size(), 1)).expand(shape);
}

at::Tensor Weights::take(const std::string &name, const std::vector<int64_t> &shape)
{
    if (tolerant_)
        return take_tolerantly(name, shape);
    std::vector<int64_t> actual = this->shape(name);
    if (actual != shape)
        throw Failure(IMGRET_BAD_MODEL, path_ + ": tensor '" + name + "' has shape " +
                                            shape_text(actual) + ", " + shape_text(shape) +
                                            " is wanted");
    std::vector<at::Tensor> parts;
    for (const ir_safetensors_tensor *part : entry(name).parts)
        parts.push_back(read(part));
    taken_.insert(name);
    at::Tensor whole = parts.size() == 1 ? parts[0] : at::cat(parts, 0);
    return whole.to(device_);
}

void Weights::report_left_over()
{
    for (const auto &item : entries_)
        for (const ir_safetensors_tensor *part : item.second.parts)
            if (part && !taken_.count(item.first))
                report_.left_over.push_back(part->name);
}

uint64_t Weights::tensor_bytes() const
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < tensor_count(); i++)
        bytes += ir_safetensors_at(file_.get(), i)->bytes;
    return bytes;
}

uint64_t Weights::parameter_count() const
{
    uint64_t count = 0;
    for (const auto &item : entries_)
        for (const ir_safetensors_tensor *part : item.second.parts)
            if (part && taken_.count(item.first))
                count += part->element_count;
    return count;
}

void Weights::refuse_left_over() const
{
    size_t count = 0;
    std::string first;
    for (const auto &item : entries_) {
        if (taken_.count(item.first))
            continue;
        if (count++ == 0)
            first = item.first;
    }
    if (count > 0)
        throw Failure(IMGRET_BAD_MODEL,
                      path_ + ": tensor '" + first + "' has no place in this architecture" +
                          (count > 1 ? " (nor have " + std::to_string(count - 1) + " more)" : ""));
}

const char *Weights::metadata(const std::string &key) const
{
    return ir_safetensors_metadata(file_.get(), key.c_str());
}

} // namespace ir_torch
