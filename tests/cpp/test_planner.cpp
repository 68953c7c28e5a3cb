#include <doctest/doctest.h>

#include "error.h"
#include "plan/planner.h"

using namespace midigpt;

TEST_CASE("windows slide over a track that is written to its end") {
  PlanOptions options;
  options.model_dim = 8;
  std::vector<int> bars;
  for (int bar = 1; bar < 16; ++bar) bars.push_back(bar);
  const auto steps = plan(16, {{2, bars, true}}, options);
  REQUIRE(steps.size() == 3);
  CHECK(steps[0] == Step{0, 8, true, {{2, {1, 2, 3, 4, 5, 6, 7}}}});
  CHECK(steps[1] == Step{4, 12, true, {{2, {8, 9, 10, 11}}}});
  CHECK(steps[2] == Step{8, 16, true, {{2, {12, 13, 14, 15}}}});
}

TEST_CASE("separate runs are written one after another") {
  PlanOptions options;
  options.model_dim = 4;
  const auto steps = plan(12, {{0, {0, 1, 8, 9}, true}}, options);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0] == Step{0, 4, true, {{0, {0, 1}}}});
  CHECK(steps[1] == Step{6, 10, true, {{0, {8, 9}}}});
}

TEST_CASE("infill windows are centred on their bars") {
  PlanOptions options;
  options.model_dim = 16;
  options.bars_per_step = 1;
  CHECK(plan(40, {{0, {20}, false}}, options) == std::vector<Step>{{12, 28, false, {{0, {20}}}}});
}

TEST_CASE("nothing to do, and things that cannot be done") {
  CHECK(plan(4, {}, {}).empty());
  CHECK_THROWS_AS((void)plan(3, {{0, {0}, false}}, {}), ScoreError);
  CHECK_THROWS_AS((void)plan(4, {{0, {4}, false}}, {}), ScoreError);
}

TEST_CASE("bars of different kinds are never written in one step") {
  PlanOptions options;
  options.model_dim = 8;
  const auto steps = plan(8, {{0, {0, 1, 2, 3}, false, {2, 5, 5, 2}}, {1, {0, 1}, false}}, options);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].targets == std::vector<TrackBars>{{0, {0, 3}}, {1, {0, 1}}});
  CHECK(steps[1].targets == std::vector<TrackBars>{{0, {1, 2}}});
  CHECK_THROWS_AS((void)plan(8, {{0, {0, 1}, false, {1}}}, options), ScoreError);
}

TEST_CASE("autoregressive tracks take turns") {
  PlanOptions options;
  options.tracks_per_step = 2;
  const auto steps = plan(4, {{0, {0, 1, 2, 3}, true}, {1, {0, 1, 2, 3}, true}, {2, {0, 1, 2, 3}, true}}, options);
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].beside.empty());
  CHECK(steps[1].beside == std::vector<int>{0});
  CHECK(steps[2].beside.empty());
}

TEST_CASE("a hundred thousand single bars are planned at once") {
  constexpr int kBars = 1 << 17;
  PlanOptions options;
  options.model_dim = 4;
  options.bars_per_step = 1;
  std::vector<int> bars, kinds;
  for (int bar = 0; bar < kBars; ++bar) {
    bars.push_back(bar);
    kinds.push_back(bar % 2);
  }
  PlanTarget target{0, bars, false};
  target.kinds = kinds;
  const auto steps = plan(kBars, {target}, options);
  REQUIRE(steps.size() == kBars);
  CHECK(steps.back().targets[0].bars == std::vector{kBars - 1});
}

TEST_CASE("bars of another kind wait for their own step") {
  PlanOptions options;
  options.model_dim = 4;
  PlanTarget target{0, {0, 1, 2, 3, 4}, false};
  target.kinds = {0, 1, 0, 1, 0};
  const auto steps = plan(8, {target}, options);
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].targets[0].bars == std::vector{0, 2});
  CHECK(steps[1].targets[0].bars == std::vector{1, 3});
  CHECK(steps[2].targets[0].bars == std::vector{4});
}
