#pragma once
// Score table -> a plain MIDI file of its own: format 1, one chunk per track.

#include <cstdint>
#include <string>
#include <vector>

#include "score/score.h"

namespace midigpt {

// Writes the table at its own resolution. names[i], where given and not empty, becomes the track's name. Microtiming (delta) is folded into
// the ticks, velocity 0 is written as 1, durations are at least 1, and empty bars at the end are kept by a repeated time signature at the
// last bar. Channels and ports are those of plain_seats (channel_pool.h). Throws ScoreError for a resolution, tempo or time signature that MIDI cannot say.
[[nodiscard]] std::vector<std::uint8_t> write_midi(const ScoreTable& table, const std::vector<std::string>& names = {});

// Onset of a note with its microtiming, in ticks of the table.
[[nodiscard]] double exact_onset(const Note& note, std::int32_t resolution);

}  // namespace midigpt
