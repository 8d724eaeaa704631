/* options.h: the caller's "key=value;key=value", taken apart and used up by whoever knows a key. */
#ifndef IR_TORCH_OPTIONS_H
#define IR_TORCH_OPTIONS_H

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ir_torch {

class Options {
public:
    /* Throws Failure on an item without '=', an empty key, or a key that stands there twice. */
    explicit Options(const std::string &text);

    /* Each of these marks `key` as known. A value that does not fit throws Failure naming the key. */
    std::string text(const std::string &key, const std::string &otherwise);
    std::string choice(const std::string &key, const std::string &otherwise,
                       const std::vector<std::string> &allowed);
    int64_t whole(const std::string &key, int64_t otherwise, int64_t least, int64_t most);
    double number(const std::string &key, double otherwise, double least, double most);
    /* Exactly `count` finite numbers with commas between; empty when the key is not given. */
    std::vector<double> numbers(const std::string &key, size_t count);

    /* Throws Failure naming the first key that nobody asked for. */
    void refuse_unknown() const;

private:
    const std::string *find(const std::string &key);

    std::map<std::string, std::string> values_;
    std::set<std::string> known_;
};

/* Parses all of `text` as a finite number, whatever the locale; false when it is none. */
bool parse_number(const std::string &text, double *out);

/* `text` at its commas, without surrounding blanks; "" gives nothing. */
std::vector<std::string> split(const std::string &text, char separator);

/* The shortest decimal text that reads back as the same float: for identities. */
std::string shortest(double value);

} // namespace ir_torch

#endif
