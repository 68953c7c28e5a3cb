#include "vocab/vocabulary.h"

#include <algorithm>

#include "error.h"

namespace midigpt {
namespace {

constexpr std::size_t kMaxSlots = 16;  // per level; with the rest of the grammar they fit a LegalSet

EncoderConfig checked(EncoderConfig config) {
  if (config.switchable_microtiming) config.emit_delta_tokens = true;
  validate(config);
  return config;
}

std::string name_of(TokenType type) { return std::string(token_type_name(type)); }

bool lists(const TokenDomains& domains, TokenType type) {
  return std::any_of(domains.begin(), domains.end(), [&](const TokenDomain& d) { return d.first == type; });
}

bool in_table(Level level, TokenType type) {
  const auto& table = attribute_slot_table();
  return std::any_of(table.begin(), table.end(), [&](const AttributeSlot& slot) { return slot.level == level && slot.type == type; });
}

// Whether a derived vocabulary with every feature has the type.
bool is_structural(TokenType type) {
  EncoderConfig full;
  full.supports_infill = full.supports_mask_bar_token = full.emit_delta_tokens = true;
  full.switchable_velocity = full.switchable_microtiming = true;
  full.time_signatures = {{4, 4}};
  full.num_bars_map = {4};
  full.genre_groups = {{"any", {}}};
  return type == TokenType::None || lists(derived_domains(full), type);
}

TokenDomains all_domains(const EncoderConfig& config, const TokenDomains& appended) {
  TokenDomains domains = config.token_domains.empty() ? derived_domains(config) : config.token_domains;
  for (const auto& domain : appended) {
    if (!lists(domains, domain.first)) domains.push_back(domain);
  }
  for (const auto& [type, size] : domains) {
    if (size >= 1 && size <= kMaxDomain) continue;
    throw EncoderConfigError("token domain " + name_of(type) + " has size " + std::to_string(size) + "; allowed: 1.." + std::to_string(kMaxDomain));
  }
  return domains;
}

int velocity_levels(const EncoderConfig& config, const TokenDomains& domains) {
  for (const auto& [type, size] : domains) {
    if (type == TokenType::VelocityLevel) return std::max(size, 2);
  }
  return config.velocity_levels;
}

std::string signature_text(TimeSignature signature) {
  return std::to_string(signature.first) + "/" + std::to_string(signature.second);
}

}  // namespace

const std::vector<AttributeSlot>& attribute_slot_table() {
  static const std::vector<AttributeSlot> table = {
#define SLOT(level, type, key, by_default) {Level::level, TokenType::type, key, by_default},
#include "vocab/attribute_slots.def"
#undef SLOT
  };
  return table;
}

Vocabulary::Vocabulary(EncoderConfig config, const TokenDomains& appended,
                       const std::vector<std::pair<Level, TokenType>>& optional_slots)
    : config_(checked(std::move(config))),
      domains_(all_domains(config_, appended)),
      velocity_bins_(velocity_levels(config_, domains_)),
      instruments_(config_.instrument_merge_groups),
      genres_(config_.genre_groups) {
  lay_out();
  check_sizes();
  find_slots(optional_slots);
}

void Vocabulary::lay_out() {
  for (const auto& [type, size] : domains_) {
    if (has(type)) throw EncoderConfigError("token domain " + name_of(type) + " is listed twice");
    ranges_[number(type)] = {this->size(), this->size() + size};
    for (int value = 0; value < size; ++value) {
      types_.push_back(type);
      values_.push_back(static_cast<std::int16_t>(value));
    }
  }
}

// A listed domain must be as large as the other fields say. PieceStart may lack its infill value; a feature that is off by its
// field but listed is on.
void Vocabulary::check_sizes() const {
  for (const auto& [type, expected] : derived_domains(config_)) {
    if (!has(type) || type == TokenType::PieceStart || domain_size(type) == expected) continue;
    throw EncoderConfigError("token domain " + name_of(type) + " has size " + std::to_string(domain_size(type)) +
                             ", but the other fields of the configuration say " + std::to_string(expected));
  }
}

void Vocabulary::find_slots(const std::vector<std::pair<Level, TokenType>>& optional_slots) {
  for (const auto& slot : attribute_slot_table()) {
    const bool asked = std::find(optional_slots.begin(), optional_slots.end(), std::pair(slot.level, slot.type)) !=
                       optional_slots.end();
    if (!has(slot.type) || !(slot.by_default || asked)) continue;
    (slot.level == Level::track ? track_slots_ : bar_slots_).push_back(slot);
  }
  for (const auto& [level, type] : optional_slots) {
    if (!has(type) || in_table(level, type) || slot(level, type) >= 0) continue;
    if (is_structural(type)) {
      throw EncoderConfigError(name_of(type) + " tokens belong to the grammar; an attribute needs a token type of its own");
    }
    auto& slots = level == Level::track ? track_slots_ : bar_slots_;
    if (slots.size() == kMaxSlots) throw EncoderConfigError("more than " + std::to_string(kMaxSlots) + " attributes of one level; " + name_of(type) + " does not fit");
    slots.push_back({level, type, token_type_name(type), false});
  }
}

TokenId Vocabulary::encode(TokenType type, int value) const {
  const TokenRange ids = range(type);
  if (ids.start < 0) throw VocabularyError("this vocabulary has no " + name_of(type) + " tokens");
  if (value < 0 || value >= ids.size()) {
    throw VocabularyError(name_of(type) + " has no value " + std::to_string(value) + "; this model has 0.." +
                          std::to_string(ids.size() - 1));
  }
  return ids.start + value;
}

Token Vocabulary::decode(TokenId id) const {
  if (id < 0 || id >= size()) {
    throw VocabularyError("there is no token " + std::to_string(id) + "; this vocabulary has 0.." +
                          std::to_string(size() - 1));
  }
  return {types_[static_cast<std::size_t>(id)], values_[static_cast<std::size_t>(id)]};
}

int Vocabulary::slot(Level level, TokenType type) const {
  const auto& list = slots(level);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].type == type) return static_cast<int>(i);
  }
  return -1;
}

int Vocabulary::time_signature_value(int numerator, int denominator) const {
  const auto& known = config_.time_signatures;
  if (known.empty()) return 0;
  if (const auto index = last_index(known, TimeSignature{numerator, denominator})) return *index;
  std::string names;
  for (const auto& signature : known) names += (names.empty() ? "" : ", ") + signature_text(signature);
  throw VocabularyError("time signature " + signature_text({numerator, denominator}) +
                        " is not known to this model; it knows " + names);
}

TimeSignature Vocabulary::time_signature(int value) const {
  const auto& known = config_.time_signatures;
  if (value < 0 || value >= static_cast<int>(known.size())) {
    throw VocabularyError("time signature value " + std::to_string(value) + " is outside this model's list of " +
                          std::to_string(known.size()));
  }
  return known[static_cast<std::size_t>(value)];
}

int Vocabulary::num_bars_value(int bars) const {
  const auto& known = config_.num_bars_map;
  if (known.empty()) return std::clamp(bars, 0, std::max(0, domain_size(TokenType::NumBars) - 1));
  if (const auto index = last_index(known, bars)) return *index;
  std::string names;
  for (const int n : known) names += (names.empty() ? "" : ", ") + std::to_string(n);
  throw VocabularyError("this model cannot look at " + std::to_string(bars) + " bars at a time; it knows " + names);
}

int Vocabulary::num_bars(int value) const {
  const auto& known = config_.num_bars_map;
  if (known.empty()) return value;
  if (value < 0 || value >= static_cast<int>(known.size())) {
    throw VocabularyError("NumBars value " + std::to_string(value) + " is outside this model's list of " +
                          std::to_string(known.size()));
  }
  return known[static_cast<std::size_t>(value)];
}

}  // namespace midigpt
