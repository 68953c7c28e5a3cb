#include "codec/grid.h"

#include <algorithm>
#include <cmath>

#include "error.h"

namespace midigpt {
namespace {

std::int64_t scaled(std::int64_t ticks, std::int64_t from, std::int64_t to) { return to * ticks / from; }

// Half to even, whatever the rounding mode of the machine.
std::int32_t round_half_even(double x) {
  const double below = std::floor(x);
  const double rest = x - below;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2.0) != 0.0);
  return static_cast<std::int32_t>(up ? below + 1.0 : below);
}

void move_onset(Note& note, int from, int to) {
  const double ratio = static_cast<double>(to) / from;
  const double position = (note.onset_ticks + static_cast<double>(note.delta) / from) * ratio;
  note.onset_ticks = std::max(0, static_cast<std::int32_t>(std::trunc(position)));
  note.delta = round_half_even((position - note.onset_ticks) * to);
}

}  // namespace

ScoreTable grid_table(const ScoreTable& table, int resolution, bool microtiming) {
  if (resolution <= 0) throw ScoreError("resolution " + std::to_string(resolution) + " is not a number of ticks");
  ScoreTable out = table;
  if (resolution == table.resolution) return out;
  out.resolution = resolution;
  for (Note& note : out.notes) {
    if (microtiming) {
      move_onset(note, table.resolution, resolution);
    } else {
      note.onset_ticks = static_cast<std::int32_t>(std::max<std::int64_t>(0, scaled(note.onset_ticks, table.resolution, resolution)));
      note.delta = 0;
    }
    note.duration_ticks =
        static_cast<std::int32_t>(std::max<std::int64_t>(1, scaled(note.duration_ticks, table.resolution, resolution)));
  }
  return out;
}

}  // namespace midigpt
