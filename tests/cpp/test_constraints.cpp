#include <doctest/doctest.h>

#include <algorithm>

#include "codec/encoder.h"
#include "error.h"
#include "mask/matcher.h"
#include "mask/note_schedule.h"
#include "mask/value_set.h"
#include "token_fixtures.h"

using namespace midigpt;
using fixtures::small_score;
using fixtures::tokens_of;

namespace {

using Groups = NoteSchedule::Groups;

std::vector<TokenId> infill_prompt(const Vocabulary& vocabulary, std::vector<BarAddress> bars) {
  EncodeOptions options;
  options.multi_fill = std::move(bars);
  options.fill_sections = false;
  return encode(vocabulary, small_score(), {}, {}, options).tokens;
}

std::vector<TokenId> open_prompt(const Vocabulary& vocabulary) {
  EncodeOptions options;
  options.partial_track = 1;
  options.partial_bars = -1;
  return encode(vocabulary, small_score(), {}, {}, options).tokens;
}

ScheduledGroup notes(int tick, std::size_t n) { return {tick, std::vector<ScheduledNote>(n)}; }

std::unique_ptr<Constraint> rhythm(int block, Groups groups) {
  return std::make_unique<NoteSchedule>("exact rhythm", NoteSchedule::Blocks{{block, std::move(groups)}});
}

std::vector<TokenType> types_of(const Matcher& matcher) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(matcher.vocabulary().size()));
  matcher.fill_mask(row);
  std::vector<TokenType> types;
  for (std::size_t id = 0; id < row.size(); ++id) {
    const TokenType type = matcher.vocabulary().decode(static_cast<TokenId>(id)).type;
    if (row[id] != 0 && (types.empty() || types.back() != type)) types.push_back(type);
  }
  return types;
}

void walk(Matcher& matcher, std::uint32_t& random, std::vector<Token>& written) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(matcher.vocabulary().size()));
  while (!matcher.complete()) {
    matcher.fill_mask(row);
    random = random * 1664525U + 1013904223U;
    auto choice = static_cast<std::ptrdiff_t>((random >> 8) % static_cast<std::uint32_t>(std::count(row.begin(), row.end(), 1)));
    TokenId id = 0;
    while (row[static_cast<std::size_t>(id)] == 0 || choice-- > 0) ++id;
    matcher.accept(id);
    written.push_back(matcher.vocabulary().decode(id));
    REQUIRE(written.size() < 100000);
  }
}

// (tick, notes) of each block, from the tokens after the prompt.
std::vector<std::vector<std::pair<int, int>>> onsets_of(const std::vector<Token>& written) {
  std::vector<std::vector<std::pair<int, int>>> blocks(1);
  int tick = 0;
  for (const Token& token : written) {
    if (token.type == TokenType::FillInStart || token.type == TokenType::Bar) tick = 0;
    if (token.type == TokenType::FillInEnd || token.type == TokenType::BarEnd) blocks.emplace_back();
    if (token.type == TokenType::TimeAbsolutePos) tick = token.value;
    if (token.type != TokenType::NoteOnset) continue;
    auto& block = blocks.back();
    if (block.empty() || block.back().first != tick) block.emplace_back(tick, 0);
    ++block.back().second;
  }
  blocks.pop_back();
  return blocks;
}

}  // namespace

TEST_CASE("pitch sets hold for their own block") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 0}, {0, 1}}), {});
  matcher.add(ValueSet::of_pitches(*vocabulary, {{1, {60, 64}}}));
  const auto pitch = [&](int value) { return vocabulary->encode(TokenType::NoteOnset, value); };
  CHECK(matcher.is_legal(pitch(61)));
  for (const TokenId id : tokens_of(*vocabulary, {{TokenType::NoteOnset, 61}, {TokenType::NoteDuration, 3}, {TokenType::FillInEnd, 0}, {TokenType::FillInStart, 0}})) {
    matcher.accept(id);
  }
  CHECK_FALSE(matcher.is_legal(pitch(61)));
  CHECK(matcher.is_legal(pitch(60)));
  CHECK_THROWS_AS(ValueSet::of_pitches(*vocabulary, {{0, {}}}), VocabularyError);
  CHECK_THROWS_AS(ValueSet::of_pitches(*vocabulary, {{0, {128}}}), VocabularyError);
}

TEST_CASE("an exact rhythm may begin with a rest and ends with its last note") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{1, 0}}), {});
  matcher.add(rhythm(0, {notes(6, 2), notes(30, 1)}));
  CHECK(matcher.forced() == vocabulary->encode(TokenType::TimeAbsolutePos, 6));
  matcher.accept(matcher.forced());
  const TokenId kick = vocabulary->encode(TokenType::NoteOnset, 36);
  matcher.accept(kick);
  CHECK(types_of(matcher) == std::vector{TokenType::NoteOnset, TokenType::VelocityLevel});
  matcher.accept(kick);
  CHECK(matcher.forced() == vocabulary->encode(TokenType::TimeAbsolutePos, 30));
  matcher.accept(matcher.forced());
  matcher.accept(kick);
  CHECK(matcher.forced() == vocabulary->encode(TokenType::FillInEnd, 0));
}

TEST_CASE("kept notes keep pitch and length, the others only their place") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 0}}), {});
  matcher.add(rhythm(0, {{0, {{48, 11}, {-1, 5}}}, {24, {{500, -1}}}}));
  CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::NoteOnset, 49)));
  for (const TokenId id : tokens_of(*vocabulary, {{TokenType::VelocityLevel, 9}, {TokenType::NoteOnset, 48}})) matcher.accept(id);
  CHECK(matcher.forced() == vocabulary->encode(TokenType::NoteDuration, 11));
  matcher.accept(matcher.forced());
  CHECK(matcher.is_legal(vocabulary->encode(TokenType::NoteOnset, 49)));
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 49));
  CHECK(matcher.forced() == vocabulary->encode(TokenType::NoteDuration, 5));
  matcher.accept(matcher.forced());
  matcher.accept(matcher.forced());
  CHECK(matcher.is_legal(vocabulary->encode(TokenType::NoteOnset, 1)));
}

TEST_CASE("schedules are checked") {
  using Blocks = NoteSchedule::Blocks;
  CHECK_THROWS_AS(NoteSchedule("x", Blocks{{0, {}}}), VocabularyError);
  CHECK_THROWS_AS(NoteSchedule("x", Blocks{{0, {notes(4, 1), notes(4, 1)}}}), VocabularyError);
  CHECK_THROWS_AS(NoteSchedule("x", Blocks{{0, {notes(4, 0)}}}), VocabularyError);
  CHECK_THROWS_AS(NoteSchedule("x", Blocks{{0, {notes(-1, 1)}}}), VocabularyError);
}

TEST_CASE("limits and permissions differ from block to block") {
  const auto vocabulary = fixtures::small_vocabulary();
  MatcherOptions options;
  options.max_duration = PerBlock({4, 0});
  options.max_end = PerBlock({0, 36});
  options.allow_empty = PerBlock({0, 1});
  options.density_limit = PerBlock({1, 0});
  const auto prompt = infill_prompt(*vocabulary, {{0, 0}, {0, 1}});
  Matcher matcher(vocabulary, prompt, options);
  const auto length = [&](int value) { return vocabulary->encode(TokenType::NoteDuration, value); };
  const TokenId end = vocabulary->encode(TokenType::FillInEnd, 0);
  CHECK_FALSE(matcher.is_legal(end));
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 60));
  CHECK(matcher.is_legal(length(3)));
  CHECK_FALSE(matcher.is_legal(length(4)));
  matcher.accept(length(3));
  CHECK(matcher.forced() == end);
  matcher.accept(end);
  matcher.accept(matcher.forced());
  CHECK(matcher.is_legal(end));
  matcher.accept(vocabulary->encode(TokenType::TimeAbsolutePos, 35));
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 60));
  CHECK(matcher.forced() == length(0));
  options.max_end = PerBlock({1, 2, 3});
  CHECK_THROWS_WITH_AS(Matcher(vocabulary, prompt, options), "max_end has 3 entries; there are 2 bars", VocabularyError);
}

TEST_CASE("a limit on voices leaves room for the notes that a rhythm demands") {
  const auto vocabulary = fixtures::small_vocabulary();
  std::uint32_t random = 7;
  for (int round = 0; round < 40; ++round) {
    MatcherOptions options;
    options.sounding_limit = 2;
    Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 0}, {0, 1}}), options);
    matcher.add(std::make_unique<NoteSchedule>(
        "exact rhythm", NoteSchedule::Blocks{{0, {notes(0, 2), notes(12, 1), notes(20, 2)}}, {1, {notes(3, 2), notes(35, 1)}}}));
    std::vector<Token> written;
    walk(matcher, random, written);
    using Onsets = std::vector<std::pair<int, int>>;
    CHECK(onsets_of(written) == std::vector<Onsets>{{{0, 2}, {12, 1}, {20, 2}}, {{3, 2}, {35, 1}}});
  }
}

// Whatever is asked at once, a walk comes to an end, and a schedule that cannot be kept is left without a deadlock.
TEST_CASE("walks under any constraints end") {
  const auto vocabulary = fixtures::small_vocabulary();
  const auto infill = infill_prompt(*vocabulary, {{0, 0}, {0, 1}, {1, 1}});
  const auto open = open_prompt(*vocabulary);
  std::uint32_t random = 5;
  const auto roll = [&](int n) {
    random = random * 1664525U + 1013904223U;
    return static_cast<int>((random >> 8) % static_cast<std::uint32_t>(n));
  };
  for (int round = 0; round < 150; ++round) {
    const bool autoregressive = round % 3 == 0;
    const std::size_t n = autoregressive ? 2 : 3;
    const auto some = [&](int most) {
      std::vector<int> values(n);
      for (int& value : values) value = roll(most);
      return PerBlock(values);
    };
    MatcherOptions options;
    options.polyphony_limit = some(3);
    options.density_limit = some(6);
    options.sounding_limit = some(3);
    options.max_duration = some(5);
    options.max_end = some(60);
    options.allow_empty = some(2);
    Matcher matcher(vocabulary, autoregressive ? open : infill, options);
    NoteSchedule::Blocks blocks;
    for (int block = 0; block < static_cast<int>(n); ++block) {
      if (roll(3) == 0) continue;
      Groups groups;
      for (int tick = roll(12); tick < 60; tick += 1 + roll(20)) groups.push_back({tick, std::vector<ScheduledNote>(1 + roll(3), {roll(140) - 1, roll(100) - 1})});
      blocks.emplace(block, groups);
    }
    if (!blocks.empty()) matcher.add(std::make_unique<NoteSchedule>("remix", blocks));
    matcher.add(ValueSet::of_pitches(*vocabulary, {{roll(3), {60, 62}}}));
    matcher.add(ValueSet::of_positions(*vocabulary, {{roll(3), {0, 12}}}));
    Matcher fork = matcher.fork();
    std::vector<Token> written;
    walk(matcher, random, written);
    std::vector<Token> again;
    walk(fork, random, again);
  }
}

TEST_CASE("limits that no number of ticks reaches take nothing away") {
  const auto vocabulary = fixtures::small_vocabulary();
  MatcherOptions options;
  options.max_duration = INT32_MAX;
  options.max_end = INT32_MAX;
  options.sounding_limit = INT32_MAX;
  Matcher limited(vocabulary, infill_prompt(*vocabulary, {{0, 0}}), options);
  Matcher free(vocabulary, infill_prompt(*vocabulary, {{0, 0}}), {});
  for (Matcher* matcher : {&limited, &free}) matcher->accept(vocabulary->encode(TokenType::NoteOnset, 60));
  std::vector<std::uint8_t> mine(static_cast<std::size_t>(vocabulary->size())), other(mine.size());
  limited.fill_mask(mine);
  free.fill_mask(other);
  CHECK(mine == other);
}
