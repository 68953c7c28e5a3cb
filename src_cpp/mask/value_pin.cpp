#include "mask/value_pin.h"

#include <string>

#include "error.h"

namespace midigpt {
namespace {

std::size_t slot_of(const Vocabulary& vocabulary, Level level, TokenType type) {
  const int slot = vocabulary.slot(level, type);
  if (slot >= 0) return static_cast<std::size_t>(slot);
  throw VocabularyError("this model has no " + std::string(level == Level::track ? "track" : "bar") + " attribute " +
                        std::string(token_type_name(type)));
}

}  // namespace

AttributePins::Slots AttributePins::pinned_slots(const Vocabulary& vocabulary, Level level, std::span<const Pin> pins) {
  Slots slots;
  for (const AttributeSlot& slot : vocabulary.slots(level)) slots.emplace_back(slot.type, kFree);
  for (const Pin& pin : pins) {
    int& value = slots[slot_of(vocabulary, level, pin.type)].second;
    (void)vocabulary.encode(pin.type, pin.value);
    value = pin.value;
  }
  return slots;
}

AttributePins::AttributePins(const Vocabulary& vocabulary, std::span<const Pin> track, const std::map<int, std::vector<Pin>>& bars,
                             bool others)
    : track_(pinned_slots(vocabulary, Level::track, track)),
      any_bar_(pinned_slots(vocabulary, Level::bar, {})),
      others_(others) {
  for (const auto& [bar, pins] : bars) bars_.emplace(bar, pinned_slots(vocabulary, Level::bar, pins));
}

void AttributePins::require(const Vocabulary& vocabulary, std::span<const TokenType> track, std::span<const TokenType> bar) {
  const auto mark = [&](Slots& slots, Level level, TokenType type) {
    int& value = slots[slot_of(vocabulary, level, type)].second;
    if (value == kFree) value = kAnyValue;
  };
  for (const TokenType type : track) mark(track_, Level::track, type);
  for (const TokenType type : bar) {
    mark(any_bar_, Level::bar, type);
    for (auto& [index, slots] : bars_) mark(slots, Level::bar, type);
  }
}

const AttributePins::Slots* AttributePins::slots_at(const Place& place) const {
  if (place.state == GrammarState::TrackHead) return &track_;
  if (place.state != GrammarState::BarHead && place.state != GrammarState::BarBody) return nullptr;
  const auto found = bars_.find(place.bar);
  return found == bars_.end() ? &any_bar_ : &found->second;
}

void AttributePins::restrict_to(const Place& place, LegalSet& legal) const {
  const Slots* slots = slots_at(place);
  if (slots == nullptr) return;
  for (auto slot = static_cast<std::size_t>(place.next_slot); slot < slots->size(); ++slot) {
    const auto [type, value] = (*slots)[slot];
    if (value == kFree) {
      if (!others_) legal.remove(type);
      continue;
    }
    // This one comes next, if not one of those before it.
    if (value != kAnyValue) legal.narrow(type, value, value + 1);
    legal.keep_if([&](const LegalRange& range) {
      for (auto s = static_cast<std::size_t>(place.next_slot); s <= slot; ++s) {
        if ((*slots)[s].first == range.type) return true;
      }
      return false;
    });
    return;
  }
}

void AttributePins::check_start(const Place& place, const std::vector<Pin>& in_prompt) const {
  const bool in_head = place.state == GrammarState::TrackHead;
  const auto past = in_head ? static_cast<std::size_t>(place.next_slot) : place.bar >= 0 ? track_.size() : 0;
  for (std::size_t slot = 0; slot < past; ++slot) {
    const auto [type, value] = track_[slot];
    bool carried = value < 0;
    for (const Pin& pin : in_prompt) carried = carried || (pin.type == type && pin.value == value);
    if (!carried) {
      throw VocabularyError("the prompt stands past the place of " + std::string(token_type_name(type)) +
                            ", so its value cannot be requested any more; write it into the prompt");
    }
  }
}

void MeterPins::restrict_to(const Place& place, LegalSet& legal) const {
  if (place.bar < 0 || place.bar >= static_cast<int>(values_.size())) return;
  const int value = values_[static_cast<std::size_t>(place.bar)];
  if (value >= 0) legal.narrow(TokenType::TimeSig, value, value + 1);
}

}  // namespace midigpt
