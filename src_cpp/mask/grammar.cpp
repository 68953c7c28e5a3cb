#include "mask/grammar.h"

#include <algorithm>

#include "error.h"
#include "score/meter.h"

namespace midigpt {
namespace {

constexpr std::size_t index(GrammarState state) { return static_cast<std::size_t>(state); }

}  // namespace

std::string_view state_words(GrammarState state) {
  static constexpr std::string_view words[] = {
#define STATE(name, in_words) in_words,
#define FOLLOW(state, type, guard, next)
#define FOLLOW_SLOTS(state, level, next)
#define PASS(state, type, next)
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
  };
  return words[index(state)];
}

Grammar::Grammar(std::shared_ptr<const Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {
  for (std::size_t i = 0; i < kStates; ++i) arrives_[i] = static_cast<GrammarState>(i);
#define STATE(name, words)
#define FOLLOW(state, type, guard, next) add_row(GrammarState::state, TokenType::type, Guard::guard, GrammarState::next);
#define FOLLOW_SLOTS(state, level, next) add_slots(GrammarState::state, Level::level, GrammarState::next);
#define PASS(state, type, next) add_pass(GrammarState::state, TokenType::type, GrammarState::next);
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
}

void Grammar::add_row(GrammarState state, TokenType type, Guard guard, GrammarState next, int slot) {
  if (vocabulary_->has(type)) rows_[index(state)].push_back({type, vocabulary_->range(type), guard, next, slot});
}

void Grammar::add_slots(GrammarState state, Level level, GrammarState next) {
  for (const AttributeSlot& row : attribute_slot_table()) {
    if (row.level == level) add_row(state, row.type, Guard::slot, next, vocabulary_->slot(level, row.type));
  }
  const auto& slots = vocabulary_->slots(level);
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    if (find_row(state, slots[slot].type) == nullptr) add_row(state, slots[slot].type, Guard::slot, next, static_cast<int>(slot));
  }
}

void Grammar::add_pass(GrammarState state, TokenType type, GrammarState next) {
  if (!vocabulary_->has(type)) arrives_[index(state)] = next;
}

const Grammar::Row* Grammar::find_row(GrammarState state, TokenType type) const {
  const auto& rows = rows_[index(state)];
  const auto found = std::ranges::find(rows, type, &Row::type);
  return found == rows.end() ? nullptr : &*found;
}

const Grammar::Row* Grammar::find(const Place& place, TokenType type) const {
  for (const Row& row : rows_[index(place.state)]) {
    if (row.type != type) continue;
    const bool wrong_end = (row.guard == Guard::bar_end && place.in_fill) || (row.guard == Guard::fill_end && !place.in_fill);
    if (!wrong_end) return &row;
  }
  return nullptr;
}

bool Grammar::follow(Place& place, const Token& token, std::span<const FillBlock> blocks) const {
  const Row* row = find(place, token.type);
  if (row == nullptr) return false;
  if (token.type == TokenType::FillInStart && place.block + 1 >= static_cast<int>(blocks.size())) return false;
  Place next = place;
  count(next, token, *row, blocks);
  next.state = arrives_[index(row->next)];
  if (next.state == GrammarState::Onset && next.is_drum) next.state = GrammarState::NoteDone;
  place = next;
  return true;
}

int Grammar::ticks_of(int time_signature_value) const {
  const EncoderConfig& config = vocabulary_->config();
  if (config.time_signatures.empty()) return 4 * config.resolution;
  const auto [numerator, denominator] = vocabulary_->time_signature(time_signature_value);
  return static_cast<int>(bar_ticks(numerator, denominator, config.resolution));
}

// Counters by what the token does; types without a branch change nothing but the state.
void Grammar::count(Place& place, const Token& token, const Row& row, std::span<const FillBlock> blocks) const {
  const auto begin_bar = [&place] { place.notes = place.onsets = place.position = place.next_slot = 0; };
  if (row.guard == Guard::slot) {
    place.next_slot = std::max(place.next_slot, row.slot + 1);
  } else if (token.type == TokenType::NoteOnset) {
    ++place.notes;
    ++place.onsets;
  } else if (token.type == TokenType::TimeAbsolutePos) {
    place.position = token.value;
    place.onsets = 0;
  } else if (token.type == TokenType::Bar) {
    begin_bar();
    ++place.bar;
    place.bar_start += place.bar_ticks;
    if (place.bar_start > kLongestTrack) {
      throw VocabularyError("bar " + std::to_string(place.bar) + " of track " + std::to_string(place.track) + " starts at tick " +
                            std::to_string(place.bar_start) + "; a track may last " + std::to_string(kLongestTrack) + " ticks");
    }
    place.bar_ticks = 4 * vocabulary_->config().resolution;
  } else if (token.type == TokenType::TimeSig) {
    place.bar_ticks = ticks_of(token.value);
    place.next_slot = static_cast<int>(vocabulary_->slots(Level::bar).size());
  } else if (token.type == TokenType::FillInStart) {
    begin_bar();
    const FillBlock& block = blocks[static_cast<std::size_t>(++place.block)];
    place.in_fill = true;
    place.is_drum = block.is_drum;
    place.track = block.track;
    place.bar = block.bar;
    place.bar_ticks = block.bar_ticks;
    place.bar_start = block.bar_start;
  } else if (token.type == TokenType::Track) {
    begin_bar();
    ++place.track;
    place.bar = -1;
    place.bar_ticks = place.bar_start = 0;
    place.is_drum = token.value == 1;
  }
}

void Grammar::legal(const Place& place, const SequenceShape& shape, bool may_be_empty, LegalSet& out) const {
  out.clear();
  const bool may_end = place.notes > 0 || may_be_empty;
  for (const Row& row : rows_[index(place.state)]) {
    const TokenId base = row.range.start;
    const int size = row.range.size();
    const auto allow = [&](bool holds) { if (holds) out.add(row.type, base, 0, size); };
    switch (row.guard) {
      case Guard::prompt: break;
      case Guard::free: allow(true); break;
      case Guard::from_one: out.add(row.type, base, 1, size); break;
      // A coarse grid has no microtiming but 0, which is never written.
      case Guard::only_zero: if (vocabulary_->domain_size(TokenType::Delta) > 1) out.add(row.type, base, 0, 1); break;
      case Guard::later: out.add(row.type, base, place.position + 1, std::min(size, place.bar_ticks)); break;
      case Guard::bar_end: allow(!place.in_fill && may_end); break;
      case Guard::fill_end: allow(place.in_fill && may_end); break;
      case Guard::more_bars: allow(place.bar + 1 < shape.n_bars); break;
      case Guard::all_bars: allow(place.bar + 1 >= shape.n_bars); break;
      case Guard::next_block: allow(place.block + 1 < shape.n_blocks); break;
      case Guard::slot: allow(row.slot >= place.next_slot); break;
    }
  }
}

}  // namespace midigpt
