#pragma once
// Score -> tokens.

#include <cstdint>
#include <span>
#include <vector>

#include "codec/fill_order.h"
#include "score/score.h"
#include "vocab/vocabulary.h"

namespace midigpt {

// Attribute values as integer columns, one per slot of the level, row by row; -1 = not set. No values = nothing is set.
struct AttributeColumns {
  std::span<const std::int16_t> values{};
  std::size_t columns = 0;
  [[nodiscard]] int at(std::size_t row, std::size_t column) const {
    return values.empty() ? -1 : values[row * columns + column];
  }
};

// What happens to a value read from music that the vocabulary cannot say.
enum class OutOfRange : std::uint8_t {
  saturate,  // the nearest value is written, and counted
  error,     // VocabularyError with the first place and the count
};

struct EncodeOptions {
  int window_bars = 0;                 // value of NumBars; 0 = the longest track
  std::vector<BarAddress> multi_fill;  // bars to fill in
  int partial_track = -1;              // this track is left open ...
  int partial_bars = -1;               // ... after so many bars; < 0: right after Instrument, without attributes
  int use_velocity = -1;               // 0 = off
  int use_microtiming = -1;            // 0 = off
  int genre = -1;                      // >= 0: written
  bool use_span_masks = false;         // hidden bars are empty shells, reported in hidden_spans
  bool remove_future_bars = false;     // hidden bars are bare shells
  std::vector<BarAddress> hidden_bars; // in addition to bars flagged kBarFuture
  bool fill_sections = true;           // false: a prompt, ending in the one FillInStart after which the model continues
  OutOfRange out_of_range = OutOfRange::saturate;
};

struct TokenSpan {
  std::int32_t start;
  std::int32_t end;
};

struct Encoding {
  std::vector<TokenId> tokens;
  std::vector<TokenSpan> hidden_spans;  // one per span-masked bar, Bar to BarEnd
  int saturated = 0;                    // note values, programs and genres outside their domain, written as the nearest one
};

// Writes the bars as given, at the model's grid (the table is moved there first if it is not). Throws VocabularyError for a
// time signature or bar count the model lacks, for infill without infill tokens, for a bar that is both filled in and
// left out of the sequence, and for values outside their domain when the options say so. Notes of velocity 0 are not written;
// a program outside 0..127 is written as program 0.
[[nodiscard]] Encoding encode(const Vocabulary& vocabulary, const ScoreTable& table, const AttributeColumns& track_attributes,
                              const AttributeColumns& bar_attributes, const EncodeOptions& options);

}  // namespace midigpt
