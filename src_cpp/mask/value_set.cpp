#include "mask/value_set.h"

#include "error.h"

namespace midigpt {

ValueSet::ValueSet(std::string name, const Vocabulary& vocabulary, TokenType type, const Values& allowed)
    : name_(std::move(name)), type_(type) {
  Bytes bytes;
  for (const auto& [block, values] : allowed) {
    auto& row = bytes[block];
    row.assign(static_cast<std::size_t>(vocabulary.domain_size(type)), 0);
    for (const int value : values) {
      (void)vocabulary.encode(type, value);
      row[static_cast<std::size_t>(value)] = 1;
    }
  }
  bytes_ = std::make_shared<const Bytes>(std::move(bytes));
}

std::unique_ptr<Constraint> ValueSet::of_pitches(const Vocabulary& vocabulary, const Values& allowed) {
  for (const auto& [block, values] : allowed) {
    if (values.empty()) throw VocabularyError("block " + std::to_string(block) + " allows no pitch");
  }
  return std::unique_ptr<Constraint>(new ValueSet("allowed pitches", vocabulary, TokenType::NoteOnset, allowed));
}

std::unique_ptr<Constraint> ValueSet::of_positions(const Vocabulary& vocabulary, const Values& allowed) {
  return std::unique_ptr<Constraint>(new ValueSet("allowed positions", vocabulary, TokenType::TimeAbsolutePos, allowed));
}

void ValueSet::require_vocabulary(const Vocabulary& vocabulary) const {
  for (const auto& [block, row] : *bytes_) {
    if (row.size() == static_cast<std::size_t>(vocabulary.domain_size(type_))) continue;
    throw VocabularyError("'" + name_ + "' was made for another vocabulary: it knows " + std::to_string(row.size()) + " values of " +
                          std::string(token_type_name(type_)) + ", this one has " + std::to_string(vocabulary.domain_size(type_)));
  }
}

void ValueSet::restrict_to(const Place& place, LegalSet& legal) const {
  const auto found = bytes_->find(place.written());
  if (found != bytes_->end()) legal.filter(type_, found->second.data());
}

}  // namespace midigpt
