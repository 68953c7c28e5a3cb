#pragma once
// Small vocabularies and scores for the tests of tokens, masks and plans.

#include <memory>
#include <string>
#include <vector>

#include "codec/encoder.h"
#include "score/score.h"
#include "vocab/vocabulary.h"

namespace midigpt::fixtures {

// 4/4, 3/4 and 6/8 on a grid of 12 ticks, with infill, hidden bars and two attributes per level.
inline EncoderConfig small_config() {
  EncoderConfig config;
  config.resolution = 12;
  config.decode_resolution = 480;
  config.supports_infill = true;
  config.supports_mask_bar_token = true;
  config.time_signatures = {{4, 4}, {3, 4}, {6, 8}};
  config.num_bars_map = {2, 4};
  return config;
}

inline std::shared_ptr<const Vocabulary> small_vocabulary() {
  const TokenDomains attributes = {{TokenType::KeySignature, 25},
                                   {TokenType::MinPolyphony, 10},
                                   {TokenType::BarLevelOnsetDensity, 10},
                                   {TokenType::BarLevelOnsetPolyphonyMax, 10}};
  return std::make_shared<const Vocabulary>(small_config(), attributes);
}

// Two tracks (bass, drums) of two bars: 4/4, 3/4.
inline ScoreTable small_score() {
  ScoreTable table;
  table.resolution = 12;
  table.tracks = {{0, 33, 0}, {2, 0, 1}};
  table.bars = {{0, 4, 4, 0}, {2, 3, 4, 0}, {3, 4, 4, 0}, {4, 3, 4, 0}};
  table.notes = {{0, 12, 40, 90, 0}, {24, 30, 43, 90, 0}, {6, 6, 45, 70, 0}, {12, 1, 36, 100, 0}};
  table.note_source = {-1, -1, -1, -1};
  return table;
}

inline std::vector<TokenId> tokens_of(const Vocabulary& vocabulary, const std::vector<Token>& tokens) {
  std::vector<TokenId> ids;
  for (const Token& token : tokens) ids.push_back(vocabulary.encode(token.type, token.value));
  return ids;
}

}  // namespace midigpt::fixtures
