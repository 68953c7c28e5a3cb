#pragma once
// One step of a generation: a window of bars and what is written in it.

#include <vector>

namespace midigpt {

struct TrackBars {
  int track = 0;
  std::vector<int> bars;  // ascending, absolute
  friend bool operator==(const TrackBars&, const TrackBars&) = default;
};

struct Step {
  int start = 0;  // first bar of the window
  int end = 0;    // one past its last bar
  bool autoregressive = false;
  std::vector<TrackBars> targets;  // ascending by track; one track when autoregressive
  std::vector<int> beside{};       // autoregressive: tracks of the same group already written over this window, in that order
  friend bool operator==(const Step&, const Step&) = default;
};

}  // namespace midigpt
