#include "plan/planner.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "error.h"

namespace midigpt {
namespace {

constexpr int kMostBars = 1 << 24;

void require(bool holds, const std::string& message) {
  if (!holds) throw ScoreError(message);
}

void check(int n_bars, const std::vector<PlanTarget>& targets, const PlanOptions& o) {
  const std::string width = std::to_string(o.model_dim);
  require(n_bars <= kMostBars, "the piece has " + std::to_string(n_bars) + " bars; at most " + std::to_string(kMostBars) + " can be planned");
  require(o.model_dim >= 1, "model_dim is " + width + "; a window has at least 1 bar");
  require(n_bars >= o.model_dim, "the piece has " + std::to_string(n_bars) + " bars, fewer than the window's " + width);
  require(0 <= o.bars_per_step && o.bars_per_step <= o.model_dim,
          "bars_per_step is " + std::to_string(o.bars_per_step) + "; allowed: 0 (auto) to " + width);
  require(o.tracks_per_step >= 0, "tracks_per_step is " + std::to_string(o.tracks_per_step) + "; it cannot be negative");
  require(o.min_overlap_bars >= 0, "min_overlap_bars is " + std::to_string(o.min_overlap_bars) + "; it cannot be negative");
  require(0.0 <= o.ar_overlap && o.ar_overlap < 1.0, "ar_overlap must be at least 0 and below 1");
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::string track = std::to_string(targets[i].track);
    require(i == 0 || targets[i - 1].track != targets[i].track, "track " + track + " is named twice");
    for (const int bar : targets[i].bars) {
      require(0 <= bar && bar < n_bars,
              "bar " + std::to_string(bar) + " of track " + track + " does not exist; the piece has " + std::to_string(n_bars));
    }
  }
}

std::vector<int> sorted_bars(std::vector<int> bars) {
  std::sort(bars.begin(), bars.end());
  bars.erase(std::unique(bars.begin(), bars.end()), bars.end());
  return bars;
}

int autoregressive_bars(const PlanOptions& o) {
  if (o.bars_per_step > 0) return o.bars_per_step;
  const int history = std::max(o.min_overlap_bars, static_cast<int>(std::ceil(o.ar_overlap * o.model_dim)));
  return std::max(1, o.model_dim - history);
}

Step written(int start, int width, int track, int first, int last) {
  Step step{start, start + width, true, {{track, {}}}};
  for (int bar = first; bar < last; ++bar) step.targets[0].bars.push_back(bar);
  return step;
}

// Windows that write the run of bars [first, end) of one track, left to right.
void plan_run(std::vector<Step>& steps, int n_bars, int track, int first, int end, const PlanOptions& o) {
  const int width = o.model_dim;
  const int history = width - autoregressive_bars(o);
  const int final_start = std::max(0, end - width);
  int next = first;
  while (next < end) {
    // The window that ends with the run may finish it, if it still sees enough of what came before.
    if (final_start <= next && (final_start == 0 || next - final_start >= std::min(history, o.min_overlap_bars))) {
      steps.push_back(written(final_start, width, track, next, end));
      return;
    }
    int start = std::max(0, next - history);
    if (start + width > end) start = final_start;
    start = std::min(start, n_bars - width);
    const int last = std::min(end, start + width);
    steps.push_back(written(start, width, track, next, last));
    next = last;
  }
}

void plan_autoregressive(std::vector<Step>& steps, int n_bars, const PlanTarget& target, const PlanOptions& o) {
  const auto& bars = target.bars;
  for (std::size_t i = 0; i < bars.size();) {
    std::size_t j = i + 1;
    while (j < bars.size() && bars[j] == bars[j - 1] + 1) ++j;
    plan_run(steps, n_bars, target.track, bars[i], bars[j - 1] + 1, o);
    i = j;
  }
}

// Windows centred on chunks of the group's bars; all tracks of the group are written together.
void plan_infill(std::vector<Step>& steps, int n_bars, std::vector<PlanTarget>::const_iterator begin,
                 std::vector<PlanTarget>::const_iterator end, const PlanOptions& o) {
  const int chunk = o.bars_per_step > 0 ? o.bars_per_step : o.model_dim;
  std::vector<int> remaining;
  for (auto target = begin; target != end; ++target) remaining.insert(remaining.end(), target->bars.begin(), target->bars.end());
  remaining = sorted_bars(std::move(remaining));
  for (auto first = remaining.begin(); first != remaining.end();) {
    const auto next = std::lower_bound(first, remaining.end(), *first + chunk);
    const int from = *first;
    const int to = *(next - 1) + 1;
    const int centred = static_cast<int>(std::floor((from + to - o.model_dim) / 2.0));
    const int start = std::min(std::max(0, centred), n_bars - o.model_dim);
    Step step{start, start + o.model_dim, false, {}};
    for (auto target = begin; target != end; ++target) {
      TrackBars here{target->track, {}};
      std::copy_if(target->bars.begin(), target->bars.end(), std::back_inserter(here.bars),
                   [&](int bar) { return from <= bar && bar < to; });
      if (!here.bars.empty()) step.targets.push_back(std::move(here));
    }
    steps.push_back(std::move(step));
    first = next;
  }
}

}  // namespace

std::vector<Step> plan(int n_bars, std::vector<PlanTarget> targets, const PlanOptions& options) {
  std::stable_sort(targets.begin(), targets.end(), [](const auto& a, const auto& b) { return a.track < b.track; });
  check(n_bars, targets, options);
  for (auto& target : targets) target.bars = sorted_bars(std::move(target.bars));
  std::erase_if(targets, [](const auto& target) { return target.bars.empty(); });

  std::vector<Step> steps;
  for (const auto& target : targets) {
    if (target.autoregressive) plan_autoregressive(steps, n_bars, target, options);
  }
  std::erase_if(targets, [](const auto& target) { return target.autoregressive; });
  const std::ptrdiff_t all = static_cast<std::ptrdiff_t>(targets.size());
  const std::ptrdiff_t group = options.tracks_per_step > 0 ? options.tracks_per_step : std::max<std::ptrdiff_t>(1, all);
  for (std::ptrdiff_t i = 0; i < all; i += group) {
    plan_infill(steps, n_bars, targets.begin() + i, targets.begin() + std::min(all, i + group), options);
  }
  return steps;
}

}  // namespace midigpt
