#pragma once
// Writes an edited table back into the file it came from: every event stays where it was, and only the notes that changed are replaced.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "midi/midi_file.h"
#include "score/from_midi.h"
#include "score/score.h"
#include "score/table_edit.h"

namespace midigpt {

// Whether the table's bars have the metres of the file's bars, as far as both go. Otherwise the file's events have no place in the new piece.
[[nodiscard]] bool bars_match(const MidiReading& reading, const ScoreTable& table);

struct RewriteOptions {
  std::vector<std::string> names;  // names[i], where given and not empty, is the name of a new track, or replaces that of a track with a chunk to itself
  // Whether bends, aftertouch, pedals, wheel, breath and expression stay in bars whose notes are all new (see gestures.h).
  bool silence_gestures = false;
  // Per track of the table the origin's that it is (match_tracks); none: as match_tracks finds without names.
  std::optional<std::vector<std::int32_t>> origin_tracks;
};

struct RewrittenMidi {
  std::vector<std::uint8_t> bytes;
  std::vector<Cell> left_out;  // places of notes that start after the end of their bar, which a metre change in the file cuts short
};

// `origin` is the table of `reading`, resampled to the resolution of `table`.
//
// * An origin note is kept when the table has it in the same bar with the same values; its events are not touched. Others are removed.
// * A new note stands at round(onset * TPQ / resolution) ticks after its bar's start in the file, on the channel of its track and in the
//   track's chunk; a program change is put around it where another program is set there. It ends with the last bar at the latest, so that
//   the piece does not grow.
// * A new note gives way to kept notes of its channel and pitch: it ends where the next of them begins, and not before the ones sounding
//   at its start. Note-offs that end nothing and note-ons never ended, which readers do not see, are dropped where they would cut it.
// * A changed note keeps the velocity of its note-off.
// * A new track gets a chunk of its own at the end, on a channel (or port) as channel_pool.h says. A track's new instrument replaces its
//   program changes.
// * Bars past the end of the file continue the last one; metre changes and empty bars there are written as time signatures.
// * A changed tempo replaces the file's first tempo.
//
// A table equal to `origin` (and no names or silence asked) gives the file's own bytes. Throws ScoreError when bars do not match or a value cannot be written.
[[nodiscard]] RewrittenMidi rewrite_midi(const MidiFile& file, const MidiReading& reading, const ScoreTable& origin, const ScoreTable& table,
                                         const RewriteOptions& options = {});

}  // namespace midigpt
