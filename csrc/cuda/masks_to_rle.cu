// masks_to_rle on CUDA: a thread draws one column of one mask, first to count where the mask changes in it,
// then to write down where. Those few numbers go to the host, which spells the strings.
#include "../masks_to_rle.h"
#include "common.cuh"

namespace mmdet_solo {
namespace {

constexpr int kThreads = 128;

__global__ void fill_taps(Axis axis, Tap *taps) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < axis.original) taps[i] = make_tap(axis, i);
}

__global__ void fill_starts(Axis axis, const Tap *taps, int32_t *starts) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < axis.original) enter_starts(axis, taps, i, starts);
}

struct Columns {
    const float *maps;
    int64_t count;  // of all masks
    Axes axes;
    const Tap *row_taps;
    const int32_t *starts;  // of the rows
    const Tap *column_taps;
    float threshold;
};

// Without `ends`, counts the changes of each column; with them, the running totals of these counts, writes
// where in its mask each change is. One kernel does both, so that both draw the same pixels to the last bit.
__global__ void find_changes(Columns columns, int32_t *counts, const int64_t *ends,
                             int32_t *changes) {
    const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    const Axis vertical = columns.axes.vertical;
    const Axis horizontal = columns.axes.horizontal;
    const int32_t width = horizontal.quarter;
    const int32_t bottom = vertical.quarter - 1;
    for (int64_t i = first; i < columns.count; i += stride) {
        const int64_t mask = i / horizontal.original;
        const int32_t x = static_cast<int32_t>(i % horizontal.original);
        const Tap tap = columns.column_taps[x];
        const float *a = columns.maps + mask * vertical.quarter * width + tap.first;
        const float *b = tap.first + 1 < width ? a + 1 : a;
        const float *c = tap.first + 2 < width ? a + 2 : b;
        const int32_t top = x * vertical.original;
        int32_t *next = ends ? changes + (ends[i] - counts[i]) : nullptr;
        int32_t count = 0;
        const auto value = [&](int32_t q) {
            const int64_t row = static_cast<int64_t>(q < bottom ? q : bottom) * width;
            return weigh(tap, a[row], b[row], c[row]);
        };
        const auto change = [&](int32_t row) {
            if (next) next[count] = top + row;
            ++count;
        };
        ColumnWalk walk(columns.row_taps, columns.starts, columns.threshold);
        float above = value(0);
        float here = value(1);
        for (int32_t q = 0; q <= bottom; ++q) {
            const float below = value(q + 2);
            walk.step(q, above, here, below, change);
            above = here;
            here = below;
        }
        walk.finish(vertical.original, change);
        if (!ends) counts[i] = count;
    }
}

Tensor running_totals(const Tensor &counts) {
    StableIValue stack[] = {torch::stable::detail::from(counts),
                            torch::stable::detail::from(int64_t{0}),
                            torch::stable::detail::from(std::nullopt)};
    STABLE_TORCH_ERROR_CODE_CHECK(
        torch_call_dispatcher("aten::cumsum", "", stack, TORCH_ABI_VERSION));
    return torch::stable::detail::to<Tensor>(stack[0]);
}

Tensor to_host(const Tensor &tensor) {
    return torch::stable::to(torch::stable::contiguous(tensor),
                             torch::stable::Device(torch::headeronly::DeviceType::CPU));
}

std::tuple<Tensor, Tensor> masks_to_rle(const Tensor &probabilities, int64_t img_height,
                                        int64_t img_width, int64_t ori_height, int64_t ori_width,
                                        double threshold) {
    const Axes axes = checked_axes(probabilities, img_height, img_width, ori_height, ori_width);
    const int64_t masks = probabilities.size(0);
    if (masks == 0) return join({});
    const LaunchGuard guard(probabilities);
    const Tensor maps = torch::stable::contiguous(probabilities);
    const auto room = [&](int64_t count, ScalarType type) {
        return torch::stable::new_empty(maps, {count}, type);
    };
    const Tensor row_taps = room(ori_height * sizeof(Tap), ScalarType::Byte);
    const Tensor column_taps = room(ori_width * sizeof(Tap), ScalarType::Byte);
    const Tensor starts = room(axes.vertical.quarter + 1, ScalarType::Int);
    const Tensor counts = room(masks * ori_width, ScalarType::Int);
    Tap *row_tap = static_cast<Tap *>(row_taps.mutable_data_ptr());
    Tap *column_tap = static_cast<Tap *>(column_taps.mutable_data_ptr());
    int32_t *start = starts.mutable_data_ptr<int32_t>();
    const Columns columns{maps.const_data_ptr<float>(), masks * ori_width, axes, row_tap, start,
                          column_tap, static_cast<float>(threshold)};

    fill_taps<<<blocks(ori_height, kThreads), kThreads, 0, guard.stream()>>>(axes.vertical, row_tap);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    fill_starts<<<blocks(ori_height, kThreads), kThreads, 0, guard.stream()>>>(axes.vertical, row_tap,
                                                                               start);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    fill_taps<<<blocks(ori_width, kThreads), kThreads, 0, guard.stream()>>>(axes.horizontal,
                                                                            column_tap);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    find_changes<<<blocks(columns.count, kThreads), kThreads, 0, guard.stream()>>>(
        columns, counts.mutable_data_ptr<int32_t>(), nullptr, nullptr);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    const Tensor ends = running_totals(counts);
    // The host waits twice: for the number of changes, and for the changes.
    const Tensor mask_ends =
        to_host(torch::stable::select(torch::stable::view(ends, {masks, ori_width}), 1, -1));
    const int64_t *mask_end = mask_ends.const_data_ptr<int64_t>();
    const Tensor changes = room(mask_end[masks - 1], ScalarType::Int);
    find_changes<<<blocks(columns.count, kThreads), kThreads, 0, guard.stream()>>>(
        columns, counts.mutable_data_ptr<int32_t>(), ends.const_data_ptr<int64_t>(),
        changes.mutable_data_ptr<int32_t>());
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    const Tensor found = to_host(changes);

    std::vector<std::string> strings;
    const int32_t *change = found.const_data_ptr<int32_t>();
    const int32_t *begin = change;
    for (int64_t mask = 0; mask < masks; ++mask) {
        RleString rle;
        for (; change != begin + mask_end[mask]; ++change) rle.change(*change);
        strings.push_back(rle.finish(ori_height * ori_width));
    }
    return join(strings);
}

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CUDA, m) {
    m.impl("masks_to_rle", TORCH_BOX(&masks_to_rle));
}

}  // namespace
}  // namespace mmdet_solo
