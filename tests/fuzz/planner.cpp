// Any targets and options -> steps. Every bar is written once, in a window that holds it.

#include "plan/planner.h"

#include <algorithm>
#include <map>
#include <set>

#include "error.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

using Bars = std::map<std::pair<int, bool>, std::set<int>>;  // by track and kind of step

PlanOptions plan_options(Input& in) {
  PlanOptions options;
  options.model_dim = in.one_in(8) ? in.any() : in.number(1, 16);
  if (in.flag()) options.bars_per_step = in.one_in(8) ? in.any() : in.number(0, 8);
  if (in.flag()) options.tracks_per_step = in.one_in(8) ? in.any() : in.number(0, 4);
  if (in.flag()) options.min_overlap_bars = in.one_in(8) ? in.any() : in.number(0, 8);
  constexpr double overlaps[] = {0.5, 0.0, 0.25, 0.75, 0.9999999, 1.0, -0.1, std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::infinity(), std::numeric_limits<double>::denorm_min()};
  options.ar_overlap = in.flag() ? in.pick(overlaps) : in.number(0, 255) / 256.0;
  return options;
}

void check_step(const Step& step, int n_bars, const PlanOptions& options, Bars& written) {
  require(0 <= step.start && step.end <= n_bars && step.end - step.start == options.model_dim, "a window lies within the piece and is model_dim wide");
  require(!step.targets.empty(), "a step writes something");
  int previous_track = std::numeric_limits<int>::min();
  for (const TrackBars& target : step.targets) {
    require(target.track >= previous_track && !target.bars.empty(), "targets ascend by track and have bars");
    previous_track = target.track;
    int previous = -1;
    for (const int bar : target.bars) {
      require(previous < bar && step.start <= bar && bar < step.end, "the bars of a target ascend and lie in the window");
      require(written[{target.track, step.autoregressive}].insert(bar).second, "a bar is written once");
      previous = bar;
    }
  }
}

void check_kinds(const Step& step, const std::vector<PlanTarget>& targets) {
  for (const TrackBars& bars : step.targets) {
    const auto target = std::ranges::find(targets, bars.track, &PlanTarget::track);
    if (target->kinds.empty()) continue;
    std::set<int> kinds;
    for (const int bar : bars.bars) {
      std::set<int> own;  // a bar named twice may have two kinds
      for (std::size_t i = 0; i < target->bars.size(); ++i) {
        if (target->bars[i] == bar) own.insert(target->kinds[i]);
      }
      if (own.size() == 1) kinds.insert(*own.begin());
    }
    require(kinds.size() <= 1, "bars of different kinds are not written in one step");
  }
}

}  // namespace

void planner(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  const PlanOptions options = plan_options(in);
  const int n_bars = in.one_in(8) ? in.any() : in.number(0, 64);
  std::vector<PlanTarget> targets;
  for (int n = in.number(0, 5); n > 0; --n) {
    PlanTarget target{in.one_in(8) ? in.any() : in.number(0, 7), {}, in.flag(), {}};
    if (in.one_in(4)) {
      for (int bar = in.number(0, 40), end = bar + in.number(0, 40); bar < end; ++bar) target.bars.push_back(bar);
    }
    for (int m = in.number(0, 6); m > 0; --m) target.bars.push_back(in.one_in(16) ? in.any() : in.number(0, 63));
    if (in.one_in(4)) {
      for (std::size_t i = 0; i < target.bars.size(); ++i) target.kinds.push_back(in.number(0, 2));
      if (in.one_in(16)) target.kinds.push_back(in.any());
    }
    targets.push_back(target);
  }
  Bars asked;
  for (const PlanTarget& target : targets) {
    if (!target.bars.empty()) asked[{target.track, target.autoregressive}].insert(target.bars.begin(), target.bars.end());
  }
  std::vector<Step> steps;
  try {
    steps = plan(n_bars, targets, options);
  } catch (const ScoreError&) {
    return;
  }
  Bars written;
  bool infill = false;
  for (const Step& step : steps) {
    require(!(infill && step.autoregressive), "autoregressive steps come first");
    infill = !step.autoregressive;
    check_step(step, n_bars, options, written);
    check_kinds(step, targets);
  }
  require(written == asked, "the steps write the bars that were asked for");
}

}  // namespace midigpt::fuzz
