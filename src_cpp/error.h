#pragma once
// The core's exceptions. Each has a Python class of the same name in midigpt_nb/errors.py; the bindings map one to the other.

#include <stdexcept>
#include <string>
#include <vector>

namespace midigpt {

// TABLE: exception name, facts it carries. Read by the bindings (bindings/module.cpp) and by nothing else twice.
// GrammarDeadlock: what has just been read, in words; the constraints that took tokens away there.
#define MIDIGPT_ERRORS(ERROR)   \
  ERROR(ScoreError, )           \
  ERROR(EncoderConfigError, )   \
  ERROR(VocabularyError, )      \
  ERROR(GrammarDeadlock, std::string state{}; std::vector<std::string> constraints{};)

#define MIDIGPT_DECLARE_ERROR(name, facts)                               \
  class name : public std::runtime_error {                               \
   public:                                                               \
    explicit name(const std::string& what) : std::runtime_error(what) {} \
    facts                                                                \
  };
MIDIGPT_ERRORS(MIDIGPT_DECLARE_ERROR)
#undef MIDIGPT_DECLARE_ERROR

}  // namespace midigpt
