// Dice loss on the CPU: one pass for the sums, one for the gradient; a thread takes whole masks.
#include "../dice_loss.h"

#include <algorithm>
#include <tuple>

namespace mmdet_solo {
namespace {

// Over so many pixels float32 sums stay exact enough; longer ones are added up in double.
constexpr int64_t kChunk = 1024;

template <bool activate, class T, class A = acc_t<T>>
MMDET_CPU_CLONES DiceSums<double> sum_mask(
    const T *predictions, const uint8_t *targets, int64_t pixels, double eps) {
    DiceSums<double> sums{0, eps, eps};
    for (int64_t begin = 0; begin < pixels; begin += kChunk) {
        const int64_t end = std::min(begin + kChunk, pixels);
        A a = 0, b = 0, c = 0;
#pragma omp simd reduction(+ : a, b, c)
        for (int64_t k = begin; k < end; ++k) {
            const A x = static_cast<A>(predictions[k]), t = targets[k];
            const A p = probability<activate>(x);
            a += p * t;
            b += p * p;
            c += t * t;
        }
        sums.add({a, b, c});
    }
    return sums;
}

template <bool activate, class T, class A = acc_t<T>>
MMDET_CPU_CLONES void write_slope(const T *predictions, const uint8_t *targets, int64_t pixels,
                                  DiceSlope<activate, A> slope, T *__restrict out) {
    for (int64_t k = 0; k < pixels; ++k)
        out[k] = static_cast<T>(slope(static_cast<A>(predictions[k]), targets[k]));
}

// Calls f(i, predictions, targets) for each mask.
template <class T, class F>
void for_each_mask(const DiceArguments &args, const F &f) {
    const T *predictions = args.predictions.const_data_ptr<T>();
    const uint8_t *targets = args.targets.const_data_ptr<uint8_t>();
    torch::stable::parallel_for(0, args.masks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            f(i, predictions + i * args.pixels, targets + i * args.pixels);
    });
}

std::tuple<Tensor, Tensor> forward(
    const Tensor &predictions, const Tensor &targets, bool activate, double eps) {
    const DiceArguments args(predictions, targets, activate);
    const ScalarType type = acc_type(predictions);
    const Tensor loss = torch::stable::new_empty(predictions, {args.masks}, type);
    const Tensor all_sums = torch::stable::new_empty(predictions, {args.masks, 3}, type);
    args.dispatch([&](auto zero, auto activated) {
        constexpr bool kActivate = decltype(activated)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        A *out = loss.mutable_data_ptr<A>(), *out_sums = all_sums.mutable_data_ptr<A>();
        for_each_mask<T>(args, [&](int64_t i, const T *x, const uint8_t *t) {
            const DiceSums<double> sums = sum_mask<kActivate>(x, t, args.pixels, eps);
            out[i] = static_cast<A>(sums.loss());
            sums.store(out_sums + 3 * i);
        });
    });
    return {loss, all_sums};
}

Tensor backward(const Tensor &grad, const Tensor &predictions, const Tensor &targets,
                const Tensor &strided_sums, bool activate) {
    const DiceArguments args(predictions, targets, activate);
    args.check_grad(grad, strided_sums);
    const Tensor all_sums = torch::stable::contiguous(strided_sums);
    const Tensor grad_predictions = torch::stable::new_empty(predictions, predictions.sizes());
    args.dispatch([&](auto zero, auto activated) {
        constexpr bool kActivate = decltype(activated)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        const A *in = grad.const_data_ptr<A>(), *sums = all_sums.const_data_ptr<A>();
        const int64_t stride = grad.stride(0);  // zero where the losses were summed
        T *out = grad_predictions.mutable_data_ptr<T>();
        for_each_mask<T>(args, [&](int64_t i, const T *x, const uint8_t *t) {
            const DiceSlope<kActivate, A> slope(DiceSums<A>::load(sums + 3 * i), in[i * stride]);
            write_slope(x, t, args.pixels, slope, out + i * args.pixels);
        });
    });
    return grad_predictions;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) {
    m.impl("dice_loss", TORCH_BOX(&mmdet_solo::forward));
    m.impl("dice_loss_backward", TORCH_BOX(&mmdet_solo::backward));
}
