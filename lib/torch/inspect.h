/* inspect.h: what a weights file holds, also when it is not fit for use. */
#ifndef IR_TORCH_INSPECT_H
#define IR_TORCH_INSPECT_H

#include "torch/runner.h"

#include <imgret/backend.h>

namespace ir_torch {

/* `status` and `reason` are what loading it came to, `runner` the loaded model, NULL when there is
 * none. Throws what reading the file throws. The result goes to free_inspection. */
imgret_backend_inspection *inspect_file(const std::string &path, const std::string &options_text,
                                        int32_t status, const std::string &reason,
                                        const Runner *runner);

/* NULL is allowed. */
void free_inspection(imgret_backend_inspection *inspection);

} // namespace ir_torch

#endif
