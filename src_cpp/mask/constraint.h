#pragma once
// What a wish may take away from the grammar.

#include <memory>
#include <string_view>

#include "mask/grammar.h"
#include "mask/legal_set.h"

namespace midigpt {

// Contract: `restrict_to` only ever narrows the set, never allocates, and may be called any number of times between two tokens.
// The order of constraints does not matter. A constraint belongs to one matcher; fork() clones it.
class Constraint {
 public:
  Constraint() = default;
  Constraint(const Constraint&) = default;
  Constraint& operator=(const Constraint&) = default;
  virtual ~Constraint() = default;

  // Named in the error when it takes away the last legal token.
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Constraint> clone() const = 0;
  // A token was generated; `after` is the place after it.
  virtual void accept(const Token& token, const Place& after) {
    (void)token;
    (void)after;
  }
  virtual void restrict_to(const Place& place, LegalSet& legal) const = 0;
};

inline constexpr TokenType kNoteEntry[] = {TokenType::VelocityLevel, TokenType::DeltaDirection, TokenType::Delta,
                                           TokenType::NoteOnset};

inline void remove_note_entry(LegalSet& legal) {
  for (const TokenType type : kNoteEntry) legal.remove(type);
}

}  // namespace midigpt
