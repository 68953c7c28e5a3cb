#pragma once
// Exactly these onsets: a rhythm to be kept, with pitches and lengths of its notes where they are to be kept, too.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mask/constraint.h"

namespace midigpt {

// Token values; -1 = free. A value that is not legal when its turn comes is left free.
struct ScheduledNote {
  int pitch = -1;
  int duration = -1;
};

struct ScheduledGroup {
  int tick = 0;  // from the start of the bar
  std::vector<ScheduledNote> notes;
};

// In a scheduled block notes begin at the ticks of its groups, as many as the group has, and nowhere else. A group is left
// early, or out, only where the bar is too short or another constraint forbids its notes.
class NoteSchedule final : public Constraint {
 public:
  using Groups = std::vector<ScheduledGroup>;
  using Blocks = std::map<int, Groups>;  // a block without an entry is free

  // Throws VocabularyError unless the ticks of a block ascend from 0 or later and every group has a note.
  NoteSchedule(std::string name, Blocks blocks);

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<NoteSchedule>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override;
  [[nodiscard]] int rank() const override { return 1; }
  [[nodiscard]] bool may_silence() const override { return true; }
  [[nodiscard]] std::vector<Demand> demands() const override;

 private:
  std::string name_;
  std::shared_ptr<const Blocks> blocks_;
};

}  // namespace midigpt
