#pragma once
// Token ids: a row of domains, one after another from id 0. id = start of the type's domain + value.
// Immutable after construction; any number of threads may share one.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vocab/domains.h"
#include "vocab/encoder_config.h"
#include "vocab/token_type.h"

namespace midigpt {

using TokenId = std::int32_t;

struct Token {
  TokenType type;
  int value;
  friend bool operator==(const Token&, const Token&) = default;
};

struct TokenRange {
  TokenId start = -1;  // first id
  TokenId end = -1;    // one past the last id
  [[nodiscard]] int size() const { return end - start; }
};

enum class Level : std::uint8_t { track, bar };

// A place where an attribute token may stand. `key` is the name under which scores store the value.
struct AttributeSlot {
  Level level;
  TokenType type;
  std::string_view key;
  bool by_default;
};

// Rows of attribute_slots.def.
[[nodiscard]] const std::vector<AttributeSlot>& attribute_slot_table();

class Vocabulary {
 public:
  // The domains of `config` (its list, or the derived one), then those of `appended` whose type is not there yet.
  // `optional_slots` switches on slots that the table has off; types that it does not have at that level get a slot behind the
  // table's, in the order given, under their own name. Throws EncoderConfigError when a type is listed twice, a listed size
  // contradicts another field, or a slot is asked for a type of the grammar itself.
  explicit Vocabulary(EncoderConfig config, const TokenDomains& appended = {},
                      const std::vector<std::pair<Level, TokenType>>& optional_slots = {});

  [[nodiscard]] const EncoderConfig& config() const { return config_; }
  [[nodiscard]] const TokenDomains& domains() const { return domains_; }
  [[nodiscard]] int size() const { return static_cast<int>(types_.size()); }
  [[nodiscard]] bool has(TokenType type) const { return range(type).start >= 0; }
  [[nodiscard]] int domain_size(TokenType type) const { return has(type) ? range(type).size() : 0; }
  [[nodiscard]] TokenRange range(TokenType type) const { return ranges_[number(type)]; }

  // Throws VocabularyError when the type is absent or the value outside its domain.
  [[nodiscard]] TokenId encode(TokenType type, int value) const;
  // Throws VocabularyError for an id outside 0..size-1.
  [[nodiscard]] Token decode(TokenId id) const;
  // One entry per id.
  [[nodiscard]] const std::vector<TokenType>& types() const { return types_; }
  [[nodiscard]] const std::vector<std::int16_t>& values() const { return values_; }

  // Slots in the order in which their tokens are written.
  [[nodiscard]] const std::vector<AttributeSlot>& slots(Level level) const {
    return level == Level::track ? track_slots_ : bar_slots_;
  }
  // Column of a type at a level, -1 if it has none.
  [[nodiscard]] int slot(Level level, TokenType type) const;

  [[nodiscard]] const VelocityBins& velocity_bins() const { return velocity_bins_; }
  [[nodiscard]] const InstrumentMap& instruments() const { return instruments_; }
  [[nodiscard]] const GenreMap& genres() const { return genres_; }
  // Value of TimeSig; throws VocabularyError listing the known signatures. Without a list every signature is 0.
  [[nodiscard]] int time_signature_value(int numerator, int denominator) const;
  [[nodiscard]] TimeSignature time_signature(int value) const;
  // Value of NumBars; throws VocabularyError listing the known widths. Without a map the number itself, clamped.
  [[nodiscard]] int num_bars_value(int bars) const;
  [[nodiscard]] int num_bars(int value) const;

 private:
  void lay_out();
  void check_sizes() const;
  void find_slots(const std::vector<std::pair<Level, TokenType>>& optional_slots);

  EncoderConfig config_;
  TokenDomains domains_;
  std::array<TokenRange, kTokenTypeNumbers> ranges_{};
  std::vector<TokenType> types_;
  std::vector<std::int16_t> values_;
  std::vector<AttributeSlot> track_slots_;
  std::vector<AttributeSlot> bar_slots_;
  VelocityBins velocity_bins_;
  InstrumentMap instruments_;
  GenreMap genres_;
};

}  // namespace midigpt
