#pragma once
// The state machine over grammar.def. A Grammar is built once per vocabulary and shared; a Place is what changes.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mask/legal_set.h"
#include "vocab/vocabulary.h"

namespace midigpt {

enum class GrammarState : std::uint8_t {
#define STATE(name, words) name,
#define FOLLOW(state, type, guard, next)
#define FOLLOW_SLOTS(state, level, next)
#define PASS(state, type, next)
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
};

enum class Guard : std::uint8_t {
  prompt, free, from_one, only_zero, later, bar_end, fill_end, more_bars, all_bars, next_block, slot
};

[[nodiscard]] std::string_view state_words(GrammarState state);

// Where the next token stands.
struct Place {
  GrammarState state = GrammarState::Start;
  bool in_fill = false;
  bool is_drum = false;
  int track = -1;      // in the order of the sequence
  int bar = -1;        // within its track
  int block = -1;      // fill block
  int notes = 0;       // notes of this bar or block
  int onsets = 0;      // notes at this position
  int position = 0;    // ticks from the start of the bar
  int bar_ticks = 0;   // length of the bar
  int bar_start = 0;   // ticks from the start of the track
  int next_slot = 0;   // attribute slots before this one are past

  // Which of the bars to be written this is: fill block, or bar of the autoregressive track.
  [[nodiscard]] int written() const { return in_fill ? block : bar; }
};

// Ticks of the longest track that a sequence may have: days of music, and far below what an int holds.
inline constexpr int kLongestTrack = 1 << 24;

// A bar that waits to be filled in.
struct FillBlock {
  int track = 0;
  int bar = 0;
  int bar_ticks = 0;
  int bar_start = 0;
  bool is_drum = false;
};

// What a sequence must have.
struct SequenceShape {
  int n_bars = 0;  // bars of the autoregressive track
  int n_blocks = 0;
};

class Grammar {
 public:
  explicit Grammar(std::shared_ptr<const Vocabulary> vocabulary);

  [[nodiscard]] const Vocabulary& vocabulary() const { return *vocabulary_; }

  // Moves past a token, guards aside. False, and unmoved, when no row allows its type here, or no block waits for a FillInStart.
  // Throws VocabularyError, and stays where it is, for a track longer than kLongestTrack.
  [[nodiscard]] bool follow(Place& place, const Token& token, std::span<const FillBlock> blocks) const;

  // The tokens that may be generated at `place`, before any constraint. `may_be_empty`: this bar or block may end without a note.
  void legal(const Place& place, const SequenceShape& shape, bool may_be_empty, LegalSet& out) const;

 private:
  struct Row {
    TokenType type;
    TokenRange range;
    Guard guard;
    GrammarState next;
    int slot;  // place among the level's slots for Guard::slot; -1: known in prompts only
  };
  static constexpr std::size_t kStates = [] {
    std::size_t n = 0;
#define STATE(name, words) ++n;
#define FOLLOW(state, type, guard, next)
#define FOLLOW_SLOTS(state, level, next)
#define PASS(state, type, next)
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
    return n;
  }();

  void add_row(GrammarState state, TokenType type, Guard guard, GrammarState next, int slot = -1);
  void add_slots(GrammarState state, Level level, GrammarState next);
  void add_pass(GrammarState state, TokenType type, GrammarState next);
  [[nodiscard]] const Row* find_row(GrammarState state, TokenType type) const;
  [[nodiscard]] const Row* find(const Place& place, TokenType type) const;
  void count(Place& place, const Token& token, const Row& row, std::span<const FillBlock> blocks) const;
  [[nodiscard]] int ticks_of(int time_signature_value) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::array<std::vector<Row>, kStates> rows_;
  std::array<GrammarState, kStates> arrives_;  // state in which one waits after a transition to the index
};

}  // namespace midigpt
