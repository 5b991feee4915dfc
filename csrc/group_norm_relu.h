// Group norm and ReLU: the formula, and the checks of the ops' arguments, for every device.
#pragma once

#include "common.h"
#include "arithmetic.h"

#include <utility>

namespace mmdet_solo {

// How many numbers there were, their mean, and the sum of their squared distances from it.
template <class A>
struct Moments {
    A count, mean, m2;

    // Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979:
    // no square of a large mean is ever taken, of which nothing would be left.
    C10_HOST_DEVICE void add(const Moments &other) {
        if (other.count == 0)
            return;
        const A all = count + other.count, distance = other.mean - mean;
        mean += distance * (other.count / all);
        m2 += other.m2 + distance * (distance * (count * (other.count / all)));
        count = all;
    }

    C10_HOST_DEVICE A rstd(A eps) const { return 1 / std::sqrt((count ? m2 / count : 0) + eps); }
};

// Of one channel of one image: the normalised number is x * scale + bias for a number x from its group's mean.
template <class A>
C10_HOST_DEVICE A normalise(A x, A scale, A bias) {
    return x * scale + bias;
}

// NaN is not hidden.
template <class A>
C10_HOST_DEVICE A relu(A y) {
    return y <= 0 ? 0 : y;
}

// The gradient that ReLU lets through to its input y.
template <class A>
C10_HOST_DEVICE A relu_slope(A y, A grad) {
    return y <= 0 ? 0 : grad;
}

// Sums over a group, of which the gradients of its numbers follow. With x a number's distance from the mean, g what ReLU
// lets through of its output's gradient and w its channel's weight, a number's gradient is
// rstd (w g - mean(w g) - rstd^2 x mean(w g x)): its own part, less an offset and a factor times x.
template <class A>
struct GroupGradient {
    A sum_wg, sum_wgx;

    // Of one channel: sums of g and of g x.
    C10_HOST_DEVICE void add(A weight, A sum_g, A sum_gx) {
        sum_wg += weight * sum_g;
        sum_wgx += weight * sum_gx;
    }

    C10_HOST_DEVICE A offset(A rstd, A count) const { return rstd * sum_wg / count; }
    C10_HOST_DEVICE A factor(A rstd, A count) const { return rstd * rstd * rstd * sum_wgx / count; }
};

// How many groups (images, groups) moments are of.
inline int64_t groups_of(const Tensor &mean) {
    check_dim(mean, "mean", 2);
    return mean.size(1);
}

// Checked; weight and bias contiguous. The images keep their order in memory.
struct GroupNormArguments {
    GroupNormArguments(const Tensor &input, const Tensor &any_weight, const Tensor &any_bias, int64_t groups)
        : input(input), groups(groups) {
        check_dim(input, "input", 4);
        images = input.size(0);
        channels = input.size(1);
        pixels = input.size(2) * input.size(3);
        STD_TORCH_CHECK(groups > 0 && channels % groups == 0, "num_groups ", groups, " does not divide ", channels,
                        " channels");
        weight = of_channels(any_weight, "weight");
        bias = of_channels(any_bias, "bias");
    }

    void check_moments(const Tensor &mean, const Tensor &rstd) const {
        for (const auto &[tensor, name] : {std::pair(&mean, "mean"), std::pair(&rstd, "rstd")}) {
            check_dim(*tensor, name, 2);
            check_size(*tensor, name, 0, images);
            check_size(*tensor, name, 1, groups);
            check_dtype(*tensor, name, acc_type(input));
            check_same_device(*tensor, name, input);
        }
    }

    void check_grad(const Tensor &grad) const {
        check_dim(grad, "grad", 4);
        for (int64_t dim = 0; dim < 4; ++dim) check_size(grad, "grad", dim, input.size(dim));
        check_dtype(grad, "grad", input.scalar_type());
        check_same_device(grad, "grad", input);
    }

    int64_t group_channels() const { return channels / groups; }
    int64_t group_size() const { return group_channels() * pixels; }

    Tensor input, weight, bias;
    int64_t groups, images, channels, pixels;

  private:
    Tensor of_channels(const Tensor &tensor, const char *name) const {
        check_dim(tensor, name, 1);
        check_size(tensor, name, 0, channels);
        check_dtype(tensor, name, acc_type(input));
        check_same_device(tensor, name, input);
        return torch::stable::contiguous(tensor);
    }
};

}  // namespace mmdet_solo
