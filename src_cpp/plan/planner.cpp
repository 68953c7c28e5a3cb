#include "plan/planner.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

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
    require(targets[i].kinds.empty() || targets[i].kinds.size() == targets[i].bars.size(),
            "track " + track + " has " + std::to_string(targets[i].bars.size()) + " bars and " + std::to_string(targets[i].kinds.size()) +
                " kinds; there must be one for each bar");
    for (const int bar : targets[i].bars) {
      require(0 <= bar && bar < n_bars,
              "bar " + std::to_string(bar) + " of track " + track + " does not exist; the piece has " + std::to_string(n_bars));
    }
  }
}

// Bars ascending, each once, with their kinds.
void put_in_order(PlanTarget& target) {
  std::vector<std::pair<int, int>> pairs;
  for (std::size_t i = 0; i < target.bars.size(); ++i) pairs.emplace_back(target.bars[i], target.kinds.empty() ? 0 : target.kinds[i]);
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  pairs.erase(std::unique(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first == b.first; }), pairs.end());
  target.bars.clear();
  target.kinds.clear();
  for (const auto& [bar, kind] : pairs) {
    target.bars.push_back(bar);
    target.kinds.push_back(kind);
  }
}

int autoregressive_bars(const PlanOptions& o) {
  if (o.bars_per_step > 0) return o.bars_per_step;
  const int history = std::max(o.min_overlap_bars, static_cast<int>(std::ceil(o.ar_overlap * o.model_dim)));
  return std::max(1, o.model_dim - history);
}

Step written(int start, int width, int track, int first, int last) {
  Step step{start, start + width, true, {{track, {}}}, {}};
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
    while (j < bars.size() && bars[j] == bars[j - 1] + 1 && target.kinds[j] == target.kinds[i]) ++j;
    plan_run(steps, n_bars, target.track, bars[i], bars[j - 1] + 1, o);
    i = j;
  }
}

using Targets = std::vector<PlanTarget>::const_iterator;

// The tracks of a group take turns: whatever ends first is written first, so that each hears what the others have so far.
void plan_in_turns(std::vector<Step>& steps, int n_bars, Targets begin, Targets end, const PlanOptions& o) {
  const std::size_t first = steps.size();
  for (auto target = begin; target != end; ++target) plan_autoregressive(steps, n_bars, *target, o);
  std::stable_sort(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end(),
                   [](const Step& a, const Step& b) { return a.targets[0].bars.back() < b.targets[0].bars.back(); });
  for (std::size_t i = first + 1; i < steps.size(); ++i) {
    const Step& before = steps[i - 1];
    Step& step = steps[i];
    if (before.start != step.start || before.targets[0].track == step.targets[0].track) continue;
    step.beside = before.beside;
    std::erase(step.beside, step.targets[0].track);
    step.beside.push_back(before.targets[0].track);
  }
}

// What one track still has to write: its bars from `next` on.
struct Waiting {
  int track;
  std::vector<std::pair<int, int>> bars;  // (bar, kind), ascending
  std::size_t next = 0;

  [[nodiscard]] bool done() const { return next == bars.size(); }
  [[nodiscard]] int first_bar() const { return bars[next].first; }
};

// The waiting bars of a track before `end`, as far as they are of one kind.
TrackBars take(Waiting& waiting, int end) {
  TrackBars taken{waiting.track, {}};
  if (waiting.done()) return taken;
  const int kind = waiting.bars[waiting.next].second;
  const auto from = waiting.bars.begin() + static_cast<std::ptrdiff_t>(waiting.next);
  const auto to = std::find_if(from, waiting.bars.end(), [&](const auto& pair) { return pair.first >= end; });
  const auto rest = std::stable_partition(from, to, [&](const auto& pair) { return pair.second == kind; });
  for (auto pair = from; pair != rest; ++pair) taken.bars.push_back(pair->first);
  waiting.next += taken.bars.size();
  return taken;
}

// Windows centred on chunks of the group's bars; all tracks of the group are written together.
void plan_infill(std::vector<Step>& steps, int n_bars, Targets begin, Targets end, const PlanOptions& o) {
  const int chunk = o.bars_per_step > 0 ? o.bars_per_step : o.model_dim;
  std::vector<Waiting> group;
  for (auto target = begin; target != end; ++target) {
    group.push_back({target->track, {}, 0});
    for (std::size_t i = 0; i < target->bars.size(); ++i) group.back().bars.emplace_back(target->bars[i], target->kinds[i]);
  }
  while (true) {
    int from = n_bars;
    for (const Waiting& waiting : group) {
      if (!waiting.done()) from = std::min(from, waiting.first_bar());
    }
    if (from == n_bars) return;
    Step step{0, 0, false, {}, {}};
    int to = from;
    for (Waiting& waiting : group) {
      TrackBars here = take(waiting, from + chunk);
      if (here.bars.empty()) continue;
      to = std::max(to, here.bars.back() + 1);
      step.targets.push_back(std::move(here));
    }
    const int centred = static_cast<int>(std::floor((from + to - o.model_dim) / 2.0));
    step.start = std::min(std::max(0, centred), n_bars - o.model_dim);
    step.end = step.start + o.model_dim;
    steps.push_back(std::move(step));
  }
}

}  // namespace

std::vector<Step> plan(int n_bars, std::vector<PlanTarget> targets, const PlanOptions& options) {
  std::stable_sort(targets.begin(), targets.end(), [](const auto& a, const auto& b) { return a.track < b.track; });
  check(n_bars, targets, options);
  for (auto& target : targets) put_in_order(target);
  std::erase_if(targets, [](const auto& target) { return target.bars.empty(); });
  const auto infill = std::stable_partition(targets.begin(), targets.end(), [](const auto& target) { return target.autoregressive; });

  std::vector<Step> steps;
  const std::ptrdiff_t turns = std::max(1, options.tracks_per_step);
  for (auto target = targets.begin(); target < infill; target += std::min(turns, infill - target)) {
    plan_in_turns(steps, n_bars, target, target + std::min(turns, infill - target), options);
  }
  const std::ptrdiff_t together = options.tracks_per_step > 0 ? options.tracks_per_step : std::max<std::ptrdiff_t>(1, targets.end() - infill);
  for (auto target = infill; target < targets.end(); target += std::min(together, targets.end() - target)) {
    plan_infill(steps, n_bars, target, target + std::min(together, targets.end() - target), options);
  }
  return steps;
}

}  // namespace midigpt
