#pragma once
// The tokens that are legal next, as a few ranges of ids. Small, on the stack, never allocates.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "error.h"
#include "vocab/vocabulary.h"

namespace midigpt {

// A range of one domain's ids; `allowed`, when given, has one byte per value of the domain (1 = legal).
struct LegalRange {
  static constexpr std::size_t kFilters = 3;
  TokenType type = TokenType::None;
  TokenId base = 0;   // id of the domain's value 0
  TokenId start = 0;  // first legal id
  TokenId end = 0;    // one past the last
  std::array<const std::uint8_t*, kFilters> allowed{};
  std::size_t n_allowed = 0;

  [[nodiscard]] bool contains(TokenId id) const {
    if (id < start || id >= end) return false;
    for (std::size_t i = 0; i < n_allowed; ++i) {
      if (allowed[i][id - base] == 0) return false;
    }
    return true;
  }
};

class LegalSet {
 public:
  void clear() { n_ = 0; }
  // Ids base + [first, last) of a domain; an empty range is not added.
  void add(TokenType type, TokenId base, int first, int last) {
    if (first >= last) return;
    if (n_ == ranges_.size()) throw GrammarDeadlock("more kinds of tokens may follow than the matcher has room for");
    ranges_[n_++] = {type, base, base + first, base + last, {}, 0};
  }
  [[nodiscard]] std::span<const LegalRange> ranges() const { return {ranges_.data(), n_}; }

  // Constraints narrow the set with these.
  void remove(TokenType type) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      if (ranges_[i].type != type) ranges_[kept++] = ranges_[i];
    }
    n_ = kept;
  }
  template <typename Keep>
  void keep_if(Keep keep) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      if (keep(ranges_[i])) ranges_[kept++] = ranges_[i];
    }
    n_ = kept;
  }
  // Values of a type outside [first, last) go.
  void narrow(TokenType type, int first, int last) {
    for (std::size_t i = 0; i < n_; ++i) {
      LegalRange& range = ranges_[i];
      if (range.type != type) continue;
      const int size = range.end - range.base;  // a wish may name any number, also one that no sum could hold
      range.start = std::max(range.start, range.base + std::clamp(first, 0, size));
      range.end = std::min(range.end, range.base + std::clamp(last, 0, size));
    }
    keep_if([](const LegalRange& range) { return range.start < range.end; });
  }
  // Values whose byte is 0 go. The bytes must cover the domain and outlive the set.
  void filter(TokenType type, const std::uint8_t* allowed) {
    for (std::size_t i = 0; i < n_; ++i) {
      LegalRange& range = ranges_[i];
      if (range.type != type) continue;
      if (range.n_allowed == LegalRange::kFilters) throw GrammarDeadlock("too many constraints on the values of one token type");
      range.allowed[range.n_allowed++] = allowed;
    }
  }

  [[nodiscard]] bool contains(TokenId id) const {
    for (const LegalRange& range : ranges()) {
      if (range.contains(id)) return true;
    }
    return false;
  }
  [[nodiscard]] int count() const {
    int n = 0;
    for (const LegalRange& range : ranges()) n += count(range);
    return n;
  }
  [[nodiscard]] bool empty() const {
    for (const LegalRange& range : ranges()) {
      if (range.n_allowed == 0 || count(range) > 0) return false;
    }
    return true;
  }
  // The only legal id, or -1.
  [[nodiscard]] TokenId single() const {
    TokenId found = -1;
    for (const LegalRange& range : ranges()) {
      if (range.n_allowed == 0 && (found >= 0 || range.end - range.start > 1)) return -1;
      for (TokenId id = range.start; id < range.end; ++id) {
        if (!range.contains(id)) continue;
        if (found >= 0) return -1;
        found = id;
      }
    }
    return found;
  }
  // One byte per id, 1 = legal.
  void write(std::span<std::uint8_t> row) const {
    std::memset(row.data(), 0, row.size());
    for (const LegalRange& range : ranges()) {
      std::uint8_t* bytes = row.data() + range.start;
      const auto n = static_cast<std::size_t>(range.end - range.start);
      std::memset(bytes, 1, n);
      for (std::size_t f = 0; f < range.n_allowed; ++f) {
        const std::uint8_t* allowed = range.allowed[f] + (range.start - range.base);
        for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(bytes[i] & allowed[i]);
      }
    }
  }

 private:
  [[nodiscard]] static int count(const LegalRange& range) {
    if (range.n_allowed == 0) return range.end - range.start;
    int n = 0;
    for (TokenId id = range.start; id < range.end; ++id) n += range.contains(id) ? 1 : 0;
    return n;
  }

  std::array<LegalRange, 24> ranges_{};
  std::size_t n_ = 0;
};

}  // namespace midigpt
