#pragma once
// The flat score table: the one form in which notes travel between MIDI files, the tokenizer, numpy and the browser.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace midigpt {

// All times are ticks of the table's resolution. A note's onset counts from the start of the bar that holds it.
struct Note {
  std::int32_t onset_ticks = 0;
  std::int32_t duration_ticks = 1;
  std::int32_t pitch = 60;
  std::int32_t velocity = 100;
  std::int32_t delta = 0;  // microtiming residual, in 1/resolution of a tick
};

struct Bar {
  std::int32_t first_note = 0;
  std::int32_t numerator = 4;
  std::int32_t denominator = 4;
  std::int32_t flags = 0;  // BarFlag
};

enum BarFlag : std::int32_t {
  kBarFuture = 1,      // masked mark of old data; masking belongs to the request
  kBarUnfinished = 2,  // decoded without a BarEnd: its length is unknown (0)
};

struct Track {
  std::int32_t first_bar = 0;
  std::int32_t instrument = 0;
  std::int32_t is_drum = 0;
};

// Largest part of a time signature that a table can hold.
inline constexpr std::int32_t kMaxMetre = 1 << 15;

// Throws ScoreError, naming the place, for a part outside 0..kMaxMetre.
void require_metre(std::int32_t numerator, std::int32_t denominator, const std::string& where);

// Throws ScoreError below one tick per quarter note.
void require_resolution(std::int32_t resolution);

// Rows are grouped by track, then by bar. A bar's notes are notes[bar.first_note .. next bar's first_note); likewise bars of a track.
// Invariants (checked by validate()): first_note and first_bar never decrease and stay in range; note_source has one entry per note.
struct ScoreTable {
  std::vector<Note> notes;
  std::vector<Bar> bars;
  std::vector<Track> tracks;
  std::vector<std::int32_t> note_source;  // index of the note-on event in the source file's event list, -1 for a new note
  std::int32_t resolution = 480;          // ticks per quarter note
  std::int32_t tempo = 500000;            // microseconds per quarter note

  [[nodiscard]] std::size_t bars_end(std::size_t track) const {
    return track + 1 < tracks.size() ? static_cast<std::size_t>(tracks[track + 1].first_bar) : bars.size();
  }
  [[nodiscard]] std::span<const Bar> track_bars(std::size_t track) const {
    const auto first = static_cast<std::size_t>(tracks[track].first_bar);
    return std::span(bars).subspan(first, bars_end(track) - first);
  }
  // `bar` is a row of `bars`, not an index within a track.
  [[nodiscard]] std::span<const Note> bar_notes(std::size_t bar) const {
    const auto first = static_cast<std::size_t>(bars[bar].first_note);
    const auto last = bar + 1 < bars.size() ? static_cast<std::size_t>(bars[bar + 1].first_note) : notes.size();
    return std::span(notes).subspan(first, last - first);
  }

  // Throws ScoreError naming the row that breaks an invariant.
  void validate() const;
};

}  // namespace midigpt
