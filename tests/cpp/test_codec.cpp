#include <doctest/doctest.h>

#include "codec/decoder.h"
#include "codec/encoder.h"
#include "codec/fill_order.h"
#include "codec/grid.h"
#include "error.h"
#include "token_fixtures.h"

using namespace midigpt;
using fixtures::small_score;
using fixtures::tokens_of;

TEST_CASE("what is encoded decodes to the same notes") {
  const auto vocabulary = fixtures::small_vocabulary();
  const ScoreTable score = small_score();
  const Encoding encoding = encode(*vocabulary, score, {}, {}, {});
  const Decoding decoding = decode(*vocabulary, encoding.tokens, false);
  CHECK(decoding.table.tracks.size() == 2);
  CHECK(decoding.table.bars.size() == 4);
  CHECK(decoding.table.bars[1].numerator == 3);
  REQUIRE(decoding.table.notes.size() == score.notes.size());
  for (std::size_t i = 0; i < score.notes.size(); ++i) {
    CHECK(decoding.table.notes[i].onset_ticks == score.notes[i].onset_ticks);
    CHECK(decoding.table.notes[i].duration_ticks == score.notes[i].duration_ticks);
    CHECK(decoding.table.notes[i].pitch == score.notes[i].pitch);
  }
  decoding.table.validate();
  CHECK(encoding.saturated == 0);
}

TEST_CASE("fill blocks follow in ascending order and return to their bars") {
  const auto vocabulary = fixtures::small_vocabulary();
  EncodeOptions options;
  options.multi_fill = {{1, 0}, {0, 1}, {1, 0}};
  CHECK(fill_order(options.multi_fill) == std::vector<BarAddress>{{0, 1}, {1, 0}});
  const Encoding filled = encode(*vocabulary, small_score(), {}, {}, options);
  const Decoding decoding = decode(*vocabulary, filled.tokens, false);
  REQUIRE(decoding.table.notes.size() == 4);
  CHECK(decoding.table.bar_notes(1)[0].pitch == 45);
  CHECK(decoding.table.bar_notes(2)[0].pitch == 36);
}

TEST_CASE("a bar that is left out cannot be filled in") {
  const auto vocabulary = fixtures::small_vocabulary();
  EncodeOptions options;
  options.multi_fill = {{0, 1}};
  options.partial_track = 0;
  options.partial_bars = 1;
  CHECK_THROWS_AS((void)encode(*vocabulary, small_score(), {}, {}, options), VocabularyError);
}

TEST_CASE("values outside their domain are counted, or the first is named") {
  const auto vocabulary = fixtures::small_vocabulary();
  ScoreTable score = small_score();
  score.tracks[1].instrument = 300;
  score.notes[0].onset_ticks = -3;
  score.notes[0].duration_ticks = 100000;
  EncodeOptions options;
  CHECK(encode(*vocabulary, score, {}, {}, options).saturated == 3);
  options.out_of_range = OutOfRange::error;
  CHECK_THROWS_WITH_AS((void)encode(*vocabulary, score, {}, {}, options), doctest::Contains("track 0, bar 0: position -3"), VocabularyError);
  CHECK_THROWS_WITH_AS((void)encode(*vocabulary, score, {}, {}, options), doctest::Contains("3 values of this score"), VocabularyError);
  CHECK_NOTHROW((void)encode(*vocabulary, small_score(), {}, {}, options));
}

TEST_CASE("blocks that begin inside each other do not multiply the tokens") {
  const auto vocabulary = fixtures::small_vocabulary();
  std::vector<Token> tokens = {{TokenType::Track, 1}};
  constexpr int kBlocks = 2000;
  for (int i = 0; i < kBlocks; ++i) {
    tokens.push_back({TokenType::Bar, 0});
    tokens.push_back({TokenType::FillInPlaceholder, 0});
  }
  for (int i = 0; i < kBlocks; ++i) {
    tokens.push_back({TokenType::FillInStart, 0});
    tokens.push_back({TokenType::NoteOnset, 36});
  }
  std::vector<TokenId> ids;
  for (const Token& token : tokens) ids.push_back(vocabulary->encode(token.type, token.value));
  CHECK(decode(*vocabulary, ids).table.notes.size() == kBlocks);
}

TEST_CASE("surplus track ends are ignored") {
  const auto vocabulary = fixtures::small_vocabulary();
  const auto ids = tokens_of(*vocabulary, {{TokenType::TrackEnd, 0}, {TokenType::TrackEnd, 0}, {TokenType::Track, 1}, {TokenType::Bar, 0},
                                           {TokenType::NoteOnset, 36}, {TokenType::TrackEnd, 0}, {TokenType::TrackEnd, 0}});
  const Decoding decoding = decode(*vocabulary, ids);
  CHECK(decoding.table.tracks.size() == 1);
  CHECK(decoding.table.notes.size() == 1);
  CHECK(decoding.table.resolution == 480);
  CHECK(decoding.table.notes[0].duration_ticks == 40);
}

// Nothing here but "does not crash, and gives a table that holds together": the sanitizers watch.
TEST_CASE("any list of ids decodes") {
  const auto vocabulary = fixtures::small_vocabulary();
  std::uint32_t random = 7;
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> ids;
    for (int i = 0; i < 80; ++i) {
      random = random * 1664525U + 1013904223U;
      // Mostly structure: the low ids.
      const std::uint32_t range = (random >> 28) < 10 ? 9U : static_cast<std::uint32_t>(vocabulary->size());
      ids.push_back(static_cast<TokenId>((random >> 8) % range));
    }
    const Decoding decoding = decode(*vocabulary, ids, round % 2 == 0);
    CHECK_NOTHROW(decoding.table.validate());
    CHECK(decoding.bar_attributes.size() == 2 * decoding.table.bars.size());
    if (!decoding.table.tracks.empty()) CHECK_NOTHROW((void)decode(*vocabulary, encode(*vocabulary, decoding.table, {}, {}, {4}).tokens));
  }
}

TEST_CASE("empty input") {
  const auto vocabulary = fixtures::small_vocabulary();
  CHECK(decode(*vocabulary, {}).table.tracks.empty());
  EncodeOptions options;
  options.window_bars = 4;
  CHECK(encode(*vocabulary, ScoreTable{}, {}, {}, options).tokens.size() == 2);
}

TEST_CASE("onsets are cut, durations are at least one tick, deltas keep the rest") {
  ScoreTable table = small_score();
  table.resolution = 480;
  table.notes = {{479, 39, 60, 90, 0}, {55, 80, 62, 90, 120}};
  table.note_source = {-1, -1};
  table.bars = {{0, 4, 4, 0}, {2, 3, 4, 0}, {2, 4, 4, 0}, {2, 3, 4, 0}};
  const ScoreTable plain = grid_table(table, 12, false);
  CHECK(plain.notes[0].onset_ticks == 11);
  CHECK(plain.notes[0].duration_ticks == 1);
  CHECK(plain.notes[1].delta == 0);
  const ScoreTable timed = grid_table(table, 12, true);
  CHECK(timed.notes[0].delta == 12);
  CHECK(timed.notes[1].onset_ticks == 1);
  CHECK_THROWS_AS((void)grid_table(table, 0, false), ScoreError);
}

TEST_CASE("a long row of microtiming tokens adds up without overflow") {
  EncoderConfig config = fixtures::small_config();
  config.resolution = 4000;
  config.time_signatures = {{4, 4}};
  config.emit_delta_tokens = true;
  const Vocabulary vocabulary(config);
  std::vector<Token> tokens = {{TokenType::Track, 1}, {TokenType::Bar, 0}};
  tokens.insert(tokens.end(), 1'200'000, Token{TokenType::Delta, 1999});
  tokens.push_back({TokenType::NoteOnset, 60});
  const Decoding decoded = decode(vocabulary, fixtures::tokens_of(vocabulary, tokens), false);
  CHECK(decoded.table.notes.at(0).delta == INT32_MAX);
}

TEST_CASE("a time that a finer grid cannot hold is refused") {
  ScoreTable table = fixtures::small_score();
  table.notes[0].duration_ticks = INT32_MAX;
  CHECK_THROWS_AS((void)grid_table(table, 1920, false), ScoreError);
  CHECK_THROWS_AS((void)grid_table(table, 1920, true), ScoreError);
}
