#pragma once
// A number for every bar to be written, or one for all of them.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.h"

namespace midigpt {

// Blocks are counted as Place::written() counts them: fill blocks, or bars of the autoregressive track's window.
class PerBlock {
 public:
  PerBlock(int for_all = 0) : values_{for_all} {}  // NOLINT: a plain number is one for all
  explicit PerBlock(std::vector<int> values) : values_(std::move(values)), each_(true) {}

  [[nodiscard]] int at(int block) const {
    if (!each_) return values_[0];
    const auto i = static_cast<std::size_t>(block);
    return block >= 0 && i < values_.size() ? values_[i] : 0;
  }
  [[nodiscard]] bool each() const { return each_; }
  [[nodiscard]] const std::vector<int>& values() const { return values_; }
  [[nodiscard]] bool any() const {
    for (const int value : values_) {
      if (value > 0) return true;
    }
    return false;
  }
  // Throws VocabularyError when there is not one number for each of `n` blocks.
  void check(std::string_view name, int n) const {
    if (each_ && values_.size() != static_cast<std::size_t>(n)) {
      throw VocabularyError(std::string(name) + " has " + std::to_string(values_.size()) + " entries; there are " +
                            std::to_string(n) + " bars");
    }
  }

 private:
  std::vector<int> values_;
  bool each_ = false;
};

}  // namespace midigpt
