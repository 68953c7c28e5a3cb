#pragma once
// Tokens -> score.

#include <cstdint>
#include <span>
#include <vector>

#include "score/score.h"
#include "vocab/vocabulary.h"

namespace midigpt {

struct Decoding {
  ScoreTable table;
  std::vector<std::int16_t> track_attributes;  // one row per track, one column per track slot; -1 = no token
  std::vector<std::int16_t> bar_attributes;    // one row per bar, one column per bar slot
};

// Puts fill blocks in place of their placeholders, in order; a block ends at its FillInEnd or where the next one begins. Any list
// of ids of the vocabulary decodes; no grammar is enforced: surplus ends are ignored, a Track without TrackEnd before it begins a
// new track, notes outside any bar are dropped, and a bar without BarEnd is flagged kBarUnfinished. Times are on the model's grid,
// or at its decode_resolution with `resample`.
// Throws VocabularyError for an id outside the vocabulary and for a TimeSig outside the model's list.
[[nodiscard]] Decoding decode(const Vocabulary& vocabulary, std::span<const TokenId> tokens, bool resample = true);

}  // namespace midigpt
