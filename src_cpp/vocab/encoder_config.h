#pragma once
// What a checkpoint says about its tokens. A plain value; fields and defaults stand in encoder_config.def.

#include <string>
#include <utility>
#include <vector>

#include "vocab/token_type.h"

namespace midigpt {

using PitchRange = std::pair<int, int>;
using TimeSignature = std::pair<int, int>;  // numerator, denominator
using TimeSignatures = std::vector<TimeSignature>;
using Ints = std::vector<int>;
using IntLists = std::vector<std::vector<int>>;
using GenreGroups = std::vector<std::pair<std::string, std::vector<std::string>>>;  // name, aliases
using TokenDomain = std::pair<TokenType, int>;                                      // type, number of values
using TokenDomains = std::vector<TokenDomain>;

// Most values that a token type can have: what an int16 holds.
inline constexpr int kMaxDomain = 32767;

struct EncoderConfig {
#define FIELD(type, name, default_value, meaning) type name = default_value;
#include "vocab/encoder_config.def"
#undef FIELD
};

// Throws EncoderConfigError naming the field when a value is impossible by itself (denominator 0, empty pitch range, ...).
// Contradictions between `token_domains` and the other fields are found when a Vocabulary is built.
void validate(const EncoderConfig& config);

// The structural domains that follow from the other fields, in vocabulary order (token_types.def).
[[nodiscard]] TokenDomains derived_domains(const EncoderConfig& config);

}  // namespace midigpt
