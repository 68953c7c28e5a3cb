#pragma once
// Configurations, vocabularies and score tables made of fuzzer bytes.

#include <memory>

#include "input.h"
#include "score/score.h"
#include "vocab/vocabulary.h"

namespace midigpt::fuzz {

// Fields with sensible values; the vocabulary of it has all that the grammar needs.
[[nodiscard]] EncoderConfig tame_config(Input& in);
// Fields with any values, and sometimes a token list of its own.
[[nodiscard]] EncoderConfig wild_config(Input& in);
// Some attributes with some sizes.
[[nodiscard]] TokenDomains attributes(Input& in);
[[nodiscard]] std::vector<std::pair<Level, TokenType>> optional_slots(Input& in);
// A vocabulary of tame_config(); nullptr where the configuration is refused.
[[nodiscard]] std::shared_ptr<const Vocabulary> tame_vocabulary(Input& in);

// A table that validate() accepts, with a few tracks, bars and notes. Metres are mostly those of `metres`.
[[nodiscard]] ScoreTable table(Input& in, const TimeSignatures& metres, int resolution);
[[nodiscard]] std::vector<Note> notes(Input& in, int resolution);

}  // namespace midigpt::fuzz
