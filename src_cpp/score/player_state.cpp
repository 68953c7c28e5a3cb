#include "score/player_state.h"

#include "midi/event_writer.h"

namespace midigpt {
namespace {

constexpr int kDataHigh = 6, kDataLow = 38, kNonRegisteredLow = 98, kNonRegisteredHigh = 99, kRegisteredLow = 100, kRegisteredHigh = 101;
constexpr int kFirstModeMessage = 120;
constexpr std::int32_t kDefaultTempo = 500000;

// Neutral positions that every player starts with.
int resting_controller(int number) {
  switch (number) {
    case 7: return 100;
    case 8: case 10: return 64;
    case 11: return 127;
    default: return number == 1 || number == 2 || number == 4 || (number >= 64 && number <= 69) ? 0 : -1;
  }
}

}  // namespace

const StateValue* PlayerState::find(const StateKey& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::optional<StateKey> PlayerState::take(std::size_t chunk, int scope, bool per_chunk, std::uint8_t status, std::span<const std::uint8_t> data) {
  StateKey key;
  const int own = static_cast<int>(chunk);
  if (status == midi::kMeta) {
    if (data.empty() || (data[0] != midi::kTempo && data[0] != midi::kKeySignature)) return std::nullopt;
    key = {data[0] == midi::kTempo ? StateKey::kTempo : StateKey::kKey, per_chunk ? own : -1, 0, 0};
  } else if (status >= 0xF0) {
    return std::nullopt;
  } else {
    key.channel = status & 0x0F;
    key.scope = per_chunk ? own : scope;
    const int number = data.empty() ? 0 : data[0];
    switch (status & 0xF0) {
      case midi::kProgram: key.kind = StateKey::kProgram; key.scope = own; break;
      case midi::kPitchBend: key.kind = StateKey::kBend; break;
      case midi::kPressure: key.kind = StateKey::kPressure; break;
      case midi::kKeyPressure: key.kind = StateKey::kKeyPressure; key.number = number; break;
      case midi::kController: {
        if (number >= kFirstModeMessage) return std::nullopt;
        Selection& selected = selected_[{key.scope, key.channel}];
        if (number == kRegisteredHigh || number == kNonRegisteredHigh) selected.high = data[1];
        if (number == kRegisteredLow || number == kNonRegisteredLow) selected.low = data[1];
        if (number >= kNonRegisteredLow && number <= kRegisteredHigh) selected.registered = number >= kRegisteredLow;
        key.kind = StateKey::kController;
        key.number = number;
        if (number == kDataHigh || number == kDataLow) {
          key.kind = StateKey::kParameter;
          key.number = ((selected.registered ? 1 : 0) << 15) | (selected.high & 0x7F) << 8 | (selected.low & 0x7F) << 1 | (number == kDataLow ? 1 : 0);
        }
        break;
      }
      default: return std::nullopt;  // notes
    }
  }
  values_[key] = {++order_, chunk, status, {data.begin(), data.end()}};
  return key;
}

std::optional<StateValue> PlayerState::at_rest(const StateKey& key, const StateValue& like) {
  StateValue value = like;
  switch (key.kind) {
    case StateKey::kTempo: value.data = tempo_data(kDefaultTempo); return value;
    case StateKey::kKey: value.data = meta_data(midi::kKeySignature, std::array<std::uint8_t, 2>{0, 0}); return value;
    case StateKey::kProgram:
    case StateKey::kPressure: value.data = {0}; return value;
    case StateKey::kBend: value.data = {0, 64}; return value;
    case StateKey::kKeyPressure: value.data = {static_cast<std::uint8_t>(key.number), 0}; return value;
    case StateKey::kParameter: return std::nullopt;
    case StateKey::kController: {
      const int rest = resting_controller(key.number);
      if (rest < 0) return std::nullopt;
      value.data = {static_cast<std::uint8_t>(key.number), static_cast<std::uint8_t>(rest)};
      return value;
    }
  }
  return std::nullopt;
}

std::vector<std::vector<std::uint8_t>> PlayerState::parameter_data(const StateKey& key, const StateValue& value) {
  const bool registered = (key.number >> 15 & 1) != 0;
  const auto high = static_cast<std::uint8_t>(key.number >> 8 & 0x7F), low = static_cast<std::uint8_t>(key.number >> 1 & 0x7F);
  const auto select_high = static_cast<std::uint8_t>(registered ? kRegisteredHigh : kNonRegisteredHigh);
  const auto select_low = static_cast<std::uint8_t>(registered ? kRegisteredLow : kNonRegisteredLow);
  return {{select_high, high}, {select_low, low}, value.data};
}

}  // namespace midigpt
