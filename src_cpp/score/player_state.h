#pragma once
// What a player of a MIDI file has set at a moment: programs, controllers, bends, tuning parameters, tempo, key. Where time is cut, this
// is what has to be said again.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "midi/midi_file.h"

namespace midigpt {

// What an event sets. `scope` is the port (the chunk for programs, and for all in a file of format 2); -1 for the whole piece.
struct StateKey {
  enum Kind : std::uint8_t { kTempo, kKey, kController, kParameter, kProgram, kBend, kPressure, kKeyPressure };
  Kind kind = kTempo;
  int scope = -1;
  int channel = 0;
  int number = 0;  // controller or key; of a parameter: its number, whether it is a registered one, and which data byte

  auto operator<=>(const StateKey&) const = default;
};

struct StateValue {
  std::uint64_t order = 0;  // of the events that set values: later ones are greater
  std::size_t chunk = 0;
  std::uint8_t status = 0;
  std::vector<std::uint8_t> data;

  [[nodiscard]] bool sets_same(const StateValue& other) const { return status == other.status && data == other.data; }
};

class PlayerState {
 public:
  // The state that an event sets, and nothing for others (notes, text, SysEx, channel mode messages). `scope` as in StateKey.
  std::optional<StateKey> take(std::size_t chunk, int scope, bool per_chunk, std::uint8_t status, std::span<const std::uint8_t> data);

  [[nodiscard]] const std::map<StateKey, StateValue>& values() const { return values_; }
  [[nodiscard]] const StateValue* find(const StateKey& key) const;

  // Bytes that put a key back to what it is before anything was set; nothing where that is not known.
  [[nodiscard]] static std::optional<StateValue> at_rest(const StateKey& key, const StateValue& like);
  // The controllers that select the parameter of a kParameter key, then its data byte.
  [[nodiscard]] static std::vector<std::vector<std::uint8_t>> parameter_data(const StateKey& key, const StateValue& value);

 private:
  struct Selection {
    int high = 127, low = 127;
    bool registered = true;
  };

  std::map<StateKey, StateValue> values_;
  std::map<std::pair<int, int>, Selection> selected_;  // by scope and channel
  std::uint64_t order_ = 0;
};

}  // namespace midigpt
