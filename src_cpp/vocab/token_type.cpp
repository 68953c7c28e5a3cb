#include "vocab/token_type.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "error.h"

namespace midigpt {
namespace {

bool accepts(const TokenTypeRow& row, std::string_view name) {
  if (row.name == name) return true;
  std::string_view others = row.others;
  while (!others.empty()) {
    const auto space = others.find(' ');
    if (others.substr(0, space) == name) return true;
    others = space == std::string_view::npos ? std::string_view{} : others.substr(space + 1);
  }
  return false;
}

// Number of letters to insert, delete or change to get from a to b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view token_type_name(TokenType type) {
  for (const auto& row : kTokenTypes) {
    if (row.type == type) return row.name;
  }
  throw VocabularyError("token type number " + std::to_string(number(type)) + " does not exist");
}

TokenType parse_token_type(std::string_view name) {
  for (const auto& row : kTokenTypes) {
    if (accepts(row, name)) return row.type;
  }
  constexpr std::size_t kLongestName = 64;  // anything longer is no misspelling
  if (name.size() > kLongestName) {
    throw VocabularyError("there is no token type '" + std::string(name.substr(0, kLongestName)) + "...' of " + std::to_string(name.size()) + " letters");
  }
  const auto closest = std::min_element(std::begin(kTokenTypes), std::end(kTokenTypes), [&](const auto& a, const auto& b) {
    return edit_distance(a.name, name) < edit_distance(b.name, name);
  });
  throw VocabularyError("there is no token type '" + std::string(name) + "'; did you mean '" + std::string(closest->name) +
                        "'?");
}

}  // namespace midigpt
