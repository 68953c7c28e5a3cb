#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "codec/encoder.h"
#include "error.h"
#include "mask/matcher.h"
#include "token_fixtures.h"

using namespace midigpt;
using fixtures::small_score;
using fixtures::tokens_of;

namespace {

std::vector<TokenId> infill_prompt(const Vocabulary& vocabulary, std::vector<BarAddress> bars) {
  EncodeOptions options;
  options.multi_fill = std::move(bars);
  options.fill_sections = false;
  return encode(vocabulary, small_score(), {}, {}, options).tokens;
}

std::vector<TokenId> open_prompt(const Vocabulary& vocabulary, int bars) {
  EncodeOptions options;
  options.partial_track = 1;
  options.partial_bars = bars;
  return encode(vocabulary, small_score(), {}, {}, options).tokens;
}

// Takes every pitch away, to be named in the error.
class Silence final : public Constraint {
 public:
  [[nodiscard]] std::string_view name() const override { return "silence"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<Silence>(*this); }
  void restrict_to(const Place&, LegalSet& legal) const override { legal.filter(TokenType::NoteOnset, none_.data()); }

 private:
  std::array<std::uint8_t, 128> none_{};
};

class EvenPitches final : public Constraint {
 public:
  EvenPitches() {
    for (std::size_t pitch = 0; pitch < allowed_.size(); pitch += 2) allowed_[pitch] = 1;
  }
  [[nodiscard]] std::string_view name() const override { return "even pitches"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<EvenPitches>(*this); }
  void restrict_to(const Place&, LegalSet& legal) const override { legal.filter(TokenType::NoteOnset, allowed_.data()); }

 private:
  std::array<std::uint8_t, 128> allowed_{};
};

int legal_pitches(const Matcher& matcher) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(matcher.vocabulary().size()));
  matcher.fill_mask(row);
  const TokenRange pitches = matcher.vocabulary().range(TokenType::NoteOnset);
  return std::accumulate(row.begin() + pitches.start, row.begin() + pitches.end, 0);
}

}  // namespace

TEST_CASE("a deadlock names the place and the constraint that caused it") {
  const auto vocabulary = fixtures::small_vocabulary();
  const auto prompt = infill_prompt(*vocabulary, {{0, 1}});
  MatcherOptions options;
  options.density_limit = 4;
  Matcher matcher(vocabulary, prompt, options);
  matcher.add(std::make_unique<Silence>());
  matcher.accept(vocabulary->encode(TokenType::VelocityLevel, 9));
  std::vector<std::uint8_t> row(static_cast<std::size_t>(vocabulary->size()));
  const char* message =
      "no token is legal after a velocity in fill block 0, track 0, bar 1, tick 0; the last one was taken away by 'silence'";
  CHECK_THROWS_WITH_AS(matcher.fill_mask(row), message, GrammarDeadlock);
  CHECK_THROWS_WITH_AS((void)matcher.forced(), message, GrammarDeadlock);
  try {
    (void)matcher.forced();
  } catch (const GrammarDeadlock& error) {
    CHECK(error.state == "a velocity");
    CHECK(error.constraints == std::vector<std::string>{"silence"});
  }
}

TEST_CASE("constraints on values compose, fork and reset") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 0}, {1, 1}}), {});
  CHECK(legal_pitches(matcher) == 128);
  matcher.add(std::make_unique<EvenPitches>());
  CHECK(legal_pitches(matcher) == 64);
  CHECK(legal_pitches(matcher.fork()) == 64);
  CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::NoteOnset, 61)));
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 60));
  matcher.reset();
  CHECK(legal_pitches(matcher) == 64);
}

TEST_CASE("a fork does not see what the other writes") {
  const auto vocabulary = fixtures::small_vocabulary();
  MatcherOptions options;
  options.sounding_limit = 1;
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 0}}), options);
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 60));
  Matcher fork = matcher.fork();
  fork.accept(vocabulary->encode(TokenType::NoteDuration, 20));
  matcher.accept(vocabulary->encode(TokenType::NoteDuration, 0));
  const auto position = [&](int tick) { return vocabulary->encode(TokenType::TimeAbsolutePos, tick); };
  CHECK(matcher.is_legal(position(1)));
  CHECK_FALSE(fork.is_legal(position(20)));
  CHECK(fork.is_legal(position(21)));
}

TEST_CASE("each block keeps to its own bar and its own kind of track") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, infill_prompt(*vocabulary, {{0, 1}, {1, 0}}), {});
  CHECK(matcher.is_legal(vocabulary->encode(TokenType::TimeAbsolutePos, 35)));
  CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::TimeAbsolutePos, 36)));
  for (const TokenId id : tokens_of(*vocabulary, {{TokenType::NoteOnset, 60}, {TokenType::NoteDuration, 3}, {TokenType::FillInEnd, 0}})) {
    matcher.accept(id);
  }
  CHECK(matcher.forced() == vocabulary->encode(TokenType::FillInStart, 0));
  matcher.accept(matcher.forced());
  CHECK(matcher.is_legal(vocabulary->encode(TokenType::TimeAbsolutePos, 47)));
  matcher.accept(vocabulary->encode(TokenType::NoteOnset, 36));
  CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::NoteDuration, 3)));
  matcher.accept(vocabulary->encode(TokenType::FillInEnd, 0));
  CHECK(matcher.complete());
  CHECK(matcher.forced() == -1);
}

TEST_CASE("an autoregressive track has exactly its bars, each with its metre") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, open_prompt(*vocabulary, 0), {});
  for (const int signature : {0, 1}) {
    matcher.accept(vocabulary->encode(TokenType::Bar, 0));
    CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::TimeSig, 2)));
    matcher.accept(vocabulary->encode(TokenType::TimeSig, signature));
    CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::BarEnd, 0)));
    CHECK_FALSE(matcher.is_legal(vocabulary->encode(TokenType::MaskBar, 0)));
    matcher.accept(vocabulary->encode(TokenType::NoteOnset, 36));
    matcher.accept(vocabulary->encode(TokenType::BarEnd, 0));
  }
  CHECK(matcher.forced() == vocabulary->encode(TokenType::TrackEnd, 0));
}

TEST_CASE("illegal tokens are refused and prompts are checked") {
  const auto vocabulary = fixtures::small_vocabulary();
  Matcher matcher(vocabulary, open_prompt(*vocabulary, 1), {});
  CHECK_THROWS_AS(matcher.accept(vocabulary->encode(TokenType::TrackEnd, 0)), VocabularyError);
  CHECK_THROWS_AS(matcher.accept(-5), VocabularyError);
  CHECK_NOTHROW(matcher.accept(vocabulary->encode(TokenType::Bar, 0)));
  const auto broken = tokens_of(*vocabulary, {{TokenType::Track, 0}, {TokenType::NoteOnset, 60}});
  CHECK_THROWS_AS(Matcher(vocabulary, broken, {}), VocabularyError);
  CHECK_THROWS_AS(Matcher(vocabulary, {}, {}), VocabularyError);
}

TEST_CASE("a prompt of any ids is accepted or refused") {
  const auto vocabulary = fixtures::small_vocabulary();
  const auto whole = infill_prompt(*vocabulary, {{0, 1}, {1, 0}});
  std::uint32_t random = 3;
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    auto prompt = whole;
    for (int change = 0; change < 1 + round % 3; ++change) {
      random = random * 1664525U + 1013904223U;
      const auto place = (random >> 8) % static_cast<std::uint32_t>(prompt.size());
      random = random * 1664525U + 1013904223U;
      prompt[place] = static_cast<TokenId>((random >> 8) % static_cast<std::uint32_t>(vocabulary->size()));
    }
    MatcherOptions options;
    options.sounding_limit = round % 3;
    try {
      const Matcher matcher(vocabulary, prompt, options);
      if (!matcher.complete()) CHECK_NOTHROW((void)matcher.forced());
    } catch (const VocabularyError&) {
      ++refused;
    }
  }
  CHECK(refused > 100);
  CHECK(refused < 500);
}

// Every walk along legal tokens comes to an end: choices by a small congruential generator, ends preferred as the walk goes on.
TEST_CASE("walks end") {
  const auto vocabulary = fixtures::small_vocabulary();
  const auto infill = infill_prompt(*vocabulary, {{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const auto open = open_prompt(*vocabulary, -1);
  std::uint32_t random = 1;
  std::vector<std::uint8_t> row(static_cast<std::size_t>(vocabulary->size()));
  for (int walk = 0; walk < 60; ++walk) {
    MatcherOptions options;
    options.polyphony_limit = walk % 3;
    options.density_limit = walk % 5 == 0 ? 0 : 7;
    options.sounding_limit = walk % 4;
    options.allow_empty = walk % 7 == 0;
    if (walk % 2 == 1) options.track_pins = {{TokenType::KeySignature, 3}};
    Matcher matcher(vocabulary, walk % 2 == 0 ? infill : open, options);
    int steps = 0;
    while (!matcher.complete()) {
      matcher.fill_mask(row);
      const auto legal = std::count(row.begin(), row.end(), 1);
      REQUIRE(legal > 0);
      random = random * 1664525U + 1013904223U;
      auto choice = static_cast<std::ptrdiff_t>((random >> 8) % static_cast<std::uint32_t>(legal));
      TokenId id = 0;
      while (row[static_cast<std::size_t>(id)] == 0 || choice-- > 0) ++id;
      matcher.accept(id);
      REQUIRE(++steps < 200000);
    }
  }
}
