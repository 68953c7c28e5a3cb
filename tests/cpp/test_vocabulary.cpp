#include <doctest/doctest.h>

#include "error.h"
#include "token_fixtures.h"

using namespace midigpt;
using fixtures::small_config;

TEST_CASE("domains follow one another and ids go both ways") {
  const auto vocabulary = fixtures::small_vocabulary();
  TokenId next = 0;
  for (const auto& [type, size] : vocabulary->domains()) {
    CHECK(vocabulary->range(type).start == next);
    for (int value = 0; value < size; ++value, ++next) {
      CHECK(vocabulary->encode(type, value) == next);
      CHECK(vocabulary->decode(next) == Token{type, value});
    }
  }
  CHECK(vocabulary->size() == next);
  CHECK(vocabulary->domains().front().first == TokenType::PieceStart);
  CHECK(vocabulary->domains()[vocabulary->domains().size() - 4].first == TokenType::KeySignature);
}

TEST_CASE("values and ids outside are errors") {
  const auto vocabulary = fixtures::small_vocabulary();
  CHECK_THROWS_AS((void)vocabulary->encode(TokenType::TimeSig, 3), VocabularyError);
  CHECK_THROWS_AS((void)vocabulary->encode(TokenType::Genre, 0), VocabularyError);
  CHECK_THROWS_AS((void)vocabulary->decode(vocabulary->size()), VocabularyError);
  CHECK_THROWS_AS((void)vocabulary->decode(-1), VocabularyError);
}

TEST_CASE("slots stand in the table's order, not the vocabulary's") {
  const auto vocabulary = fixtures::small_vocabulary();
  CHECK(vocabulary->slot(Level::track, TokenType::MinPolyphony) == 0);
  CHECK(vocabulary->slot(Level::track, TokenType::KeySignature) == 1);
  CHECK(vocabulary->slot(Level::track, TokenType::BarLevelOnsetPolyphonyMax) == -1);
  CHECK(vocabulary->slot(Level::bar, TokenType::BarLevelOnsetPolyphonyMax) == 1);
}

TEST_CASE("contradictions raise") {
  EncoderConfig config = small_config();
  SUBCASE("a type listed twice") { config.token_domains = {{TokenType::Bar, 1}, {TokenType::Bar, 1}}; }
  SUBCASE("signatures and their domain disagree") { config.token_domains = {{TokenType::TimeSig, 36}}; }
  SUBCASE("a denominator of nothing") { config.time_signatures = {{4, 0}}; }
  SUBCASE("an empty pitch range") { config.pitch_range = {80, 20}; }
  CHECK_THROWS_AS(Vocabulary{config}, EncoderConfigError);
}

TEST_CASE("every spelling of a type is unique") {
  for (const auto& row : kTokenTypes) {
    CHECK(parse_token_type(row.name) == row.type);
    CHECK(token_type_name(row.type) == row.name);
  }
  CHECK(parse_token_type("OnsetPolyphony") == TokenType::BarLevelOnsetPolyphonyMax);
  CHECK_THROWS_WITH_AS((void)parse_token_type("Barr"), "there is no token type 'Barr'; did you mean 'Bar'?", VocabularyError);
}

TEST_CASE("velocities survive 128 levels and a second velocity stands for each of 32") {
  const VelocityBins fine(128);
  for (int velocity = 1; velocity <= 127; ++velocity) CHECK(fine.velocity(fine.level(velocity)) == velocity);
  const VelocityBins coarse(32);
  CHECK(coarse.level(1) == 1);
  CHECK(coarse.velocity(1) == 2);
  CHECK(coarse.velocity(8) == 30);
  CHECK(coarse.velocity(0) == 100);
}

TEST_CASE("sizes are checked before they are multiplied or allocated") {
  for (int EncoderConfig::*field : {&EncoderConfig::resolution, &EncoderConfig::velocity_levels, &EncoderConfig::note_duration_max_beats}) {
    EncoderConfig config = fixtures::small_config();
    config.*field = INT32_MAX;
    CHECK_THROWS_AS((void)Vocabulary(config), EncoderConfigError);
  }
  EncoderConfig config = fixtures::small_config();
  config.token_domains = {{TokenType::VelocityLevel, INT32_MAX}};
  CHECK_THROWS_AS((void)Vocabulary(config), EncoderConfigError);
}
