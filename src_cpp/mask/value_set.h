#pragma once
// The values that a token type may take, per block: allowed pitches, allowed positions.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mask/constraint.h"

namespace midigpt {

class ValueSet final : public Constraint {
 public:
  using Values = std::map<int, std::vector<int>>;  // by block; a block without an entry is free

  // Throws VocabularyError for values outside the domain, for a type the vocabulary lacks, and for an empty list of pitches.
  [[nodiscard]] static std::unique_ptr<Constraint> of_pitches(const Vocabulary& vocabulary, const Values& allowed);
  // Ticks from the start of the bar. 0 needs no token, so it is always free.
  [[nodiscard]] static std::unique_ptr<Constraint> of_positions(const Vocabulary& vocabulary, const Values& allowed);

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<ValueSet>(*this); }
  void require_vocabulary(const Vocabulary& vocabulary) const override;
  void restrict_to(const Place& place, LegalSet& legal) const override;

 private:
  using Bytes = std::map<int, std::vector<std::uint8_t>>;
  ValueSet(std::string name, const Vocabulary& vocabulary, TokenType type, const Values& allowed);

  std::string name_;
  TokenType type_;
  std::shared_ptr<const Bytes> bytes_;
};

}  // namespace midigpt
