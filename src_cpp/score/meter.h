#pragma once
// Bar lengths from time signatures: the only place that computes them.

#include <cstdint>

namespace midigpt {

// Exact length of a bar in ticks, rounded down where the signature does not divide the resolution (9/16 at 12 ticks -> 27).
[[nodiscard]] constexpr std::int64_t bar_ticks(std::int64_t numerator, std::int64_t denominator, std::int64_t resolution) {
  return denominator > 0 ? 4 * numerator * resolution / denominator : 0;
}

// Length of a bar in quarter notes (4/4 -> 4.0, 7/8 -> 3.5).
[[nodiscard]] constexpr double bar_quarters(std::int64_t numerator, std::int64_t denominator) {
  return denominator > 0 ? 4.0 * static_cast<double>(numerator) / static_cast<double>(denominator) : 0.0;
}

}  // namespace midigpt
