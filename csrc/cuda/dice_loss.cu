// Dice loss on CUDA: one pass for the sums, one for the gradient. The sums of a mask are made in
// parts, so that few masks too keep the whole device busy, and always in the same order.
#include <algorithm>
#include <tuple>

#include "../dice_loss.h"
#include "common.cuh"

namespace mmdet_solo {
namespace {

constexpr int kThreads = 256;

// Block (i, part) sums every `parts`-th run of kThreads pixels of mask i.
template <bool activate, class T, class A = acc_t<T>>
__global__ void sum_parts(const T *predictions, const uint8_t *targets, int64_t pixels,
                          A *part_sums) {
    const int64_t parts = gridDim.y, mask = blockIdx.x;
    DiceSums<A> sums{0, 0, 0};
    const int64_t step = parts * kThreads;
    for (int64_t k = int64_t{blockIdx.y} * kThreads + threadIdx.x; k < pixels; k += step) {
        const A p = probability<activate>(static_cast<A>(predictions[mask * pixels + k]));
        const A t = targets[mask * pixels + k];
        sums.add({p * t, p * p, t * t});
    }
    __shared__ DiceSums<A> of_thread[kThreads];
    of_thread[threadIdx.x] = sums;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            of_thread[threadIdx.x].add(of_thread[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0)
        of_thread[0].store(part_sums + 3 * (mask * parts + blockIdx.y));
}

// A thread for each mask.
template <class A>
__global__ void add_parts(const A *part_sums, int64_t masks, int64_t parts, A eps, A *loss,
                          A *all_sums) {
    const int64_t mask = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (mask >= masks)
        return;
    DiceSums<A> sums{0, eps, eps};
    for (int64_t part = 0; part < parts; ++part)
        sums.add(DiceSums<A>::load(part_sums + 3 * (mask * parts + part)));
    loss[mask] = sums.loss();
    sums.store(all_sums + 3 * mask);
}

template <bool activate, class T, class A = acc_t<T>>
__global__ void write_slope(const T *predictions, const uint8_t *targets, int64_t pixels,
                            const A *grad, int64_t grad_stride, const A *all_sums, T *out) {
    const int64_t mask = blockIdx.x;
    const DiceSlope<activate, A> slope(
        DiceSums<A>::load(all_sums + 3 * mask), grad[mask * grad_stride]);
    const int64_t step = int64_t{gridDim.y} * kThreads;
    for (int64_t k = int64_t{blockIdx.y} * kThreads + threadIdx.x; k < pixels; k += step) {
        const int64_t at = mask * pixels + k;
        out[at] = static_cast<T>(slope(static_cast<A>(predictions[at]), targets[at]));
    }
}

// A row of blocks for each mask.
dim3 grid(const DiceArguments &args, int64_t pixels_of_block, int64_t most) {
    const int64_t wanted = (args.pixels + pixels_of_block - 1) / pixels_of_block;
    return {blocks(args.masks, 1), static_cast<unsigned>(std::clamp<int64_t>(wanted, 1, most))};
}

std::tuple<Tensor, Tensor> forward(
    const Tensor &predictions, const Tensor &targets, bool activate, double eps) {
    const DiceArguments args(predictions, targets, activate);
    const ScalarType type = acc_type(predictions);
    const dim3 shape = grid(args, 8 * kThreads, 16);
    const Tensor part_sums = torch::stable::new_empty(predictions, {args.masks, shape.y, 3}, type);
    const Tensor loss = torch::stable::new_empty(predictions, {args.masks}, type);
    const Tensor all_sums = torch::stable::new_empty(predictions, {args.masks, 3}, type);
    if (args.masks == 0)
        return {loss, all_sums};
    const LaunchGuard guard(predictions);
    args.dispatch([&](auto zero, auto activated) {
        constexpr bool kActivate = decltype(activated)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        sum_parts<kActivate><<<shape, kThreads, 0, guard.stream()>>>(
            args.predictions.const_data_ptr<T>(), args.targets.const_data_ptr<uint8_t>(),
            args.pixels, part_sums.mutable_data_ptr<A>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        add_parts<A><<<blocks(args.masks, kThreads), kThreads, 0, guard.stream()>>>(
            part_sums.const_data_ptr<A>(), args.masks, shape.y, static_cast<A>(eps),
            loss.mutable_data_ptr<A>(), all_sums.mutable_data_ptr<A>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    return {loss, all_sums};
}

Tensor backward(const Tensor &grad, const Tensor &predictions, const Tensor &targets,
                const Tensor &strided_sums, bool activate) {
    const DiceArguments args(predictions, targets, activate);
    args.check_grad(grad, strided_sums);
    const Tensor all_sums = torch::stable::contiguous(strided_sums);
    const Tensor grad_predictions = torch::stable::new_empty(predictions, predictions.sizes());
    if (args.masks == 0)
        return grad_predictions;
    const LaunchGuard guard(predictions);
    args.dispatch([&](auto zero, auto activated) {
        constexpr bool kActivate = decltype(activated)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        const dim3 shape = grid(args, 4 * kThreads, 65535);
        write_slope<kActivate><<<shape, kThreads, 0, guard.stream()>>>(
            args.predictions.const_data_ptr<T>(), args.targets.const_data_ptr<uint8_t>(),
            args.pixels, grad.const_data_ptr<A>(), grad.stride(0), all_sums.const_data_ptr<A>(),
            grad_predictions.mutable_data_ptr<T>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    return grad_predictions;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CUDA, m) {
    m.impl("dice_loss", TORCH_BOX(&mmdet_solo::forward));
    m.impl("dice_loss_backward", TORCH_BOX(&mmdet_solo::backward));
}
