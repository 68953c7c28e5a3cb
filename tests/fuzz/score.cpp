// Any valid table: edits give valid tables, and a plain MIDI file holds every note.

#include "score/score.h"

#include <algorithm>

#include "codec/grid.h"
#include "error.h"
#include "make.h"
#include "midi/midi_file.h"
#include "score/from_midi.h"
#include "score/table_edit.h"
#include "score/to_midi.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

// Runs an edit; a refusal is an answer too.
template <class Edit>
void check_edit(const Edit& edit) {
  try {
    edit().validate();
  } catch (const ScoreError&) {
  }
}

template <class Edit>
void check_valid(const Edit& edit) {
  ScoreTable result;
  try {
    result = edit();
  } catch (const ScoreError&) {
    return;
  }
  result.validate();
}

void check_edits(Input& in, const ScoreTable& table) {
  const auto place = [&] { return in.one_in(8) ? in.any() : in.number(-1, 4); };
  std::vector<std::int32_t> tracks;
  for (int n = in.number(0, 3); n > 0; --n) tracks.push_back(place());
  const int start = place(), end = place();
  check_valid([&] { return window(table, tracks, start, end); });
  const Cell cells[] = {{place(), place()}, {place(), place()}};
  const std::vector<Note> fresh[] = {notes(in, table.resolution), notes(in, table.resolution)};
  check_edit([&] { return replaced(table, cells, fresh); });
  const std::vector<Metre> metres{{in.any(), in.any()}, {}};
  check_edit([&] { return with_bars(table, place(), metres); });
  check_edit([&] { return with_track(table, place(), in.flag()); });
  const int resolution = in.any(), grid = in.any();
  check_valid([&] { return resampled(table, resolution); });
  check_valid([&] { return grid_table(table, grid, in.flag()); });
}

void check_resampling(const ScoreTable& table, int times) {
  if (table.resolution > std::numeric_limits<int>::max() / times) return;
  ScoreTable finer;
  try {
    finer = resampled(table, table.resolution * times);
  } catch (const ScoreError&) {
    return;
  }
  ScoreTable expected = table;
  for (Note& note : expected.notes) note.duration_ticks = std::max(1, note.duration_ticks);
  require(table.resolution == finer.resolution || same_as(resampled(finer, table.resolution), expected), "a finer grid and back is the same music");
}

void check_file(const ScoreTable& table) {
  std::vector<std::uint8_t> bytes;
  try {
    bytes = write_midi(table, {"name", "", "\xff\xfe"});
  } catch (const ScoreError&) {
    return;
  }
  const MidiFile file = parse_midi(bytes);
  MidiReading reading;
  try {
    reading = read_score(file, table.resolution);
  } catch (const ScoreError&) {  // more bars than a piece may have
    return;
  }
  reading.table.validate();
  const auto pairs = std::ranges::count_if(reading.partner, [](std::int32_t other) { return other >= 0; });
  require(static_cast<std::size_t>(pairs) == 2 * table.notes.size() && reading.n_unended_notes == 0, "every note has its start and its end in the file");
}

}  // namespace

void score(std::span<const std::uint8_t> bytes) {
  constexpr TimeSignature metres[] = {{4, 4}, {3, 4}, {6, 8}, {7, 16}, {255, 128}, {1, 128}, {0, 4}, {4, 0}, {5, 3}, {256, 4}};
  Input in(bytes);
  const int resolution = in.one_in(4) ? std::max(1, in.any()) : in.number(1, 1000);
  const ScoreTable made = table(in, TimeSignatures(std::begin(metres), std::end(metres)), resolution);
  check_edits(in, made);
  check_resampling(made, in.number(1, 8));
  check_file(made);
}

}  // namespace midigpt::fuzz
