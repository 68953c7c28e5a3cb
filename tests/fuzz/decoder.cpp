// Any tokens -> table -> tokens. What decodes is a valid table, and its encoding is a fixed point that the grammar can read.

#include "codec/decoder.h"

#include "codec/encoder.h"
#include "error.h"
#include "make.h"
#include "mask/prompt.h"
#include "score/table_edit.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

std::vector<TokenId> any_tokens(Input& in, const Vocabulary& vocabulary) {
  std::vector<TokenId> tokens;
  while (!in.empty()) {
    if (in.one_in(64)) {
      tokens.push_back(in.any());
      continue;
    }
    const auto [type, size] = in.pick(vocabulary.domains());
    tokens.push_back(vocabulary.range(type).start + in.number(0, size - 1));
  }
  return tokens;
}

Encoding encoded(const Vocabulary& vocabulary, const Decoding& decoding, const EncodeOptions& options) {
  const AttributeColumns tracks{decoding.track_attributes, vocabulary.slots(Level::track).size()};
  const AttributeColumns bars{decoding.bar_attributes, vocabulary.slots(Level::bar).size()};
  return encode(vocabulary, decoding.table, tracks, bars, options);
}

void check_shapes(const Vocabulary& vocabulary, const Decoding& decoding) {
  decoding.table.validate();
  require(decoding.track_attributes.size() == decoding.table.tracks.size() * vocabulary.slots(Level::track).size(), "a row per track");
  require(decoding.bar_attributes.size() == decoding.table.bars.size() * vocabulary.slots(Level::bar).size(), "a row per bar");
}

void check_round_trip(const Vocabulary& vocabulary, const std::shared_ptr<const Vocabulary>& shared, const Decoding& first) {
  Encoding tokens;
  try {
    tokens = encoded(vocabulary, first, {});
  } catch (const VocabularyError&) {  // a default 4/4 or a number of bars that the model lacks
    return;
  }
  const Decoding second = decode(vocabulary, tokens.tokens, false);
  check_shapes(vocabulary, second);
  require(second.table.tracks.size() == first.table.tracks.size() && second.table.bars.size() == first.table.bars.size(),
          "encoding keeps tracks and bars");
  const Encoding again = encoded(vocabulary, second, {});
  require(again.saturated == 0, "a decoded encoding has nothing beyond its domain");
  // Notes that had to move, or lost their place, may stand in another order then; once more and all is at rest.
  const bool in_place = tokens.saturated == 0 && vocabulary.has(TokenType::TimeAbsolutePos);
  require(!in_place || again.tokens == tokens.tokens, "the encoding of a decoded encoding is the same");
  require(encoded(vocabulary, decode(vocabulary, again.tokens, false), {}).tokens == again.tokens, "encoding and decoding come to rest");
  const Grammar grammar(shared);
  const Prompt prompt = read_prompt(grammar, tokens.tokens);
  require(prompt.tracks.size() == first.table.tracks.size(), "the grammar reads every track that the encoder writes");
}

}  // namespace

void decoder(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  const auto vocabulary = tame_vocabulary(in);
  if (vocabulary == nullptr) return;
  const std::vector<TokenId> tokens = any_tokens(in, *vocabulary);
  Decoding decoding;
  try {
    decoding = decode(*vocabulary, tokens, false);
  } catch (const VocabularyError&) {
    return;
  }
  check_shapes(*vocabulary, decoding);
  try {
    check_shapes(*vocabulary, decode(*vocabulary, tokens, true));
  } catch (const ScoreError&) {  // a time that does not fit the other grid
  }
  check_round_trip(*vocabulary, vocabulary, decoding);
}

}  // namespace midigpt::fuzz
