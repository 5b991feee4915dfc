// The focal loss of one logit, and the checks of the op's arguments, for every device.
#pragma once

#include "common.h"
#include "arithmetic.h"

namespace mmdet_solo {

// With p = sigmoid(s), the probability given to the truth, and q = 1 - p, the loss is
// -weight q^gamma log(p); s is the logit of a positive, and minus the logit of a negative.
template <class A>
class FocalTerm {
  public:
    C10_HOST_DEVICE FocalTerm(A logit, bool positive, A gamma, A alpha)
        : sign_(positive ? 1 : -1), gamma_(gamma) {
        const A s = sign_ * logit;
        const A e = exp_nonpositive(-std::abs(s));
        const A log1p_e = log1p_unit(e);
        const A larger = 1 / (1 + e);
        p_ = s < 0 ? e * larger : larger;
        q_ = s < 0 ? larger : e * larger;
        minus_log_p_ = (s < 0 ? -s : 0) + log1p_e;
        const A minus_log_q = (s < 0 ? 0 : s) + log1p_e;
        factor_ = (positive ? alpha : 1 - alpha) * exp_nonpositive(-gamma * minus_log_q);
    }

    C10_HOST_DEVICE A loss() const { return factor_ * minus_log_p_; }

    // d loss / d logit, by dp/ds = p q.
    C10_HOST_DEVICE A slope() const {
        return -sign_ * factor_ * (gamma_ * p_ * minus_log_p_ + q_);
    }

  private:
    A sign_, gamma_, p_, q_, minus_log_p_, factor_;
};

// Checked and contiguous.
struct FocalArguments {
    FocalArguments(const Tensor &any_logits, const Tensor &any_labels, double gamma, double alpha)
        : gamma(gamma), alpha(alpha) {
        check_dim(any_logits, "logits", 2);
        check_dim(any_labels, "labels", 1);
        check_size(any_labels, "labels", 0, any_logits.size(0));
        check_dtype(any_labels, "labels", ScalarType::Long);
        check_same_device(any_labels, "labels", any_logits);
        logits = torch::stable::contiguous(any_logits);
        labels = torch::stable::contiguous(any_labels);
        rows = logits.size(0);
        columns = logits.size(1);
    }

    void check_grad(const Tensor &grad) const {
        check_dim(grad, "grad", 2);
        check_size(grad, "grad", 0, rows);
        check_size(grad, "grad", 1, columns);
        check_dtype(grad, "grad", acc_type(logits));
        check_same_device(grad, "grad", logits);
    }

    Tensor logits, labels;
    int64_t rows, columns;
    double gamma, alpha;
};

}  // namespace mmdet_solo
