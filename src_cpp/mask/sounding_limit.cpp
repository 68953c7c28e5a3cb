#include "mask/sounding_limit.h"

#include <algorithm>
#include <limits>

namespace midigpt {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

}  // namespace

SoundingLimit::SoundingLimit(const Prompt& prompt, std::vector<FillBlock> written, PerBlock limits, int n_positions, int longest_note)
    : written_(std::make_shared<const std::vector<FillBlock>>(std::move(written))),
      limits_(std::move(limits)),
      longest_note_(longest_note),
      open_(static_cast<std::size_t>(std::max(1, n_positions)), 1) {
  const auto watch = [&](int track) {
    if (track < 0 || sounding_.contains(track)) return;
    sounding_[track] = {};
    for (const SoundingNote& note : prompt.tracks[static_cast<std::size_t>(track)].notes) {
      add(sounding_, track, note.start, note.end, 1);
    }
  };
  for (const FillBlock& block : prompt.blocks) watch(block.track);
  if (!prompt.infill) watch(prompt.place.track);
  look_at(prompt.place);
}

void SoundingLimit::add(Counts& counts, int track, int start, int end, int notes) {
  auto& row = counts[track];
  if (row.size() < static_cast<std::size_t>(end)) row.resize(static_cast<std::size_t>(end), 0);
  for (int tick = start; tick < end; ++tick) {
    auto& n = row[static_cast<std::size_t>(tick)];
    n = static_cast<std::uint16_t>(std::min(n + notes, 0xFFFF));
  }
}

int SoundingLimit::count(const Counts& counts, int track, int tick) {
  const auto found = counts.find(track);
  if (found == counts.end() || static_cast<std::size_t>(tick) >= found->second.size()) return 0;
  return found->second[static_cast<std::size_t>(tick)];
}

void SoundingLimit::reserve(const Demand& demand) {
  if (demand.block < 0 || demand.block >= static_cast<int>(written_->size())) return;
  const FillBlock& block = (*written_)[static_cast<std::size_t>(demand.block)];
  if (demand.tick >= block.bar_ticks) return;
  const int tick = block.bar_start + demand.tick;
  const int more = demand.notes - count(reserved_, block.track, tick);
  if (more > 0) add(reserved_, block.track, tick, tick + 1, more);
}

int SoundingLimit::cap(int track, int tick, int own) const {
  int limit = own;
  if (limits_.each()) {
    for (std::size_t i = 0; i < written_->size(); ++i) {
      const FillBlock& block = (*written_)[i];
      if (block.track == track && tick >= block.bar_start && tick < block.bar_start + block.bar_ticks) limit = limits_.at(static_cast<int>(i));
    }
  }
  return limit > 0 ? limit : kNoLimit;
}

int SoundingLimit::room(const Place& place) const {
  const int now = place.bar_start + place.position;
  const int own = limits_.at(place.written());
  int ticks = 0;
  while (ticks < longest_note_) {
    const int tick = now + ticks;
    const int kept_free = ticks > 0 ? count(reserved_, place.track, tick) : 0;
    if (count(sounding_, place.track, tick) + kept_free >= cap(place.track, tick, own)) break;
    ++ticks;
  }
  return ticks;
}

void SoundingLimit::look_at(const Place& place) {
  const int own = limits_.at(place.written());
  const int ticks = std::min(place.bar_ticks, static_cast<int>(open_.size()));
  for (int tick = 0; tick < ticks; ++tick) {
    const bool open = own <= 0 || count(sounding_, place.track, place.bar_start + tick) < own;
    open_[static_cast<std::size_t>(tick)] = open ? 1 : 0;
  }
}

void SoundingLimit::accept(const Token& token, const Place& after) {
  const int now = after.bar_start + after.position;
  if (token.type == TokenType::NoteOnset && after.is_drum) {
    add(sounding_, after.track, now, now + 1, 1);
  } else if (token.type == TokenType::NoteDuration) {
    add(sounding_, after.track, now, now + token.value + 1, 1);
  } else if (token.type != TokenType::FillInStart && token.type != TokenType::Bar && token.type != TokenType::TimeSig) {
    return;
  }
  look_at(after);
}

void SoundingLimit::restrict_to(const Place& place, LegalSet& legal) const {
  if (between_notes(place)) {
    legal.filter(TokenType::TimeAbsolutePos, open_.data());
    const int own = limits_.at(place.written());
    if (own > 0 && count(sounding_, place.track, place.bar_start + place.position) >= own) remove_note_entry(legal);
  } else if (place.state == GrammarState::Onset) {
    legal.narrow(TokenType::NoteDuration, 0, std::max(1, room(place)));
  }
}

}  // namespace midigpt
