// Group norm and ReLU on the CPU, channels last. Images are read twice each way: for sums over each group's numbers,
// then for the result. Workers take runs of pixels, whose sums are added up in the same order for any number of them.
#include "../group_norm_relu.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

namespace mmdet_solo {
namespace {

constexpr int64_t kRun = 256;      // pixels
constexpr int64_t kCached = 8192;  // numbers that lie in the nearest cache when they are read again

// What is known of a channel in one image: its group's mean, what a distance from that is multiplied with, and the bias.
template <class A>
struct Channels {
    const A *mean, *scale, *bias;
};

template <class T, class A = acc_t<T>>
MMDET_CPU_CLONES void write_normalised(const T *x, int64_t pixels, int64_t channels, Channels<A> of, T *__restrict out) {
    const A *__restrict mean = of.mean, *__restrict scale = of.scale, *__restrict bias = of.bias;
    for (int64_t p = 0; p < pixels; ++p, x += channels, out += channels)
        for (int64_t c = 0; c < channels; ++c)
            out[c] = static_cast<T>(relu(normalise(static_cast<A>(x[c]) - mean[c], scale[c], bias[c])));
}

template <class T, class A = acc_t<T>>
MMDET_CPU_CLONES void add_numbers(const T *x, int64_t pixels, int64_t channels, A *__restrict sums) {
    for (int64_t p = 0; p < pixels; ++p, x += channels)
        for (int64_t c = 0; c < channels; ++c) sums[c] += static_cast<A>(x[c]);
}

template <class T, class A = acc_t<T>>
MMDET_CPU_CLONES void add_squares(const T *x, int64_t pixels, int64_t channels, const A *__restrict centre,
                                  A *__restrict sums) {
    for (int64_t p = 0; p < pixels; ++p, x += channels)
        for (int64_t c = 0; c < channels; ++c) {
            const A distance = static_cast<A>(x[c]) - centre[c];
            sums[c] += distance * distance;
        }
}

// Adds up the gradients that ReLU lets through, and their products with the numbers' distances from the mean.
template <class T, class A = acc_t<T>>
MMDET_CPU_CLONES void add_gradients(const T *x, const T *grad, int64_t pixels, int64_t channels, Channels<A> of,
                                    A *__restrict sums, A *__restrict products) {
    const A *__restrict mean = of.mean, *__restrict scale = of.scale, *__restrict bias = of.bias;
    for (int64_t p = 0; p < pixels; ++p, x += channels, grad += channels)
        for (int64_t c = 0; c < channels; ++c) {
            const A distance = static_cast<A>(x[c]) - mean[c];
            const A g = relu_slope(normalise(distance, scale[c], bias[c]), static_cast<A>(grad[c]));
            sums[c] += g;
            products[c] += g * distance;
        }
}

template <class T, class A = acc_t<T>>
MMDET_CPU_CLONES void write_gradient(const T *x, const T *grad, int64_t pixels, int64_t channels, Channels<A> of,
                                     const A *__restrict offset, const A *__restrict factor, T *__restrict out) {
    const A *__restrict mean = of.mean, *__restrict scale = of.scale, *__restrict bias = of.bias;
    for (int64_t p = 0; p < pixels; ++p, x += channels, grad += channels, out += channels)
        for (int64_t c = 0; c < channels; ++c) {
            const A distance = static_cast<A>(x[c]) - mean[c];
            const A g = relu_slope(normalise(distance, scale[c], bias[c]), static_cast<A>(grad[c]));
            out[c] = static_cast<T>(scale[c] * g - offset[c] - factor[c] * distance);
        }
}

Tensor in_order(const Tensor &images) {
    return torch::stable::contiguous(images, torch::headeronly::MemoryFormat::ChannelsLast);
}

Tensor like_images(const Tensor &images) {
    return torch::stable::empty(images.sizes(), images.scalar_type(), std::nullopt, images.device(), std::nullopt,
                                torch::headeronly::MemoryFormat::ChannelsLast);
}

int64_t count_runs(const GroupNormArguments &args) { return (args.pixels + kRun - 1) / kRun; }

// Calls f(image, run, start, pixels, scratch) for each run of each image: `start` is the index of its first number, and
// the worker's scratch has `arrays` numbers a channel.
template <class A, class F>
void for_each_run(const GroupNormArguments &args, int64_t arrays, const F &f) {
    const int64_t runs = count_runs(args);
    torch::stable::parallel_for(0, args.images * runs, 1, [&](int64_t begin, int64_t end) {
        std::vector<A> scratch(arrays * args.channels);
        for (int64_t i = begin; i < end; ++i) {
            const int64_t image = i / runs, run = i % runs, first = run * kRun;
            f(image, run, (image * args.pixels + first) * args.channels, std::min(kRun, args.pixels - first),
              scratch.data());
        }
    });
}

// Calls f(start, pixels) for parts of a run that stay in the cache: over so many, float32 sums are exact enough.
template <class F>
void for_each_part(const GroupNormArguments &args, int64_t start, int64_t pixels, const F &f) {
    const int64_t most = std::max<int64_t>(1, kCached / std::max<int64_t>(1, args.channels));
    for (int64_t done = 0; done < pixels; done += most)
        f(start + done * args.channels, std::min(most, pixels - done));
}

// Writes the means and scales of an image's channels to two arrays.
template <class A>
Channels<A> spread(const GroupNormArguments &args, int64_t image, const A *mean, const A *rstd, A *arrays) {
    const A *weight = args.weight.const_data_ptr<A>();
    const int64_t width = args.group_channels();
    for (int64_t g = 0; g < args.groups; ++g)
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            arrays[c] = mean[image * args.groups + g];
            arrays[args.channels + c] = weight[c] * rstd[image * args.groups + g];
        }
    return {arrays, arrays + args.channels, args.bias.const_data_ptr<A>()};
}

// Adds up channels group by group.
template <class A>
void add_groups(const A *of_channels, int64_t groups, int64_t width, double *sums) {
    for (int64_t g = 0; g < groups; ++g, of_channels += width)
        for (int64_t c = 0; c < width; ++c) sums[g] += of_channels[c];
}

// Adds the numbers of a part of an image to the moments of its groups.
template <class T, class A = acc_t<T>>
void add_part(const GroupNormArguments &args, const T *x, int64_t pixels, A *scratch, Moments<double> *moments) {
    const int64_t channels = args.channels, groups = args.groups, width = args.group_channels();
    const double count = static_cast<double>(pixels * width);
    A *of_channels = scratch, *centre = scratch + channels;
    std::vector<double> sums(groups), squares(groups);
    std::fill_n(of_channels, channels, 0);
    add_numbers(x, pixels, channels, of_channels);
    add_groups(of_channels, groups, width, sums.data());
    for (int64_t g = 0; g < groups; ++g) std::fill_n(centre + g * width, width, static_cast<A>(sums[g] / count));
    std::fill_n(of_channels, channels, 0);
    add_squares(x, pixels, channels, centre, of_channels);
    add_groups(of_channels, groups, width, squares.data());
    for (int64_t g = 0; g < groups; ++g) moments[g].add({count, sums[g] / count, squares[g]});
}

// Writes each group's mean and the inverse of its standard deviation.
template <class T, class A = acc_t<T>>
void write_moments(const GroupNormArguments &args, const T *x, double eps, A *mean, A *rstd) {
    const int64_t runs = count_runs(args), groups = args.groups;
    std::vector<Moments<double>> moments(args.images * runs * groups, {0, 0, 0});
    for_each_run<A>(args, 2, [&](int64_t image, int64_t run, int64_t start, int64_t pixels, A *scratch) {
        for_each_part(args, start, pixels, [&](int64_t part_start, int64_t part_pixels) {
            add_part(args, x + part_start, part_pixels, scratch, &moments[(image * runs + run) * groups]);
        });
    });
    for (int64_t image = 0; image < args.images; ++image)
        for (int64_t g = 0; g < groups; ++g) {
            Moments<double> all{0, 0, 0};
            for (int64_t run = 0; run < runs; ++run) all.add(moments[(image * runs + run) * groups + g]);
            mean[image * groups + g] = static_cast<A>(all.mean);
            rstd[image * groups + g] = static_cast<A>(all.rstd(eps));
        }
}

template <class T, class A = acc_t<T>>
void write_output(const GroupNormArguments &args, const T *x, const A *mean, const A *rstd, T *out) {
    for_each_run<A>(args, 2, [&](int64_t image, int64_t, int64_t start, int64_t pixels, A *scratch) {
        const Channels<A> of = spread(args, image, mean, rstd, scratch);
        write_normalised(x + start, pixels, args.channels, of, out + start);
    });
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor &strided, const Tensor &weight, const Tensor &bias,
                                           int64_t groups, double eps) {
    const GroupNormArguments args(in_order(strided), weight, bias, groups);
    const Tensor output = like_images(args.input);
    const Tensor mean = torch::stable::new_empty(args.input, {args.images, groups}, acc_type(args.input));
    const Tensor rstd = torch::stable::new_empty(args.input, {args.images, groups}, acc_type(args.input));
    dispatch_floating(args.input.scalar_type(), "input", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        const T *x = args.input.const_data_ptr<T>();
        write_moments(args, x, eps, mean.mutable_data_ptr<A>(), rstd.mutable_data_ptr<A>());
        write_output(args, x, mean.const_data_ptr<A>(), rstd.const_data_ptr<A>(), output.mutable_data_ptr<T>());
    });
    return {output, mean, rstd};
}

Tensor again(const Tensor &strided, const Tensor &weight, const Tensor &bias, const Tensor &strided_mean,
             const Tensor &strided_rstd) {
    const GroupNormArguments args(in_order(strided), weight, bias, groups_of(strided_mean));
    args.check_moments(strided_mean, strided_rstd);
    const Tensor mean = torch::stable::contiguous(strided_mean), rstd = torch::stable::contiguous(strided_rstd);
    const Tensor output = like_images(args.input);
    dispatch_floating(args.input.scalar_type(), "input", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        write_output(args, args.input.const_data_ptr<T>(), mean.const_data_ptr<A>(), rstd.const_data_ptr<A>(),
                     output.mutable_data_ptr<T>());
    });
    return output;
}

// Writes (images, runs, 2, channels) sums: of the gradients that ReLU lets through, and of their products with the
// numbers' distances from the mean.
template <class T, class A = acc_t<T>>
void sum_gradients(const GroupNormArguments &args, const T *x, const T *grad, const A *mean, const A *rstd,
                   double *all_sums) {
    const int64_t runs = count_runs(args), channels = args.channels;
    for_each_run<A>(args, 4, [&](int64_t image, int64_t run, int64_t start, int64_t pixels, A *scratch) {
        const Channels<A> of = spread(args, image, mean, rstd, scratch);
        A *part = scratch + 2 * channels;
        double *sums = all_sums + (image * runs + run) * 2 * channels;
        for_each_part(args, start, pixels, [&](int64_t part_start, int64_t part_pixels) {
            std::fill_n(part, 2 * channels, 0);
            add_gradients(x + part_start, grad + part_start, part_pixels, channels, of, part, part + channels);
            for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += part[c];
        });
    });
}

// Adds an image's share to the gradients of weight and bias, and writes what `write_gradient` takes, from the (2,
// channels) sums over the image.
template <class A>
void finish_image(const GroupNormArguments &args, const A *rstd, const double *sums, A *offset, A *factor,
                  A *grad_weight, A *grad_bias) {
    const A *weight = args.weight.const_data_ptr<A>();
    const double *products = sums + args.channels;
    const int64_t width = args.group_channels();
    for (int64_t g = 0; g < args.groups; ++g) {
        GroupGradient<double> group{0, 0};
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            group.add(weight[c], sums[c], products[c]);
            grad_weight[c] += static_cast<A>(products[c] * rstd[g]);
            grad_bias[c] += static_cast<A>(sums[c]);
        }
        const double count = static_cast<double>(args.group_size());
        std::fill_n(offset + g * width, width, static_cast<A>(group.offset(rstd[g], count)));
        std::fill_n(factor + g * width, width, static_cast<A>(group.factor(rstd[g], count)));
    }
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor &strided_grad, const Tensor &strided, const Tensor &weight,
                                            const Tensor &bias, const Tensor &strided_mean,
                                            const Tensor &strided_rstd) {
    const GroupNormArguments args(in_order(strided), weight, bias, groups_of(strided_mean));
    args.check_moments(strided_mean, strided_rstd);
    args.check_grad(strided_grad);
    const Tensor grad = in_order(strided_grad), grad_input = like_images(args.input);
    const Tensor mean = torch::stable::contiguous(strided_mean), rstd = torch::stable::contiguous(strided_rstd);
    const Tensor grad_weight = torch::stable::new_zeros(args.weight, {args.channels});
    const Tensor grad_bias = torch::stable::new_zeros(args.bias, {args.channels});
    const int64_t runs = count_runs(args), channels = args.channels;
    dispatch_floating(args.input.scalar_type(), "input", [&](auto zero) {
        using T = decltype(zero);
        using A = acc_t<T>;
        const T *x = args.input.const_data_ptr<T>(), *g = grad.const_data_ptr<T>();
        const A *means = mean.const_data_ptr<A>(), *rstds = rstd.const_data_ptr<A>();
        std::vector<double> of_runs(args.images * runs * 2 * channels);
        sum_gradients(args, x, g, means, rstds, of_runs.data());

        std::vector<A> corrections(args.images * 2 * channels);
        for (int64_t image = 0; image < args.images; ++image) {
            std::vector<double> sums(2 * channels);
            for (int64_t run = 0; run < runs; ++run)
                for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += of_runs[(image * runs + run) * 2 * channels + c];
            A *offset = &corrections[image * 2 * channels];
            finish_image(args, rstds + image * args.groups, sums.data(), offset, offset + channels,
                         grad_weight.mutable_data_ptr<A>(), grad_bias.mutable_data_ptr<A>());
        }

        T *out = grad_input.mutable_data_ptr<T>();
        for_each_run<A>(args, 2, [&](int64_t image, int64_t, int64_t start, int64_t pixels, A *scratch) {
            const Channels<A> of = spread(args, image, means, rstds, scratch);
            const A *offset = &corrections[image * 2 * channels];
            write_gradient(x + start, g + start, pixels, channels, of, offset, offset + channels, out + start);
        });
    });
    return {grad_input, grad_weight, grad_bias};
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) {
    m.impl("group_norm_relu", TORCH_BOX(&mmdet_solo::forward));
    m.impl("group_norm_relu_again", TORCH_BOX(&mmdet_solo::again));
    m.impl("group_norm_relu_backward", TORCH_BOX(&mmdet_solo::backward));
}
