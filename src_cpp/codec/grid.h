#pragma once
// Moving a score from one tick resolution to another the way the published models were trained.

#include "score/score.h"

namespace midigpt {

// The table at `resolution` ticks per quarter. Onsets are cut, not rounded; durations are cut but never 0. With `microtiming`
// the cut part is kept as each note's delta, else deltas are dropped. Notes stay in their bars. The same resolution copies.
// Throws ScoreError for a resolution below 1 and for a time that does not fit the new grid.
[[nodiscard]] ScoreTable grid_table(const ScoreTable& table, int resolution, bool microtiming);

}  // namespace midigpt
