#include "dense/dense.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <new>
#include <thread>
#include <vector>

// Only these functions use the instructions, so that the rest of the module runs anywhere.
#define MIDIGPT_VECTOR __attribute__((target("avx2,fma")))

namespace midigpt {

namespace {

// A tile of kRows x kDenseColumns results lives in 12 of the 16 registers while a column of x and a row of w go by.
constexpr std::size_t kRows = 6;
constexpr std::size_t kDepth = 512;  // of a product at a time: so much of w beside its tile's x stays in the nearest cache
constexpr std::size_t kGroup = 128;  // columns of w that are packed at a time
constexpr std::size_t kBlock = 96;   // rows of x that meet all of them before the next ones do
constexpr std::size_t kQueries = 48;

MIDIGPT_VECTOR inline __m256 exponential(__m256 x) {
  // e^x = 2^n e^r with |r| <= ln(2) / 2; the series to r^7 is exact to the last place or so.
  // Of two numbers one of which is NaN these give the second: so NaN stays NaN, and a broken model does not pass for a sound one.
  x = _mm256_max_ps(_mm256_set1_ps(-87.0f), _mm256_min_ps(_mm256_set1_ps(88.0f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);  // ln(2), in two pieces
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 y = _mm256_set1_ps(1.0f / 5040.0f);
  for (const float term : {1.0f / 720.0f, 1.0f / 120.0f, 1.0f / 24.0f, 1.0f / 6.0f, 0.5f, 1.0f, 1.0f}) {
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(term));
  }
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
}

// (1 + tanh(u)) / 2 = 1 / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
MIDIGPT_VECTOR inline __m256 gelu(__m256 x) {
  const __m256 first = _mm256_set1_ps(-1.5957691216f), third = _mm256_set1_ps(-0.0713548163f);
  const __m256 v = _mm256_mul_ps(x, _mm256_fmadd_ps(_mm256_mul_ps(x, x), third, first));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), exponential(v)));
}

// What happens to a tile when its product is there. `bias` may be null.
struct Ending {
  const float* bias;
  bool add, gelu;
};

// R rows of x, one panel of w (depth, kDenseColumns).
template <int R>
MIDIGPT_VECTOR void tile(const float* x, std::size_t x_step, const float* w, std::size_t depth, const Ending& ending, float* out, std::size_t out_step) {
  __m256 sum[R][2];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  for (std::size_t p = 0; p < depth; ++p) {
    const __m256 left = _mm256_loadu_ps(w + kDenseColumns * p), right = _mm256_loadu_ps(w + kDenseColumns * p + 8);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256 a = _mm256_broadcast_ss(x + static_cast<std::size_t>(r) * x_step + p);
      sum[r][0] = _mm256_fmadd_ps(a, left, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(a, right, sum[r][1]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      float* to = out + static_cast<std::size_t>(r) * out_step + 8 * half;
      __m256 v = sum[r][half];
      if (ending.bias != nullptr) v = _mm256_add_ps(v, _mm256_loadu_ps(ending.bias + 8 * half));
      if (ending.add) v = _mm256_add_ps(v, _mm256_loadu_ps(to));
      if (ending.gelu) v = gelu(v);
      _mm256_storeu_ps(to, v);
    }
  }
}

// Any number of rows of x against one panel.
void column_of_tiles(const float* x, std::size_t rows, std::size_t x_step, const float* w, std::size_t depth, const Ending& ending, float* out,
                     std::size_t out_step) {
  std::size_t i = 0;
  for (; i + kRows <= rows; i += kRows) tile<kRows>(x + i * x_step, x_step, w, depth, ending, out + i * out_step, out_step);
  x += i * x_step;
  out += i * out_step;
  switch (rows - i) {
    case 1: return tile<1>(x, x_step, w, depth, ending, out, out_step);
    case 2: return tile<2>(x, x_step, w, depth, ending, out, out_step);
    case 3: return tile<3>(x, x_step, w, depth, ending, out, out_step);
    case 4: return tile<4>(x, x_step, w, depth, ending, out, out_step);
    case 5: return tile<5>(x, x_step, w, depth, ending, out, out_step);
    default: return;
  }
}

// Eight entries of eight columns, turned round. `from`: column by column, `step` apart; `to`: row by row in a panel.
MIDIGPT_VECTOR inline void turn(const float* from, std::size_t step, float* to) {
  __m256 a[8], b[8];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 8; ++i) a[i] = _mm256_loadu_ps(from + i * step);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 2
  for (std::size_t i = 0; i < 8; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * kDenseColumns, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * kDenseColumns, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

// w in panels of kDenseColumns columns, each (rows, kDenseColumns) in one piece; the last one is filled up with zeros.
void pack(const ConstMatrix& w, float* to) {
  for (std::size_t j = 0; j < w.columns; j += kDenseColumns, to += w.rows * kDenseColumns) {
    const std::size_t width = std::min(kDenseColumns, w.columns - j);
    const float* from = w.data + j * w.column_step;
    if (width == kDenseColumns && w.column_step == 1) {
      for (std::size_t p = 0; p < w.rows; ++p) std::memcpy(to + p * kDenseColumns, from + p * w.row_step, kDenseColumns * sizeof(float));
      continue;
    }
    if (width == kDenseColumns && w.row_step == 1) {
      std::size_t p = 0;
      for (; p + 8 <= w.rows; p += 8) {
        turn(from + p, w.column_step, to + p * kDenseColumns);
        turn(from + p + 8 * w.column_step, w.column_step, to + p * kDenseColumns + 8);
      }
      for (; p < w.rows; ++p) {
        for (std::size_t c = 0; c < width; ++c) to[p * kDenseColumns + c] = from[p + c * w.column_step];
      }
      continue;
    }
    if (width < kDenseColumns) std::fill(to, to + w.rows * kDenseColumns, 0.0f);
    for (std::size_t c = 0; c < width; ++c) {
      for (std::size_t p = 0; p < w.rows; ++p) to[p * kDenseColumns + c] = from[p * w.row_step + c * w.column_step];
    }
  }
}

constexpr std::size_t panels_of(std::size_t columns) { return (columns + kDenseColumns - 1) / kDenseColumns; }

// Memory of a call. Not set to zero: every number is written before it is read.
class Scratch {
 public:
  explicit Scratch(std::size_t n) : data_(static_cast<float*>(::operator new(n * sizeof(float), kAlign))) {}
  ~Scratch() { ::operator delete(data_, kAlign); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] float* get() const { return data_; }

 private:
  static constexpr std::align_val_t kAlign{64};
  float* data_;
};

void linear_part(const ConstMatrix& x, const ConstMatrix& w, const float* bias, const Matrix& out, Then then) {
  const Scratch packed(std::min(kGroup, w.columns) * std::min(kDepth, w.rows));
  for (std::size_t g = 0; g < w.columns; g += kGroup) {
    const std::size_t columns = std::min(kGroup, w.columns - g);
    for (std::size_t p = 0; p < w.rows; p += kDepth) {
      const std::size_t depth = std::min(kDepth, w.rows - p);
      pack({w.data + p * w.row_step + g * w.column_step, depth, columns, w.row_step, w.column_step}, packed.get());
      const bool add = p > 0 || then == Then::Add, at_last = p + depth == w.rows && then == Then::Gelu;
      for (std::size_t i = 0; i < x.rows; i += kBlock) {
        const std::size_t rows = std::min(kBlock, x.rows - i);
        for (std::size_t j = 0; j < columns; j += kDenseColumns) {
          const Ending ending{p == 0 ? bias + g + j : nullptr, add, at_last};
          column_of_tiles(x.data + i * x.row_step + p, rows, x.row_step, packed.get() + j * depth, depth, ending,
                          out.data + i * out.row_step + g + j, out.row_step);
        }
      }
    }
  }
}

// One row of scores becomes weights: e^(scale (s - largest)) for the first n, 0 up to `room`. Returns their sum.
MIDIGPT_VECTOR float weigh(float* scores, std::size_t n, std::size_t room, float scale) {
  const std::size_t whole = n / 8 * 8;
  float largest = scores[0];
  __m256 largest8 = _mm256_set1_ps(largest);
  for (std::size_t i = 0; i < whole; i += 8) largest8 = _mm256_max_ps(largest8, _mm256_loadu_ps(scores + i));
  alignas(32) float lane[8];
  _mm256_store_ps(lane, largest8);
  for (const float value : lane) largest = std::max(largest, value);
  for (std::size_t i = whole; i < n; ++i) largest = std::max(largest, scores[i]);
  std::fill(scores + n, scores + room, largest);  // finite; their weights are taken away below
  const __m256 scale8 = _mm256_set1_ps(scale), from = _mm256_set1_ps(largest);
  __m256 sum8 = _mm256_setzero_ps();
  for (std::size_t i = 0; i < room; i += 8) {
    const __m256 e = exponential(_mm256_mul_ps(scale8, _mm256_sub_ps(_mm256_loadu_ps(scores + i), from)));
    _mm256_storeu_ps(scores + i, e);
    if (i < whole) sum8 = _mm256_add_ps(sum8, e);
  }
  _mm256_store_ps(lane, sum8);
  float sum = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
  for (std::size_t i = whole; i < n; ++i) sum += scores[i];
  std::fill(scores + n, scores + room, 0.0f);
  return sum;
}

void attend_head(const Attended& a, std::size_t head) {
  const std::size_t end = a.before + a.tokens, room = panels_of(end) * kDenseColumns;
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.width));
  const float *keys = a.keys + head * a.head_step, *values = a.values + head * a.head_step;
  const Scratch key_panels(room * a.width), value_panels(end * a.width), scores(kQueries * room);
  pack({keys, a.width, end, 1, a.width}, key_panels.get());
  pack({values, end, a.width, a.width, 1}, value_panels.get());
  for (std::size_t i = 0; i < a.tokens; i += kQueries) {
    const std::size_t rows = std::min(kQueries, a.tokens - i), seen = a.before + i + rows;  // by the last of them
    const float* queries = a.queries + i * a.query_step + head * a.width;
    for (std::size_t j = 0; j < panels_of(seen); ++j) {
      column_of_tiles(queries, rows, a.query_step, key_panels.get() + j * kDenseColumns * a.width, a.width, {nullptr, false, false},
                      scores.get() + j * kDenseColumns, room);
    }
    float sums[kQueries];
    for (std::size_t r = 0; r < rows; ++r) sums[r] = weigh(scores.get() + r * room, a.before + i + r + 1, panels_of(seen) * kDenseColumns, scale);
    const std::size_t out_step = a.heads * a.width;
    float* out = a.out + i * out_step + head * a.width;
    for (std::size_t p = 0; p < seen; p += kDepth) {
      for (std::size_t j = 0; j < a.width; j += kDenseColumns) {
        column_of_tiles(scores.get() + p, rows, room, value_panels.get() + j * end + p * kDenseColumns, std::min(kDepth, seen - p),
                        {nullptr, p > 0, false}, out + j, out_step);
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < a.width; ++c) out[r * out_step + c] /= sums[r];
    }
  }
}

// `work(first, last)` for the parts of 0 .. n, side by side.
template <class Work>
void in_parts(std::size_t n, std::size_t threads, const Work& work) {
  const std::size_t parts = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(n, 1));
  std::vector<std::exception_ptr> failures(parts);
  const auto part = [&](std::size_t i) noexcept {
    try {
      work(n * i / parts, n * (i + 1) / parts);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  others.reserve(parts);
  for (std::size_t i = 1; i < parts; ++i) {
    try {
      others.emplace_back(part, i);
    } catch (...) {  // no more threads to be had, or no memory for one
      part(i);
    }
  }
  part(0);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace

bool has_dense() { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }

void linear(const ConstMatrix& x, const ConstMatrix& w, const float* bias, const Matrix& out, Then then, std::size_t threads) {
  in_parts(w.columns / kDenseColumns, threads, [&](std::size_t first, std::size_t last) {
    const std::size_t from = first * kDenseColumns, columns = (last - first) * kDenseColumns;
    const ConstMatrix some{w.data + from * w.column_step, w.rows, columns, w.row_step, w.column_step};
    linear_part(x, some, bias + from, {out.data + from, out.rows, columns, out.row_step}, then);
  });
}

void attend(const Attended& a, std::size_t threads) {
  in_parts(a.heads, threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t head = first; head < last; ++head) attend_head(a, head);
  });
}

}  // namespace midigpt

#else

#include <cstdlib>

namespace midigpt {

bool has_dense() { return false; }
void linear(const ConstMatrix&, const ConstMatrix&, const float*, const Matrix&, Then, std::size_t) { std::abort(); }
void attend(const Attended&, std::size_t) { std::abort(); }

}  // namespace midigpt

#endif
