/* failure.h: how every file of the plugin reports what went wrong. */
#ifndef IR_TORCH_FAILURE_H
#define IR_TORCH_FAILURE_H

#include <imgret/imgret.h>

#ifdef __cplusplus
#include <exception>
#include <string>
extern "C" {
#endif

/* Writes `code` and the formatted message into `error` (may be NULL) and returns `code`. Bytes of
 * the message that are no printable text become '?': names in it come from untrusted files. */
int32_t ir_torch_fail(imgret_error *error, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}

namespace ir_torch {

/* What the C++ files throw; backend.cpp turns it into a status and a message. */
class Failure : public std::exception {
public:
    Failure(int32_t status, std::string message) : status_(status), message_(std::move(message)) {}
    const char *what() const noexcept override { return message_.c_str(); }
    int32_t status() const noexcept { return status_; }

private:
    int32_t status_;
    std::string message_;
};

} // namespace ir_torch
#endif

#endif
