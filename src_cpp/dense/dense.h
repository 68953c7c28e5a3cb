#pragma once
// Products of single-precision matrices for reading prompts, on processors that have AVX2 and FMA. A general library makes each product by
// itself and goes through the memory again for what follows it; here bias, GELU, the sum with what was there before and the softmax of
// attention happen where the product is. Nothing here keeps anything between calls, and results do not depend on the number of threads.

#include <cstddef>

namespace midigpt {

// Columns of every matrix but the keys' positions come in multiples of this.
inline constexpr std::size_t kDenseColumns = 16;

// Whether this processor (and this build) can do the rest of this header. The functions below must not be called otherwise.
[[nodiscard]] bool has_dense();

// A matrix inside other memory: entry (r, c) is data[r * row_step + c * column_step].
struct ConstMatrix {
  const float* data;
  std::size_t rows, columns, row_step, column_step;
};

struct Matrix {
  float* data;
  std::size_t rows, columns, row_step;  // columns follow each other
};

enum class Then {
  Store,  // out = x w + bias
  Gelu,   // out = gelu(x w + bias), in its tanh form
  Add,    // out = out + x w + bias
};

// x (m, k) with column_step 1, w (k, n), bias (n), out (m, n).
void linear(const ConstMatrix& x, const ConstMatrix& w, const float* bias, const Matrix& out, Then then, std::size_t threads);

// New tokens of one row look at what stands before them and at each other.
struct Attended {
  std::size_t tokens, heads, width;   // new tokens; heads; width of a head
  std::size_t before;                 // tokens in the cache before the new ones, whose own keys and values are there, too
  const float* queries;               // (tokens, heads, width)
  std::size_t query_step;             // from token to token
  const float *keys, *values;         // (heads, positions, width)
  std::size_t head_step;              // from head to head
  float* out;                         // (tokens, heads * width)
};

// Token i hears positions 0 .. before + i: softmax(q k / sqrt(width)) v.
void attend(const Attended& a, std::size_t threads);

}  // namespace midigpt
