#include "../matrix_nms.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace mmdet_solo {
namespace {

// Masks whose overlaps with all better ones are in memory at one time.
constexpr int64_t kBlock = 64;
// Masks of these that stay in a core's cache while others pass by.
constexpr int64_t kCached = 16;

struct PackedMask {
    const uint64_t *words;
    int64_t first, last;  // the words outside [first, last) are zero
    int64_t area;
};

// Adds three numbers of one bit, in each bit: returns the higher bits of the sums, leaves the lower ones.
inline uint64_t add_bits(uint64_t &low, uint64_t a, uint64_t b) {
    const uint64_t different = a ^ b, high = (a & b) | (different & low);
    low ^= different;
    return high;
}

// std::popcount in operations that vector units have.
inline uint64_t count_bits(uint64_t x) {
    x -= (x >> 1) & 0x5555555555555555;
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    x += x >> 8;
    x += x >> 16;
    x += x >> 32;
    return x & 0x7f;
}

// Of eight words the bits are added up first, so that only the carries are counted: Harley and Seal's way.
MMDET_CPU_CLONES int64_t count_common_bits(const uint64_t *a, const uint64_t *b, int64_t words) {
    constexpr int kLanes = 4;
    uint64_t ones[kLanes]{}, twos[kLanes]{}, fours[kLanes]{}, eights[kLanes]{};
    int64_t i = 0;
    for (; i + 8 * kLanes <= words; i += 8 * kLanes) {
        const uint64_t *p = a + i, *q = b + i;
#pragma omp simd
        for (int lane = 0; lane < kLanes; ++lane) {
            const auto common = [&](int k) { return p[k * kLanes + lane] & q[k * kLanes + lane]; };
            const uint64_t two0 = add_bits(ones[lane], common(0), common(1));
            const uint64_t two1 = add_bits(ones[lane], common(2), common(3));
            const uint64_t two2 = add_bits(ones[lane], common(4), common(5));
            const uint64_t two3 = add_bits(ones[lane], common(6), common(7));
            const uint64_t four0 = add_bits(twos[lane], two0, two1);
            const uint64_t four1 = add_bits(twos[lane], two2, two3);
            eights[lane] += count_bits(add_bits(fours[lane], four0, four1));
        }
    }
    int64_t bits = 0;
    for (int lane = 0; lane < kLanes; ++lane)
        bits += 8 * eights[lane] + 4 * std::popcount(fours[lane]) + 2 * std::popcount(twos[lane]) +
            std::popcount(ones[lane]);
    for (; i < words; ++i) bits += std::popcount(a[i] & b[i]);
    return bits;
}

// Gathers 8 booleans, each 0 or 1, into 8 bits.
uint64_t pack8(const uint8_t *pixels) {
    uint64_t bytes;
    std::memcpy(&bytes, pixels, 8);
    return (bytes * 0x0102040810204080) >> 56;
}

// Any order of the bits does, as long as it is the same for all masks.
PackedMask pack(const uint8_t *pixels, int64_t count, uint64_t *words) {
    const int64_t whole = count / 64;
    for (int64_t i = 0; i < whole; ++i) {
        uint64_t word = 0;
        for (int64_t k = 0; k < 8; ++k) word |= pack8(pixels + 64 * i + 8 * k) << (8 * k);
        words[i] = word;
    }
    if (count % 64) {
        words[whole] = 0;
        for (int64_t k = 0; k < count % 64; ++k) words[whole] |= uint64_t{pixels[64 * whole + k]} << k;
    }
    int64_t first = 0, last = (count + 63) / 64;
    while (first < last && words[first] == 0) ++first;
    while (first < last && words[last - 1] == 0) --last;
    return {words, first, last, count_common_bits(words + first, words + first, last - first)};
}

float overlap(const PackedMask &a, const PackedMask &b) {
    const int64_t first = std::max(a.first, b.first), last = std::min(a.last, b.last);
    const int64_t common =
        first < last ? count_common_bits(a.words + first, b.words + first, last - first) : 0;
    return intersection_over_union(common, a.area, b.area);
}

std::vector<PackedMask> pack_all(const Tensor &masks, std::vector<uint64_t> &words) {
    const int64_t n = masks.size(0), pixels = masks.size(1) * masks.size(2), stride = (pixels + 63) / 64;
    words.resize(n * stride);
    std::vector<PackedMask> packed(n);
    const auto *bytes = static_cast<const uint8_t *>(masks.const_data_ptr());
    torch::stable::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            packed[i] = pack(bytes + i * pixels, pixels, words.data() + i * stride);
    });
    return packed;
}

Tensor matrix_nms(const Tensor &masks, const Tensor &labels, const Tensor &scores, std::string kernel,
                  double sigma) {
    check_matrix_nms(masks, labels, scores);
    const Decay decay(kernel, sigma);
    const int64_t n = masks.size(0);
    std::vector<uint64_t> words;
    const std::vector<PackedMask> packed = pack_all(torch::stable::contiguous(masks), words);
    const Tensor all_labels = torch::stable::contiguous(labels), all_scores = torch::stable::contiguous(scores);
    const int64_t *label = all_labels.const_data_ptr<int64_t>();
    const float *score = all_scores.const_data_ptr<float>();
    const Tensor decayed = torch::stable::new_empty(scores, {n});
    float *result = decayed.mutable_data_ptr<float>();

    std::vector<float> compensation(n), overlaps(kBlock * n);
    for (int64_t start = 0; start < n; start += kBlock) {
        const int64_t stop = std::min(start + kBlock, n);
        // Row j - start holds the overlaps of mask j with the better ones.
        torch::stable::parallel_for(0, stop, 1, [&](int64_t begin, int64_t end) {
            for (int64_t first = start; first < stop; first += kCached)
                for (int64_t i = begin; i < end; ++i)
                    for (int64_t j = std::max(first, i + 1); j < std::min(first + kCached, stop); ++j)
                        if (label[i] == label[j])
                            overlaps[(j - start) * n + i] = overlap(packed[i], packed[j]);
        });
        for (int64_t j = start; j < stop; ++j) {
            const float *row = overlaps.data() + (j - start) * n;
            float least = decay.of_no_pair();
            for (int64_t i = 0; i < j; ++i)
                if (label[i] == label[j]) {
                    compensation[j] = std::max(compensation[j], row[i]);
                    least = std::min(least, decay.of_pair(row[i], compensation[i]));
                }
            result[j] = score[j] * decay.factor(least);
        }
    }
    return decayed;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) { m.impl("matrix_nms", TORCH_BOX(&mmdet_solo::matrix_nms)); }
