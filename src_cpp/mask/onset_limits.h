#pragma once
// Hard caps on notes that start together and on notes per bar.

#include "mask/constraint.h"
#include "mask/per_block.h"

namespace midigpt {

class OnsetLimits final : public Constraint {
 public:
  // 0 = no limit.
  OnsetLimits(PerBlock per_position, PerBlock per_bar) : per_position_(std::move(per_position)), per_bar_(std::move(per_bar)) {}
  [[nodiscard]] std::string_view name() const override { return "limit on note onsets"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<OnsetLimits>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override {
    // A note that has begun (its velocity is written) was within the limits when it began.
    if (place.state != GrammarState::NoteDone) return;
    const int block = place.written();
    const int per_bar = per_bar_.at(block);
    const int per_position = per_position_.at(block);
    const bool bar_full = per_bar > 0 && place.notes >= per_bar;
    if (bar_full) legal.remove(TokenType::TimeAbsolutePos);
    if (bar_full || (per_position > 0 && place.onsets >= per_position)) remove_note_entry(legal);
  }

 private:
  PerBlock per_position_;
  PerBlock per_bar_;
};

}  // namespace midigpt
