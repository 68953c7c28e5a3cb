#include "mask/matcher.h"

#include <algorithm>

#include "error.h"
#include "mask/note_lengths.h"
#include "mask/onset_limits.h"
#include "mask/sounding_limit.h"
#include "mask/type_ban.h"
#include "score/meter.h"

namespace midigpt {
namespace {

using Constraints = std::vector<std::unique_ptr<Constraint>>;

constexpr int kMostBars = 1 << 14;  // of an autoregressive track; with the longest bars their ticks still fit an int

void check_options(const Prompt& prompt, const MatcherOptions& options) {
  if (!prompt.infill) return;
  if (options.autoregressive) throw VocabularyError("the prompt asks for infill, but the options say autoregressive");
  if (!options.track_pins.empty() || !options.bar_pins.empty()) {
    throw VocabularyError("in infill the attributes stand in the prompt; they cannot be pinned");
  }
}

SequenceShape shape_of(const Prompt& prompt, const MatcherOptions& options) {
  const SequenceShape shape{options.n_bars > 0 ? options.n_bars : prompt.num_bars, static_cast<int>(prompt.blocks.size())};
  if (prompt.infill) return shape;
  if (prompt.tracks.empty()) throw VocabularyError("the prompt has no track to continue");
  if (shape.n_bars > kMostBars) {
    throw VocabularyError("n_bars is " + std::to_string(shape.n_bars) + "; a track may have " + std::to_string(kMostBars) + " bars at most");
  }
  const int written = prompt.place.bar + 1;
  if (shape.n_bars < 1 || written > shape.n_bars) {
    throw VocabularyError("the track must have " + std::to_string(shape.n_bars) + " bars, but the prompt has " +
                          std::to_string(written) + " of them; n_bars says how many");
  }
  return shape;
}

// A wish, else what another track of the window says, else free.
std::vector<int> bar_metres(const Prompt& prompt, const MatcherOptions& options, int n_bars) {
  if (!options.bar_metres.empty()) {
    if (static_cast<int>(options.bar_metres.size()) != n_bars) {
      throw VocabularyError("bar_metres has " + std::to_string(options.bar_metres.size()) + " entries; the track has " +
                            std::to_string(n_bars) + " bars");
    }
    return options.bar_metres;
  }
  for (const PromptTrack& track : std::span(prompt.tracks).first(prompt.tracks.size() - 1)) {
    if (static_cast<int>(track.bars.size()) < n_bars) continue;
    std::vector<int> values;
    for (const PromptBar& bar : std::span(track.bars).first(static_cast<std::size_t>(n_bars))) values.push_back(bar.time_signature);
    return values;
  }
  return {};
}

void check_exclusions(const MatcherOptions& options) {
  const auto check = [&](TokenType type) {
    if (std::ranges::find(options.excluded_attributes, type) == options.excluded_attributes.end()) return;
    throw VocabularyError(std::string(token_type_name(type)) + " is both requested and excluded");
  };
  for (const Pin& pin : options.track_pins) check(pin.type);
  for (const auto& [bar, pins] : options.bar_pins) {
    for (const Pin& pin : pins) check(pin.type);
  }
  for (const TokenType type : options.required_track_attributes) check(type);
  for (const TokenType type : options.required_bar_attributes) check(type);
}

void add_pins(Constraints& list, const Vocabulary& vocabulary, const Prompt& prompt, std::span<const TokenId> tokens,
              const MatcherOptions& options, int n_bars) {
  const TokenRange signatures = vocabulary.range(TokenType::TimeSig);
  const std::vector<int> metres = bar_metres(prompt, options, n_bars);
  if (signatures.start >= 0) {
    for (const int value : metres) {
      if (value >= 0) (void)vocabulary.encode(TokenType::TimeSig, value);
    }
    list.push_back(std::make_unique<MeterPins>(metres));
  }
  auto pins = std::make_unique<AttributePins>(vocabulary, options.track_pins, options.bar_pins, options.optional_attributes);
  pins->require(vocabulary, options.required_track_attributes, options.required_bar_attributes);
  std::vector<Pin> carried;  // by the written track
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const Token token = vocabulary.decode(tokens[i]);
    if (token.type == TokenType::Track) break;
    carried.push_back({token.type, token.value});
  }
  pins->check_start(prompt.place, carried);
  list.push_back(std::move(pins));
}

void check_limits(const MatcherOptions& options, int n) {
  options.polyphony_limit.check("polyphony_limit", n);
  options.density_limit.check("density_limit", n);
  options.sounding_limit.check("sounding_limit", n);
  options.max_duration.check("max_duration", n);
  options.max_end.check("max_end", n);
  options.allow_empty.check("allow_empty", n);
}

// The bars to be written with their place in time: the fill blocks, or the bars of the autoregressive track as far as their metres
// are known and the grammar lets a track go.
std::vector<FillBlock> written_bars(const Prompt& prompt, const Vocabulary& vocabulary, const MatcherOptions& options, int n_bars) {
  if (prompt.infill) return prompt.blocks;
  std::vector<FillBlock> bars;
  const int resolution = vocabulary.config().resolution;
  const std::vector<int> metres = vocabulary.has(TokenType::TimeSig) ? bar_metres(prompt, options, n_bars)
                                                                     : std::vector<int>(static_cast<std::size_t>(n_bars), 0);
  int start = 0;
  for (const int value : metres) {
    if (value < 0 || start > kLongestTrack) break;
    const bool named = vocabulary.has(TokenType::TimeSig) && !vocabulary.config().time_signatures.empty();
    const auto [numerator, denominator] = named ? vocabulary.time_signature(value) : std::pair{4, 4};
    const int ticks = static_cast<int>(bar_ticks(numerator, denominator, resolution));
    bars.push_back({prompt.place.track, static_cast<int>(bars.size()), ticks, start, prompt.place.is_drum});
    start += ticks;
  }
  return bars;
}

void add_limits(Constraints& list, const Vocabulary& vocabulary, const Prompt& prompt, const MatcherOptions& options, int n_bars) {
  if (options.polyphony_limit.any() || options.density_limit.any()) {
    list.push_back(std::make_unique<OnsetLimits>(options.polyphony_limit, options.density_limit));
  }
  if (options.max_duration.any() || options.max_end.any()) {
    list.push_back(std::make_unique<NoteLengths>(options.max_duration, options.max_end));
  }
  if (options.sounding_limit.any()) {
    list.push_back(std::make_unique<SoundingLimit>(prompt, written_bars(prompt, vocabulary, options, n_bars), options.sounding_limit,
                                                   vocabulary.domain_size(TokenType::TimeAbsolutePos),
                                                   vocabulary.domain_size(TokenType::NoteDuration)));
  }
}

void check_bar_pins(const Prompt& prompt, const MatcherOptions& options, int n_bars) {
  for (const auto& [bar, pins] : options.bar_pins) {
    if (bar <= prompt.place.bar || bar >= n_bars) {
      throw VocabularyError("bar " + std::to_string(bar) + " is pinned, but bars " + std::to_string(prompt.place.bar + 1) +
                            " to " + std::to_string(n_bars - 1) + " are to be written");
    }
  }
}

}  // namespace

Matcher::Progress Matcher::Progress::copy() const {
  Progress other{place, {}};
  for (const auto& constraint : constraints) other.constraints.push_back(constraint->clone());
  return other;
}

Matcher::Matcher(std::shared_ptr<const Vocabulary> vocabulary, std::span<const TokenId> tokens, MatcherOptions options)
    : grammar_(std::make_shared<const Grammar>(std::move(vocabulary))) {
  const Vocabulary& v = grammar_->vocabulary();
  Prompt prompt = read_prompt(*grammar_, tokens);
  infill_ = prompt.infill;
  check_options(prompt, options);
  shape_ = shape_of(prompt, options);
  check_limits(options, infill_ ? shape_.n_blocks : shape_.n_bars);
  Progress start{prompt.place, {}};
  Constraints& list = start.constraints;
  if (!infill_) {
    check_bar_pins(prompt, options, shape_.n_bars);
    check_exclusions(options);
    add_pins(list, v, prompt, tokens, options, shape_.n_bars);
    if (!options.excluded_attributes.empty()) list.push_back(std::make_unique<TypeBan>("excluded attributes", options.excluded_attributes));
  }
  if (!options.velocity) list.push_back(std::make_unique<TypeBan>("no velocities", std::vector{TokenType::VelocityLevel}));
  if (!options.microtiming) {
    list.push_back(std::make_unique<TypeBan>("no microtiming", std::vector{TokenType::Delta, TokenType::DeltaDirection}));
  }
  add_limits(list, v, prompt, options, shape_.n_bars);
  allow_empty_ = options.allow_empty;
  blocks_ = std::make_shared<const std::vector<FillBlock>>(std::move(prompt.blocks));
  now_ = start.copy();
  start_ = std::make_shared<const Progress>(std::move(start));
}

void Matcher::take_in(std::unique_ptr<Constraint> constraint) {
  constraint->require_vocabulary(vocabulary());
  Constraints& list = now_.constraints;
  for (const auto& other : list) {
    for (const Demand& demand : constraint->demands()) other->reserve(demand);
    for (const Demand& demand : other->demands()) constraint->reserve(demand);
  }
  const auto after = std::ranges::find_if(list, [&](const auto& other) { return other->rank() > constraint->rank(); });
  list.insert(after, std::move(constraint));
}

void Matcher::add(std::unique_ptr<Constraint> constraint) {
  take_in(std::move(constraint));
  start_ = std::make_shared<const Progress>(now_.copy());
}

void Matcher::replace(std::unique_ptr<Constraint> constraint) {
  constraint->require_vocabulary(vocabulary());  // before the old one goes
  std::erase_if(now_.constraints, [&](const auto& other) { return other->name() == constraint->name(); });
  add(std::move(constraint));
}

LegalSet Matcher::legal() const {
  LegalSet set;
  const Place& place = now_.place;
  grammar_->legal(place, shape_, allow_empty_.at(place.written()) > 0, set);
  bool may_silence = false;
  for (const auto& constraint : now_.constraints) {
    constraint->restrict_to(place, set);
    may_silence = may_silence || constraint->may_silence();
  }
  if (may_silence && place.notes == 0 && set.empty()) {
    grammar_->legal(place, shape_, true, set);
    set.keep_if([](const LegalRange& range) { return range.type == TokenType::BarEnd || range.type == TokenType::FillInEnd; });
  }
  return set;
}

bool Matcher::complete() const {
  if (now_.place.state == GrammarState::PieceClosed) return true;
  if (infill_) return now_.place.state == GrammarState::FillClosed && now_.place.block + 1 >= shape_.n_blocks;
  return now_.place.state == GrammarState::TrackClosed;
}

bool Matcher::is_legal(TokenId token) const { return !complete() && legal().contains(token); }

void Matcher::accept(TokenId id) {
  const Token token = vocabulary().decode(id);
  if (!is_legal(id)) {
    throw VocabularyError(std::string(token_type_name(token.type)) + " " + std::to_string(token.value) + " is not legal " + where());
  }
  (void)grammar_->follow(now_.place, token, *blocks_);
  for (const auto& constraint : now_.constraints) constraint->accept(token, now_.place);
}

void Matcher::fill_mask(std::span<std::uint8_t> row) const {
  if (row.size() != static_cast<std::size_t>(vocabulary().size())) {
    throw VocabularyError("the mask row has " + std::to_string(row.size()) + " entries; the vocabulary has " +
                          std::to_string(vocabulary().size()));
  }
  if (complete()) {
    GrammarDeadlock error("the sequence is complete; no token follows");
    error.state = state_words(now_.place.state);
    throw error;
  }
  const LegalSet set = legal();
  if (set.empty()) deadlock();
  set.write(row);
}

TokenId Matcher::forced() const {
  if (complete()) return -1;
  const LegalSet set = legal();
  if (set.empty()) deadlock();
  return set.single();
}

std::string Matcher::where() const {
  const Place& place = now_.place;
  std::string text = "after " + std::string(state_words(place.state));
  if (complete()) text += " (the sequence is complete)";
  if (place.in_fill && place.block >= 0) text += " in fill block " + std::to_string(place.block);
  if (place.track >= 0) text += ", track " + std::to_string(place.track);
  if (place.bar >= 0) text += ", bar " + std::to_string(place.bar) + ", tick " + std::to_string(place.position);
  return text;
}

// Adds the constraints one by one until the last legal token is gone, to name those that took some, and the one that took it.
void Matcher::deadlock() const {
  LegalSet set;
  grammar_->legal(now_.place, shape_, allow_empty_.at(now_.place.written()) > 0, set);
  std::vector<std::string> took;
  for (const auto& constraint : now_.constraints) {
    if (set.empty()) break;
    const int before = set.count();
    constraint->restrict_to(now_.place, set);
    if (set.count() < before) took.emplace_back(constraint->name());
  }
  const std::string culprit = took.empty() ? "the grammar" : "'" + took.back() + "'";
  GrammarDeadlock error("no token is legal " + where() + "; the last one was taken away by " + culprit);
  error.state = state_words(now_.place.state);
  error.constraints = std::move(took);
  throw error;
}

}  // namespace midigpt
