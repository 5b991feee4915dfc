// Sigmoid focal loss on the CPU: each logit is read once, the labels stay indices.
#include "../focal_loss.h"

#include <algorithm>

namespace mmdet_solo {
namespace {

// Calls store(i, j, term) for each logit of the rows from `begin` to before `end`.
template <class T, class F, class A = acc_t<T>>
MMDET_CPU_CLONES void visit(
    const FocalArguments &args, int64_t begin, int64_t end, const F &store) {
    const T *logits = args.logits.const_data_ptr<T>();
    const int64_t *labels = args.labels.const_data_ptr<int64_t>();
    const A gamma = args.gamma, alpha = args.alpha;
    // Narrow, so that columns are compared lane by lane beside floats.
    const int32_t columns = static_cast<int32_t>(args.columns);
    for (int64_t i = begin; i < end; ++i) {
        const T *row = logits + i * columns;
        const int32_t positive =
            labels[i] >= 0 && labels[i] < columns ? static_cast<int32_t>(labels[i]) : -1;
#pragma omp simd
        for (int32_t j = 0; j < columns; ++j)
            store(i, j, FocalTerm<A>(static_cast<A>(row[j]), j == positive, gamma, alpha));
    }
}

template <class T, class F>
void visit_in_parallel(const FocalArguments &args, const F &store) {
    const int64_t grain = 1 + 4096 / std::max<int64_t>(args.columns, 1);
    torch::stable::parallel_for(0, args.rows, grain, [&](int64_t begin, int64_t end) {
        visit<T>(args, begin, end, store);
    });
}

Tensor forward(const Tensor &logits, const Tensor &labels, double gamma, double alpha) {
    const FocalArguments args(logits, labels, gamma, alpha);
    const Tensor loss = torch::stable::new_empty(args.logits, logits.sizes(), acc_type(logits));
    dispatch_floating(logits.scalar_type(), "logits", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        A *out = loss.mutable_data_ptr<A>();
        const int64_t columns = args.columns;
        visit_in_parallel<T>(args, [=](int64_t i, int64_t j, const FocalTerm<A> &term) {
            out[i * columns + j] = term.loss();
        });
    });
    return loss;
}

Tensor backward(const Tensor &grad, const Tensor &logits, const Tensor &labels, double gamma,
                double alpha) {
    const FocalArguments args(logits, labels, gamma, alpha);
    args.check_grad(grad);
    const Tensor grad_logits = torch::stable::new_empty(args.logits, logits.sizes());
    dispatch_floating(logits.scalar_type(), "logits", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        T *out = grad_logits.mutable_data_ptr<T>();
        const A *in = grad.const_data_ptr<A>();
        // The gradient of a sum is one number, expanded: its strides are zero.
        const int64_t row_stride = grad.stride(0), column_stride = grad.stride(1);
        const int64_t columns = args.columns;
        visit_in_parallel<T>(args, [=](int64_t i, int64_t j, const FocalTerm<A> &term) {
            out[i * columns + j] =
                static_cast<T>(in[i * row_stride + j * column_stride] * term.slope());
        });
    });
    return grad_logits;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) {
    m.impl("sigmoid_focal_loss", TORCH_BOX(&mmdet_solo::forward));
    m.impl("sigmoid_focal_loss_backward", TORCH_BOX(&mmdet_solo::backward));
}
