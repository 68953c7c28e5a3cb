#pragma once
// TABLE: the fuzz targets. Each takes any bytes; it returns, or throws when the core broke a promise.

#include <span>
#include <string_view>

#include "input.h"

namespace midigpt::fuzz {

#define MIDIGPT_FUZZ_TARGETS(TARGET) \
  TARGET(midi_bytes)  /* bytes of a MIDI file -> events -> table -> edited file */ \
  TARGET(midi_events) /* the same for well-formed files with every kind of event */ \
  TARGET(midi_pieces) /* stretches of such files -> one file */ \
  TARGET(score)       /* any valid table: edits, resampling, a plain MIDI file */ \
  TARGET(config)      /* any encoder configuration -> vocabulary -> encode a table */ \
  TARGET(decoder)     /* any tokens -> table -> tokens */ \
  TARGET(matcher)     /* any prompt and wishes; legal tokens are followed to the end */ \
  TARGET(planner)     /* any targets and options -> steps */

#define MIDIGPT_DECLARE_TARGET(name) void name(std::span<const std::uint8_t> bytes);
MIDIGPT_FUZZ_TARGETS(MIDIGPT_DECLARE_TARGET)
#undef MIDIGPT_DECLARE_TARGET

struct Target {
  std::string_view name;
  void (*run)(std::span<const std::uint8_t> bytes);
};

inline constexpr Target kTargets[] = {
#define MIDIGPT_TARGET_ROW(name) {#name, &name},
    MIDIGPT_FUZZ_TARGETS(MIDIGPT_TARGET_ROW)
#undef MIDIGPT_TARGET_ROW
};

// Inputs to start from: small ones made here, and for files the given example.
[[nodiscard]] std::vector<Bytes> seeds(std::string_view target, const Bytes& example_midi);

}  // namespace midigpt::fuzz
