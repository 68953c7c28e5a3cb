#pragma once
// Token types: the enum, its names and its parser, all generated from token_types.def.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace midigpt {

// The value of an enumerator is the type's permanent number.
enum class TokenType : std::uint8_t {
#define TOKEN(name, number, others, values) name = number,
#include "vocab/token_types.def"
#undef TOKEN
};

struct TokenTypeRow {
  TokenType type;
  std::string_view name;
  std::string_view others;  // other accepted spellings, separated by spaces
};

inline constexpr TokenTypeRow kTokenTypes[] = {
#define TOKEN(name, number, others, values) {TokenType::name, #name, others},
#include "vocab/token_types.def"
#undef TOKEN
};

// One more than the largest permanent number: the length of arrays indexed by type.
inline constexpr std::size_t kTokenTypeNumbers = [] {
  std::size_t largest = 0;
  for (const auto& row : kTokenTypes) {
    if (static_cast<std::size_t>(row.type) > largest) largest = static_cast<std::size_t>(row.type);
  }
  return largest + 1;
}();

[[nodiscard]] constexpr std::size_t number(TokenType type) { return static_cast<std::size_t>(type); }
[[nodiscard]] std::string_view token_type_name(TokenType type);

// The type with this canonical, legacy or short name. Throws VocabularyError naming the closest spelling.
[[nodiscard]] TokenType parse_token_type(std::string_view name);

}  // namespace midigpt
