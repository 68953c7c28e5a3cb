#pragma once
// Pure edits of a score table: each returns a new table and leaves its argument alone. All throw ScoreError, naming the
// track and bar, when a place does not exist. Thread-safe as long as the argument is not being written.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "score/score.h"

namespace midigpt {

// A place in the piece: bar `bar` (counted within its track) of track `track`.
struct Cell {
  std::int32_t track = 0;
  std::int32_t bar = 0;
};

struct Metre {
  std::int32_t numerator = 4;
  std::int32_t denominator = 4;
};

// Bars [start_bar, end_bar) of the given tracks, in the order given. note_source is kept. A track that ends earlier gives the bars it has.
[[nodiscard]] ScoreTable window(const ScoreTable& table, std::span<const std::int32_t> tracks, std::int32_t start_bar, std::int32_t end_bar);

// The notes of each cell replaced by notes[i] (note_source -1); every other row is copied bit for bit. A cell may be named once.
[[nodiscard]] ScoreTable replaced(const ScoreTable& table, std::span<const Cell> cells, std::span<const std::vector<Note>> notes);

// Empty bars appended to one track.
[[nodiscard]] ScoreTable with_bars(const ScoreTable& table, std::int32_t track, std::span<const Metre> metres);

// A new last track of empty bars, with the metres of track 0 (no bars when there is no track).
[[nodiscard]] ScoreTable with_track(const ScoreTable& table, std::int32_t instrument, bool is_drum);

// Onsets and durations scaled to another resolution, halves rounded to even, durations at least 1; exact for whole multiples. delta is copied unchanged.
[[nodiscard]] ScoreTable resampled(const ScoreTable& table, std::int32_t resolution);

// Same music: notes, bars, tracks, resolution and tempo. note_source does not count.
[[nodiscard]] bool same_as(const ScoreTable& a, const ScoreTable& b);

// Row of `bars` that holds a cell; throws ScoreError when there is none.
[[nodiscard]] std::size_t bar_row(const ScoreTable& table, Cell cell);

// [first, last) rows of `notes` in a row of `bars`.
[[nodiscard]] std::pair<std::size_t, std::size_t> note_rows(const ScoreTable& table, std::size_t bar);

}  // namespace midigpt
