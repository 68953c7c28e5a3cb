#pragma once
// Which tokens may come next: the grammar after one prompt, narrowed by the wishes of one step.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mask/constraint.h"
#include "mask/grammar.h"
#include "mask/per_block.h"
#include "mask/prompt.h"
#include "mask/value_pin.h"

namespace midigpt {

struct MatcherOptions {
  bool autoregressive = false;  // true: refuse a prompt that asks for infill
  int n_bars = 0;               // bars the autoregressive track must have, history included; 0 = the header's NumBars
  std::vector<int> bar_metres;  // TimeSig value per bar of that track (-1 = free); empty = those of another track of the prompt
  std::vector<Pin> track_pins;  // attributes that must be written after Instrument
  std::map<int, std::vector<Pin>> bar_pins;  // per bar of the window: attributes that must be written after Bar
  PerBlock polyphony_limit;     // notes that start together; 0 = no limit
  PerBlock density_limit;       // notes per bar or block
  PerBlock sounding_limit;      // notes of a track that sound together, ringing ones included
  PerBlock max_duration;        // longest note, in ticks
  PerBlock max_end;             // last tick, from the start of its bar, that a note may ring to
  PerBlock allow_empty;         // 1: the bar or block may stay without a note
  bool velocity = true;         // false: no VelocityLevel
  bool microtiming = true;      // false: no Delta, no DeltaDirection
  bool optional_attributes = true;           // false: only pinned attributes are written
  std::vector<TokenType> excluded_attributes;  // never written (for example those of the other kind of track)
  std::vector<TokenType> required_track_attributes{};  // always written after Instrument, with any value
  std::vector<TokenType> required_bar_attributes{};    // always written after each Bar, with any value
};

// Belongs to one row of a generation; not to be shared between threads while it accepts. Copies are made with fork().
class Matcher {
 public:
  // Reads the prompt: a prompt with FillInStart is infill (one block per placeholder, each with its own bar's length and its own
  // track's kind), any other continues its last track. Throws VocabularyError for a prompt the grammar refuses and for options
  // that do not fit it.
  Matcher(std::shared_ptr<const Vocabulary> vocabulary, std::span<const TokenId> prompt, MatcherOptions options);
  Matcher(Matcher&&) = default;
  Matcher& operator=(Matcher&&) = default;

  // A wish for which the options have no field. Before the first accept() since the prompt, fork() or reset().
  void add(std::unique_ptr<Constraint> constraint);
  // The same, in place of those of its name.
  void replace(std::unique_ptr<Constraint> constraint);

  [[nodiscard]] Matcher fork() const { return Matcher(*this); }
  // Back to the end of the prompt.
  void reset() { now_ = start_->copy(); }

  // Throws VocabularyError, and stays where it is, when the token is not legal.
  void accept(TokenId token);
  // One byte per token id, 1 = legal; no allocation. Throws GrammarDeadlock when nothing is legal, or the sequence is complete.
  void fill_mask(std::span<std::uint8_t> row) const;
  // The only legal token, or -1 when there are several or the sequence is complete. Throws GrammarDeadlock when there is none.
  [[nodiscard]] TokenId forced() const;
  [[nodiscard]] bool is_legal(TokenId token) const;

  [[nodiscard]] bool complete() const;
  [[nodiscard]] bool infill() const { return infill_; }
  // The fill block, or the bar of the autoregressive track, that is being written; -1 before the first.
  [[nodiscard]] int block() const { return infill_ ? now_.place.block : now_.place.bar; }
  [[nodiscard]] const Place& place() const { return now_.place; }
  [[nodiscard]] const std::vector<FillBlock>& blocks() const { return *blocks_; }
  [[nodiscard]] const Vocabulary& vocabulary() const { return grammar_->vocabulary(); }

 private:
  // What changes from token to token.
  struct Progress {
    Place place;
    std::vector<std::unique_ptr<Constraint>> constraints;
    [[nodiscard]] Progress copy() const;
  };

  Matcher(const Matcher& other)
      : grammar_(other.grammar_), blocks_(other.blocks_), start_(other.start_), shape_(other.shape_), infill_(other.infill_),
        allow_empty_(other.allow_empty_), now_(other.now_.copy()) {}

  void take_in(std::unique_ptr<Constraint> constraint);
  [[nodiscard]] LegalSet legal() const;
  [[noreturn]] void deadlock() const;
  [[nodiscard]] std::string where() const;

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const std::vector<FillBlock>> blocks_;
  std::shared_ptr<const Progress> start_;
  SequenceShape shape_;
  bool infill_ = false;
  PerBlock allow_empty_;
  Progress now_;
};

}  // namespace midigpt
