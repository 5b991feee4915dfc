#include "common.cuh"

#include "../matrix_nms.h"

#include <algorithm>

namespace mmdet_solo {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffff;
constexpr int kPackThreads = 256;
constexpr int kColumnThreads = 128;

// A block compares kTile masks with kTile others, over kTileWords words of each, kStep at a time.
constexpr int kTile = 32;
constexpr int kSide = kTile / 2;  // threads along a side: each has 2 x 2 pairs
constexpr int kStep = 32;
constexpr int kTileWords = 256;

// One warp for each word: bit b of word w is pixel 64 w + b.
__global__ void pack(const uint8_t *masks, int64_t pixels, int64_t stride, int64_t count, uint64_t *words) {
    const int lane = threadIdx.x % kWarp;
    const int64_t warps = int64_t{gridDim.x} * blockDim.x / kWarp;
    for (int64_t i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp; i < count; i += warps) {
        const uint8_t *mask = masks + i / stride * pixels;
        const int64_t pixel = i % stride * 64 + lane;
        const unsigned low = __ballot_sync(kAllLanes, pixel < pixels && mask[pixel]);
        const unsigned high = __ballot_sync(kAllLanes, pixel + kWarp < pixels && mask[pixel + kWarp]);
        if (lane == 0) words[i] = uint64_t{high} << kWarp | low;
    }
}

// Adds to common[j * n + i], for i <= j of the same class, the bits that masks i and j share in the words of
// this block. The diagonal is the areas.
__global__ void count_common_bits(const uint64_t *words, const int64_t *labels, int64_t n, int64_t stride,
                                  int *common) {
    const int64_t i0 = int64_t{blockIdx.y} * kTile, j0 = int64_t{blockIdx.x} * kTile;
    if (i0 > j0) return;
    __shared__ uint64_t rows[kTile][kStep + 1], columns[kTile][kStep + 1];  // + 1: no bank conflicts
    int counts[2][2] = {};
    bool wanted[2][2];
    bool any = false;
    for (int a = 0; a < 2; ++a)
        for (int b = 0; b < 2; ++b) {
            const int64_t i = i0 + threadIdx.y + a * kSide, j = j0 + threadIdx.x + b * kSide;
            wanted[a][b] = i <= j && j < n && labels[i] == labels[j];
            any |= wanted[a][b];
        }
    if (!__syncthreads_or(any)) return;

    const int64_t end = min(stride, (int64_t{blockIdx.z} + 1) * kTileWords);
    const int thread = threadIdx.y * kSide + threadIdx.x;
    for (int64_t start = int64_t{blockIdx.z} * kTileWords; start < end; start += kStep) {
        for (int k = thread; k < kTile * kStep; k += kSide * kSide) {
            const int mask = k / kStep, word = k % kStep;
            const bool inside = start + word < end;
            rows[mask][word] = inside && i0 + mask < n ? words[(i0 + mask) * stride + start + word] : 0;
            columns[mask][word] = inside && j0 + mask < n ? words[(j0 + mask) * stride + start + word] : 0;
        }
        __syncthreads();
        if (any)
            for (int word = 0; word < kStep; ++word)
                for (int a = 0; a < 2; ++a)
                    for (int b = 0; b < 2; ++b)
                        counts[a][b] += __popcll(rows[threadIdx.y + a * kSide][word] &
                                                 columns[threadIdx.x + b * kSide][word]);
        __syncthreads();
    }
    for (int a = 0; a < 2; ++a)
        for (int b = 0; b < 2; ++b)
            if (wanted[a][b] && counts[a][b])
                atomicAdd(common + (j0 + threadIdx.x + b * kSide) * n + i0 + threadIdx.y + a * kSide,
                          counts[a][b]);
}

// The overlap of masks i < j, of the same class.
__device__ float overlap(const int *common, int64_t n, int64_t i, int64_t j) {
    return intersection_over_union(common[j * n + i], common[i * n + i], common[j * n + j]);
}

// Reduces one number of each thread of a block to one, which thread 0 gets.
template <class Combine>
__device__ float reduce_block(float value, const Combine &combine) {
    __shared__ float values[kColumnThreads];
    values[threadIdx.x] = value;
    __syncthreads();
    for (int half = kColumnThreads / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            values[threadIdx.x] = combine(values[threadIdx.x], values[threadIdx.x + half]);
        __syncthreads();
    }
    return values[0];
}

// One block for each mask: how much the better ones overlap it at most.
__global__ void compensate(const int *common, const int64_t *labels, int64_t n, float *compensation) {
    const int64_t j = blockIdx.x;
    float most = 0;
    for (int64_t i = threadIdx.x; i < j; i += kColumnThreads)
        if (labels[i] == labels[j]) most = fmaxf(most, overlap(common, n, i, j));
    most = reduce_block(most, [](float a, float b) { return fmaxf(a, b); });
    if (threadIdx.x == 0) compensation[j] = most;
}

__global__ void decay_scores(const int *common, const int64_t *labels, const float *scores, int64_t n,
                             const float *compensation, Decay decay, float *result) {
    const int64_t j = blockIdx.x;
    float least = decay.of_no_pair();
    for (int64_t i = threadIdx.x; i < j; i += kColumnThreads)
        if (labels[i] == labels[j])
            least = fminf(least, decay.of_pair(overlap(common, n, i, j), compensation[i]));
    least = reduce_block(least, [](float a, float b) { return fminf(a, b); });
    if (threadIdx.x == 0) result[j] = scores[j] * decay.factor(least);
}

Tensor matrix_nms(const Tensor &masks, const Tensor &labels, const Tensor &scores, std::string kernel,
                  double sigma) {
    check_matrix_nms(masks, labels, scores);
    const Decay decay(kernel, sigma);
    const int64_t n = masks.size(0), pixels = masks.size(1) * masks.size(2), stride = (pixels + 63) / 64;
    STD_TORCH_CHECK(pixels < int64_t{1} << 31, "masks must have fewer than 2^31 pixels, not ", pixels);
    const Tensor decayed = torch::stable::new_empty(scores, {n});
    if (n == 0) return decayed;

    const LaunchGuard guard(masks);
    const Tensor all_masks = torch::stable::contiguous(masks);
    const Tensor all_labels = torch::stable::contiguous(labels), all_scores = torch::stable::contiguous(scores);
    const auto *label = all_labels.const_data_ptr<int64_t>();
    const Tensor words = torch::stable::new_empty(labels, {n, stride});
    const Tensor common = torch::stable::new_zeros(labels, {n, n}, ScalarType::Int);
    const Tensor compensation = torch::stable::new_empty(scores, {n});
    auto *bits = static_cast<uint64_t *>(words.mutable_data_ptr());
    auto *counts = common.mutable_data_ptr<int>();

    if (pixels) {
        pack<<<blocks(n * stride, kPackThreads / kWarp), kPackThreads, 0, guard.stream()>>>(
            static_cast<const uint8_t *>(all_masks.const_data_ptr()), pixels, stride, n * stride, bits);
        STD_CUDA_KERNEL_LAUNCH_CHECK();
        const unsigned tiles = blocks(n, kTile);
        const dim3 grid(tiles, tiles, blocks(stride, kTileWords));
        count_common_bits<<<grid, dim3(kSide, kSide), 0, guard.stream()>>>(bits, label, n, stride, counts);
        STD_CUDA_KERNEL_LAUNCH_CHECK();
    }
    compensate<<<blocks(n, 1), kColumnThreads, 0, guard.stream()>>>(counts, label, n,
                                                         compensation.mutable_data_ptr<float>());
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    decay_scores<<<blocks(n, 1), kColumnThreads, 0, guard.stream()>>>(
        counts, label, all_scores.const_data_ptr<float>(), n, compensation.const_data_ptr<float>(), decay,
        decayed.mutable_data_ptr<float>());
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    return decayed;
}

}  // namespace
}  // namespace mmdet_solo

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CUDA, m) { m.impl("matrix_nms", TORCH_BOX(&mmdet_solo::matrix_nms)); }
