#include "mask/matcher.h"

#include "error.h"
#include "mask/onset_limits.h"
#include "mask/sounding_limit.h"
#include "mask/type_ban.h"

namespace midigpt {
namespace {

using Constraints = std::vector<std::unique_ptr<Constraint>>;

void check_options(const Prompt& prompt, const MatcherOptions& options) {
  if (!prompt.infill) return;
  if (options.autoregressive) throw VocabularyError("the prompt asks for infill, but the options say autoregressive");
  if (!options.track_pins.empty() || !options.bar_pins.empty()) {
    throw VocabularyError("in infill the attributes stand in the prompt; they cannot be pinned");
  }
}

SequenceShape shape_of(const Prompt& prompt, const MatcherOptions& options) {
  const SequenceShape shape{options.n_bars > 0 ? options.n_bars : prompt.num_bars, static_cast<int>(prompt.blocks.size()),
                            options.allow_empty};
  if (prompt.infill) return shape;
  if (prompt.tracks.empty()) throw VocabularyError("the prompt has no track to continue");
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
  const auto check = [&](const std::vector<Pin>& pins) {
    for (const Pin& pin : pins) {
      for (const TokenType type : options.excluded_attributes) {
        if (pin.type == type) throw VocabularyError(std::string(token_type_name(type)) + " is both requested and excluded");
      }
    }
  };
  check(options.track_pins);
  for (const auto& [bar, pins] : options.bar_pins) check(pins);
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
  std::vector<Pin> carried;  // by the written track
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const Token token = vocabulary.decode(tokens[i]);
    if (token.type == TokenType::Track) break;
    carried.push_back({token.type, token.value});
  }
  pins->check_start(prompt.place, carried);
  list.push_back(std::move(pins));
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
  if (options.polyphony_limit > 0 || options.density_limit > 0) {
    list.push_back(std::make_unique<OnsetLimits>(options.polyphony_limit, options.density_limit));
  }
  if (options.sounding_limit > 0) {
    may_rest_ = true;
    list.push_back(std::make_unique<SoundingLimit>(prompt, options.sounding_limit, v.domain_size(TokenType::TimeAbsolutePos),
                                                   v.domain_size(TokenType::NoteDuration)));
  }
  blocks_ = std::make_shared<const std::vector<FillBlock>>(std::move(prompt.blocks));
  now_ = start.copy();
  start_ = std::make_shared<const Progress>(std::move(start));
}

void Matcher::add(std::unique_ptr<Constraint> constraint) {
  now_.constraints.push_back(std::move(constraint));
  start_ = std::make_shared<const Progress>(now_.copy());
}

LegalSet Matcher::legal() const {
  LegalSet set;
  grammar_->legal(now_.place, shape_, set);
  for (const auto& constraint : now_.constraints) constraint->restrict_to(now_.place, set);
  if (may_rest_ && now_.place.notes == 0 && set.empty()) {
    SequenceShape resting = shape_;
    resting.allow_empty = true;
    grammar_->legal(now_.place, resting, set);
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
  if (complete()) throw GrammarDeadlock("the sequence is complete; no token follows");
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

// Adds the constraints one by one until the last legal token is gone, to name the one that took it.
void Matcher::deadlock() const {
  LegalSet set;
  grammar_->legal(now_.place, shape_, set);
  std::string culprit = "the grammar";
  for (const auto& constraint : now_.constraints) {
    if (set.empty()) break;
    constraint->restrict_to(now_.place, set);
    culprit = "'" + std::string(constraint->name()) + "'";
  }
  throw GrammarDeadlock("no token is legal " + where() + "; the last one was taken away by " + culprit);
}

}  // namespace midigpt
