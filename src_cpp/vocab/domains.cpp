#include "vocab/domains.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "error.h"

namespace midigpt {
namespace {

constexpr int kDefaultVelocity = 100;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

VelocityBins::VelocityBins(int levels) : levels_(levels), velocities_(static_cast<std::size_t>(levels), 0) {
  std::vector<int> seen(static_cast<std::size_t>(levels), 0);
  for (int velocity = 1; velocity <= 127; ++velocity) {
    const auto bin = static_cast<std::size_t>(level(velocity));
    if (++seen[bin] <= 2) velocities_[bin] = velocity;
  }
  velocities_[0] = kDefaultVelocity;
}

int VelocityBins::level(int velocity) const {
  if (velocity <= 0) return 0;
  if (velocity >= 127) return levels_ - 1;
  return std::min(1 + velocity * (levels_ - 1) / 128, levels_ - 1);
}

int VelocityBins::velocity(int level) const { return velocities_[static_cast<std::size_t>(level)]; }

InstrumentMap::InstrumentMap(const IntLists& groups) {
  std::array<int, 128> representative{};
  std::iota(representative.begin(), representative.end(), 0);
  for (const auto& group : groups) {
    for (const int program : group) {
      if (0 <= program && program <= 127) representative[static_cast<std::size_t>(program)] = group.front();
    }
  }
  const std::set<int> distinct(representative.begin(), representative.end());
  programs_.assign(distinct.begin(), distinct.end());
  for (std::size_t program = 0; program < 128; ++program) {
    const auto place = std::lower_bound(programs_.begin(), programs_.end(), representative[program]);
    values_[program] = static_cast<int>(place - programs_.begin());
  }
}

int InstrumentMap::value(int program) const {
  return 0 <= program && program <= 127 ? values_[static_cast<std::size_t>(program)] : 0;
}

int InstrumentMap::program(int value) const { return programs_[static_cast<std::size_t>(value)]; }

GenreMap::GenreMap(GenreGroups groups) : groups_(std::move(groups)) {
  std::sort(groups_.begin(), groups_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

std::optional<int> GenreMap::find(std::string_view name) const {
  const std::string wanted = lower(name);
  for (std::size_t i = groups_.size(); i-- > 0;) {  // the last of several owners of an alias wins
    const auto& [canonical, aliases] = groups_[i];
    const auto same = [&](const std::string& candidate) { return lower(candidate) == wanted; };
    if (same(canonical) || std::any_of(aliases.begin(), aliases.end(), same)) return static_cast<int>(i);
  }
  return std::nullopt;
}

int GenreMap::value(std::string_view name) const {
  if (const auto found = find(name)) return *found;
  std::string known;
  for (const auto& group : groups_) known += (known.empty() ? "" : ", ") + group.first;
  throw VocabularyError("there is no genre '" + std::string(name) + "'; this model knows " +
                        (known.empty() ? "no genres" : known));
}

const std::string& GenreMap::name(int value) const {
  if (value < 0 || value >= size()) {
    throw VocabularyError("genre " + std::to_string(value) + " does not exist; this model has " + std::to_string(size()));
  }
  return groups_[static_cast<std::size_t>(value)].first;
}

}  // namespace midigpt
