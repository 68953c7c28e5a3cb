// Any prompt and wishes; legal tokens are followed until the sequence is complete, and what was written keeps to the wishes.

#include "mask/matcher.h"

#include <algorithm>
#include <optional>

#include "codec/decoder.h"
#include "codec/encoder.h"
#include "error.h"
#include "make.h"
#include "mask/note_schedule.h"
#include "mask/value_set.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

constexpr int kFreeTokens = 100;   // chosen by the input; then the sequence is brought to its end
constexpr int kMostTokens = 1000;  // a track may be asked to have any number of bars

using Row = std::vector<std::uint8_t>;

struct Written {
  std::vector<TokenId> tokens;
  std::vector<int> notes_of_block;
};

// Constraints beside the options, by block.
struct Wishes {
  ValueSet::Values pitches;
  ValueSet::Values positions;
  NoteSchedule::Blocks schedule;
};

// Tokens that the grammar lets through one by one, placeholders and fill blocks included.
std::vector<TokenId> walked_prompt(Input& in, const std::shared_ptr<const Vocabulary>& vocabulary) {
  const Grammar grammar(vocabulary);
  std::vector<TokenId> tokens;
  for (int tries = in.number(0, 255); tries > 0 && !in.empty(); --tries) {
    const auto [type, size] = in.pick(vocabulary->domains());
    tokens.push_back(vocabulary->range(type).start + in.number(0, size - 1));
    try {
      (void)read_prompt(grammar, tokens);
    } catch (const VocabularyError&) {
      tokens.pop_back();
    }
  }
  return tokens;
}

// What the engine sends: some bars of a score to fill in, or its last track left open.
std::vector<TokenId> encoded_prompt(Input& in, const Vocabulary& vocabulary) {
  const EncoderConfig& config = vocabulary.config();
  const ScoreTable score = table(in, config.time_signatures, config.resolution);
  EncodeOptions options;
  options.fill_sections = false;
  const auto cell = [&] { return BarAddress{in.number(0, 2), in.number(0, 4)}; };
  if (!in.one_in(3)) {
    for (int n = in.number(1, 4); n > 0; --n) options.multi_fill.push_back(cell());
  } else {
    options.partial_track = static_cast<int>(score.tracks.size()) - 1;
    options.partial_bars = in.number(-1, 4);
  }
  for (int n = in.number(0, 2); n > 0; --n) options.hidden_bars.push_back(cell());
  options.use_span_masks = in.flag();
  options.remove_future_bars = in.one_in(4);
  std::vector<std::int16_t> values(score.tracks.size() * vocabulary.slots(Level::track).size(), -1);
  for (auto& value : values) value = static_cast<std::int16_t>(in.number(-1, 3));
  auto tokens = encode(vocabulary, score, {values, vocabulary.slots(Level::track).size()}, {}, options).tokens;
  // The engine's prompt is open at its end.
  while (!tokens.empty() && vocabulary.decode(tokens.back()).type == TokenType::None) tokens.pop_back();
  return tokens;
}

std::vector<Pin> any_pins(Input& in, const Vocabulary& vocabulary, Level level) {
  std::vector<Pin> pins;
  const auto& slots = vocabulary.slots(level);
  for (int n = in.number(0, 2); n > 0 && !slots.empty(); --n) pins.push_back({in.pick(slots).type, in.number(0, 4)});
  return pins;
}

MatcherOptions any_options(Input& in, const Vocabulary& vocabulary) {
  MatcherOptions options;
  options.autoregressive = in.one_in(8);
  if (in.flag()) options.n_bars = in.one_in(16) ? in.any() : in.number(0, 8);
  if (in.one_in(4)) {
    for (int n = in.number(0, 8); n > 0; --n) options.bar_metres.push_back(in.number(-1, 4));
  }
  if (in.one_in(4)) options.track_pins = any_pins(in, vocabulary, Level::track);
  if (in.one_in(4)) options.bar_pins[in.number(0, 7)] = any_pins(in, vocabulary, Level::bar);
  const auto limit = [&](int usual) {
    const auto one = [&] { return in.one_in(16) ? in.any() : in.number(0, usual); };
    if (!in.one_in(3)) return PerBlock();
    if (in.flag()) return PerBlock(one());
    std::vector<int> each;
    for (int n = in.number(1, 8); n > 0; --n) each.push_back(one());
    return PerBlock(each);
  };
  options.polyphony_limit = limit(4);
  options.density_limit = limit(8);
  options.sounding_limit = limit(4);
  options.max_duration = limit(24);
  options.max_end = limit(60);
  options.allow_empty = in.flag() ? limit(1) : PerBlock(in.number(0, 1));
  options.velocity = !in.one_in(4);
  options.microtiming = !in.one_in(4);
  options.optional_attributes = !in.one_in(4);
  for (int n = in.one_in(4) ? in.number(0, 3) : 0; n > 0; --n) options.excluded_attributes.push_back(in.pick(kTokenTypes).type);
  for (const Level level : {Level::track, Level::bar}) {
    const auto& slots = vocabulary.slots(level);
    auto& required = level == Level::track ? options.required_track_attributes : options.required_bar_attributes;
    for (int n = in.one_in(4) ? in.number(0, 2) : 0; n > 0 && !slots.empty(); --n) required.push_back(in.pick(slots).type);
  }
  return options;
}

Wishes any_wishes(Input& in, const Vocabulary& vocabulary) {
  Wishes wishes;
  const auto values = [&](TokenType type) {
    std::vector<int> out;
    for (int n = in.number(0, 5); n > 0; --n) out.push_back(in.one_in(64) ? in.any() : in.number(0, std::max(0, vocabulary.domain_size(type) - 1)));
    return out;
  };
  for (int n = in.one_in(4) ? in.number(0, 3) : 0; n > 0; --n) wishes.pitches[in.number(0, 7)] = values(TokenType::NoteOnset);
  for (int n = in.one_in(4) ? in.number(0, 3) : 0; n > 0; --n) wishes.positions[in.number(0, 7)] = values(TokenType::TimeAbsolutePos);
  for (int n = in.one_in(4) ? in.number(0, 3) : 0; n > 0; --n) {
    auto& groups = wishes.schedule[in.number(0, 7)];
    int tick = in.number(-1, 12);
    for (int m = in.number(0, 5); m > 0; --m, tick += in.number(0, 24)) {
      ScheduledGroup group{tick, {}};
      for (int k = in.number(0, 3); k > 0; --k) group.notes.push_back({in.flag() ? in.any() : in.number(-1, 127), in.flag() ? in.any() : in.number(-1, 47)});
      groups.push_back(group);
    }
  }
  return wishes;
}

// Each may refuse its values.
void add(Matcher& matcher, const Wishes& wishes) {
  const Vocabulary& vocabulary = matcher.vocabulary();
  if (!wishes.pitches.empty()) matcher.add(ValueSet::of_pitches(vocabulary, wishes.pitches));
  if (!wishes.schedule.empty()) matcher.add(std::make_unique<NoteSchedule>("schedule", wishes.schedule));
  if (!wishes.positions.empty()) matcher.replace(ValueSet::of_positions(vocabulary, wishes.positions));
}

Row mask_of(const Matcher& matcher) {
  Row row(static_cast<std::size_t>(matcher.vocabulary().size()), 7);
  matcher.fill_mask(row);
  return row;
}

// The mask, is_legal() and forced() say the same.
void check_mask(Input& in, const Matcher& matcher, const Row& row) {
  const auto n = std::ranges::count(row, 1);
  require(n > 0 && n + std::ranges::count(row, 0) == static_cast<std::ptrdiff_t>(row.size()), "a mask row holds 0 and 1, and something is legal");
  const TokenId forced = matcher.forced();
  require((n == 1) == (forced >= 0) && (forced < 0 || row[static_cast<std::size_t>(forced)] == 1), "a token is forced when it is the only one");
  for (int i = 0; i < 2; ++i) {
    const int id = in.number(0, static_cast<int>(row.size()) - 1);
    require(matcher.is_legal(id) == (row[static_cast<std::size_t>(id)] == 1), "is_legal() agrees with the mask");
  }
}

// A legal token chosen by the input, or the shortest way to the end.
TokenId choice(Input& in, const Matcher& matcher, const Row& row, bool hurry) {
  const Vocabulary& vocabulary = matcher.vocabulary();
  const auto first_legal = [&](TokenType type) {
    const TokenRange range = vocabulary.range(type);
    for (TokenId id = range.start; id < range.end && id >= 0; ++id) {
      if (row[static_cast<std::size_t>(id)] == 1) return id;
    }
    return TokenId{-1};
  };
  if (hurry) {
    constexpr TokenType ends[] = {TokenType::FillInEnd, TokenType::BarEnd, TokenType::TrackEnd, TokenType::FillInStart,
                                  TokenType::Bar, TokenType::TimeSig, TokenType::NoteOnset, TokenType::NoteDuration};
    for (const TokenType type : ends) {
      if (const TokenId id = first_legal(type); id >= 0) return id;
    }
  } else {
    const TokenType wanted = in.pick(vocabulary.domains()).first;
    if (const TokenId id = first_legal(wanted); id >= 0 && in.flag()) return id;
  }
  auto id = static_cast<std::size_t>(in.number(0, static_cast<int>(row.size()) - 1));
  while (row[id] == 0) id = (id + 1) % row.size();
  return static_cast<TokenId>(id);
}

// Wishes that leave nothing to write: types that the grammar itself needs are taken away.
bool asks_for_the_impossible(const Vocabulary& vocabulary, const MatcherOptions& options) {
  return std::ranges::any_of(options.excluded_attributes, [&](TokenType type) {
    return vocabulary.slot(Level::track, type) < 0 && vocabulary.slot(Level::bar, type) < 0;
  });
}

// Nothing when the sequence was not brought to its end.
std::optional<Written> write(Input& in, Matcher& matcher, bool may_deadlock) {
  Written out;
  std::optional<Matcher> twin;
  while (!matcher.complete()) {
    Row row;
    try {
      row = mask_of(matcher);
    } catch (const GrammarDeadlock& error) {
      require(may_deadlock, std::string("wishes that can be met never block: ") + error.what());
      return std::nullopt;
    }
    check_mask(in, matcher, row);
    if (!twin && in.one_in(16)) twin.emplace(matcher.fork());
    if (twin) require(mask_of(*twin) == row, "a fork that reads the same says the same");
    const auto n = static_cast<int>(out.tokens.size());
    if (n >= kMostTokens) return std::nullopt;
    const TokenId id = choice(in, matcher, row, in.empty() || n >= kFreeTokens);
    const TokenType type = matcher.vocabulary().decode(id).type;
    if (type == TokenType::NoteOnset) {
      out.notes_of_block.resize(static_cast<std::size_t>(matcher.block()) + 1, 0);
      ++out.notes_of_block.back();
    }
    out.tokens.push_back(id);
    matcher.accept(id);
    if (twin) twin->accept(id);
  }
  require(matcher.forced() == -1, "nothing is forced after the end");
  return out;
}

int ticks_of(const Vocabulary& vocabulary, const Bar& bar) {
  return vocabulary.config().time_signatures.empty() ? 4 * vocabulary.config().resolution
                                                     : 4 * bar.numerator * vocabulary.config().resolution / bar.denominator;
}

bool has(const std::vector<int>& values, int value) { return std::ranges::find(values, value) != values.end(); }

// A schedule that nothing else bears upon is kept to the note.
void check_schedule(const Vocabulary& vocabulary, std::span<const Note> notes, const NoteSchedule::Groups& groups, int ticks) {
  const int positions = std::min(ticks, std::max(1, vocabulary.domain_size(TokenType::TimeAbsolutePos)));
  std::map<int, int> expected, found;
  for (const ScheduledGroup& group : groups) {
    if (group.tick < positions) expected[group.tick] = static_cast<int>(group.notes.size());
  }
  for (const Note& note : notes) ++found[note.onset_ticks];
  require(found == expected, "a rhythm is kept");
}

// Wishes hold in bar `block` of those that were written from their beginning.
void check_bar(const Vocabulary& vocabulary, const ScoreTable& table, std::size_t row, int block, const MatcherOptions& options, const Wishes& wishes) {
  const auto notes = table.bar_notes(row);
  const int ticks = ticks_of(vocabulary, table.bars[row]);
  const auto pitches = wishes.pitches.find(block), positions = wishes.positions.find(block);
  const int density = options.density_limit.at(block), polyphony = options.polyphony_limit.at(block);
  const int longest = options.max_duration.at(block), last_end = options.max_end.at(block);
  if (density > 0) require(static_cast<int>(notes.size()) <= density, "a bar keeps the limit of its notes");
  for (const Note& note : notes) {
    require(note.onset_ticks < ticks, "a note starts within its bar");
    require(longest <= 0 || note.duration_ticks <= longest, "no note is longer than wished");
    require(last_end <= 0 || note.duration_ticks == 1 || note.duration_ticks <= last_end - note.onset_ticks, "no note rings further than wished");
    require(pitches == wishes.pitches.end() || has(pitches->second, note.pitch - vocabulary.config().pitch_range.first), "a pitch is one of those wished");
    require(positions == wishes.positions.end() || note.onset_ticks == 0 || has(positions->second, note.onset_ticks), "a note begins where it was wished");
    const auto together = std::ranges::count(notes, note.onset_ticks, &Note::onset_ticks);
    if (polyphony > 0) require(together <= polyphony, "no more notes start together than wished");
  }
  const auto schedule = wishes.schedule.find(block);
  const bool alone = density <= 0 && polyphony <= 0 && !options.sounding_limit.any() && positions == wishes.positions.end();
  if (schedule != wishes.schedule.end() && alone) check_schedule(vocabulary, notes, schedule->second, ticks);
}

// By row of the table: number among the bars that were written.
using Blocks = std::map<std::size_t, int>;

// Drum notes sound for a tick; a bar's place follows from the bars before it. A tick has the limit of its bar, where that bar is written,
// and else that of the note's.
void check_sounding(const Vocabulary& vocabulary, const ScoreTable& table, std::size_t track, const Blocks& written, const PerBlock& limits) {
  struct Fresh {
    int from, to, limit;
  };
  std::vector<int> counts, caps;  // per tick; -1 = the bar is not written
  std::vector<Fresh> fresh;
  const bool is_drum = table.tracks[track].is_drum != 0;
  for (std::size_t bar = 0; bar < table.track_bars(track).size(); ++bar) {
    const auto row = static_cast<std::size_t>(table.tracks[track].first_bar) + bar;
    const auto block = written.find(row);
    const int start = static_cast<int>(caps.size());
    const int limit = block == written.end() ? -1 : limits.at(block->second) > 0 ? limits.at(block->second) : std::numeric_limits<int>::max();
    for (const Note& note : table.bar_notes(row)) {
      const int from = start + note.onset_ticks, to = from + (is_drum ? 1 : note.duration_ticks);
      if (static_cast<int>(counts.size()) < to) counts.resize(static_cast<std::size_t>(to), 0);
      for (int tick = from; tick < to; ++tick) ++counts[static_cast<std::size_t>(tick)];
      if (limit > 0) fresh.push_back({from, to, limit});
    }
    caps.resize(caps.size() + static_cast<std::size_t>(ticks_of(vocabulary, table.bars[row])), limit);
  }
  caps.resize(std::max(caps.size(), counts.size()), -1);
  for (const Fresh& note : fresh) {
    for (int tick = note.from; tick < note.to; ++tick) {
      const int cap = caps[static_cast<std::size_t>(tick)];
      require(counts[static_cast<std::size_t>(tick)] <= (cap < 0 ? note.limit : cap), "no more notes sound together than wished");
    }
  }
}

void check_infill(const Matcher& matcher, const ScoreTable& table, const Written& written, const MatcherOptions& options, const Wishes& wishes) {
  std::map<int, Blocks> rows;  // by track
  for (std::size_t block = 0; block < matcher.blocks().size(); ++block) {
    const FillBlock& place = matcher.blocks()[block];
    const auto number = static_cast<int>(block);
    const auto row = static_cast<std::size_t>(table.tracks[static_cast<std::size_t>(place.track)].first_bar + place.bar);
    rows[place.track][row] = number;
    const int expected = block < written.notes_of_block.size() ? written.notes_of_block[block] : 0;
    require(static_cast<int>(table.bar_notes(row).size()) == expected, "a block's notes are decoded into its bar");
    require(expected > 0 || options.allow_empty.at(number) > 0 || options.sounding_limit.any() || !wishes.schedule.empty(),
            "a block is empty only where that is allowed");
    check_bar(matcher.vocabulary(), table, row, number, options, wishes);
  }
  if (!options.sounding_limit.any()) return;
  for (const auto& [track, blocks] : rows) check_sounding(matcher.vocabulary(), table, static_cast<std::size_t>(track), blocks, options.sounding_limit);
}

void check_track(const Matcher& matcher, const ScoreTable& table, int first_written, const MatcherOptions& options, const Wishes& wishes) {
  const std::size_t track = table.tracks.size() - 1;
  const auto first = static_cast<std::size_t>(table.tracks[track].first_bar);
  Blocks rows;
  for (std::size_t bar = static_cast<std::size_t>(first_written); bar < table.track_bars(track).size(); ++bar) {
    rows[first + bar] = static_cast<int>(bar);
    require((table.bars[first + bar].flags & kBarUnfinished) == 0, "every bar of the track has its end");
    check_bar(matcher.vocabulary(), table, first + bar, static_cast<int>(bar), options, wishes);
  }
  if (options.n_bars > 0) require(static_cast<int>(table.track_bars(track).size()) == options.n_bars, "the track has the bars it must have");
  // Without known metres a note cannot know the limits of the bars it rings into.
  if (options.sounding_limit.any() && !options.sounding_limit.each()) check_sounding(matcher.vocabulary(), table, track, rows, options.sounding_limit);
}

void check_again(Matcher& matcher, const Row& first, const Written& written) {
  matcher.reset();
  if (!matcher.complete()) require(mask_of(matcher) == first, "reset() goes back to the end of the prompt");
  for (const TokenId id : written.tokens) matcher.accept(id);
  require(matcher.complete(), "the same tokens complete the sequence again");
}

}  // namespace

void matcher(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  const auto vocabulary = tame_vocabulary(in);
  if (vocabulary == nullptr) return;
  std::optional<Matcher> made;
  std::vector<TokenId> prompt;
  MatcherOptions options;
  Wishes wishes;
  const bool walked = in.one_in(2);
  try {
    options = any_options(in, *vocabulary);
    wishes = any_wishes(in, *vocabulary);
    prompt = walked ? walked_prompt(in, vocabulary) : encoded_prompt(in, *vocabulary);
    made.emplace(vocabulary, prompt, options);
    add(*made, wishes);
  } catch (const VocabularyError&) {
    return;
  } catch (const ScoreError&) {
    return;
  }
  Row first;
  const bool may_deadlock = walked || asks_for_the_impossible(*vocabulary, options);
  if (!made->complete() && !may_deadlock) first = mask_of(*made);
  const int first_written = made->block() + 1;
  const auto written = write(in, *made, may_deadlock);
  if (!written) return;
  std::vector<TokenId> all = prompt;
  all.insert(all.end(), written->tokens.begin(), written->tokens.end());
  const Decoding decoding = decode(*vocabulary, all, false);
  decoding.table.validate();
  if (walked) return;
  if (made->infill()) check_infill(*made, decoding.table, *written, options, wishes);
  if (!made->infill()) check_track(*made, decoding.table, first_written, options, wishes);
  if (!may_deadlock) check_again(*made, first, *written);
}

}  // namespace midigpt::fuzz
