#pragma once
// MIDI events -> score table. Every note of the table knows the index of its note-on event; the reading knows its note-off as well.

#include <cstdint>
#include <utility>
#include <vector>

#include "midi/midi_file.h"
#include "score/score.h"

namespace midigpt {

// A bar of the file, in file ticks. The next bar may start before start_tick + length_ticks, where a metre change cuts this one short.
struct FileBar {
  std::int64_t start_tick = 0;
  std::int64_t length_ticks = 0;
  std::int32_t numerator = 4;
  std::int32_t denominator = 4;
};

// What makes a track of the table: the notes of one chunk and channel while one program is set.
struct SourceTrack {
  std::uint32_t chunk = 0;
  std::int32_t channel = 0;
  std::int32_t program = 0;
};

struct MidiReading {
  ScoreTable table;
  std::vector<SourceTrack> tracks;    // one per track of the table
  std::vector<FileBar> bars;          // every track of the table has these bars
  std::vector<std::int32_t> partner;  // per event: the note-off of a note-on and back; -1 for others, never closed notes and stray note-offs
  std::int64_t first_tempo_event = -1;
  std::size_t n_unended_notes = 0;  // note-ons without a note-off: they are not in the table
};

// Reads the notes at `resolution` ticks per quarter note. Tracks are split by chunk, channel and program; a note-off closes the oldest open
// note of its channel and pitch; notes that round onto the next bar line are left out. Channel messages with data bytes above 127 and
// malformed time signatures and tempi are ignored. Throws ScoreError when the piece has too many bars or a note is too long to hold.
[[nodiscard]] MidiReading read_score(const MidiFile& file, std::int32_t resolution = 480);

// Exact position of each bar on an endless line without cut bars: bars.size() + 1 entries, in ticks of `resolution`.
[[nodiscard]] std::vector<double> nominal_bar_starts(const std::vector<FileBar>& bars, std::int32_t resolution, int ticks_per_quarter);

// Row of the last bar that starts at or before `tick`; 0 before the first.
[[nodiscard]] std::size_t bar_at(const std::vector<FileBar>& bars, std::int64_t tick);

// Length of a bar in file ticks, rounded down.
[[nodiscard]] constexpr std::int64_t file_bar_ticks(std::int64_t numerator, std::int64_t denominator, std::int64_t ticks_per_quarter) {
  return denominator > 0 ? 4 * ticks_per_quarter * numerator / denominator : 0;
}

// (file tick, microseconds per quarter note) of every tempo event, in order of time.
[[nodiscard]] std::vector<std::pair<std::int64_t, std::int32_t>> tempo_changes(const MidiFile& file);

// Whether an event is a note-on that starts a note, or ends one (note-off, or note-on of velocity 0). Malformed data bytes: neither.
[[nodiscard]] bool starts_note(const MidiFile& file, const MidiEvent& event);
[[nodiscard]] bool ends_note(const MidiFile& file, const MidiEvent& event);

}  // namespace midigpt
