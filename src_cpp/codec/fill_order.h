#pragma once
// In which order bars that are filled in follow the piece. Encoder, decoder and matcher all use this one rule.

#include <algorithm>
#include <compare>
#include <vector>

namespace midigpt {

// A bar by track and by index within its track.
struct BarAddress {
  int track = 0;
  int bar = 0;
  friend auto operator<=>(const BarAddress&, const BarAddress&) = default;
};

// Ascending by track, then by bar, without repeats: the order in which their placeholders stand in the sequence.
[[nodiscard]] inline std::vector<BarAddress> fill_order(std::vector<BarAddress> bars) {
  std::sort(bars.begin(), bars.end());
  bars.erase(std::unique(bars.begin(), bars.end()), bars.end());
  return bars;
}

}  // namespace midigpt
