#pragma once
// Hard caps on notes that start together and on notes per bar.

#include "mask/constraint.h"

namespace midigpt {

class OnsetLimits final : public Constraint {
 public:
  // 0 = no limit.
  OnsetLimits(int per_position, int per_bar) : per_position_(per_position), per_bar_(per_bar) {}
  [[nodiscard]] std::string_view name() const override { return "limit on note onsets"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<OnsetLimits>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override {
    // A note that has begun (its velocity is written) was within the limits when it began.
    if (place.state != GrammarState::NoteDone) return;
    const bool bar_full = per_bar_ > 0 && place.notes >= per_bar_;
    if (bar_full) legal.remove(TokenType::TimeAbsolutePos);
    if (bar_full || (per_position_ > 0 && place.onsets >= per_position_)) remove_note_entry(legal);
  }

 private:
  int per_position_;
  int per_bar_;
};

}  // namespace midigpt
