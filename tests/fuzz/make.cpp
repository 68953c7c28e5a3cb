#include "make.h"

#include <algorithm>
#include <span>

#include "error.h"

namespace midigpt::fuzz {
namespace {

constexpr TimeSignature kMetres[] = {{4, 4}, {3, 4}, {6, 8}, {2, 4}, {7, 8}, {9, 16}, {5, 4}, {12, 8}, {1, 4}, {4, 2}};
constexpr TokenType kAttributes[] = {TokenType::MinPolyphony, TokenType::MaxPolyphony, TokenType::MinNoteDuration, TokenType::MaxNoteDuration,
                                     TokenType::NoteDensity, TokenType::BarLevelOnsetPolyphonyMax, TokenType::TrackLevelPitchRangeMax,
                                     TokenType::KeySignature, TokenType::TrackLevelSilenceProportionMax, TokenType::TrackLevelNomml,
                                     TokenType::Tension, TokenType::TensionDrum, TokenType::BarLevelPitchClassSet,
                                     TokenType::BarLevelOnsetDensity, TokenType::BarLevelOnsetPolyphonyMin, TokenType::RestPercentage,
                                     TokenType::Repetition, TokenType::PitchClass};

TokenType any_type(Input& in) { return in.pick(kTokenTypes).type; }

std::string name(Input& in) {
  std::string text;
  for (int n = in.number(0, 5); n > 0; --n) text += static_cast<char>(in.byte());
  return text;
}

// In 0..usual; now and then anything above.
int amount(Input& in, int usual) { return in.one_in(128) ? std::max(0, in.any()) : in.number(0, usual); }

GenreGroups genres(Input& in) {
  GenreGroups groups;
  for (int n = in.number(0, 2); n > 0; --n) groups.push_back({name(in), {name(in), name(in)}});
  return groups;
}

}  // namespace

EncoderConfig tame_config(Input& in) {
  constexpr int resolutions[] = {12, 1, 2, 3, 4, 8, 24, 480};
  constexpr int levels[] = {32, 2, 3, 16, 127, 128, 129, 300};
  EncoderConfig config;
  config.resolution = in.pick(std::span(resolutions).first(7));  // a fine grid has a large vocabulary
  config.decode_resolution = in.pick(resolutions);
  if (in.one_in(4)) {
    const int lowest = in.number(0, 127);
    config.pitch_range = {lowest, in.number(lowest, 127)};
  }
  config.velocity_levels = in.pick(levels);
  config.note_duration_max_beats = in.number(1, 8);
  const std::uint8_t features = in.byte();
  config.emit_delta_tokens = (features & 1) != 0;
  config.supports_infill = (features & 2) == 0;
  config.supports_mask_bar_token = (features & 4) != 0;
  config.velocity_sticky = (features & 8) == 0;
  config.switchable_velocity = (features & 16) != 0;
  config.switchable_microtiming = (features & 32) != 0;
  for (int n = in.number(0, 4); n > 0; --n) config.time_signatures.push_back(in.pick(kMetres));
  for (int n = in.number(0, 3); n > 0; --n) config.num_bars_map.push_back(in.number(1, 8));
  for (int n = in.number(0, 2); n > 0; --n) config.instrument_merge_groups.push_back({in.number(0, 127), in.number(-1, 128), in.any()});
  config.genre_groups = genres(in);
  return config;
}

EncoderConfig wild_config(Input& in) {
  EncoderConfig config = tame_config(in);
  switch (in.byte() % 10) {
    case 0: config.resolution = in.any(); break;
    case 1: config.decode_resolution = in.any(); break;
    case 2: config.pitch_range = {in.any(), in.any()}; break;
    case 3: config.velocity_levels = in.any(); break;
    case 4: config.note_duration_max_beats = in.any(); break;
    case 5: config.time_signatures.push_back({in.any(), in.any()}); break;
    case 6: config.num_bars_map.push_back(in.any()); break;
    case 7: config.instrument_merge_groups.push_back({in.any(), in.any()}); break;
    default: break;
  }
  if (!in.one_in(3)) return config;
  // A list of its own: what follows from the fields with some rows left out, added or resized.
  if (in.flag()) {
    try {
      validate(config);
      config.token_domains = derived_domains(config);
    } catch (const EncoderConfigError&) {
    }
  }
  for (int n = in.number(0, 6); n > 0; --n) {
    if (!config.token_domains.empty() && in.flag()) {
      config.token_domains.erase(config.token_domains.begin() + in.number(0, static_cast<int>(config.token_domains.size()) - 1));
    } else {
      config.token_domains.emplace_back(any_type(in), in.one_in(8) ? in.any() : in.number(1, 140));
    }
  }
  return config;
}

TokenDomains attributes(Input& in) {
  TokenDomains domains;
  for (int n = in.number(0, 6); n > 0; --n) domains.emplace_back(in.pick(kAttributes), in.number(1, 12));
  return domains;
}

std::vector<std::pair<Level, TokenType>> optional_slots(Input& in) {
  std::vector<std::pair<Level, TokenType>> slots;
  for (int n = in.number(0, 3); n > 0; --n) slots.emplace_back(in.flag() ? Level::track : Level::bar, in.pick(kAttributes));
  return slots;
}

std::shared_ptr<const Vocabulary> tame_vocabulary(Input& in) {
  EncoderConfig config = tame_config(in);
  const TokenDomains appended = attributes(in);
  const auto slots = optional_slots(in);
  try {
    return std::make_shared<const Vocabulary>(std::move(config), appended, slots);
  } catch (const EncoderConfigError&) {  // for example 9/16 on a grid of one tick
    return nullptr;
  }
}

std::vector<Note> notes(Input& in, int resolution) {
  std::vector<Note> out;
  const int beat = std::max(1, std::min(resolution, 1 << 16));
  for (int n = in.number(0, 6); n > 0; --n) {
    Note note;
    note.onset_ticks = amount(in, 4 * beat);
    note.duration_ticks = amount(in, 5 * beat);
    note.pitch = in.number(0, 127);
    note.velocity = in.number(0, 127);
    if (in.one_in(4)) note.delta = in.one_in(8) ? std::max(in.any(), -std::numeric_limits<int>::max()) : in.number(-2 * beat, 2 * beat);
    out.push_back(note);
  }
  return out;
}

ScoreTable table(Input& in, const TimeSignatures& metres, int resolution) {
  ScoreTable out;
  out.resolution = resolution;
  if (in.one_in(8)) out.tempo = std::max(0, in.any());
  for (int n_tracks = in.number(0, 3); n_tracks > 0; --n_tracks) {
    out.tracks.push_back({static_cast<std::int32_t>(out.bars.size()), in.number(0, 127), in.number(0, 1)});
    for (int n_bars = in.number(0, 5); n_bars > 0; --n_bars) {
      TimeSignature metre{4, 4};
      if (!metres.empty()) metre = in.pick(metres);
      if (in.one_in(16)) metre = {in.number(0, kMaxMetre), in.number(0, kMaxMetre)};
      out.bars.push_back({static_cast<std::int32_t>(out.notes.size()), metre.first, metre.second, in.one_in(8) ? in.number(0, 3) : 0});
      const auto content = notes(in, resolution);
      out.notes.insert(out.notes.end(), content.begin(), content.end());
    }
  }
  out.note_source.assign(out.notes.size(), -1);
  out.validate();
  return out;
}

}  // namespace midigpt::fuzz
