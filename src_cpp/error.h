#pragma once
// The core's exceptions. Each has a Python class of the same name in midigpt_nb/errors.py; the bindings map one to the other.

#include <stdexcept>
#include <string>

namespace midigpt {

// TABLE: exception name. Read by the bindings (bindings/module.cpp) and by nothing else twice.
#define MIDIGPT_ERRORS(ERROR) \
  ERROR(ScoreError)           \
  ERROR(EncoderConfigError)   \
  ERROR(VocabularyError)      \
  ERROR(GrammarDeadlock)

#define MIDIGPT_DECLARE_ERROR(name)                                   \
  class name : public std::runtime_error {                            \
   public:                                                            \
    explicit name(const std::string& what) : std::runtime_error(what) {} \
  };
MIDIGPT_ERRORS(MIDIGPT_DECLARE_ERROR)
#undef MIDIGPT_DECLARE_ERROR

}  // namespace midigpt
