#include "score/score.h"

#include <string>

#include "error.h"

namespace midigpt {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& what) { throw ScoreError(where + ": " + what); }

std::string row(const char* array, std::size_t index) { return std::string(array) + " row " + std::to_string(index); }

void require_range(std::int32_t value, std::int32_t low, std::int32_t high, const std::string& where, const char* field) {
  if (value < low || value > high) {
    fail(where, std::string(field) + " " + std::to_string(value) + " is outside " + std::to_string(low) + ".." + std::to_string(high));
  }
}

void require_range(std::int32_t value, std::int32_t low, std::int32_t high, const char* array, std::size_t index, const char* field) {
  if (value < low || value > high) require_range(value, low, high, row(array, index), field);
}

// Group starts must begin at 0, never decrease and stay within the rows they point into.
template <class Row>
void require_starts(const std::vector<Row>& rows, std::int32_t Row::*first, std::size_t n_members, const char* array, const char* field) {
  std::int32_t previous = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int32_t start = rows[i].*first;
    if (i == 0 && start != 0) fail(row(array, i), std::string(field) + " of the first row must be 0, not " + std::to_string(start));
    if (start < previous) fail(row(array, i), std::string(field) + " " + std::to_string(start) + " is less than that of the row before");
    if (static_cast<std::size_t>(start) > n_members) {
      fail(row(array, i), std::string(field) + " " + std::to_string(start) + " is past the end (" + std::to_string(n_members) + ")");
    }
    previous = start;
  }
  if (rows.empty() && n_members > 0) fail(array, "there are no rows, but " + std::to_string(n_members) + " members to group");
}

}  // namespace

void require_metre(std::int32_t numerator, std::int32_t denominator, const std::string& where) {
  require_range(numerator, 0, kMaxMetre, where, "numerator");
  require_range(denominator, 0, kMaxMetre, where, "denominator");
}

void require_resolution(std::int32_t resolution) {
  if (resolution < 1) fail("resolution", std::to_string(resolution) + " ticks per quarter note; at least 1 is needed");
}

void ScoreTable::validate() const {
  constexpr std::int32_t kNoLimit = INT32_MAX;
  require_resolution(resolution);
  if (tempo < 0) fail("tempo", std::to_string(tempo) + " microseconds per quarter note is negative");
  if (note_source.size() != notes.size()) {
    fail("note_source", std::to_string(note_source.size()) + " entries for " + std::to_string(notes.size()) + " notes");
  }
  require_starts(tracks, &Track::first_bar, bars.size(), "tracks", "first_bar");
  require_starts(bars, &Bar::first_note, notes.size(), "bars", "first_note");
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    require_range(tracks[i].instrument, 0, 127, "tracks", i, "instrument");
    require_range(tracks[i].is_drum, 0, 1, "tracks", i, "is_drum");
  }
  for (std::size_t i = 0; i < bars.size(); ++i) {
    require_range(bars[i].numerator, 0, kMaxMetre, "bars", i, "numerator");
    require_range(bars[i].denominator, 0, kMaxMetre, "bars", i, "denominator");
  }
  for (std::size_t i = 0; i < notes.size(); ++i) {
    require_range(notes[i].pitch, 0, 127, "notes", i, "pitch");
    require_range(notes[i].velocity, 0, 127, "notes", i, "velocity");
    require_range(notes[i].onset_ticks, 0, kNoLimit, "notes", i, "onset_ticks");
    require_range(notes[i].duration_ticks, 0, kNoLimit, "notes", i, "duration_ticks");
    require_range(notes[i].delta, -kNoLimit, kNoLimit, "notes", i, "delta");  // so that its size can be told
  }
}

}  // namespace midigpt
