// Any encoder configuration -> vocabulary -> encode a table with any options.

#include "codec/decoder.h"
#include "codec/encoder.h"
#include "error.h"
#include "make.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

void check_vocabulary(const Vocabulary& vocabulary) {
  require(vocabulary.types().size() == static_cast<std::size_t>(vocabulary.size()) && vocabulary.values().size() == vocabulary.types().size(),
          "one type and one value per id");
  TokenId next = 0;
  for (const auto& [type, size] : vocabulary.domains()) {
    const TokenRange range = vocabulary.range(type);
    require(range.start == next && range.size() == size, "domains follow each other");
    require(vocabulary.decode(range.start) == Token{type, 0} && vocabulary.encode(type, size - 1) == range.end - 1, "ids and tokens agree");
    next = range.end;
  }
  require(next == vocabulary.size(), "the domains make up the vocabulary");
  for (int velocity = -1; velocity <= 128; ++velocity) {
    const int level = vocabulary.velocity_bins().level(velocity);
    require(0 <= level && level < vocabulary.velocity_bins().size(), "every velocity has a level");
    (void)vocabulary.velocity_bins().velocity(level);
  }
  for (int program = -1; program <= 128; ++program) {
    (void)vocabulary.instruments().program(vocabulary.instruments().value(program));
  }
}

EncodeOptions any_options(Input& in) {
  EncodeOptions options;
  const auto bars = [&] {
    std::vector<BarAddress> out;
    for (int n = in.number(0, 3); n > 0; --n) out.push_back({in.one_in(16) ? in.any() : in.number(0, 3), in.one_in(16) ? in.any() : in.number(0, 5)});
    return out;
  };
  if (in.one_in(4)) options.window_bars = in.any();
  if (in.flag()) options.multi_fill = bars();
  if (in.one_in(4)) {
    options.partial_track = in.one_in(8) ? in.any() : in.number(0, 3);
    options.partial_bars = in.one_in(8) ? in.any() : in.number(-1, 5);
  }
  if (in.one_in(4)) options.use_velocity = in.number(-1, 2);
  if (in.one_in(4)) options.use_microtiming = in.number(-1, 2);
  if (in.one_in(4)) options.genre = in.any();
  if (in.flag()) options.hidden_bars = bars();
  options.use_span_masks = in.flag();
  options.remove_future_bars = in.one_in(4);
  options.fill_sections = !in.flag();
  options.out_of_range = in.one_in(4) ? OutOfRange::error : OutOfRange::saturate;
  return options;
}

std::vector<std::int16_t> any_values(Input& in, std::size_t n) {
  std::vector<std::int16_t> values(n, -1);
  for (auto& value : values) {
    if (in.one_in(3)) value = static_cast<std::int16_t>(in.number(-1, 40));
  }
  if (n > 0 && in.one_in(16)) values.pop_back();
  return values;
}

void check_spans(const Vocabulary& vocabulary, const Encoding& encoding) {
  std::int32_t previous = 0;
  for (const TokenSpan& span : encoding.hidden_spans) {
    require(previous <= span.start && span.start < span.end && static_cast<std::size_t>(span.end) <= encoding.tokens.size(), "hidden spans ascend and lie in the sequence");
    require(vocabulary.decode(encoding.tokens[static_cast<std::size_t>(span.start)]).type == TokenType::Bar, "a hidden span begins with its bar");
    previous = span.end;
  }
}

}  // namespace

void config(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  try {
    const EncoderConfig fields = wild_config(in);
    const TokenDomains appended = attributes(in);
    const Vocabulary vocabulary(fields, appended, optional_slots(in));
    check_vocabulary(vocabulary);
    const ScoreTable score = table(in, fields.time_signatures, in.flag() ? fields.resolution : in.number(1, 1000));
    const EncodeOptions options = any_options(in);
    const std::size_t track_slots = vocabulary.slots(Level::track).size(), bar_slots = vocabulary.slots(Level::bar).size();
    const auto track_values = any_values(in, score.tracks.size() * track_slots);
    const auto bar_values = any_values(in, score.bars.size() * bar_slots);
    const Encoding encoding = encode(vocabulary, score, {track_values, track_slots}, {bar_values, bar_slots}, options);
    check_spans(vocabulary, encoding);
    const Decoding decoding = decode(vocabulary, encoding.tokens, in.flag());
    decoding.table.validate();
    if (vocabulary.has(TokenType::Track) && vocabulary.has(TokenType::TrackEnd)) {
      require(decoding.table.tracks.size() == score.tracks.size(), "every track is written");
    }
  } catch (const EncoderConfigError&) {
  } catch (const VocabularyError&) {
  } catch (const ScoreError&) {
  }
}

}  // namespace midigpt::fuzz
