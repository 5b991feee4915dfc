// 3 x 3 convolution of stride 1 by Winograd's algorithm, F(4 x 4, 3 x 3) (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2015): of a tile of 6 x 6 pixels d and a kernel g, the 4 x 4 outputs are
//
//     A^T [(G g G^T) * (B^T d B)] A
//
// with `*` number by number: 36 multiplications for each pair of channels, where the sum over the kernel has
// 144. Over all channels and tiles they are 36 products of matrices, which is where the time goes.
//
// The transforms are values of polynomials at the points 0, a, -a, b, -b and infinity. With a = sqrt(1/2) and
// b = sqrt(2), so that ab = 1 and b = 2a, float32 loses half a digit; with 1 and 2 it is four times as much.
//
//     A^T = 1  1    1    1    1   0        B^T = 1   0  -5/2  0  1  0        G =   1     0     0
//           0  a   -a    b   -b   0              0  -b   -2   a  1  0            -2/3 -2a/3  -1/3
//           0  1/2  1/2  2    2   0              0   b   -2  -a  1  0            -2/3  2a/3  -1/3
//           0  a/2 -a/2  2b  -2b  1              0  -a  -1/2  b  1  0             1/6   b/6   1/3
//                                                0   a  -1/2 -b  1  0             1/6  -b/6   1/3
//                                                0   1    0 -5/2 0  1              0     0     1
//
// The gradient of the input is the convolution of the output's by the kernel turned by 180 degrees. That of the
// kernel, transposed, is G^T [(B^T d B) * (A y A^T)] G, summed over all tiles.
//
// Images are channels last. A worker takes some tiles at a time, few enough that what they are transformed to
// stays in its cache. Images of several sizes, such as the levels of a pyramid, are convolved in one go: what the
// weight's transform takes, which for many channels and few tiles is most of it, is taken once.
#include "../common.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)

#include <sys/mman.h>

namespace mmdet_solo {
namespace {

constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;

// How many parts of at most `largest` there are in a number.
constexpr int64_t parts(int64_t count, int64_t largest) { return (count + largest - 1) / largest; }

// How many floats lie from one of 36 matrices to the next: never a power of two, or a number of each would fall on
// the same place in a cache.
constexpr int64_t matrix_stride(int64_t size) { return parts(size, 32) * 32 + 16; }

// (batch, height, width, channels) numbers, in tiles of 4 x 4 pixels.
struct Images {
    const float *data;
    int64_t batch, height, width, channels;

    int64_t tile_rows() const { return parts(height, 4); }
    int64_t tile_columns() const { return parts(width, 4); }
    int64_t tiles() const { return batch * tile_rows() * tile_columns(); }

    // The pixels of a tile, or with size 6 those around it too; null outside of the image.
    template <int size>
    void locate(int64_t tile, const float **pixels) const {
        const int64_t border = (size - 4) / 2;
        const int64_t left = tile % tile_columns() * 4 - border;
        const int64_t row = tile / tile_columns();
        const int64_t top = row % tile_rows() * 4 - border, image = row / tile_rows();
        for (int64_t y = top; y < top + size; ++y)
            for (int64_t x = left; x < left + size; ++x) {
                const bool inside = y >= 0 && y < height && x >= 0 && x < width;
                *pixels++ = inside ? data + ((image * height + y) * width + x) * channels : nullptr;
            }
    }
};

// Images of several sizes, with as many channels: their tiles are counted through.
struct Levels {
    std::vector<Images> images;
    int64_t channels;

    int64_t tiles() const {
        int64_t sum = 0;
        for (const Images &level : images) sum += level.tiles();
        return sum;
    }

    // See `Images::locate`.
    template <int size>
    void locate(int64_t tile, const float **pixels) const {
        auto level = images.begin();
        for (; tile >= level->tiles(); ++level) tile -= level->tiles();
        level->locate<size>(tile, pixels);
    }
};

// (out, in, 3, 3) numbers in any order in memory.
struct Weight {
    const float *data;
    int64_t out, in;
    int64_t out_step, in_step, row_step, column_step;

    explicit Weight(const Tensor &weight)
        : data(weight.const_data_ptr<float>()),
          out(weight.size(0)),
          in(weight.size(1)),
          out_step(weight.stride(0)),
          in_step(weight.stride(1)),
          row_step(weight.stride(2)),
          column_step(weight.stride(3)) {}

    // Of the convolution that gives the gradient of the input.
    Weight turned() const {
        Weight other = *this;
        other.data += 2 * row_step + 2 * column_step;
        std::swap(other.out, other.in);
        std::swap(other.out_step, other.in_step);
        other.row_step = -row_step;
        other.column_step = -column_step;
        return other;
    }

    const float *at(int64_t o, int64_t i) const { return data + o * out_step + i * in_step; }
};

// Floats for a while. Many lie in large pages, where the system has them, which saved 20 to 35% of a call's time:
// small ones are up to 10,000, each to be cleared and looked up. Few fit where the last call's were, already cleared.
class Scratch {
  public:
    explicit Scratch(int64_t size) {
        constexpr int64_t kLargePage = int64_t{1} << 21, kCacheLine = 64, kFloat = sizeof(float);
        const bool many = size * kFloat > 2 * kLargePage;
        const int64_t unit = many ? kLargePage : kCacheLine;
        const int64_t bytes = parts(size * kFloat, unit) * unit;
        data_ = static_cast<float *>(std::aligned_alloc(unit, bytes));
        STD_TORCH_CHECK(data_, "no memory is left for ", bytes, " bytes");
        if (many) madvise(data_, bytes, MADV_HUGEPAGE);  // if it is not heeded, nothing is lost
    }
    ~Scratch() { std::free(data_); }
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    float *data() const { return data_; }

  private:
    float *data_;
};

#define MMDET_ISA Avx512
#define MMDET_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#define MMDET_WIDTH 16
#define MMDET_ROWS 14
#include "conv3x3_kernels.h"
#undef MMDET_ISA
#undef MMDET_TARGET
#undef MMDET_WIDTH
#undef MMDET_ROWS

#define MMDET_ISA Avx2
#define MMDET_TARGET __attribute__((target("avx2,fma")))
#define MMDET_WIDTH 8
#define MMDET_ROWS 6
#include "conv3x3_kernels.h"
#undef MMDET_ISA
#undef MMDET_TARGET
#undef MMDET_WIDTH
#undef MMDET_ROWS

using Tensors = std::vector<Tensor>;

Tensors in_order(const Tensors &levels) {
    Tensors ordered;
    for (const Tensor &images : levels)
        ordered.push_back(torch::stable::contiguous(images, torch::headeronly::MemoryFormat::ChannelsLast));
    return ordered;
}

Tensors new_images(const Tensors &like, int64_t channels) {
    Tensors levels;
    for (const Tensor &images : like)
        levels.push_back(torch::stable::empty({images.size(0), channels, images.size(2), images.size(3)},
                                              ScalarType::Float, std::nullopt, images.device(), std::nullopt,
                                              torch::headeronly::MemoryFormat::ChannelsLast));
    return levels;
}

Levels levels_of(const Tensors &tensors, int64_t channels) {
    Levels levels{{}, channels};
    for (const Tensor &tensor : tensors)
        levels.images.push_back(
            {tensor.const_data_ptr<float>(), tensor.size(0), tensor.size(2), tensor.size(3), channels});
    return levels;
}

// Calls f(worker, begin, end) for each of `workers`, with its share of `count` things.
template <class F>
void share(int64_t count, int64_t workers, const F &f) {
    torch::stable::parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
        for (int64_t worker = begin; worker < end; ++worker)
            f(worker, count * worker / workers, count * (worker + 1) / workers);
    });
}

// Calls f(begin, end) for even parts, of at most `largest`, of what lies between `begin` and `end`.
template <class F>
void for_even_parts(int64_t begin, int64_t end, int64_t largest, const F &f) {
    const int64_t count = end - begin, number = parts(count, largest);
    for (int64_t i = 0; i < number; ++i) f(begin + count * i / number, begin + count * (i + 1) / number);
}

template <class Isa>
Tensors convolve(const Tensors &strided, const Weight &weight, const float *bias) {
    const Tensors inputs = in_order(strided), outputs = new_images(inputs, weight.out);
    const Levels from = levels_of(inputs, weight.in), to = levels_of(outputs, weight.out);
    const int64_t threads = torch::stable::get_num_threads();
    const int64_t workers = std::clamp<int64_t>(parts(from.tiles(), Isa::Block::kTiles), 1, threads);
    const int64_t weights_size = 36 * Isa::weights_stride(weight.in, weight.out);
    const int64_t scratch_size = Isa::block_size(weight.in, weight.out);
    if (from.tiles() == 0 || weight.out == 0) return outputs;
    const Scratch memory(weights_size + workers * scratch_size);
    float *weights = memory.data();
    share(Isa::panels(weight.out) * weight.in, threads, [&](int64_t, int64_t begin, int64_t end) {
        Isa::transform_weights(weight, begin, end, weights);
    });
    share(from.tiles(), workers, [&](int64_t worker, int64_t begin, int64_t end) {
        float *scratch = weights + weights_size + worker * scratch_size;
        for_even_parts(begin, end, Isa::Block::kTiles, [&](int64_t first, int64_t last) {
            Isa::convolve(from, weights, bias, to, first, last, scratch);
        });
    });
    return outputs;
}

// The largest number of workers for the channels, each of which has enough of them, that divides the threads.
int64_t channel_workers(int64_t channels, int64_t threads) {
    constexpr int64_t kEnough = 128;
    int64_t workers = std::clamp<int64_t>(channels / kEnough, 1, threads);
    while (threads % workers) --workers;
    return workers;
}

template <class Isa>
Tensor weight_gradient(const Tensors &strided_grads, const Tensors &strided_inputs) {
    const Tensors grads = in_order(strided_grads), inputs = in_order(strided_inputs);
    const Tensor result = torch::stable::new_zeros(grads[0], {grads[0].size(1), inputs[0].size(1), 3, 3});
    const Weight weight(result);
    const Levels grad = levels_of(grads, weight.out), input = levels_of(inputs, weight.in);
    if (grad.tiles() == 0 || weight.in == 0 || weight.out == 0) return result;

    // Workers stand in a grid: one axis shares the input's channels, the other the tiles.
    const int64_t threads = torch::stable::get_num_threads();
    const int64_t across = channel_workers(weight.in, threads);
    const int64_t along = std::clamp<int64_t>(parts(grad.tiles(), Isa::kGradTiles), 1, threads / across);
    const int64_t channels = parts(parts(weight.in, Isa::kWidth), across) * Isa::kWidth;
    const int64_t sums_size = 36 * Isa::weights_stride(channels, weight.out);
    const int64_t scratch_size = Isa::gradient_scratch(Isa::kGradTiles, channels, weight.out);
    const Scratch memory(across * along * (sums_size + scratch_size));
    float *sums = memory.data(), *scratches = sums + across * along * sums_size;
    const auto count_channels = [&](int64_t column) {
        return std::clamp<int64_t>(weight.in - column * channels, 0, channels);
    };
    share(across * along, across * along, [&](int64_t worker, int64_t, int64_t) {
        const int64_t column = worker / along, row = worker % along;
        if (count_channels(column) == 0) return;  // the parts are whole vectors: there may be too few
        const int64_t begin = grad.tiles() * row / along, end = grad.tiles() * (row + 1) / along;
        for_even_parts(begin, end, Isa::kGradTiles, [&](int64_t first, int64_t last) {
            Isa::add_weight_gradient(input, column * channels, count_channels(column), grad, first, last,
                                     scratches + worker * scratch_size, sums + worker * sums_size,
                                     first > begin);
        });
    });
    for (int64_t column = 0; column < across; ++column) {
        const int64_t count = count_channels(column);
        share(Isa::panels(weight.out) * count, threads, [&](int64_t, int64_t begin, int64_t end) {
            Isa::finish_weight_gradient(sums + column * along * sums_size, along, sums_size, column * channels,
                                        count, begin, end, weight, result.mutable_data_ptr<float>());
        });
    }
    return result;
}

// The newest instructions that this machine has, held back where PyTorch's kernels are.
std::string find_instructions() {
    const char *held = std::getenv("ATEN_CPU_CAPABILITY");
    const std::string limit = held ? held : "";
    if (limit == "default") return "";
    __builtin_cpu_init();
    const bool has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    const bool has_2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return has_512 && limit != "avx2" ? "avx512" : has_2 ? "avx2" : "";
}

const std::string kInstructions = find_instructions();

std::string instructions() { return kInstructions; }

void check_images(const Tensor &images, const char *name, int64_t channels) {
    check_dtype(images, name, ScalarType::Float);
    check_dim(images, name, 4);
    check_size(images, name, 1, channels);
}

void check(const Tensors &levels, const char *name, const Tensor &weight, int64_t channels_dim) {
    check_dtype(weight, "weight", ScalarType::Float);
    check_dim(weight, "weight", 4);
    check_size(weight, "weight", 2, 3);
    check_size(weight, "weight", 3, 3);
    for (const Tensor &images : levels) check_images(images, name, weight.size(channels_dim));
}

Tensors forward(const Tensors &inputs, const Tensor &weight, const std::optional<Tensor> &given_bias) {
    check(inputs, "input", weight, 1);
    Tensor bias;
    if (given_bias) {
        check_dtype(*given_bias, "bias", ScalarType::Float);
        check_dim(*given_bias, "bias", 1);
        check_size(*given_bias, "bias", 0, weight.size(0));
        bias = torch::stable::contiguous(*given_bias);
    }
    const float *start = given_bias ? bias.const_data_ptr<float>() : nullptr;
    if (kInstructions == "avx512") return convolve<Avx512>(inputs, Weight(weight), start);
    return convolve<Avx2>(inputs, Weight(weight), start);
}

Tensors input_gradient(const Tensors &grads, const Tensor &weight) {
    check(grads, "grad", weight, 0);
    const Weight turned = Weight(weight).turned();
    if (kInstructions == "avx512") return convolve<Avx512>(grads, turned, nullptr);
    return convolve<Avx2>(grads, turned, nullptr);
}

Tensor weight_gradient_of(const Tensors &grads, const Tensors &inputs) {
    STD_TORCH_CHECK(!grads.empty() && grads.size() == inputs.size(), "there must be a grad for each input, not ",
                    grads.size(), " for ", inputs.size());
    for (size_t level = 0; level < grads.size(); ++level) {
        check_dim(grads[0], "grad", 4);
        check_dim(inputs[0], "input", 4);
        check_images(grads[level], "grad", grads[0].size(1));
        check_images(inputs[level], "input", inputs[0].size(1));
        for (const int64_t dim : {0, 2, 3}) check_size(inputs[level], "input", dim, grads[level].size(dim));
    }
    if (kInstructions == "avx512") return weight_gradient<Avx512>(grads, inputs);
    return weight_gradient<Avx2>(grads, inputs);
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CompositeExplicitAutograd, m) {
    m.impl("conv3x3_instructions", TORCH_BOX(&mmdet_solo::instructions));
}

// Without one of the two instruction sets there is no kernel.
STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) {
    if (mmdet_solo::kInstructions.empty()) return;
    m.impl("conv3x3", TORCH_BOX(&mmdet_solo::forward));
    m.impl("conv3x3_input_gradient", TORCH_BOX(&mmdet_solo::input_gradient));
    m.impl("conv3x3_weight_gradient", TORCH_BOX(&mmdet_solo::weight_gradient_of));
}

#endif
