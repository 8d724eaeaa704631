// options.cpp: the caller's "key=value;key=value", taken apart.
#include "torch/options.h"

#include "torch/failure.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ir_torch {

static std::string trimmed(const std::string &text)
{
    size_t first = text.find_first_not_of(" \t");
    if (first == std::string::npos)
        return "";
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string &text, char separator)
{
    std::vector<std::string> parts;
    if (trimmed(text).empty())
        return parts;
    size_t start = 0;
    for (size_t end = 0; end != std::string::npos; start = end + 1) {
        end = text.find(separator, start);
        parts.push_back(trimmed(text.substr(start, end == std::string::npos ? end : end - start)));
    }
    return parts;
}

bool parse_number(const std::string &text, double *out)
{
    const char *end = text.data() + text.size();
    auto result = std::from_chars(text.data(), end, *out);
    return result.ec == std::errc() && result.ptr == end && std::isfinite(*out);
}

std::string shortest(double value)
{
    char text[64];
    auto result = std::to_chars(text, text + sizeof text, static_cast<float>(value));
    return std::string(text, result.ptr);
}

static Failure bad_value(const std::string &key, const std::string &value,
                         const std::string &wanted)
{
    return Failure(IMGRET_INVALID_ARGUMENT,
                   "option " + key + "=" + value + ": " + wanted + " is wanted");
}

Options::Options(const std::string &text)
{
    for (const std::string &item : split(text, ';')) {
        if (item.empty())
            continue;
        size_t equals = item.find('=');
        std::string key = trimmed(item.substr(0, equals));
        if (equals == std::string::npos || key.empty())
            throw Failure(IMGRET_INVALID_ARGUMENT, "option '" + item + "': key=value is wanted");
        if (!values_.emplace(key, trimmed(item.substr(equals + 1))).second)
            throw Failure(IMGRET_INVALID_ARGUMENT, "option " + key + " is given twice");
    }
}

const std::string *Options::find(const std::string &key)
{
    known_.insert(key);
    auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

std::string Options::text(const std::string &key, const std::string &otherwise)
{
    const std::string *value = find(key);
    return value ? *value : otherwise;
}

std::string Options::choice(const std::string &key, const std::string &otherwise,
                            const std::vector<std::string> &allowed)
{
    std::string value = text(key, otherwise);
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
        return value;
    std::string wanted = "one of";
    for (const std::string &one : allowed)
        wanted += " " + one;
    throw bad_value(key, value, wanted);
}

int64_t Options::whole(const std::string &key, int64_t otherwise, int64_t least, int64_t most)
{
    const std::string *value = find(key);
    if (!value)
        return otherwise;
    int64_t parsed = 0;
    const char *end = value->data() + value->size();
    auto result = std::from_chars(value->data(), end, parsed);
    if (result.ec != std::errc() || result.ptr != end || parsed < least || parsed > most)
        throw bad_value(key, *value,
                        "a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most));
    return parsed;
}

double Options::number(const std::string &key, double otherwise, double least, double most)
{
    const std::string *value = find(key);
    if (!value)
        return otherwise;
    double parsed = 0;
    if (!parse_number(*value, &parsed) || parsed < least || parsed > most)
        throw bad_value(key, *value, "a number from " + shortest(least) + " to " + shortest(most));
    return parsed;
}

std::vector<double> Options::numbers(const std::string &key, size_t count)
{
    std::vector<double> parsed;
    const std::string *value = find(key);
    if (!value)
        return parsed;
    for (const std::string &part : split(*value, ',')) {
        parsed.push_back(0);
        if (!parse_number(part, &parsed.back()))
            throw bad_value(key, *value, std::to_string(count) + " numbers with commas between");
    }
    if (parsed.size() != count)
        throw bad_value(key, *value, std::to_string(count) + " numbers with commas between");
    return parsed;
}

void Options::refuse_unknown() const
{
    for (const auto &item : values_)
        if (!known_.count(item.first))
            throw Failure(IMGRET_INVALID_ARGUMENT, "unknown option '" + item.first + "'");
}

} // namespace ir_torch
