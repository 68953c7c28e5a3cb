#include "codec/grid.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace midigpt {
namespace {

// A time of the new grid; both kinds of numbers are exact up to 2^31.
template <typename Number>
std::int32_t fitting(Number ticks, int to) {
  if (ticks > static_cast<Number>(INT32_MAX) || ticks < -static_cast<Number>(INT32_MAX)) {
    throw ScoreError("a note's time does not fit the table at " + std::to_string(to) + " ticks per quarter note");
  }
  return static_cast<std::int32_t>(ticks);
}

std::int32_t scaled(std::int64_t ticks, std::int64_t from, int to) { return fitting(to * ticks / from, to); }

// Half to even, whatever the rounding mode of the machine.
double round_half_even(double x) {
  const double below = std::floor(x);
  const double rest = x - below;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2.0) != 0.0);
  return up ? below + 1.0 : below;
}

void move_onset(Note& note, int from, int to) {
  const double ratio = static_cast<double>(to) / from;
  const double position = (note.onset_ticks + static_cast<double>(note.delta) / from) * ratio;
  note.onset_ticks = std::max(0, fitting(std::trunc(position), to));
  note.delta = fitting(round_half_even((position - note.onset_ticks) * to), to);
}

}  // namespace

ScoreTable grid_table(const ScoreTable& table, int resolution, bool microtiming) {
  require_resolution(resolution);
  ScoreTable out = table;
  if (resolution == table.resolution) return out;
  out.resolution = resolution;
  for (Note& note : out.notes) {
    if (microtiming) {
      move_onset(note, table.resolution, resolution);
    } else {
      note.onset_ticks = std::max(0, scaled(note.onset_ticks, table.resolution, resolution));
      note.delta = 0;
    }
    note.duration_ticks = std::max(1, scaled(note.duration_ticks, table.resolution, resolution));
  }
  return out;
}

}  // namespace midigpt
