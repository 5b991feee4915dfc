// What the kernels of every device share: checks whose messages name the argument, and the choice of an
// element type. Only torch's stable ABI, as of torch 2.11: one build loads under every later torch.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/macros/Macros.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Exception.h>
#include <torch/headeronly/util/Half.h>

#include <cstdint>

// Before a CPU function: compiled for AVX2 and FMA too, and chosen when the library is loaded.
// Sanitizers are not ready that early.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__CUDACC__) && !defined(__SANITIZE_ADDRESS__)
#define MMDET_CPU_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define MMDET_CPU_CLONES
#endif

namespace mmdet_solo {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline void check_dtype(const Tensor &tensor, const char *name, ScalarType expected) {
    STD_TORCH_CHECK(tensor.scalar_type() == expected, name, " must be ",
                    torch::headeronly::toString(expected), ", not ",
                    torch::headeronly::toString(tensor.scalar_type()));
}

inline void check_dim(const Tensor &tensor, const char *name, int64_t expected) {
    STD_TORCH_CHECK(tensor.dim() == expected, name, " must have ", expected, " dimensions, not ",
                    tensor.dim());
}

inline void check_size(const Tensor &tensor, const char *name, int64_t dim, int64_t expected) {
    STD_TORCH_CHECK(tensor.size(dim) == expected, name, " must be of size ", expected,
                    " in dimension ", dim, ", not ", tensor.size(dim));
}

inline void check_same_device(const Tensor &tensor, const char *name, const Tensor &other) {
    STD_TORCH_CHECK(tensor.device() == other.device(), name, " lies on another device");
}

// Calls f(T()) with the C++ type of a floating-point element type: f is a lambda that takes `auto`.
template <class F>
auto dispatch_floating(ScalarType type, const char *name, const F &f) {
    switch (type) {
        case ScalarType::Double: return f(double());
        case ScalarType::Float: return f(float());
        case ScalarType::Half: return f(torch::headeronly::Half());
        case ScalarType::BFloat16: return f(torch::headeronly::BFloat16());
        default: STD_TORCH_CHECK(false, name, " must be of floating point, not ",
                                 torch::headeronly::toString(type));
    }
}

}  // namespace mmdet_solo
