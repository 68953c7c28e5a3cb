#pragma once
// Which chunk of a new file each event of a source goes to. What holds for the whole piece stands in the first chunk of a format-1 file, and
// other programs look for it nowhere else: a track that shares this chunk with it leaves it behind when it goes to another place.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "midi/midi_file.h"

namespace midigpt {

struct EventSeats {
  std::vector<std::size_t> chunk;    // per event: its target chunk
  std::vector<std::uint32_t> order;  // per event: where it comes among those of one target chunk at one tick
};

// `chunk_of` is the target of each track chunk. With `first_stays`, the first chunk's tempi, time signatures, SMPTE offset, markers, cue
// points, copyright and sequence number go to target chunk 0 wherever the chunk goes. So do its key signatures, unless a chunk that goes
// there has its own (each track then says its key), and its SysEx, where the chunks that go there have its port. Behind as many events of
// those chunks as they stood behind in their own, but before what these say of the same kinds, which has always come later.
[[nodiscard]] EventSeats event_seats(const MidiFile& file, std::span<const std::size_t> chunk_of, bool first_stays);

}  // namespace midigpt
