// The formula of the dice loss, and the checks of the op's arguments, for every device.
#pragma once

#include "common.h"
#include "arithmetic.h"

namespace mmdet_solo {

// With p a predicted probability, t a target and sums over a mask: a = sum p t, b = sum p p + eps,
// c = sum t t + eps. The loss is 1 - 2 a / (b + c).
template <class A>
struct DiceSums {
    A a, b, c;

    C10_HOST_DEVICE static DiceSums load(const A *row) { return {row[0], row[1], row[2]}; }

    template <class Out>
    C10_HOST_DEVICE void store(Out *row) const {
        row[0] = static_cast<Out>(a);
        row[1] = static_cast<Out>(b);
        row[2] = static_cast<Out>(c);
    }

    C10_HOST_DEVICE A loss() const { return 1 - 2 * a / (b + c); }

    C10_HOST_DEVICE void add(const DiceSums &other) {
        a += other.a;
        b += other.b;
        c += other.c;
    }
};

// The probability of a prediction: known when the code is compiled, so that a loop does not ask.
template <bool activate, class A>
C10_HOST_DEVICE A probability(A prediction) {
    if constexpr (activate)
        return sigmoid(prediction);
    else
        return prediction;
}

// d loss / d prediction, times the loss's own gradient, at each pixel of a mask.
template <bool activate, class A>
class DiceSlope {
  public:
    C10_HOST_DEVICE DiceSlope(const DiceSums<A> &sums, A grad)
        : ratio_(2 * sums.a / (sums.b + sums.c)), factor_(2 * grad / (sums.b + sums.c)) {}

    C10_HOST_DEVICE A operator()(A prediction, A t) const {
        const A p = probability<activate>(prediction);
        const A slope = factor_ * (ratio_ * p - t);
        return activate ? slope * p * (1 - p) : slope;
    }

  private:
    A ratio_, factor_;
};

// Checked and contiguous.
struct DiceArguments {
    DiceArguments(const Tensor &any_predictions, const Tensor &any_targets, bool activate)
        : activate(activate) {
        check_dim(any_predictions, "predictions", 3);
        check_dim(any_targets, "targets", 3);
        for (int64_t dim = 0; dim < 3; ++dim)
            check_size(any_targets, "targets", dim, any_predictions.size(dim));
        check_dtype(any_targets, "targets", ScalarType::Byte);
        check_same_device(any_targets, "targets", any_predictions);
        predictions = torch::stable::contiguous(any_predictions);
        targets = torch::stable::contiguous(any_targets);
        masks = predictions.size(0);
        pixels = predictions.size(1) * predictions.size(2);
    }

    void check_grad(const Tensor &grad, const Tensor &sums) const {
        check_dim(grad, "grad", 1);
        check_size(grad, "grad", 0, masks);
        check_dtype(grad, "grad", acc_type(predictions));
        check_same_device(grad, "grad", predictions);
        check_dim(sums, "sums", 2);
        check_size(sums, "sums", 0, masks);
        check_size(sums, "sums", 1, 3);
        check_dtype(sums, "sums", acc_type(predictions));
        check_same_device(sums, "sums", predictions);
    }

    // Calls f(T(), activate) with the C++ type of the predictions, and `activate` as a type.
    template <class F>
    void dispatch(const F &f) const {
        dispatch_floating(predictions.scalar_type(), "predictions", [&](auto zero) {
            if (activate)
                f(zero, std::true_type());
            else
                f(zero, std::false_type());
        });
    }

    Tensor predictions, targets;
    int64_t masks, pixels;
    bool activate;
};

}  // namespace mmdet_solo
