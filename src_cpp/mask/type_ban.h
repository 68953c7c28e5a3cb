#pragma once
// Token types that are not written at all.

#include <string>
#include <vector>

#include "mask/constraint.h"

namespace midigpt {

class TypeBan final : public Constraint {
 public:
  TypeBan(std::string name, std::vector<TokenType> types) : name_(std::move(name)), types_(std::move(types)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<TypeBan>(*this); }
  void restrict_to(const Place&, LegalSet& legal) const override {
    for (const TokenType type : types_) legal.remove(type);
  }

 private:
  std::string name_;
  std::vector<TokenType> types_;
};

}  // namespace midigpt
