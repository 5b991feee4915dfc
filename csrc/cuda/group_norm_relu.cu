// Group norm and ReLU on CUDA, channels last or first. Sums over a group's numbers are made channel by channel, in
// parts, so that few channels too keep the whole device busy, and always in the same order.
#include <algorithm>
#include <optional>
#include <tuple>

#include "../group_norm_relu.h"
#include "common.cuh"

namespace mmdet_solo {
namespace {

constexpr int kThreads = 256;
// Channels that lie beside each other, for the threads of a warp to read at once; of images with channels first
// it is pixels that do.
constexpr int kBeside = 32;

struct Shape {
    int64_t images, channels, pixels, groups;

    C10_HOST_DEVICE int64_t count() const { return images * channels * pixels; }
    C10_HOST_DEVICE int64_t width() const { return channels / groups; }

    template <bool last>
    C10_HOST_DEVICE int64_t index(int64_t image, int64_t channel, int64_t pixel) const {
        return last ? (image * pixels + pixel) * channels + channel : (image * channels + channel) * pixels + pixel;
    }

    template <bool last>
    C10_HOST_DEVICE int64_t channel_of(int64_t index) const {
        return last ? index % channels : index / pixels % channels;
    }

    C10_HOST_DEVICE int64_t image_of(int64_t index) const { return index / (channels * pixels); }

    C10_HOST_DEVICE int64_t group(int64_t image, int64_t channel) const {
        return image * groups + channel / width();
    }
};

// Of one number: its distance from its group's mean, and what that is multiplied with and shifted by.
template <class A>
struct Normalised {
    A distance, scale, bias;

    C10_HOST_DEVICE A value() const { return normalise(distance, scale, bias); }
};

template <class T, class A = acc_t<T>>
struct Norm {
    const T *x;
    const A *weight, *bias, *mean, *rstd;

    C10_HOST_DEVICE Normalised<A> operator()(const Shape &shape, int64_t image, int64_t channel, int64_t at) const {
        const int64_t group = shape.group(image, channel);
        return {static_cast<A>(x[at]) - mean[group], weight[channel] * rstd[group], bias[channel]};
    }
};

template <class A>
struct Sums {
    A g, gx;

    C10_HOST_DEVICE void add(const Sums &other) {
        g += other.g;
        gx += other.gx;
    }
};

template <class T>
struct ReadMoments {
    const T *x;

    C10_HOST_DEVICE Moments<acc_t<T>> operator()(const Shape &, int64_t, int64_t, int64_t at) const {
        return {1, static_cast<acc_t<T>>(x[at]), 0};
    }
};

template <class T, class A = acc_t<T>>
struct ReadGradient {
    Norm<T> norm;
    const T *grad;

    C10_HOST_DEVICE Sums<A> operator()(const Shape &shape, int64_t image, int64_t channel, int64_t at) const {
        const Normalised<A> normalised = norm(shape, image, channel, at);
        const A g = relu_slope(normalised.value(), static_cast<A>(grad[at]));
        return {g, g * normalised.distance};
    }
};

// Adds up what `read` gives of the pixels of each channel: block (i, part) takes every `parts`-th run of pixels of some
// channels of an image. Writes (images, channels, parts).
template <bool last, class Sum, class Read>
__global__ void sum_parts(Shape shape, Read read, Sum *of_parts) {
    constexpr int kChannels = last ? kBeside : 1, kLanes = kThreads / kChannels;
    const int64_t parts = gridDim.y, tiles = (shape.channels + kChannels - 1) / kChannels;
    const int64_t image = blockIdx.x / tiles;
    const int64_t channel = blockIdx.x % tiles * kChannels + threadIdx.x % kChannels;
    const int lane = threadIdx.x / kChannels;
    Sum sum{};
    if (channel < shape.channels)
        for (int64_t p = int64_t{blockIdx.y} * kLanes + lane; p < shape.pixels; p += parts * kLanes)
            sum.add(read(shape, image, channel, shape.index<last>(image, channel, p)));
    __shared__ Sum of_thread[kThreads];
    of_thread[threadIdx.x] = sum;
    __syncthreads();
    for (int half = kLanes / 2; half > 0; half /= 2) {
        if (lane < half)
            of_thread[threadIdx.x].add(of_thread[threadIdx.x + half * kChannels]);
        __syncthreads();
    }
    if (lane == 0 && channel < shape.channels)
        of_parts[(image * shape.channels + channel) * parts + blockIdx.y] = of_thread[threadIdx.x];
}

// A thread for each group of each image.
template <class A>
__global__ void finish_moments(Shape shape, const Moments<A> *of_parts, int64_t parts, A eps, A *mean, A *rstd) {
    const int64_t group = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (group >= shape.images * shape.groups)
        return;
    Moments<A> all{0, 0, 0};
    const int64_t count = shape.width() * parts;
    for (int64_t k = group * count; k < (group + 1) * count; ++k) all.add(of_parts[k]);
    mean[group] = all.mean;
    rstd[group] = all.rstd(eps);
}

// A thread for each group of each image; leaves the sums of a channel's parts in the first of them.
template <class A>
__global__ void finish_sums(Shape shape, Sums<A> *of_parts, int64_t parts, const A *weight, const A *rstd, A *offset,
                            A *factor) {
    const int64_t group = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (group >= shape.images * shape.groups)
        return;
    const int64_t image = group / shape.groups, width = shape.width(), first = group % shape.groups * width;
    GroupGradient<A> all{0, 0};
    for (int64_t c = first; c < first + width; ++c) {
        Sums<A> *of_channel = of_parts + (image * shape.channels + c) * parts;
        for (int64_t part = 1; part < parts; ++part) of_channel->add(of_channel[part]);
        all.add(weight[c], of_channel->g, of_channel->gx);
    }
    const A count = static_cast<A>(width * shape.pixels);
    offset[group] = all.offset(rstd[group], count);
    factor[group] = all.factor(rstd[group], count);
}

// A thread for each channel.
template <class A>
__global__ void write_parameter_gradients(Shape shape, const Sums<A> *of_parts, int64_t parts, const A *rstd,
                                          A *grad_weight, A *grad_bias) {
    const int64_t channel = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (channel >= shape.channels)
        return;
    A of_weight = 0, of_bias = 0;
    for (int64_t image = 0; image < shape.images; ++image) {
        const Sums<A> &sums = of_parts[(image * shape.channels + channel) * parts];
        of_weight += sums.gx * rstd[shape.group(image, channel)];
        of_bias += sums.g;
    }
    grad_weight[channel] = of_weight;
    grad_bias[channel] = of_bias;
}

// A thread for each number.
template <bool last, class T>
__global__ void write_output(Shape shape, Norm<T> norm, T *out) {
    const int64_t step = int64_t{gridDim.x} * kThreads;
    for (int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x; k < shape.count(); k += step)
        out[k] = static_cast<T>(relu(norm(shape, shape.image_of(k), shape.channel_of<last>(k), k).value()));
}

// A thread for each number.
template <bool last, class T, class A = acc_t<T>>
__global__ void write_gradient(Shape shape, ReadGradient<T> read, const A *offset, const A *factor, T *out) {
    const int64_t step = int64_t{gridDim.x} * kThreads;
    for (int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x; k < shape.count(); k += step) {
        const int64_t image = shape.image_of(k), channel = shape.channel_of<last>(k);
        const int64_t group = shape.group(image, channel);
        const Normalised<A> normalised = read.norm(shape, image, channel, k);
        const A g = read(shape, image, channel, k).g;
        out[k] = static_cast<T>(normalised.scale * g - offset[group] - factor[group] * normalised.distance);
    }
}

bool is_channels_last(const Tensor &images) {
    const int64_t channels = images.size(1), width = images.size(3);
    return images.stride(1) == 1 && images.stride(3) == channels && images.stride(2) == channels * width &&
           images.stride(0) == channels * width * images.size(2);
}

Tensor in_order(const Tensor &images, bool last) {
    return last ? torch::stable::contiguous(images, torch::headeronly::MemoryFormat::ChannelsLast)
                : torch::stable::contiguous(images);
}

// What every op does with its arguments: the input in an order in which kernels read it, its own if that is one.
class Images {
  public:
    Images(const Tensor &input, const Tensor &weight, const Tensor &bias, int64_t groups)
        : last_(is_channels_last(input)), args_(in_order(input, last_), weight, bias, groups) {}

    const GroupNormArguments &args() const { return args_; }
    Shape shape() const { return {args_.images, args_.channels, args_.pixels, args_.groups}; }
    bool empty() const { return shape().count() == 0; }

    Tensor in_same_order(const Tensor &images) const { return in_order(images, last_); }

    Tensor empty_like() const {
        const auto format = last_ ? torch::headeronly::MemoryFormat::ChannelsLast
                                  : torch::headeronly::MemoryFormat::Contiguous;
        return torch::stable::empty(args_.input.sizes(), args_.input.scalar_type(), std::nullopt, args_.input.device(),
                                    std::nullopt, format);
    }

    Tensor new_of_groups() const {
        return torch::stable::new_empty(args_.input, {args_.images, args_.groups}, acc_type(args_.input));
    }

    // Blocks for `sum_parts`.
    dim3 grid() const {
        const int64_t channels = last_ ? kBeside : 1, per_block = 8 * kThreads / channels;
        const int64_t tiles = (args_.channels + channels - 1) / channels;
        const int64_t wanted = (args_.pixels + per_block - 1) / per_block;
        return {blocks(args_.images * tiles, 1), static_cast<unsigned>(std::clamp<int64_t>(wanted, 1, 16))};
    }

    // Calls f(T(), last) with the C++ type of the numbers, and whether channels are last as a type.
    template <class F>
    void dispatch(const F &f) const {
        dispatch_floating(args_.input.scalar_type(), "input", [&](auto zero) {
            if (last_)
                f(zero, std::true_type());
            else
                f(zero, std::false_type());
        });
    }

    template <class T, class A = acc_t<T>>
    Norm<T> norm(const Tensor &mean, const Tensor &rstd) const {
        return {args_.input.const_data_ptr<T>(), args_.weight.const_data_ptr<A>(), args_.bias.const_data_ptr<A>(),
                mean.const_data_ptr<A>(), rstd.const_data_ptr<A>()};
    }

  private:
    bool last_;
    GroupNormArguments args_;
};

// Floats or doubles that stand for structures of `numbers` of them each.
Tensor new_structures(const Images &images, int64_t parts, int64_t numbers) {
    const GroupNormArguments &args = images.args();
    return torch::stable::new_empty(args.input, {args.images, args.channels, parts, numbers}, acc_type(args.input));
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor &input, const Tensor &weight, const Tensor &bias,
                                           int64_t groups, double eps) {
    const Images images(input, weight, bias, groups);
    const Tensor output = images.empty_like(), mean = images.new_of_groups(), rstd = images.new_of_groups();
    if (images.empty())
        return {output, mean, rstd};
    const Shape shape = images.shape();
    const dim3 grid = images.grid();
    const Tensor of_parts = new_structures(images, grid.y, 3);
    const LaunchGuard guard(input);
    images.dispatch([&](auto zero, auto channels_last) {
        constexpr bool kLast = decltype(channels_last)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        auto *moments = reinterpret_cast<Moments<A> *>(of_parts.mutable_data_ptr<A>());
        sum_parts<kLast><<<grid, kThreads, 0, guard.stream()>>>(
            shape, ReadMoments<T>{images.args().input.template const_data_ptr<T>()}, moments);
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        finish_moments<A><<<blocks(shape.images * shape.groups, kThreads), kThreads, 0, guard.stream()>>>(
            shape, moments, grid.y, static_cast<A>(eps), mean.mutable_data_ptr<A>(), rstd.mutable_data_ptr<A>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        write_output<kLast><<<blocks(shape.count(), kThreads), kThreads, 0, guard.stream()>>>(
            shape, images.norm<T>(mean, rstd), output.mutable_data_ptr<T>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    return {output, mean, rstd};
}

Tensor again(const Tensor &input, const Tensor &weight, const Tensor &bias, const Tensor &strided_mean,
             const Tensor &strided_rstd) {
    const Images images(input, weight, bias, groups_of(strided_mean));
    images.args().check_moments(strided_mean, strided_rstd);
    const Tensor mean = torch::stable::contiguous(strided_mean), rstd = torch::stable::contiguous(strided_rstd);
    const Tensor output = images.empty_like();
    if (images.empty())
        return output;
    const Shape shape = images.shape();
    const LaunchGuard guard(input);
    images.dispatch([&](auto zero, auto channels_last) {
        using T = decltype(zero);
        write_output<decltype(channels_last)::value>
            <<<blocks(shape.count(), kThreads), kThreads, 0, guard.stream()>>>(
                shape, images.norm<T>(mean, rstd), output.mutable_data_ptr<T>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    return output;
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor &strided_grad, const Tensor &input, const Tensor &weight,
                                            const Tensor &bias, const Tensor &strided_mean,
                                            const Tensor &strided_rstd) {
    const Images images(input, weight, bias, groups_of(strided_mean));
    images.args().check_moments(strided_mean, strided_rstd);
    images.args().check_grad(strided_grad);
    const Tensor grad = images.in_same_order(strided_grad), grad_input = images.empty_like();
    const Tensor mean = torch::stable::contiguous(strided_mean), rstd = torch::stable::contiguous(strided_rstd);
    const Tensor grad_weight = torch::stable::new_zeros(weight, {weight.size(0)});
    const Tensor grad_bias = torch::stable::new_zeros(weight, {weight.size(0)});
    if (images.empty())
        return {grad_input, grad_weight, grad_bias};
    const Shape shape = images.shape();
    const dim3 grid = images.grid();
    const Tensor of_parts = new_structures(images, grid.y, 2);
    const Tensor offset = images.new_of_groups(), factor = images.new_of_groups();
    const LaunchGuard guard(input);
    images.dispatch([&](auto zero, auto channels_last) {
        constexpr bool kLast = decltype(channels_last)::value;
        using T = decltype(zero);
        using A = acc_t<T>;
        const ReadGradient<T> read{images.norm<T>(mean, rstd), grad.const_data_ptr<T>()};
        auto *sums = reinterpret_cast<Sums<A> *>(of_parts.mutable_data_ptr<A>());
        sum_parts<kLast><<<grid, kThreads, 0, guard.stream()>>>(shape, read, sums);
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        finish_sums<A><<<blocks(shape.images * shape.groups, kThreads), kThreads, 0, guard.stream()>>>(
            shape, sums, grid.y, read.norm.weight, read.norm.rstd, offset.mutable_data_ptr<A>(),
            factor.mutable_data_ptr<A>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        write_parameter_gradients<A><<<blocks(shape.channels, kThreads), kThreads, 0, guard.stream()>>>(
            shape, sums, grid.y, read.norm.rstd, grad_weight.mutable_data_ptr<A>(), grad_bias.mutable_data_ptr<A>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        write_gradient<kLast><<<blocks(shape.count(), kThreads), kThreads, 0, guard.stream()>>>(
            shape, read, offset.const_data_ptr<A>(), factor.const_data_ptr<A>(), grad_input.mutable_data_ptr<T>());
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    return {grad_input, grad_weight, grad_bias};
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CUDA, m) {
    m.impl("group_norm_relu", TORCH_BOX(&mmdet_solo::forward));
    m.impl("group_norm_relu_again", TORCH_BOX(&mmdet_solo::again));
    m.impl("group_norm_relu_backward", TORCH_BOX(&mmdet_solo::backward));
}
