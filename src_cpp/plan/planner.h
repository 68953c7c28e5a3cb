#pragma once
// Target bars -> steps. Pure arithmetic on bar numbers.

#include <vector>

#include "plan/step.h"

namespace midigpt {

struct PlanTarget {
  int track = 0;
  std::vector<int> bars;
  bool autoregressive = false;
  std::vector<int> kinds{};  // one number per bar: bars of this track of different kinds are never written in one step; empty = all alike
};

struct PlanOptions {
  int model_dim = 4;        // width of the window in bars
  int bars_per_step = 0;    // 0 = auto: what ar_overlap leaves of the window (autoregressive), the whole window (infill)
  int tracks_per_step = 0;  // infill: tracks written together, 0 = all; autoregressive: from 2 on, the windows of so many tracks alternate
  int min_overlap_bars = 2; // history that an autoregressive window keeps
  double ar_overlap = 0.5;  // share of an autoregressive window kept as history, for auto
};

// Autoregressive steps first, track by track, or window by window over groups of tracks; then infill steps, in groups of tracks.
// Every window is model_dim wide and lies within the piece. Throws ScoreError when the piece is shorter than the window, a target
// bar lies outside it, a track is named twice, kinds and bars differ in number, or an option is out of range.
[[nodiscard]] std::vector<Step> plan(int n_bars, std::vector<PlanTarget> targets, const PlanOptions& options);

}  // namespace midigpt
