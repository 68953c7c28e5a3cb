#pragma once
// Hard caps on how long a note may be and on how far it may ring.

#include <algorithm>

#include "mask/constraint.h"
#include "mask/per_block.h"

namespace midigpt {

class NoteLengths final : public Constraint {
 public:
  // `longest` in ticks; `last_end` in ticks from the start of the note's bar. 0 = no limit. A note lasts a tick at least.
  NoteLengths(PerBlock longest, PerBlock last_end) : longest_(std::move(longest)), last_end_(std::move(last_end)) {}
  [[nodiscard]] std::string_view name() const override { return "limit on note lengths"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<NoteLengths>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override {
    if (place.state != GrammarState::Onset) return;
    const int block = place.written();
    const int longest = longest_.at(block);
    const int last_end = last_end_.at(block);
    if (longest > 0) legal.narrow(TokenType::NoteDuration, 0, longest);
    if (last_end > 0) legal.narrow(TokenType::NoteDuration, 0, std::max(1, last_end - place.position));
  }

 private:
  PerBlock longest_;
  PerBlock last_end_;
};

}  // namespace midigpt
