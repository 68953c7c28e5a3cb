#pragma once
// Bytes from a fuzzer, taken apart into the choices of a target. When the bytes are used up every choice is the first one.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace midigpt::fuzz {

using Bytes = std::vector<std::uint8_t>;

// What a target throws when the core broke a promise. Nothing catches it, so a fuzzer stops there.
class Violation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool holds, const std::string& promise) {
  if (!holds) throw Violation("broken promise: " + promise);
}

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool empty() const { return at_ >= bytes_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_.subspan(at_); }

  std::uint8_t byte() { return empty() ? std::uint8_t{0} : bytes_[at_++]; }
  bool flag() { return (byte() & 1) != 0; }
  // One time in `n`; never when the bytes are used up.
  bool one_in(int n) { return byte() % n == n - 1; }

  // Within [low, high]; takes as many bytes as the range needs.
  int number(int low, int high) {
    const auto range = static_cast<std::uint64_t>(static_cast<std::int64_t>(high) - low) + 1;
    std::uint64_t value = 0;
    for (std::uint64_t reach = 1; reach < range; reach <<= 8) value = value << 8 | byte();
    return static_cast<int>(low + static_cast<std::int64_t>(value % range));
  }

  // Small more often than not, and every now and then at an edge of what an int holds.
  int any() {
    constexpr int edges[] = {0, -1, 1, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 24, 1 << 30,
                             std::numeric_limits<int>::max(), std::numeric_limits<int>::max() - 1,
                             std::numeric_limits<int>::min(), std::numeric_limits<int>::min() + 1};
    switch (byte() % 4) {
      case 0: return number(0, 15);
      case 1: return number(-2, 255);
      case 2: return edges[byte() % std::size(edges)];
      default: return number(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
    }
  }

  template <class List>
  const auto& pick(const List& list) {
    return list[static_cast<std::size_t>(number(0, static_cast<int>(std::size(list)) - 1))];
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace midigpt::fuzz
