// Sigmoid focal loss on CUDA: a thread for each logit, which is read once.
#include "../focal_loss.h"
#include "common.cuh"

namespace mmdet_solo {
namespace {

constexpr int kThreads = 256;

template <class A>
struct StoreLoss {
    A *loss;
    int64_t columns;

    __device__ void operator()(int64_t i, int64_t j, const FocalTerm<A> &term) const {
        loss[i * columns + j] = term.loss();
    }
};

template <class T, class A = acc_t<T>>
struct StoreSlope {
    const A *grad;
    // Those of a sum's gradient, one number expanded, are zero.
    int64_t row_stride, column_stride;
    T *grad_logits;
    int64_t columns;

    __device__ void operator()(int64_t i, int64_t j, const FocalTerm<A> &term) const {
        grad_logits[i * columns + j] =
            static_cast<T>(grad[i * row_stride + j * column_stride] * term.slope());
    }
};

// Calls store(i, j, term) for each logit.
template <class T, class F, class A = acc_t<T>>
__global__ void visit(const T *logits, const int64_t *labels, int64_t count, int64_t columns,
                      A gamma, A alpha, F store) {
    const int64_t step = int64_t{gridDim.x} * kThreads;
    for (int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x; k < count; k += step) {
        const int64_t i = k / columns, j = k % columns;
        store(i, j, FocalTerm<A>(static_cast<A>(logits[k]), labels[i] == j, gamma, alpha));
    }
}

template <class T, class F>
void launch(const FocalArguments &args, const F &store) {
    const int64_t count = args.rows * args.columns;
    if (count == 0)
        return;
    const LaunchGuard guard(args.logits);
    visit<T, F><<<blocks(count, kThreads), kThreads, 0, guard.stream()>>>(
        args.logits.const_data_ptr<T>(), args.labels.const_data_ptr<int64_t>(), count, args.columns,
        static_cast<acc_t<T>>(args.gamma), static_cast<acc_t<T>>(args.alpha), store);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
}

Tensor forward(const Tensor &logits, const Tensor &labels, double gamma, double alpha) {
    const FocalArguments args(logits, labels, gamma, alpha);
    const Tensor loss = torch::stable::new_empty(logits, logits.sizes(), acc_type(logits));
    dispatch_floating(logits.scalar_type(), "logits", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        launch<T>(args, StoreLoss<A>{loss.mutable_data_ptr<A>(), args.columns});
    });
    return loss;
}

Tensor backward(const Tensor &grad, const Tensor &logits, const Tensor &labels, double gamma,
                double alpha) {
    const FocalArguments args(logits, labels, gamma, alpha);
    args.check_grad(grad);
    const Tensor grad_logits = torch::stable::new_empty(logits, logits.sizes());
    dispatch_floating(logits.scalar_type(), "logits", [&](auto zero) {
        using T = decltype(zero);
        launch<T>(args,
                  StoreSlope<T>{grad.const_data_ptr<acc_t<T>>(), grad.stride(0), grad.stride(1),
                                grad_logits.mutable_data_ptr<T>(), args.columns});
    });
    return grad_logits;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CUDA, m) {
    m.impl("sigmoid_focal_loss", TORCH_BOX(&mmdet_solo::forward));
    m.impl("sigmoid_focal_loss_backward", TORCH_BOX(&mmdet_solo::backward));
}
