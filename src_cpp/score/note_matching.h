#pragma once
// Which notes of an edited table are still those of the origin, and which tracks.

#include <cstdint>
#include <span>
#include <vector>

#include "score/score.h"

namespace midigpt {

struct NoteMatching {
  std::vector<std::int32_t> origin_track;  // per track of the table: its track in the origin, -1 for a new one
  std::vector<bool> is_new;                // per note of the table
  std::vector<bool> is_kept;               // per note of the origin
};

// A table track belongs to the origin track that most of its notes come from, else to the one at its own place if that is free; never from
// melodic to drums or back. A note is kept when its bar in the origin has the note it came from, or any other, with the same values.
[[nodiscard]] NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table);

}  // namespace midigpt
