#pragma once
// What token values mean: velocity bins, instruments, time signatures, bar counts, genres. Immutable after construction.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vocab/encoder_config.h"

namespace midigpt {

// `levels` bins of MIDI velocities; bin 0 is silence and is never written.
class VelocityBins {
 public:
  explicit VelocityBins(int levels);
  [[nodiscard]] int level(int velocity) const;
  // The second velocity of the bin (the only one if there is one); 100 for level 0.
  [[nodiscard]] int velocity(int level) const;
  [[nodiscard]] int size() const { return levels_; }

 private:
  int levels_;
  std::vector<int> velocities_;
};

// Programs merged into groups; value = rank of the group's representative.
class InstrumentMap {
 public:
  explicit InstrumentMap(const IntLists& groups);
  // Programs outside 0..127 are written as value 0.
  [[nodiscard]] int value(int program) const;
  [[nodiscard]] int program(int value) const;
  [[nodiscard]] int size() const { return static_cast<int>(programs_.size()); }

 private:
  std::array<int, 128> values_{};
  std::vector<int> programs_;
};

// Position of a value in a list; the last of equal entries wins, as in the published encoders.
template <typename Value>
[[nodiscard]] std::optional<int> last_index(const std::vector<Value>& list, const Value& value) {
  for (std::size_t i = list.size(); i-- > 0;) {
    if (list[i] == value) return static_cast<int>(i);
  }
  return std::nullopt;
}

// Genre names and aliases, looked up without regard to case. Value = rank of the name among all names, sorted by bytes.
class GenreMap {
 public:
  explicit GenreMap(GenreGroups groups);
  [[nodiscard]] bool contains(std::string_view name) const { return find(name).has_value(); }
  // Throws VocabularyError listing the genres.
  [[nodiscard]] int value(std::string_view name) const;
  [[nodiscard]] const std::string& name(int value) const;
  [[nodiscard]] int size() const { return static_cast<int>(groups_.size()); }

 private:
  [[nodiscard]] std::optional<int> find(std::string_view name) const;
  GenreGroups groups_;
};

}  // namespace midigpt
