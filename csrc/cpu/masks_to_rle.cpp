// masks_to_rle on the CPU: masks side by side in threads, each drawn and encoded column by column.
#include <algorithm>
#include <cstring>

#include "../masks_to_rle.h"

namespace mmdet_solo {
namespace {

struct Table {
    std::vector<Tap> taps;
    std::vector<int32_t> starts;

    explicit Table(const Axis &axis) : taps(axis.original), starts(axis.quarter + 1) {
        for (int32_t i = 0; i < axis.original; ++i) {
            taps[i] = make_tap(axis, i);
            enter_starts(axis, taps.data(), i, starts.data());
        }
    }
};

// Draws a column at a quarter of the input's height, and says which of its pixels lie above the threshold.
MMDET_CPU_CLONES void draw_column(const Tap &tap, const float *a, const float *b, const float *c,
                                  int64_t height, float threshold, float *values, uint8_t *above) {
    for (int64_t q = 0; q < height; ++q) {
        values[q] = weigh(tap, a[q], b[q], c[q]);
        above[q] = values[q] > threshold;
    }
}

// Draws and encodes masks; each thread has its own.
class Encoder {
  public:
    Encoder(const Axes &axes, const Table &rows, const Table &columns, float threshold)
        : vertical_(axes.vertical),
          horizontal_(axes.horizontal),
          rows_(rows),
          columns_(columns),
          threshold_(threshold),
          values_(axes.vertical.quarter + 2),
          above_(axes.vertical.quarter) {}

    // `map` holds the columns of the mask one after the other.
    std::string encode(const float *map) {
        RleString rle;
        for (int32_t x = 0; x < horizontal_.original; ++x) {
            const Tap &tap = columns_.taps[x];
            draw_column(tap, column(map, tap.first), column(map, tap.first + 1),
                        column(map, tap.first + 2), vertical_.quarter, threshold_, values_.data(),
                        above_.data());
            const int64_t top = static_cast<int64_t>(x) * vertical_.original;
            walk([&](int32_t row) { rle.change(top + row); });
        }
        return rle.finish(static_cast<int64_t>(vertical_.original) * horizontal_.original);
    }

  private:
    const float *column(const float *map, int32_t q) const {
        return map + static_cast<int64_t>(vertical_.quarter) * std::min(q, horizontal_.quarter - 1);
    }

    template <class Change>
    void walk(const Change &change) {
        const int32_t height = vertical_.quarter;
        values_[height] = values_[height + 1] = values_[height - 1];
        ColumnWalk walk(rows_.taps.data(), rows_.starts.data(), threshold_);
        int32_t edge = 0;  // the next row on the other side of the threshold than row q
        for (int32_t q = 0; q < height; ++q) {
            if (edge <= q) edge = next(q + 1, !above_[q]);
            walk.step(q, values_[q], values_[q + 1], values_[q + 2], change);
            // Once the walk is on the side of row q it stays there up to the neighbours of the edge.
            if (walk.inside() == above_[q]) q = std::max(q, edge - 3);
        }
        walk.finish(vertical_.original, change);
    }

    // The first row from q on that lies on a side of the threshold; the height if there is none.
    int32_t next(int32_t q, bool side) const {
        const uint8_t *begin = above_.data();
        const void *found = std::memchr(begin + q, side, vertical_.quarter - q);
        return found ? static_cast<int32_t>(static_cast<const uint8_t *>(found) - begin)
                     : vertical_.quarter;
    }

    const Axis vertical_;
    const Axis horizontal_;
    const Table &rows_;
    const Table &columns_;
    const float threshold_;
    std::vector<float> values_;  // the last one twice more, as neighbours below the bottom
    std::vector<uint8_t> above_;
};

std::tuple<Tensor, Tensor> masks_to_rle(const Tensor &probabilities, int64_t img_height,
                                        int64_t img_width, int64_t ori_height, int64_t ori_width,
                                        double threshold) {
    const Axes axes = checked_axes(probabilities, img_height, img_width, ori_height, ori_width);
    const Table rows(axes.vertical);
    const Table columns(axes.horizontal);
    const Tensor transposed =
        torch::stable::contiguous(torch::stable::transpose(probabilities, 1, 2));
    const float *maps = transposed.const_data_ptr<float>();
    const int64_t pixels = probabilities.size(1) * probabilities.size(2);
    std::vector<std::string> strings(probabilities.size(0));
    torch::stable::parallel_for(0, probabilities.size(0), 1, [&](int64_t begin, int64_t end) {
        Encoder encoder(axes, rows, columns, static_cast<float>(threshold));
        for (int64_t i = begin; i < end; ++i) strings[i] = encoder.encode(maps + i * pixels);
    });
    return join(strings);
}

STABLE_TORCH_LIBRARY_IMPL(mmdet_solo, CPU, m) {
    m.impl("masks_to_rle", TORCH_BOX(&masks_to_rle));
}

}  // namespace
}  // namespace mmdet_solo
