#pragma once
// New files from stretches of others: bars put in, taken out and repeated, tracks taken out, two pieces joined. Every event goes where its
// time goes; nothing is interpreted that does not have to be.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "midi/midi_file.h"
#include "score/from_midi.h"

namespace midigpt {

// A file to take stretches of, and where its chunks and channels go.
struct MidiSource {
  const MidiFile* file = nullptr;
  const MidiReading* reading = nullptr;
  std::vector<std::size_t> chunk_of;               // target chunk of each track chunk; those of the first source are among each other
  std::vector<std::array<std::uint8_t, 16>> channel_of;  // per track chunk: target of each channel
  std::vector<std::size_t> dropped_tracks;         // rows of reading->tracks that go, with the controllers of channels nobody else uses
};

// [start, end) of a source's own time in its ticks, then `pad` ticks of silence in ticks of the new file. Events after the last bar of a
// source belong to a stretch with a later end.
struct TimeSpan {
  std::size_t source = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t pad = 0;
  bool with_rest = false;  // what its source has after `end`, other than notes, stands at the end
};

struct AssembledMidi {
  std::vector<std::uint8_t> bytes;
  std::vector<std::vector<std::int32_t>> event_of;  // per source and event: index of its first copy in the new file, -1 for none
  std::size_t n_dropped = 0;  // lyrics, markers, text and the like that went with their time (notes and settings do not count)
};

// The spans one after another, at `ticks_per_quarter`, with the bars of `grid` (ticks of the new file, ascending; the last ends at `length`).
//
// Throws ScoreError for spans, chunks and tracks that do not exist, and for times, clocks, tempi and numbers of events beyond what a file can
// hold. An `end` beyond a source's last event means all the rest of it.
//
// * The first source gives header, unknown chunks and what follows the last chunk.
// * The time map and what else is said of the whole piece stays in the first chunk (see event_seats.h), but in files of format 2.
// * A note lies where it starts. It keeps its length where silence was put in, loses the time that was taken out, and ends where time jumps.
// * Where time jumps, settings (programs, controllers, bends, tuning, tempo, key) are said again as far as they differ from those there.
// * A note-on that never ends is left out before time that comes again, where it would take the end of a note.
// * Names, copyright, ports and SysEx are kept once, also where their time is gone, at the next place that is there.
// * Time signatures are those of the grid; the file's own are kept where they say the same.
// * Silence before the first bar: the settings of the first moment are said at the start of the silence.
// * `tempi` (tick of the new file, microseconds per quarter note), where given, stand in place of all tempo events.
// * Lyrics, markers, text and other events at one moment go with their time, and are counted when it is gone.
[[nodiscard]] AssembledMidi assemble_midi(std::span<const MidiSource> sources, std::span<const TimeSpan> spans, std::span<const FileBar> grid,
                                          std::int64_t length, int ticks_per_quarter,
                                          const std::optional<std::vector<std::pair<std::int64_t, std::int32_t>>>& tempi = {});

}  // namespace midigpt
