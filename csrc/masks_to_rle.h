// What the kernels of masks_to_rle share on every device.
//
// Resizing is linear along each axis, and so is resizing twice: a pixel of the original image is a weighted
// sum of 3 x 3 neighbours at a quarter of the input. The weights of rows and columns are independent, so a
// column of the image is drawn from one column of sums. Where three neighbours in that column lie on one side
// of the threshold, so do all the pixels between them: only at the edges of a mask are pixels computed.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common.h"

namespace mmdet_solo {

// The lengths of one axis, in pixels: at a quarter of the input, of the image in the input, and of the
// original image.
struct Axis {
    int32_t quarter;
    int32_t image;
    int32_t original;
};

struct Axes {
    Axis vertical;
    Axis horizontal;
};

// A pixel along one axis of the original image: the sum of weights[k] * quarter[first + k].
struct Tap {
    int32_t first;
    float weights[3];
};

// Pixel `i` after a linear resize of `in` pixels to `out`: (1 - share) * pixel[low] + share * pixel[high].
struct Neighbours {
    int32_t low;
    int32_t high;
    float share;

    // In float32 with a fused multiplication, as PyTorch does it: among thousands of pixels it shows.
    C10_HOST_DEVICE Neighbours(int32_t i, int32_t in, int32_t out) {
        const float scale = static_cast<float>(in) / static_cast<float>(out);
        const float position = fmaxf(fmaf(scale, static_cast<float>(i) + 0.5f, -0.5f), 0.0f);
        const int32_t floor = static_cast<int32_t>(position);
        low = floor < in - 1 ? floor : in - 1;
        high = low < in - 1 ? low + 1 : low;
        share = fminf(position - static_cast<float>(low), 1.0f);
    }
};

C10_HOST_DEVICE inline Tap make_tap(const Axis &axis, int32_t i) {
    const Neighbours outer(i, axis.image, axis.original);
    const Neighbours before(outer.low, axis.quarter, 4 * axis.quarter);
    const Neighbours after(outer.high, axis.quarter, 4 * axis.quarter);
    Tap tap{before.low, {0.0f, 0.0f, 0.0f}};
    tap.weights[0] += (1 - outer.share) * (1 - before.share);
    tap.weights[before.high - tap.first] += (1 - outer.share) * before.share;
    tap.weights[after.low - tap.first] += outer.share * (1 - after.share);
    tap.weights[after.high - tap.first] += outer.share * after.share;
    return tap;
}

// Pixels starts[q] to starts[q + 1] have first == q. This enters what pixel `i` says of it; all pixels
// together fill axis.quarter + 1 entries.
C10_HOST_DEVICE inline void enter_starts(const Axis &axis, const Tap *taps, int32_t i,
                                           int32_t *starts) {
    int32_t q = i == 0 ? 0 : taps[i - 1].first + 1;
    for (; q <= taps[i].first; ++q) starts[q] = i;
    if (i == axis.original - 1) {
        for (; q <= axis.quarter; ++q) starts[q] = axis.original;
    }
}

C10_HOST_DEVICE inline float weigh(const Tap &tap, float a, float b, float c) {
    return tap.weights[0] * a + tap.weights[1] * b + tap.weights[2] * c;
}

// Goes down a column of the image, and calls change(row) where it enters the mask and where it leaves it, in
// turns; a mask that reaches the bottom leaves it at the image's height.
class ColumnWalk {
  public:
    C10_HOST_DEVICE ColumnWalk(const Tap *taps, const int32_t *starts, float threshold)
        : taps_(taps), starts_(starts), threshold_(threshold) {}

    C10_HOST_DEVICE bool inside() const { return inside_; }

    // The pixels between rows q, q + 1 and q + 2 of the quarter, whose values are a, b and c.
    template <class Change>
    C10_HOST_DEVICE void step(int32_t q, float a, float b, float c, const Change &change) {
        const bool side = a > threshold_;
        const bool uniform = side == (b > threshold_) && side == (c > threshold_);
        if (uniform && side == inside_) return;
        for (int32_t row = starts_[q]; row < starts_[q + 1]; ++row) {
            const bool value = uniform ? side : weigh(taps_[row], a, b, c) > threshold_;
            if (value != inside_) {
                change(row);
                inside_ = value;
            }
        }
    }

    template <class Change>
    C10_HOST_DEVICE void finish(int32_t height, const Change &change) const {
        if (inside_) change(height);
    }

  private:
    const Tap *taps_;
    const int32_t *starts_;
    float threshold_;
    bool inside_ = false;
};

// COCO's string of a mask: lengths of runs, background first, each as its difference to the last but one
// (from the fourth on), in groups of five bits, the lowest first, from the character '0' on.
class RleString {
  public:
    // The mask changes at pixel `at`, counted down the columns; it does not where it changes twice.
    void change(int64_t at) {
        if (at == pending_) {
            pending_ = kNone;
        } else {
            end_run();
            pending_ = at;
        }
    }

    std::string finish(int64_t pixels) {
        if (pending_ != pixels) change(pixels);
        end_run();
        return std::move(chars_);
    }

  private:
    static constexpr int64_t kNone = -1;

    void end_run() {
        if (pending_ == kNone) return;
        const int64_t length = pending_ - start_;
        int64_t &last_but_one = lengths_[runs_ % 2];
        append(runs_ > 2 ? length - last_but_one : length);
        last_but_one = length;
        start_ = pending_;
        ++runs_;
    }

    void append(int64_t number) {
        bool more = true;
        while (more) {
            const int64_t bits = number & 0x1f;
            number >>= 5;
            more = number != ((bits & 0x10) ? -1 : 0);
            chars_.push_back(static_cast<char>('0' + (more ? bits | 0x20 : bits)));
        }
    }

    std::string chars_;
    int64_t pending_ = kNone;  // a change that the next one may undo
    int64_t start_ = 0;
    int64_t lengths_[2] = {0, 0};
    int64_t runs_ = 0;
};

// The characters of all masks in one row, and how many belong to each.
inline std::tuple<Tensor, Tensor> join(const std::vector<std::string> &strings) {
    const torch::stable::Device cpu(torch::headeronly::DeviceType::CPU);
    const int64_t count = static_cast<int64_t>(strings.size());
    Tensor lengths = torch::stable::empty({count}, ScalarType::Long, std::nullopt, cpu);
    int64_t *length = lengths.mutable_data_ptr<int64_t>();
    int64_t total = 0;
    for (const std::string &string : strings) {
        *length++ = static_cast<int64_t>(string.size());
        total += static_cast<int64_t>(string.size());
    }
    Tensor chars = torch::stable::empty({total}, ScalarType::Byte, std::nullopt, cpu);
    uint8_t *next = chars.mutable_data_ptr<uint8_t>();
    for (const std::string &string : strings) next = std::copy(string.begin(), string.end(), next);
    return {chars, lengths};
}

inline Axes checked_axes(const Tensor &probabilities, int64_t img_height, int64_t img_width,
                         int64_t ori_height, int64_t ori_width) {
    constexpr int64_t kMost = (int64_t{1} << 31) - 1;
    check_dim(probabilities, "probabilities", 3);
    check_dtype(probabilities, "probabilities", ScalarType::Float);
    const int64_t height = probabilities.size(1);
    const int64_t width = probabilities.size(2);
    STD_TORCH_CHECK(0 < height && 0 < width && height <= kMost / 4 && width <= kMost / 4,
                    "probabilities cannot be of ", height, " x ", width, " pixels");
    STD_TORCH_CHECK(img_height > 0 && img_width > 0, "img_shape must be positive");
    STD_TORCH_CHECK(0 < ori_height && ori_height <= kMost && 0 < ori_width &&
                        ori_width <= kMost / ori_height,
                    "ori_shape must be positive and of less than 2^31 pixels");
    const auto axis = [](int64_t quarter, int64_t image, int64_t original) {
        return Axis{static_cast<int32_t>(quarter),
                    static_cast<int32_t>(image < 4 * quarter ? image : 4 * quarter),
                    static_cast<int32_t>(original)};
    };
    return {axis(height, img_height, ori_height), axis(width, img_width, ori_width)};
}

}  // namespace mmdet_solo
