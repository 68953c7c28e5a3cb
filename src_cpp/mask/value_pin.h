#pragma once
// Attributes and time signatures that an autoregressive track must carry.

#include <map>
#include <span>
#include <vector>

#include "mask/constraint.h"

namespace midigpt {

struct Pin {
  TokenType type;
  int value;
};

// Pinned attributes are written, with their value, in slot order; the others of the level may stand between them, or not at
// all when `others` is false.
class AttributePins final : public Constraint {
 public:
  // `bars` maps a bar of the track to its pins. Throws VocabularyError for a type without a slot or a value outside its domain.
  AttributePins(const Vocabulary& vocabulary, std::span<const Pin> track, const std::map<int, std::vector<Pin>>& bars, bool others);
  [[nodiscard]] std::string_view name() const override { return "requested attributes"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<AttributePins>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override;

  // These types are written too, with a value of the model's choice, where no pin says which.
  void require(const Vocabulary& vocabulary, std::span<const TokenType> track, std::span<const TokenType> bar);

  // Throws VocabularyError when the prompt stands past the slot of a pin that it does not carry.
  void check_start(const Place& place, const std::vector<Pin>& track_attributes_in_prompt) const;

 private:
  static constexpr int kFree = -1;      // may be written or not
  static constexpr int kAnyValue = -2;  // must be written
  using Slots = std::vector<std::pair<TokenType, int>>;  // per slot: type and pinned value, kFree or kAnyValue
  [[nodiscard]] static Slots pinned_slots(const Vocabulary& vocabulary, Level level, std::span<const Pin> pins);
  [[nodiscard]] const Slots* slots_at(const Place& place) const;

  Slots track_;
  Slots any_bar_;
  std::map<int, Slots> bars_;
  bool others_;
};

// The time signature of each bar.
class MeterPins final : public Constraint {
 public:
  // One TimeSig value per bar of the track; -1 = free, as are bars past the end of the list.
  explicit MeterPins(std::vector<int> values) : values_(std::move(values)) {}
  [[nodiscard]] std::string_view name() const override { return "time signature of the bar"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<MeterPins>(*this); }
  void restrict_to(const Place& place, LegalSet& legal) const override;

 private:
  std::vector<int> values_;
};

}  // namespace midigpt
