#include "mask/sounding_limit.h"

#include <algorithm>

namespace midigpt {

SoundingLimit::SoundingLimit(const Prompt& prompt, int limit, int n_positions, int longest_note)
    : limit_(limit), longest_note_(longest_note), open_(static_cast<std::size_t>(std::max(1, n_positions)), 1) {
  const auto watch = [&](int track) {
    if (track < 0 || counts_.contains(track)) return;
    counts_[track] = {};
    for (const SoundingNote& note : prompt.tracks[static_cast<std::size_t>(track)].notes) add(track, note.start, note.end);
  };
  for (const FillBlock& block : prompt.blocks) watch(block.track);
  if (!prompt.infill) watch(prompt.place.track);
  look_at(prompt.place);
}

void SoundingLimit::add(int track, int start, int end) {
  auto& counts = counts_[track];
  if (counts.size() < static_cast<std::size_t>(end)) counts.resize(static_cast<std::size_t>(end), 0);
  for (int tick = start; tick < end; ++tick) ++counts[static_cast<std::size_t>(tick)];
}

int SoundingLimit::sounding(int track, int tick) const {
  const auto found = counts_.find(track);
  if (found == counts_.end() || static_cast<std::size_t>(tick) >= found->second.size()) return 0;
  return found->second[static_cast<std::size_t>(tick)];
}

int SoundingLimit::room(int track, int tick) const {
  int ticks = 0;
  while (ticks < longest_note_ && sounding(track, tick + ticks) < limit_) ++ticks;
  return ticks;
}

void SoundingLimit::look_at(const Place& place) {
  const int ticks = std::min(place.bar_ticks, static_cast<int>(open_.size()));
  for (int tick = 0; tick < ticks; ++tick) {
    open_[static_cast<std::size_t>(tick)] = sounding(place.track, place.bar_start + tick) < limit_ ? 1 : 0;
  }
}

void SoundingLimit::accept(const Token& token, const Place& after) {
  const int now = after.bar_start + after.position;
  if (token.type == TokenType::NoteOnset && after.is_drum) {
    add(after.track, now, now + 1);
  } else if (token.type == TokenType::NoteDuration) {
    add(after.track, now, now + token.value + 1);
  } else if (token.type != TokenType::FillInStart && token.type != TokenType::Bar && token.type != TokenType::TimeSig) {
    return;
  }
  look_at(after);
}

void SoundingLimit::restrict_to(const Place& place, LegalSet& legal) const {
  const bool may_begin = place.state == GrammarState::NoteDone || place.state == GrammarState::BarBody ||
                         place.state == GrammarState::FillBody;
  if (may_begin) {
    legal.filter(TokenType::TimeAbsolutePos, open_.data());
    if (sounding(place.track, place.bar_start + place.position) >= limit_) remove_note_entry(legal);
  } else if (place.state == GrammarState::Onset) {
    const int longest = room(place.track, place.bar_start + place.position);
    legal.narrow(TokenType::NoteDuration, 0, std::max(1, longest));
  }
}

}  // namespace midigpt
