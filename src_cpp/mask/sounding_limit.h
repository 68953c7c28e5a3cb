#pragma once
// A hard cap on notes of a track that sound at the same time, notes ringing in from other bars included.

#include <map>
#include <vector>

#include "mask/constraint.h"
#include "mask/prompt.h"

namespace midigpt {

// A new note may begin only where fewer than `limit` notes sound, and is cut before it would meet `limit` others. Drum notes sound
// for one tick. Counts are per tick of the written tracks.
class SoundingLimit final : public Constraint {
 public:
  SoundingLimit(const Prompt& prompt, int limit, int n_positions, int longest_note);
  [[nodiscard]] std::string_view name() const override { return "limit on sounding notes"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<SoundingLimit>(*this); }
  void accept(const Token& token, const Place& after) override;
  void restrict_to(const Place& place, LegalSet& legal) const override;

 private:
  void add(int track, int start, int end);
  void look_at(const Place& place);
  [[nodiscard]] int sounding(int track, int tick) const;
  // Ticks from `tick` until `limit` notes sound, at most the longest note.
  [[nodiscard]] int room(int track, int tick) const;

  int limit_;
  int longest_note_;
  std::map<int, std::vector<std::uint16_t>> counts_;  // by track, per tick
  std::vector<std::uint8_t> open_;                    // per position of the current bar: may a note begin there
};

}  // namespace midigpt
