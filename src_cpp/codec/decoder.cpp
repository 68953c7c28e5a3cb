#include "codec/decoder.h"

#include <algorithm>
#include <array>
#include <string>

#include "codec/grid.h"
#include "error.h"
#include "score/meter.h"

namespace midigpt {
namespace {

// The tokens before the first fill block, with the i-th placeholder replaced by the i-th block.
std::vector<Token> with_fills_in_place(const Vocabulary& vocabulary, std::span<const TokenId> ids) {
  std::vector<Token> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocabulary.size()) {
      throw VocabularyError("there is no token " + std::to_string(id) + ", as at position " + std::to_string(tokens.size()) +
                            "; this vocabulary has 0.." + std::to_string(vocabulary.size() - 1));
    }
    tokens.push_back(vocabulary.decode(id));
  }
  if (!vocabulary.has(TokenType::FillInPlaceholder) || !vocabulary.has(TokenType::FillInStart) ||
      !vocabulary.has(TokenType::FillInEnd)) {
    return tokens;
  }
  const auto find = [&](auto from, TokenType type) {
    return std::find_if(from, tokens.end(), [type](const Token& t) { return t.type == type; });
  };
  std::vector<std::pair<std::vector<Token>::iterator, std::vector<Token>::iterator>> blocks;
  const auto first_block = find(tokens.begin(), TokenType::FillInStart);
  // A block ends where the next begins, too: overlapping ones would make a short list of tokens a score without bounds.
  for (auto start = first_block; start != tokens.end();) {
    const auto next = find(start + 1, TokenType::FillInStart);
    blocks.emplace_back(start + 1, std::find_if(start + 1, next, [](const Token& t) { return t.type == TokenType::FillInEnd; }));
    start = next;
  }
  std::vector<Token> out;
  out.reserve(tokens.size());
  std::size_t next = 0;
  for (auto token = tokens.begin(); token != first_block; ++token) {
    if (token->type == TokenType::FillInPlaceholder && next < blocks.size()) {
      out.insert(out.end(), blocks[next].first, blocks[next].second);
      ++next;
    } else {
      out.push_back(*token);
    }
  }
  return out;
}

class Decoder {
 public:
  explicit Decoder(const Vocabulary& vocabulary)
      : vocabulary_(vocabulary), track_columns_(vocabulary.slots(Level::track).size()),
        bar_columns_(vocabulary.slots(Level::bar).size()) {
    out_.table.resolution = vocabulary.config().resolution;
    for (const Handler& row : kHandlers) handlers_[number(row.type)] = row.read;
  }

  Decoding run(const std::vector<Token>& tokens) {
    Token previous{TokenType::PieceStart, 0};
    for (const Token& token : tokens) {
      if (const auto read = handlers_[number(token.type)]) {
        (this->*read)(token.value, previous);
      } else {
        attribute(token);
      }
      previous = token;
    }
    out_.table.note_source.assign(out_.table.notes.size(), -1);
    return std::move(out_);
  }

 private:
  using Read = void (Decoder::*)(int value, const Token& previous);
  struct Handler {
    TokenType type;
    Read read;
  };
  static const std::array<Handler, 12> kHandlers;

  void track(int value, const Token&) {
    out_.table.tracks.push_back({static_cast<std::int32_t>(out_.table.bars.size()), 0, value == 1 ? 1 : 0});
    out_.track_attributes.insert(out_.track_attributes.end(), track_columns_, -1);
    in_track_ = true;
    in_bar_ = false;
    level_ = 0;
    clear_delta();
  }
  void instrument(int value, const Token&) {
    if (in_track_) out_.table.tracks.back().instrument = vocabulary_.instruments().program(value);
  }
  void track_end(int, const Token&) { in_track_ = in_bar_ = false; }

  void bar(int, const Token&) {
    time_ = 0;
    clear_delta();
    if (!in_track_) return;
    out_.table.bars.push_back({static_cast<std::int32_t>(out_.table.notes.size()), 4, 4, kBarUnfinished});
    out_.bar_attributes.insert(out_.bar_attributes.end(), bar_columns_, -1);
    in_bar_ = true;
  }
  void time_sig(int value, const Token&) {
    const auto [numerator, denominator] = vocabulary_.time_signature(value);
    if (!in_bar_) return;
    out_.table.bars.back().numerator = numerator;
    out_.table.bars.back().denominator = denominator;
  }
  void bar_end(int, const Token&) {
    if (!in_bar_) return;
    Bar& bar = out_.table.bars.back();
    bar.flags &= ~kBarUnfinished;
    // A stray note after the end stands on the next bar line, measured on the grid like every other time.
    time_ = static_cast<int>(bar_ticks(bar.numerator, bar.denominator, vocabulary_.config().resolution));
  }

  void position(int value, const Token&) {
    time_ = value;
    clear_delta();
  }
  void velocity_level(int value, const Token&) { level_ = value; }
  void delta_direction(int, const Token&) {
    delta_ = 0;
    delta_sign_ = -1;
  }
  void delta(int value, const Token&) {
    delta_ = static_cast<int>(std::clamp<std::int64_t>(std::int64_t{delta_} + delta_sign_ * value, -INT32_MAX, INT32_MAX));
  }
  void note_onset(int value, const Token&) {
    if (in_bar_ && is_drum()) add_note(value, 1);
  }
  void note_duration(int value, const Token& previous) {
    if (in_bar_ && !is_drum() && previous.type == TokenType::NoteOnset) add_note(previous.value, value + 1);
  }

  void add_note(int pitch_value, int duration) {
    out_.table.notes.push_back({time_, duration, pitch_value + vocabulary_.config().pitch_range.first,
                                vocabulary_.velocity_bins().velocity(level_), delta_});
    clear_delta();
  }

  // Bar slots count once the track's first bar has begun; a type may have a slot at both levels.
  void attribute(const Token& token) {
    if (!in_track_) return;
    const bool before_bars = static_cast<std::size_t>(out_.table.tracks.back().first_bar) == out_.table.bars.size();
    const int bar_slot = vocabulary_.slot(Level::bar, token.type);
    const int track_slot = vocabulary_.slot(Level::track, token.type);
    if (bar_slot >= 0 && in_bar_) {
      set(out_.bar_attributes, bar_columns_, bar_slot, token.value);
    } else if (track_slot >= 0 && (bar_slot < 0 || before_bars)) {
      set(out_.track_attributes, track_columns_, track_slot, token.value);
    }
  }
  static void set(std::vector<std::int16_t>& rows, std::size_t columns, int slot, int value) {
    rows[rows.size() - columns + static_cast<std::size_t>(slot)] = static_cast<std::int16_t>(value);
  }

  void clear_delta() {
    delta_ = 0;
    delta_sign_ = 1;
  }
  [[nodiscard]] bool is_drum() const { return out_.table.tracks.back().is_drum != 0; }

  const Vocabulary& vocabulary_;
  Decoding out_;
  std::size_t track_columns_;
  std::size_t bar_columns_;
  std::array<Read, kTokenTypeNumbers> handlers_{};
  bool in_track_ = false;
  bool in_bar_ = false;
  int time_ = 0;
  int level_ = 0;
  int delta_ = 0;
  int delta_sign_ = 1;
};

// Types without a row here are attributes, or say nothing about the score.
const std::array<Decoder::Handler, 12> Decoder::kHandlers = {{
    {TokenType::Track, &Decoder::track},
    {TokenType::Instrument, &Decoder::instrument},
    {TokenType::TrackEnd, &Decoder::track_end},
    {TokenType::Bar, &Decoder::bar},
    {TokenType::TimeSig, &Decoder::time_sig},
    {TokenType::BarEnd, &Decoder::bar_end},
    {TokenType::TimeAbsolutePos, &Decoder::position},
    {TokenType::VelocityLevel, &Decoder::velocity_level},
    {TokenType::DeltaDirection, &Decoder::delta_direction},
    {TokenType::Delta, &Decoder::delta},
    {TokenType::NoteOnset, &Decoder::note_onset},
    {TokenType::NoteDuration, &Decoder::note_duration},
}};

}  // namespace

Decoding decode(const Vocabulary& vocabulary, std::span<const TokenId> tokens, bool resample) {
  Decoding out = Decoder(vocabulary).run(with_fills_in_place(vocabulary, tokens));
  const EncoderConfig& config = vocabulary.config();
  if (resample) out.table = grid_table(out.table, config.decode_resolution, config.emit_delta_tokens);
  return out;
}

}  // namespace midigpt
