#include "vocab/encoder_config.h"

#include <algorithm>
#include <cstdint>

#include "error.h"
#include "score/meter.h"
#include "vocab/domains.h"

namespace midigpt {
namespace {

void require(bool holds, const std::string& message) {
  if (!holds) throw EncoderConfigError(message);
}

template <typename List>
int count(const List& list) {
  return static_cast<int>(list.size());
}

int at_least_one(int value) { return std::max(1, value); }

// Ticks of the longest known bar, rounded up: how many onsets a bar can have.
int longest_bar_ticks(const EncoderConfig& c) {
  int longest = 0;
  for (const auto& [numerator, denominator] : c.time_signatures) {
    const std::int64_t ticks = bar_ticks(numerator, denominator, c.resolution);
    const bool cut = ticks * denominator < std::int64_t{4} * numerator * c.resolution;
    longest = std::max(longest, static_cast<int>(ticks) + (cut ? 1 : 0));
  }
  return longest;
}

int instrument_count(const EncoderConfig& c) { return InstrumentMap(c.instrument_merge_groups).size(); }

}  // namespace

void validate(const EncoderConfig& c) {
  const auto require_count = [](const char* name, std::int64_t value, int least = 1) {
    require(least <= value && value <= kMaxDomain, std::string(name) + " is " + std::to_string(value) + "; allowed: " + std::to_string(least) +
                                                       ".." + std::to_string(kMaxDomain));
  };
  require_count("resolution", c.resolution);
  require_count("decode_resolution", c.decode_resolution);
  require(0 <= c.pitch_range.first && c.pitch_range.first <= c.pitch_range.second && c.pitch_range.second <= 127,
          "pitch_range is [" + std::to_string(c.pitch_range.first) + ", " + std::to_string(c.pitch_range.second) +
              "]; it must be [lowest, highest] within 0..127");
  require_count("velocity_levels", c.velocity_levels, 2);
  require_count("note_duration_max_beats", c.note_duration_max_beats);
  require_count("note_duration_max_beats x resolution", std::int64_t{c.note_duration_max_beats} * c.resolution);
  for (const auto& [numerator, denominator] : c.time_signatures) {
    require(numerator > 0 && denominator > 0 && bar_ticks(numerator, denominator, c.resolution) > 0,
            "time_signatures holds " + std::to_string(numerator) + "/" + std::to_string(denominator) +
                ", whose bars have no length");
    require(bar_ticks(numerator, denominator, c.resolution) < kMaxDomain,
            "time_signatures holds " + std::to_string(numerator) + "/" + std::to_string(denominator) +
                ", whose bars are longer than " + std::to_string(kMaxDomain) + " ticks");
  }
  for (const auto& group : c.instrument_merge_groups) {
    require(group.empty() || (0 <= group.front() && group.front() <= 127),
            "an instrument_merge_groups entry begins with program " + std::to_string(group.empty() ? 0 : group.front()) +
                "; the first program stands for the group and must be in 0..127");
  }
  for (const int bars : c.num_bars_map) {
    require(bars > 0, "num_bars_map holds " + std::to_string(bars) + "; a window has at least 1 bar");
  }
}

TokenDomains derived_domains(const EncoderConfig& c) {
  TokenDomains domains;
  const auto add = [&](TokenType type, int values) {
    if (values > 0) domains.emplace_back(type, values);
  };
#define TOKEN(name, number, others, values) add(TokenType::name, values);
#include "vocab/token_types.def"
#undef TOKEN
  return domains;
}

}  // namespace midigpt
