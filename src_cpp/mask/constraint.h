#pragma once
// What a wish may take away from the grammar.

#include <memory>
#include <string_view>
#include <vector>

#include "mask/grammar.h"
#include "mask/legal_set.h"

namespace midigpt {

// Notes that must be able to begin at a tick of a block.
struct Demand {
  int block = 0;
  int tick = 0;
  int notes = 0;
};

// Contract: `restrict_to` only ever narrows the set, never allocates, and may be called any number of times between two tokens.
// The order of constraints of one rank does not matter. A constraint belongs to one matcher; fork() clones it.
class Constraint {
 public:
  Constraint() = default;
  Constraint(const Constraint&) = default;
  Constraint& operator=(const Constraint&) = default;
  virtual ~Constraint() = default;

  // Named in the error when it takes away the last legal token.
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Constraint> clone() const = 0;
  // Throws VocabularyError when it was made for another vocabulary.
  virtual void require_vocabulary(const Vocabulary& vocabulary) const { (void)vocabulary; }
  // A token was generated; `after` is the place after it.
  virtual void accept(const Token& token, const Place& after) {
    (void)token;
    (void)after;
  }
  virtual void restrict_to(const Place& place, LegalSet& legal) const = 0;

  // Those of a higher rank choose among what lower ones leave.
  [[nodiscard]] virtual int rank() const { return 0; }
  // Whether it may leave no room for any note in a bar; such a bar may then end empty.
  [[nodiscard]] virtual bool may_silence() const { return false; }
  // What it will ask of the others, and what they make of it.
  [[nodiscard]] virtual std::vector<Demand> demands() const { return {}; }
  virtual void reserve(const Demand& demand) { (void)demand; }
};

inline constexpr TokenType kNoteEntry[] = {TokenType::VelocityLevel, TokenType::DeltaDirection, TokenType::Delta,
                                           TokenType::NoteOnset};

inline void remove_note_entry(LegalSet& legal) {
  for (const TokenType type : kNoteEntry) legal.remove(type);
}

// A note or a position may follow, or the bar may end.
[[nodiscard]] inline bool between_notes(const Place& place) {
  return place.state == GrammarState::NoteDone || place.state == GrammarState::BarBody || place.state == GrammarState::FillBody;
}

}  // namespace midigpt
