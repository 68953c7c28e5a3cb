#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "dense/dense.h"

using namespace midigpt;

namespace {

std::vector<float> numbers(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> out(n);
  for (float& value : out) value = normal(random);
  return out;
}

double gelu(double x) { return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979) * (x + 0.044715 * x * x * x))); }

}  // namespace

TEST_CASE("linear is the sum it says, whatever the sizes, the order of w and the number of threads") {
  if (!has_dense()) return;
  struct Size {
    std::size_t m, k, n;
  };
  for (const Size s : {Size{1, 1, 16}, Size{5, 7, 32}, Size{6, 24, 144}, Size{97, 513, 272}, Size{200, 1030, 16}}) {
    const std::vector<float> x = numbers(s.m * s.k, 1), w = numbers(s.k * s.n, 2), bias = numbers(s.n, 3), before = numbers(s.m * s.n, 4);
    for (const bool turned : {false, true}) {
      const ConstMatrix right{w.data(), s.k, s.n, turned ? 1 : s.n, turned ? s.k : 1};
      for (const Then then : {Then::Store, Then::Gelu, Then::Add}) {
        std::vector<float> out = before, by_many = before;
        linear({x.data(), s.m, s.k, s.k, 1}, right, bias.data(), {out.data(), s.m, s.n, s.n}, then, 1);
        linear({x.data(), s.m, s.k, s.k, 1}, right, bias.data(), {by_many.data(), s.m, s.n, s.n}, then, 3);
        CHECK(out == by_many);
        double worst = 0.0;
        for (std::size_t i = 0; i < s.m; ++i) {
          for (std::size_t j = 0; j < s.n; ++j) {
            double sum = bias[j];
            for (std::size_t p = 0; p < s.k; ++p) sum += static_cast<double>(x[i * s.k + p]) * w[p * right.row_step + j * right.column_step];
            if (then == Then::Gelu) sum = gelu(sum);
            if (then == Then::Add) sum += before[i * s.n + j];
            worst = std::max(worst, std::fabs(sum - static_cast<double>(out[i * s.n + j])));
          }
        }
        CHECK(worst < 2e-5 * std::sqrt(static_cast<double>(s.k)));
      }
    }
  }
}

TEST_CASE("linear reads and writes inside larger arrays, and nothing beside them") {
  if (!has_dense()) return;
  const std::vector<float> x = numbers(7 * 40, 1), w = numbers(32 * 64, 2), bias = numbers(32, 3);
  std::vector<float> out(7 * 50, -1.0f), alone(7 * 32);
  linear({x.data() + 3, 7, 32, 40, 1}, {w.data() + 16, 32, 32, 64, 1}, bias.data(), {out.data() + 9, 7, 32, 50}, Then::Store, 1);
  std::vector<float> own_x, own_w;
  for (std::size_t i = 0; i < 7; ++i) own_x.insert(own_x.end(), x.data() + i * 40 + 3, x.data() + i * 40 + 35);
  for (std::size_t p = 0; p < 32; ++p) own_w.insert(own_w.end(), w.data() + p * 64 + 16, w.data() + p * 64 + 48);
  linear({own_x.data(), 7, 32, 32, 1}, {own_w.data(), 32, 32, 32, 1}, bias.data(), {alone.data(), 7, 32, 32}, Then::Store, 1);
  for (std::size_t i = 0; i < 7; ++i) {
    for (std::size_t j = 0; j < 50; ++j) CHECK(out[i * 50 + j] == (j < 9 || j >= 41 ? -1.0f : alone[i * 32 + j - 9]));
  }
}

TEST_CASE("linear takes w in any order, and no rows, and no columns") {
  if (!has_dense()) return;
  constexpr std::size_t m = 33, k = 37, n = 48, row = 3, column = 3 * k + 2;  // neither rows nor columns of w in one piece
  const std::vector<float> x = numbers(m * k, 1), spread = numbers(row * k + column * n, 2), bias = numbers(n, 3);
  std::vector<float> w(k * n), wanted(m * n), out(m * n);
  for (std::size_t p = 0; p < k; ++p) {
    for (std::size_t j = 0; j < n; ++j) w[p * n + j] = spread[p * row + j * column];
  }
  linear({x.data(), m, k, k, 1}, {w.data(), k, n, n, 1}, bias.data(), {wanted.data(), m, n, n}, Then::Gelu, 1);
  linear({x.data(), m, k, k, 1}, {spread.data(), k, n, row, column}, bias.data(), {out.data(), m, n, n}, Then::Gelu, 5);
  CHECK(out == wanted);
  linear({x.data(), 0, k, k, 1}, {w.data(), k, n, n, 1}, bias.data(), {out.data(), 0, n, n}, Then::Add, 2);
  linear({x.data(), m, k, k, 1}, {w.data(), k, 0, n, 1}, bias.data(), {out.data(), m, 0, n}, Then::Store, 0);
  CHECK(out == wanted);
}

TEST_CASE("gelu at its ends, and NaN stays where it is") {
  if (!has_dense()) return;
  const std::vector<float> x{0.0f, 1e-30f, 9.0f, -9.0f, 200.0f, -200.0f, 1e12f, -1e12f, INFINITY, NAN};
  const std::vector<float> w(16, 1.0f), bias(16, 0.0f);
  std::vector<float> out(x.size() * 16);
  linear({x.data(), x.size(), 1, 1, 1}, {w.data(), 1, 16, 16, 1}, bias.data(), {out.data(), x.size(), 16, 16}, Then::Gelu, 1);
  for (std::size_t i = 0; i < 8; ++i) CHECK(out[i * 16] == doctest::Approx(x[i] < 0 ? 0.0f : x[i]).epsilon(1e-5));
  CHECK(out[8 * 16] == INFINITY);
  CHECK(std::isnan(out[9 * 16]));
  CHECK(std::isnan(out[9 * 16 + 15]));
}

TEST_CASE("attend does not hide a key that is no number, from those that look at it") {
  if (!has_dense()) return;
  constexpr std::size_t tokens = 40, width = 16, bad = 20;
  const std::vector<float> q = numbers(tokens * width, 1), values = numbers(tokens * width, 3);
  for (const float wrong : {NAN, INFINITY}) {
    std::vector<float> keys = numbers(tokens * width, 2), out(tokens * width);
    keys[bad * width + 3] = wrong;
    attend({tokens, 1, width, 0, q.data(), width, keys.data(), values.data(), tokens * width, out.data()}, 1);
    for (std::size_t i = 0; i < bad; ++i) CHECK(std::isfinite(out[i * width]));
    if (std::isnan(wrong)) {
      for (std::size_t i = bad; i < tokens; ++i) CHECK(std::isnan(out[i * width]));
    }
  }
  std::vector<float> none;
  attend({0, 1, width, 0, q.data(), width, values.data(), values.data(), tokens * width, none.data()}, 2);
}

TEST_CASE("attend takes scores that lie far apart") {
  if (!has_dense()) return;
  constexpr std::size_t tokens = 33, width = 16;
  std::vector<float> q(tokens * width, 0.0f), keys(tokens * width, 0.0f), out(tokens * width);
  const std::vector<float> values = numbers(tokens * width, 3);
  for (std::size_t i = 0; i < tokens; ++i) q[i * width] = 1000.0f, keys[i * width] = static_cast<float>(i);
  attend({tokens, 1, width, 0, q.data(), width, keys.data(), values.data(), tokens * width, out.data()}, 1);
  for (std::size_t i = 0; i < tokens * width; ++i) CHECK(out[i] == doctest::Approx(values[i]).epsilon(1e-5));  // the last is all that counts
}

TEST_CASE("attend hears what stands before and nothing else") {
  if (!has_dense()) return;
  constexpr std::size_t heads = 3, width = 16, positions = 640;
  for (const auto& [tokens, before] : {std::pair<std::size_t, std::size_t>{1, 0}, {1, 30}, {49, 0}, {50, 23}, {100, 520}}) {
    const std::vector<float> q = numbers(tokens * 3 * heads * width, 1);
    std::vector<float> keys = numbers(heads * positions * width, 2), values = numbers(heads * positions * width, 3);
    for (std::size_t h = 0; h < heads; ++h) {  // what lies behind the row
      for (std::size_t i = before + tokens; i < positions; ++i) {
        for (std::size_t c = 0; c < width; ++c) keys[(h * positions + i) * width + c] = values[(h * positions + i) * width + c] = NAN;
      }
    }
    std::vector<float> out(tokens * heads * width), by_many = out;
    Attended a{tokens, heads, width, before, q.data(), 3 * heads * width, keys.data(), values.data(), positions * width, out.data()};
    attend(a, 1);
    a.out = by_many.data();
    attend(a, 2);
    CHECK(out == by_many);
    double worst = 0.0;
    for (std::size_t i = 0; i < tokens; ++i) {
      for (std::size_t h = 0; h < heads; ++h) {
        std::vector<double> weights, heard(width);
        double sum = 0.0;
        for (std::size_t p = 0; p <= before + i; ++p) {
          double score = 0.0;
          for (std::size_t c = 0; c < width; ++c) {
            score += static_cast<double>(q[(i * 3 * heads + h) * width + c]) * keys[(h * positions + p) * width + c];
          }
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(width))));
          sum += weights.back();
        }
        for (std::size_t c = 0; c < width; ++c) {
          for (std::size_t p = 0; p <= before + i; ++p) heard[c] += weights[p] / sum * values[(h * positions + p) * width + c];
          worst = std::max(worst, std::fabs(heard[c] - static_cast<double>(out[(i * heads + h) * width + c])));
        }
      }
    }
    CHECK(worst < 1e-5);
  }
}
