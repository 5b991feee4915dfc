// What the CPU and the CUDA kernel of Matrix NMS share: the formula, and the checks of the arguments.
//
// The decay of score j is the least of all pairs (i, j) where mask i is better and of the same class, and
// 1 at most: the best mask of all has no compensation, so its pair gives no more.
#pragma once

#include "common.h"

#include <cfloat>
#include <cmath>
#include <string>

namespace mmdet_solo {

C10_HOST_DEVICE inline float intersection_over_union(int64_t intersection, int64_t area, int64_t other) {
    const int64_t covered = area + other - intersection;
    return covered == 0 ? 0 : static_cast<float>(intersection) / static_cast<float>(covered);
}

class Decay {
  public:
    Decay(const std::string &kernel, double sigma)
        : gaussian_(kernel == "gaussian"), sigma_(static_cast<float>(sigma)) {
        STD_TORCH_CHECK(gaussian_ || kernel == "linear", "kernel must be 'gaussian' or 'linear', not '",
                        kernel, "'");
        STD_TORCH_CHECK(sigma >= 0, "sigma must not be negative, as ", sigma, " is");
    }

    // The least of the pairs is found before the exponential function, which keeps the order.
    C10_HOST_DEVICE float of_pair(float iou, float compensation) const {
        return gaussian_ ? compensation * compensation - iou * iou
                         : (1 - iou) / std::fmax(1 - compensation, FLT_MIN);
    }
    C10_HOST_DEVICE float of_no_pair() const { return gaussian_ ? 0 : 1; }
    C10_HOST_DEVICE float factor(float least) const {
        return gaussian_ ? std::exp(sigma_ * least) : least;
    }

  private:
    bool gaussian_;
    float sigma_;
};

inline void check_matrix_nms(const Tensor &masks, const Tensor &labels, const Tensor &scores) {
    check_dim(masks, "masks", 3);
    check_dtype(masks, "masks", ScalarType::Bool);
    check_dim(labels, "labels", 1);
    check_dtype(labels, "labels", ScalarType::Long);
    check_size(labels, "labels", 0, masks.size(0));
    check_same_device(labels, "labels", masks);
    check_dim(scores, "scores", 1);
    check_dtype(scores, "scores", ScalarType::Float);
    check_size(scores, "scores", 0, masks.size(0));
    check_same_device(scores, "scores", masks);
}

}  // namespace mmdet_solo
