// The arithmetic of conv3x3 for one instruction set. conv3x3.cpp includes this file once for each, with
//
//   MMDET_ISA       the name of the class that holds it
//   MMDET_TARGET    the attribute that lets a function use the instructions
//   MMDET_WIDTH     floats in a vector
//   MMDET_ROWS      rows of a product whose sums, two vectors each, fill the registers
//
// so there is no include guard. Every function that computes bears MMDET_TARGET; a lambda would not.

#define MMDET_INLINE MMDET_TARGET __attribute__((always_inline)) static inline

struct MMDET_ISA {
static constexpr int64_t kWidth = MMDET_WIDTH;
static constexpr int64_t kRows = MMDET_ROWS;
static constexpr int64_t kPanel = 2 * kWidth;  // channels of a product

typedef float Vec __attribute__((vector_size(4 * MMDET_WIDTH)));

MMDET_INLINE Vec load(const float *from) {
    Vec value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

MMDET_INLINE void store(float *to, Vec value) { __builtin_memcpy(to, &value, sizeof(value)); }

// The first `count` numbers, and zeros.
MMDET_INLINE Vec load_part(const float *from, int64_t count) {
    if (count >= kWidth) return load(from);
    Vec value = {};
    for (int64_t i = 0; i < count; ++i) value[i] = from[i];
    return value;
}

MMDET_INLINE void store_part(float *to, Vec value, int64_t count) {
    if (count >= kWidth) return store(to, value);
    for (int64_t i = 0; i < count; ++i) to[i] = value[i];
}

// The one-dimensional transforms, of numbers `step` vectors apart; see conv3x3.cpp for the matrices.

template <int from, int to>
MMDET_INLINE void transform_input(const Vec *d, Vec *v) {
    const Vec even_a = d[4 * from] - 2 * d[2 * from], odd_a = kA * d[3 * from] - kB * d[from];
    const Vec even_b = d[4 * from] - 0.5f * d[2 * from], odd_b = kB * d[3 * from] - kA * d[from];
    v[0] = (d[0] - 2.5f * d[2 * from]) + d[4 * from];
    v[1 * to] = even_a + odd_a;
    v[2 * to] = even_a - odd_a;
    v[3 * to] = even_b + odd_b;
    v[4 * to] = even_b - odd_b;
    v[5 * to] = (d[from] - 2.5f * d[3 * from]) + d[5 * from];
}

template <int from, int to>
MMDET_INLINE void transform_weight(const Vec *g, Vec *u) {
    const Vec even_a = g[0] + 0.5f * g[2 * from], odd_a = kA * g[from];
    const Vec even_b = g[0] + 2 * g[2 * from], odd_b = kB * g[from];
    u[0] = g[0];
    u[1 * to] = (even_a + odd_a) * (-2.f / 3);
    u[2 * to] = (even_a - odd_a) * (-2.f / 3);
    u[3 * to] = (even_b + odd_b) * (1.f / 6);
    u[4 * to] = (even_b - odd_b) * (1.f / 6);
    u[5 * to] = g[2 * from];
}

template <int from, int to>
MMDET_INLINE void transform_output(const Vec *m, Vec *y) {
    const Vec even_a = m[from] + m[2 * from], odd_a = m[from] - m[2 * from];
    const Vec even_b = m[3 * from] + m[4 * from], odd_b = m[3 * from] - m[4 * from];
    y[0] = m[0] + (even_a + even_b);
    y[1 * to] = kA * odd_a + kB * odd_b;
    y[2 * to] = 0.5f * even_a + 2 * even_b;
    y[3 * to] = (0.5f * kA) * odd_a + ((2 * kB) * odd_b + m[5 * from]);
}

template <int from, int to>
MMDET_INLINE void transform_output_grad(const Vec *y, Vec *z) {
    const Vec even_a = y[0] + 0.5f * y[2 * from], odd_a = kA * y[from] + (0.5f * kA) * y[3 * from];
    const Vec even_b = y[0] + 2 * y[2 * from], odd_b = kB * y[from] + (2 * kB) * y[3 * from];
    z[0] = y[0];
    z[1 * to] = even_a + odd_a;
    z[2 * to] = even_a - odd_a;
    z[3 * to] = even_b + odd_b;
    z[4 * to] = even_b - odd_b;
    z[5 * to] = y[3 * from];
}

template <int from, int to>
MMDET_INLINE void transform_weight_grad(const Vec *u, Vec *g) {
    const Vec even_a = (u[from] + u[2 * from]) * (-2.f / 3), odd_a = (u[from] - u[2 * from]) * (-2.f / 3);
    const Vec even_b = (u[3 * from] + u[4 * from]) * (1.f / 6), odd_b = (u[3 * from] - u[4 * from]) * (1.f / 6);
    g[0] = u[0] + (even_a + even_b);
    g[1 * to] = kA * odd_a + kB * odd_b;
    g[2 * to] = (0.5f * even_a + 2 * even_b) + u[5 * from];
}

// The (36) transformed numbers of a tile's (6, 6) or, of a gradient, (4, 4) pixels, to `stride` floats apart.
template <int size, bool of_grad>
MMDET_INLINE void transform_tile(const float *const *pixels, int64_t channel, int64_t count, float *to,
                                 int64_t stride) {
    Vec columns[6 * size], row[6];
    for (int x = 0; x < size; ++x) {
        Vec column[size];
#pragma GCC unroll 6
        for (int y = 0; y < size; ++y) {
            const float *pixel = pixels[size * y + x];
            column[y] = pixel ? load_part(pixel + channel, count) : Vec{};
        }
        if constexpr (of_grad)
            transform_output_grad<1, size>(column, columns + x);
        else
            transform_input<1, size>(column, columns + x);
    }
    for (int y = 0; y < 6; ++y) {
        if constexpr (of_grad)
            transform_output_grad<1, 1>(columns + size * y, row);
        else
            transform_input<1, 1>(columns + size * y, row);
#pragma GCC unroll 6
        for (int x = 0; x < 6; ++x) store(to + (6 * y + x) * stride, row[x]);
    }
}

// The product of `depth` columns and rows: sums[r][j] (+)= sum over k of a[k][r] * b[k][j], for `rows` rows and
// `vectors` vectors. In `b` and the sums a row is kPanel long. The numbers of `a` lie either as `gather`
// packs them, kWidth columns of kRows rows after the other, or with rows side by side, `step` from one
// column to the next.
using Product = void(int64_t depth, const float *a, int64_t step, const float *b, float *sums, bool add);

template <int rows, int vectors, bool packed>
MMDET_TARGET static void product(int64_t depth, const float *a, int64_t step, const float *b, float *sums, bool add) {
    constexpr int64_t kRowStep = packed ? kWidth : 1;
    Vec sum[rows][vectors];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j)
            sum[r][j] = Vec{};
    const int64_t chunk = packed ? kWidth : depth;
    for (int64_t done = 0; done < depth; done += chunk) {
        const int64_t end = depth - done < chunk ? depth - done : chunk;
        const float *column = a;
        for (int64_t k = 0; k < end; ++k, column += packed ? 1 : step, b += kPanel) {
            Vec factor[vectors];
#pragma GCC unroll 2
            for (int j = 0; j < vectors; ++j) factor[j] = load(b + j * kWidth);
#pragma GCC unroll 16
            for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
                for (int j = 0; j < vectors; ++j) sum[r][j] += column[r * kRowStep] * factor[j];
        }
        a += kRows * kWidth;  // packed: the next columns
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) {
            float *to = sums + r * kPanel + j * kWidth;
            store(to, add ? sum[r][j] + load(to) : sum[r][j]);
        }
}

template <bool packed, int... index>
static constexpr std::array<Product *, 2 * kRows> every_product(std::integer_sequence<int, index...>) {
    return {product<index / 2 + 1, index % 2 + 1, packed>...};
}

// The product of so many rows and channels of a panel.
template <bool packed>
static Product *choose_product(int64_t rows, int64_t channels) {
    static constexpr auto kProducts =
        every_product<packed>(std::make_integer_sequence<int, 2 * kRows>());
    return kProducts[2 * (rows - 1) + (channels > kWidth)];
}

// The transformed weights lie as 36 matrices, each in panels of kPanel output channels: for each of them a row
// for each input channel.

static int64_t panels(int64_t channels) { return parts(channels, kPanel); }

static int64_t weights_stride(int64_t in, int64_t out) { return matrix_stride(panels(out) * in * kPanel); }

// Transforms the weights of some rows of all panels.
MMDET_TARGET static void transform_weights(const Weight &weight, int64_t begin, int64_t end, float *to) {
    const int64_t stride = weights_stride(weight.in, weight.out);
    for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row / weight.in * kPanel, channel = row % weight.in;
        for (int64_t half = 0; half < kPanel; half += kWidth) {
            const int64_t out = first + half;
            const int64_t count = std::min(kWidth, std::max<int64_t>(weight.out - out, 0));
            float taps[9][kWidth] = {};
            for (int64_t i = 0; i < count; ++i) {
                const float *from = weight.at(out + i, channel);
                for (int y = 0; y < 3; ++y)
                    for (int x = 0; x < 3; ++x) taps[3 * y + x][i] = from[y * weight.row_step + x * weight.column_step];
            }
            Vec columns[18], line[6];
            for (int x = 0; x < 3; ++x) {
                const Vec column[3] = {load(taps[x]), load(taps[3 + x]), load(taps[6 + x])};
                transform_weight<1, 3>(column, columns + x);
            }
            for (int y = 0; y < 6; ++y) {
                transform_weight<1, 1>(columns + 3 * y, line);
                for (int x = 0; x < 6; ++x)
                    store(to + (6 * y + x) * stride + row * kPanel + half, line[x]);
            }
        }
    }
}

// Some tiles on their way through a convolution, at most kTiles: 36 matrices of transformed pixels, packed for
// `product`, and 36 of sums, panel after panel.
struct Block {
    static constexpr int64_t kTiles = parts(28, kRows) * kRows;

    int64_t begin, count, in, out;
    int64_t chunks = parts(in, kWidth), groups = parts(count, kRows), rows = parts(count, groups);
    int64_t tile_stride = matrix_stride(groups * chunks * kRows * kWidth);
    int64_t sum_stride = matrix_stride(panels(out) * count * kPanel);

    int64_t size() const { return 36 * (tile_stride + sum_stride); }
};

static int64_t block_size(int64_t in, int64_t out) { return Block{0, Block::kTiles, in, out}.size(); }

MMDET_TARGET static void gather(const Levels &input, const Block &block, float *tiles) {
    const float *pixels[36];
    for (int64_t t = 0; t < block.count; ++t) {
        input.locate<6>(block.begin + t, pixels);
        float *to = tiles + (t / block.rows * block.chunks * kRows + t % block.rows) * kWidth;
        for (int64_t channel = 0; channel < block.in; channel += kWidth, to += kRows * kWidth)
            transform_tile<6, false>(pixels, channel, block.in - channel, to, block.tile_stride);
    }
}

MMDET_TARGET static void multiply(const float *tiles, const float *weights, const Block &block,
                                  float *sums) {
    const int64_t weight_stride = weights_stride(block.in, block.out);
    // Sums of sums, each of about 64 numbers, round half as much as a single one.
    const int64_t slices = std::max<int64_t>((block.in + 32) / 64, 1);
    for (int64_t matrix = 0; matrix < 36; ++matrix)
        for (int64_t channel = 0; channel < block.out; channel += kPanel)
            for (int64_t slice = 0; slice < slices; ++slice) {
                const int64_t top = block.chunks * slice / slices * kWidth;
                const int64_t bottom = std::min(block.chunks * (slice + 1) / slices * kWidth, block.in);
                const float *b = weights + matrix * weight_stride + channel * block.in + top * kPanel;
                for (int64_t group = 0; group < block.groups; ++group) {
                    const int64_t first = group * block.rows, rows = std::min(block.rows, block.count - first);
                    const float *a =
                        tiles + matrix * block.tile_stride + (group * block.chunks * kWidth + top) * kRows;
                    float *to = sums + matrix * block.sum_stride + channel * block.count + first * kPanel;
                    choose_product<true>(rows, block.out - channel)(bottom - top, a, 0, b, to, slice > 0);
                }
            }
}

MMDET_TARGET static void scatter(const float *sums, const float *bias, const Block &block,
                                 const Levels &output) {
    const float *pixels[Block::kTiles][16];
    for (int64_t t = 0; t < block.count; ++t) output.locate<4>(block.begin + t, pixels[t]);
    for (int64_t channel = 0; channel < block.out; channel += kWidth) {
        const int64_t half = channel % kPanel, length = block.out - channel;
        const Vec start = bias ? load_part(bias + channel, length) : Vec{};
        const float *from = sums + (channel - half) * block.count + half;
        for (int64_t t = 0; t < block.count; ++t, from += kPanel) {
            Vec columns[24], line[4];
            for (int x = 0; x < 6; ++x) {
                Vec column[6];
#pragma GCC unroll 6
                for (int y = 0; y < 6; ++y) column[y] = load(from + (6 * y + x) * block.sum_stride);
                transform_output<1, 6>(column, columns + x);
            }
            for (int y = 0; y < 4; ++y) {
                transform_output<1, 1>(columns + 6 * y, line);
#pragma GCC unroll 4
                for (int x = 0; x < 4; ++x)
                    if (const float *pixel = pixels[t][4 * y + x])
                        store_part(const_cast<float *>(pixel) + channel, line[x] + start, length);
            }
        }
    }
}

MMDET_TARGET static void convolve(const Levels &input, const float *weights, const float *bias,
                                  const Levels &output, int64_t begin, int64_t end, float *scratch) {
    const Block block{begin, end - begin, input.channels, output.channels};
    float *sums = scratch + 36 * block.tile_stride;
    gather(input, block, scratch);
    multiply(scratch, weights, block, sums);
    scatter(sums, bias, block, output);
}

// Adds up the transformed gradient of the weights over some tiles, at most kGradTiles, for `channels` input
// channels from `first` on; the sums lie as transformed weights do.
static constexpr int64_t kGradTiles = 56;

static int64_t inputs_row(int64_t channels) { return matrix_stride(channels); }

static int64_t gradient_scratch(int64_t tiles, int64_t channels, int64_t out) {
    return 36 * (matrix_stride(tiles * inputs_row(channels)) + matrix_stride(panels(out) * tiles * kPanel));
}

MMDET_TARGET static void add_weight_gradient(const Levels &input, int64_t first, int64_t channels,
                                             const Levels &grad, int64_t begin, int64_t end,
                                             float *scratch, float *sums, bool add) {
    const int64_t out = grad.channels, count = end - begin, row = inputs_row(channels);
    const int64_t input_stride = matrix_stride(count * row), grad_stride = matrix_stride(panels(out) * count * kPanel);
    const int64_t sum_stride = weights_stride(channels, out);
    float *inputs = scratch, *grads = scratch + 36 * input_stride;
    const float *pixels[36];
    for (int64_t t = 0; t < count; ++t) {
        input.locate<6>(begin + t, pixels);
        for (int64_t channel = 0; channel < channels; channel += kWidth)
            transform_tile<6, false>(pixels, first + channel, channels - channel, inputs + t * row + channel,
                                     input_stride);
        grad.locate<4>(begin + t, pixels);
        for (int64_t channel = 0; channel < out; channel += kWidth) {
            const int64_t half = channel % kPanel;
            float *to = grads + (channel - half) * count + t * kPanel + half;
            transform_tile<4, true>(pixels, channel, out - channel, to, grad_stride);
        }
    }
    const int64_t rows = parts(channels, parts(channels, kRows));
    for (int64_t matrix = 0; matrix < 36; ++matrix)
        for (int64_t channel = 0; channel < out; channel += kPanel)
            for (int64_t top = 0; top < channels; top += rows) {
                Product *product = choose_product<false>(std::min(rows, channels - top), out - channel);
                product(count, inputs + matrix * input_stride + top, row,
                        grads + matrix * grad_stride + channel * count,
                        sums + matrix * sum_stride + channel * channels + top * kPanel, add);
            }
}

// Transforms the `terms` sums of some rows, `apart` floats from each other, back to the gradient of weights.
MMDET_TARGET static void finish_weight_gradient(const float *sums, int64_t terms, int64_t apart,
                                                int64_t first, int64_t channels, int64_t begin, int64_t end,
                                                const Weight &grad, float *to) {
    const int64_t stride = weights_stride(channels, grad.out);
    for (int64_t row = begin; row < end; ++row)
        for (int64_t half = 0; half < kPanel; half += kWidth) {
            const int64_t out = row / channels * kPanel + half, channel = first + row % channels;
            if (out >= grad.out) continue;
            Vec matrix[36], columns[18], line[3];
            for (int i = 0; i < 36; ++i) {
                matrix[i] = load(sums + i * stride + row * kPanel + half);
                for (int64_t term = 1; term < terms; ++term)
                    matrix[i] += load(sums + term * apart + i * stride + row * kPanel + half);
            }
            for (int x = 0; x < 6; ++x) transform_weight_grad<6, 6>(matrix + x, columns + x);
            float taps[9][kWidth];
            for (int y = 0; y < 3; ++y) {
                transform_weight_grad<1, 1>(columns + 6 * y, line);
                for (int x = 0; x < 3; ++x) store(taps[3 * y + x], line[x]);
            }
            for (int64_t i = 0; i < std::min(kWidth, grad.out - out); ++i) {
                float *target = to + ((out + i) * grad.in + channel) * 9;
                for (int tap = 0; tap < 9; ++tap) target[tap] = taps[tap][i];
            }
        }
}
};

#undef MMDET_INLINE
