#include "mask/note_schedule.h"

#include <algorithm>

#include "error.h"

namespace midigpt {
namespace {

void check(int block, const NoteSchedule::Groups& groups) {
  const std::string where = "the schedule of block " + std::to_string(block);
  if (groups.empty()) throw VocabularyError(where + " has no notes");
  int last = -1;
  for (const ScheduledGroup& group : groups) {
    if (group.tick <= last) throw VocabularyError(where + " has tick " + std::to_string(group.tick) + " after tick " + std::to_string(last));
    if (group.notes.empty()) throw VocabularyError(where + " has no notes at tick " + std::to_string(group.tick));
    last = group.tick;
  }
}

bool allows(const LegalSet& legal, TokenType type, int value) {
  for (const LegalRange& range : legal.ranges()) {
    if (range.type == type && value < range.end - range.base && range.contains(range.base + value)) return true;
  }
  return false;
}

bool note_may_begin(const LegalSet& legal) {
  for (const LegalRange& range : legal.ranges()) {
    if (std::ranges::find(kNoteEntry, range.type) != std::end(kNoteEntry)) return true;
  }
  return false;
}

void remove_ends(LegalSet& legal) {
  legal.remove(TokenType::BarEnd);
  legal.remove(TokenType::FillInEnd);
}

void pin(LegalSet& legal, TokenType type, int value) {
  if (value >= 0 && allows(legal, type, value)) legal.narrow(type, value, value + 1);
}

const ScheduledGroup* group_at(const NoteSchedule::Groups& groups, int tick) {
  const auto found = std::ranges::find(groups, tick, &ScheduledGroup::tick);
  return found == groups.end() ? nullptr : &*found;
}

const ScheduledGroup* next_group(const NoteSchedule::Groups& groups, int tick, const LegalSet& legal) {
  for (const ScheduledGroup& group : groups) {
    if (group.tick > tick && allows(legal, TokenType::TimeAbsolutePos, group.tick)) return &group;
  }
  return nullptr;
}

void go_on(const NoteSchedule::Groups& groups, int tick, LegalSet& legal) {
  remove_note_entry(legal);
  const ScheduledGroup* next = next_group(groups, tick, legal);
  if (next == nullptr) {
    legal.remove(TokenType::TimeAbsolutePos);
    return;
  }
  legal.narrow(TokenType::TimeAbsolutePos, next->tick, next->tick + 1);
  remove_ends(legal);
}

}  // namespace

NoteSchedule::NoteSchedule(std::string name, Blocks blocks) : name_(std::move(name)) {
  for (const auto& [block, groups] : blocks) check(block, groups);
  blocks_ = std::make_shared<const Blocks>(std::move(blocks));
}

std::vector<Demand> NoteSchedule::demands() const {
  std::vector<Demand> out;
  for (const auto& [block, groups] : *blocks_) {
    for (const ScheduledGroup& group : groups) out.push_back({block, group.tick, static_cast<int>(group.notes.size())});
  }
  return out;
}

void NoteSchedule::restrict_to(const Place& place, LegalSet& legal) const {
  const auto found = blocks_->find(place.written());
  if (found == blocks_->end()) return;
  const ScheduledGroup* now = group_at(found->second, place.position);
  const auto begun = static_cast<std::size_t>(place.onsets);
  const bool wanted = now != nullptr && begun < now->notes.size();
  if (between_notes(place)) {
    if (!wanted || !note_may_begin(legal)) {
      go_on(found->second, place.position, legal);
      return;
    }
    legal.remove(TokenType::TimeAbsolutePos);
    remove_ends(legal);
  }
  if (place.state == GrammarState::Onset) {
    if (now != nullptr && begun >= 1 && begun <= now->notes.size()) pin(legal, TokenType::NoteDuration, now->notes[begun - 1].duration);
  } else if (wanted) {
    pin(legal, TokenType::NoteOnset, now->notes[begun].pitch);
  }
}

}  // namespace midigpt
