#include "codec/encoder.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "codec/grid.h"
#include "error.h"

namespace midigpt {
namespace {

constexpr int kDefaultBars = 4;  // NumBars of a score without bars

// A value of the score that lies outside what its token can say. Times are on the model's grid.
struct OutsideValue {
  int track;  // -1: the piece
  int bar;    // -1: the track
  std::string_view what;
  int given;
  int lowest;
  int highest;
};

class Encoder {
 public:
  Encoder(const Vocabulary& vocabulary, const ScoreTable& table, const AttributeColumns& track_attributes,
          const AttributeColumns& bar_attributes, const EncodeOptions& options)
      : vocabulary_(vocabulary),
        table_(table),
        track_attributes_(track_attributes),
        bar_attributes_(bar_attributes),
        options_(options),
        fills_(fill_order(options.multi_fill)),
        hidden_(fill_order(options.hidden_bars)) {}

  Encoding run() {
    check();
    header();
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) write_track(track);
    fill_sections();
    if (vocabulary_.has(TokenType::None)) put(TokenType::None, 0);
    if (first_outside_ && options_.out_of_range == OutOfRange::error) throw VocabularyError(complaint());
    return std::move(out_);
  }

 private:
  void check() const {
    const auto columns_fit = [](const AttributeColumns& a, std::size_t rows, std::size_t columns) {
      return a.values.empty() || (a.columns == columns && a.values.size() == rows * columns);
    };
    if (!columns_fit(track_attributes_, table_.tracks.size(), vocabulary_.slots(Level::track).size()) ||
        !columns_fit(bar_attributes_, table_.bars.size(), vocabulary_.slots(Level::bar).size())) {
      throw VocabularyError("attribute arrays need one row per track (or bar) and one column per slot of the vocabulary");
    }
    if (fills_.empty()) return;
    if (!vocabulary_.config().supports_infill || !vocabulary_.has(TokenType::FillInPlaceholder) ||
        !vocabulary_.has(TokenType::FillInStart) || !vocabulary_.has(TokenType::FillInEnd)) {
      throw VocabularyError("this model has no tokens for filling in bars");
    }
    for (const BarAddress& fill : fills_) {
      const bool cut = fill.track == options_.partial_track && fill.bar >= options_.partial_bars;
      const bool removed = options_.remove_future_bars && exists(fill) && is_hidden(fill, row(fill));
      if (exists(fill) && (cut || removed)) {
        throw VocabularyError("bar " + std::to_string(fill.bar) + " of track " + std::to_string(fill.track) +
                              " cannot be filled in: it is left out of the sequence");
      }
    }
  }

  void header() {
    const TokenRange start = vocabulary_.range(TokenType::PieceStart);
    if (start.start >= 0) put(TokenType::PieceStart, std::min(fills_.empty() ? 0 : 1, start.size() - 1));
    if (vocabulary_.has(TokenType::UseVelocity)) put(TokenType::UseVelocity, options_.use_velocity != 0 ? 1 : 0);
    if (vocabulary_.has(TokenType::UseMicrotiming)) put(TokenType::UseMicrotiming, options_.use_microtiming != 0 ? 1 : 0);
    if (options_.genre >= 0 && vocabulary_.has(TokenType::Genre)) saturate(TokenType::Genre, options_.genre, "genre");
    if (vocabulary_.has(TokenType::NumBars)) put(TokenType::NumBars, vocabulary_.num_bars_value(window_bars()));
  }

  [[nodiscard]] int window_bars() const {
    if (options_.window_bars > 0) return options_.window_bars;
    std::size_t longest = 0;
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      longest = std::max(longest, table_.track_bars(track).size());
    }
    return longest > 0 ? static_cast<int>(longest) : kDefaultBars;
  }

  void write_track(std::size_t track) {
    const Track& row = table_.tracks[track];
    place_ = {static_cast<int>(track), -1};
    put(TokenType::Track, row.is_drum != 0 ? 1 : 0);
    if (vocabulary_.has(TokenType::Instrument)) {
      note_outside("program", row.instrument, 0, 127);
      put(TokenType::Instrument, vocabulary_.instruments().value(row.instrument));
    }
    const bool partial = static_cast<int>(track) == options_.partial_track;
    if (partial && options_.partial_bars < 0) return;
    attributes(Level::track, track_attributes_, track);
    const std::size_t first = static_cast<std::size_t>(row.first_bar);
    std::size_t bars = table_.track_bars(track).size();
    if (partial) bars = std::min(bars, static_cast<std::size_t>(options_.partial_bars));
    for (std::size_t bar = 0; bar < bars; ++bar) write_bar(static_cast<int>(track), static_cast<int>(bar), first + bar);
    if (!partial && vocabulary_.has(TokenType::TrackEnd)) put(TokenType::TrackEnd, 0);
  }

  void attributes(Level level, const AttributeColumns& columns, std::size_t row) {
    const auto& slots = vocabulary_.slots(level);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      const int value = columns.at(row, slot);
      if (value >= 0) put_clamped(slots[slot].type, value);
    }
  }

  void write_bar(int track, int bar, std::size_t row) {
    const BarAddress address{track, bar};
    const bool hidden = is_hidden(address, row);
    const bool bare = hidden && options_.remove_future_bars;
    const auto start = static_cast<std::int32_t>(out_.tokens.size());
    put(TokenType::Bar, 0);
    if (!bare) attributes(Level::bar, bar_attributes_, row);
    if (vocabulary_.has(TokenType::TimeSig)) {
      const Bar& meter = table_.bars[row];
      put(TokenType::TimeSig, vocabulary_.time_signature_value(meter.numerator, meter.denominator));
    }
    const bool shell = !bare && write_content(address, hidden, row);
    if (vocabulary_.has(TokenType::BarEnd)) put(TokenType::BarEnd, 0);
    if (shell) out_.hidden_spans.push_back({start, static_cast<std::int32_t>(out_.tokens.size())});
  }

  // True when the bar is an empty shell to be hidden from attention.
  bool write_content(const BarAddress& address, bool hidden, std::size_t row) {
    if (std::binary_search(fills_.begin(), fills_.end(), address)) {
      put(TokenType::FillInPlaceholder, 0);
    } else if (hidden && options_.use_span_masks) {
      return true;
    } else if (hidden && vocabulary_.has(TokenType::MaskBar)) {
      put(TokenType::MaskBar, 0);
    } else {
      write_notes(address, row);
    }
    return false;
  }

  void fill_sections() {
    if (fills_.empty()) return;
    if (!options_.fill_sections) {
      put(TokenType::FillInStart, 0);
      return;
    }
    for (const BarAddress& fill : fills_) {
      if (!exists(fill)) continue;
      put(TokenType::FillInStart, 0);
      write_notes(fill, row(fill));
      put(TokenType::FillInEnd, 0);
    }
  }

  void write_notes(const BarAddress& address, std::size_t row) {
    place_ = address;
    sorted_.clear();
    for (const Note& note : table_.bar_notes(row)) {
      if (note.velocity > 0) sorted_.push_back(note);
    }
    std::stable_sort(sorted_.begin(), sorted_.end(), [](const Note& a, const Note& b) {
      return a.onset_ticks != b.onset_ticks ? a.onset_ticks < b.onset_ticks : a.pitch < b.pitch;
    });
    const bool melodic = table_.tracks[static_cast<std::size_t>(address.track)].is_drum == 0;
    int position = 0;
    int level = -1;  // nothing written yet in this bar
    for (const Note& note : sorted_) {
      if (note.onset_ticks > position) {
        position = note.onset_ticks;
        if (vocabulary_.has(TokenType::TimeAbsolutePos)) saturate(TokenType::TimeAbsolutePos, position, "position");
      } else if (note.onset_ticks < 0) {
        note_outside("position", note.onset_ticks, 0, std::max(0, vocabulary_.domain_size(TokenType::TimeAbsolutePos) - 1));
      }
      write_note(note, melodic, level);
    }
  }

  void write_note(const Note& note, bool melodic, int& level) {
    if (options_.use_velocity != 0 && vocabulary_.has(TokenType::VelocityLevel)) {
      note_outside("velocity", note.velocity, 1, 127);
      const int now = vocabulary_.velocity_bins().level(note.velocity);
      if (!vocabulary_.config().velocity_sticky || now != level) put(TokenType::VelocityLevel, now);
      level = now;
    }
    if (options_.use_microtiming != 0 && vocabulary_.config().emit_delta_tokens && note.delta != 0) {
      if (note.delta < 0 && vocabulary_.has(TokenType::DeltaDirection)) put(TokenType::DeltaDirection, 0);
      if (vocabulary_.has(TokenType::Delta)) saturate(TokenType::Delta, std::abs(note.delta), "microtiming");
    }
    saturate(TokenType::NoteOnset, note.pitch, "pitch", vocabulary_.config().pitch_range.first);
    if (melodic && vocabulary_.has(TokenType::NoteDuration)) saturate(TokenType::NoteDuration, note.duration_ticks, "duration", 1);
  }

  [[nodiscard]] bool exists(const BarAddress& a) const {
    return 0 <= a.track && a.track < static_cast<int>(table_.tracks.size()) && 0 <= a.bar &&
           a.bar < static_cast<int>(table_.track_bars(static_cast<std::size_t>(a.track)).size());
  }
  [[nodiscard]] std::size_t row(const BarAddress& a) const {
    return static_cast<std::size_t>(table_.tracks[static_cast<std::size_t>(a.track)].first_bar + a.bar);
  }
  [[nodiscard]] bool is_hidden(const BarAddress& address, std::size_t row) const {
    return (table_.bars[row].flags & kBarFuture) != 0 || std::binary_search(hidden_.begin(), hidden_.end(), address);
  }

  void put(TokenType type, int value) { out_.tokens.push_back(vocabulary_.encode(type, value)); }
  void put_clamped(TokenType type, int value) { put(type, std::max(0, std::min(value, vocabulary_.domain_size(type) - 1))); }
  // Value 0 of the type stands for `first`.
  void saturate(TokenType type, int given, std::string_view what, int first = 0) {
    const int highest = std::max(first, first + vocabulary_.domain_size(type) - 1);
    note_outside(what, given, first, highest);
    put_clamped(type, std::clamp(given, first, highest) - first);
  }
  void note_outside(std::string_view what, int given, int lowest, int highest) {
    if (lowest <= given && given <= highest) return;
    ++out_.saturated;
    if (!first_outside_) first_outside_ = OutsideValue{place_.track, place_.bar, what, given, lowest, highest};
  }
  [[nodiscard]] std::string complaint() const {
    const OutsideValue& first = *first_outside_;
    std::string where = first.track < 0 ? "the piece" : "track " + std::to_string(first.track);
    if (first.bar >= 0) where += ", bar " + std::to_string(first.bar);
    const std::string others = out_.saturated == 1 ? "" : "; " + std::to_string(out_.saturated) + " values of this score lie outside";
    return where + ": " + std::string(first.what) + " " + std::to_string(first.given) + " cannot be written; this model has " +
           std::to_string(first.lowest) + ".." + std::to_string(first.highest) + others;
  }

  const Vocabulary& vocabulary_;
  const ScoreTable& table_;
  const AttributeColumns& track_attributes_;
  const AttributeColumns& bar_attributes_;
  const EncodeOptions& options_;
  std::vector<BarAddress> fills_;
  std::vector<BarAddress> hidden_;
  std::vector<Note> sorted_;
  BarAddress place_{-1, -1};  // what is being written
  std::optional<OutsideValue> first_outside_;
  Encoding out_;
};

}  // namespace

Encoding encode(const Vocabulary& vocabulary, const ScoreTable& table, const AttributeColumns& track_attributes,
                const AttributeColumns& bar_attributes, const EncodeOptions& options) {
  const EncoderConfig& config = vocabulary.config();
  if (table.resolution == config.resolution) {
    return Encoder(vocabulary, table, track_attributes, bar_attributes, options).run();
  }
  const ScoreTable grid = grid_table(table, config.resolution, config.emit_delta_tokens);
  return Encoder(vocabulary, grid, track_attributes, bar_attributes, options).run();
}

}  // namespace midigpt
