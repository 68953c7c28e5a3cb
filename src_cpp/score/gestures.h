#pragma once
// What a player did to sounding notes beside playing them: bends, aftertouch, pedals, wheel, breath and expression.

#include <cstdint>
#include <span>
#include <vector>

#include "midi/midi_file.h"
#include "score/chunk_edit.h"
#include "score/from_midi.h"

namespace midigpt {

// Time in which a track of the file has new notes in place of its own; in file ticks.
struct NewStretch {
  std::size_t track = 0;  // row of MidiReading::tracks
  std::int64_t start = 0;
  std::int64_t end = 0;
};

// Takes the gestures of each stretch out of the file, as they belonged to other notes: at its start bend, aftertouch, wheel and pedals are
// put to rest (breath and expression stay where they are), within it there are none, and at its end everything stands where the file has
// it. Volume, pan, programs, banks, effects and tuning are no gestures. A stretch in which another track's notes sound on the channel is
// left alone. track_of_note: per event of the file the track of a note-on that is kept, else -1.
void silence_gestures(const MidiFile& file, const MidiReading& reading, std::span<const NewStretch> stretches,
                      const std::vector<std::int32_t>& track_of_note, std::vector<ChunkEdit>& edits);

// Whether an event is one of those.
[[nodiscard]] bool is_gesture(const MidiFile& file, const MidiEvent& event);

}  // namespace midigpt
