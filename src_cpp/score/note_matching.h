#pragma once
// Which notes of an edited table are still those of the origin, and which tracks.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "score/score.h"

namespace midigpt {

struct NoteMatching {
  std::vector<std::int32_t> origin_track;  // per track of the table: its track in the origin, -1 for a new one
  std::vector<bool> is_new;                // per note of the table
  std::vector<bool> is_kept;               // per note of the origin
};

// Per track of the table its track in the origin, -1 for a new one: the one that most of its notes come from. A track without such notes is
// the free one of its name, program and kind, first of those the one at its own place; else the free one of its name; else the one at its own
// place if that is free. Never from melodic to drums or back. Without names only notes and places count.
[[nodiscard]] std::vector<std::int32_t> match_tracks(const ScoreTable& origin, const ScoreTable& table,
                                                     const std::vector<std::string>& origin_names = {},
                                                     const std::vector<std::string>& names = {});

// A note is kept when its bar in the origin has the note it came from, or any other, with the same values. `origin_track` is what
// match_tracks gives; another length, a track that is not there, one named twice, or melodic for drums is a ScoreError.
[[nodiscard]] NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table, std::vector<std::int32_t> origin_track);
[[nodiscard]] NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table);

}  // namespace midigpt
