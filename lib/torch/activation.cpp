// activation.cpp: what stands behind a layer.
#include "torch/activation.h"

namespace ir_torch {

at::Tensor activate(at::Tensor x, Act act)
{
    switch (act) {
    case Act::none:
        return x;
    case Act::relu:
        return at::relu_(x);
    case Act::relu6:
        return at::hardtanh_(x, 0, 6);
    case Act::hardswish:
        return at::hardswish_(x);
    case Act::silu:
        return at::silu_(x);
    case Act::gelu:
        return at::gelu(x);
    case Act::quick_gelu:
        return x * at::sigmoid(x * 1.702);
    }
    return x;
}

} // namespace ir_torch
