// exp, log1p and sigmoid as plain arithmetic, so that a compiler turns a loop over them into vector
// instructions: one call of the C library for each element would cost more than all else in a loss.
// NaN stays NaN. Errors are a few units in the last place of float; double goes to the C library.
#pragma once

#include <torch/headeronly/util/bit_cast.h>

#include <cmath>
#include <type_traits>

#include "common.h"

namespace mmdet_solo {

// Losses are float32 for every element type but double.
template <class T>
using acc_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline ScalarType acc_type(const Tensor &tensor) {
    return tensor.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

// exp(x) for x <= 0; zero where the result would have no full precision, below exp(-87).
C10_HOST_DEVICE inline float exp_nonpositive(float x) {
    // x = n log 2 + r. A sum with 1.5 * 2^23 is rounded to an integer, which its last bits hold.
    const float rounder = 12582912.0f;
    const float shifted = x * 1.44269504f + rounder;
    const float n = shifted - rounder;
    // The first part of log 2 has few bits, so that its product with n is exact.
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float tail = 1.f / 24 + r * (1.f / 120 + r * (1.f / 720 + r * (1.f / 5040)));
    const float series = 1 + r * (1 + r * (1.f / 2 + r * (1.f / 6 + r * tail)));
    const uint32_t bits = torch::headeronly::bit_cast<uint32_t>(shifted) - 0x4B400000u + 127u;
    const float power_of_two = torch::headeronly::bit_cast<float>(bits << 23);
    return x < -87 ? 0 : series * power_of_two;
}

C10_HOST_DEVICE inline double exp_nonpositive(double x) { return std::exp(x); }

// log(1 + x) for x in [0, 1], by 2 artanh(x / (2 + x)).
C10_HOST_DEVICE inline float log1p_unit(float x) {
    const float z = x / (2 + x);
    const float w = z * z;  // at most 1 / 9: the next term would add 1e-8
    const float tail = 1.f / 7 + w * (1.f / 9 + w * (1.f / 11 + w * (1.f / 13)));
    return 2 * z * (1 + w * (1.f / 3 + w * (1.f / 5 + w * tail)));
}

C10_HOST_DEVICE inline double log1p_unit(double x) { return std::log1p(x); }

template <class A>
C10_HOST_DEVICE A sigmoid(A x) {
    const A e = exp_nonpositive(-std::abs(x));
    const A larger = 1 / (1 + e);
    return x < 0 ? e * larger : larger;
}

}  // namespace mmdet_solo
