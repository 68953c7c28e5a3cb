#pragma once
// A hard cap on notes of a track that sound at the same time, notes ringing in from other bars included.

#include <map>
#include <vector>

#include "mask/constraint.h"
#include "mask/per_block.h"
#include "mask/prompt.h"

namespace midigpt {

// A new note may begin only where fewer notes sound than the limit of its bar allows, and is cut before it would meet that many
// others: in the bars being written by their own limits, elsewhere by that of the note's bar. Room for the notes that other
// constraints demand is kept free. Drum notes sound for one tick. Counts are per tick of the written tracks.
class SoundingLimit final : public Constraint {
 public:
  // `written`: the bars to be written, in order, as far as their place in time is known.
  SoundingLimit(const Prompt& prompt, std::vector<FillBlock> written, PerBlock limits, int n_positions, int longest_note);
  [[nodiscard]] std::string_view name() const override { return "limit on sounding notes"; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return std::make_unique<SoundingLimit>(*this); }
  void accept(const Token& token, const Place& after) override;
  void restrict_to(const Place& place, LegalSet& legal) const override;
  [[nodiscard]] bool may_silence() const override { return true; }
  void reserve(const Demand& demand) override;

 private:
  using Counts = std::map<int, std::vector<std::uint16_t>>;  // by track, per tick

  static void add(Counts& counts, int track, int start, int end, int notes);
  [[nodiscard]] static int count(const Counts& counts, int track, int tick);
  void look_at(const Place& place);
  // Most notes that may sound at a tick, for a note of a bar with the limit `own`.
  [[nodiscard]] int cap(int track, int tick, int own) const;
  // Longest note, in ticks, that may begin here.
  [[nodiscard]] int room(const Place& place) const;

  std::shared_ptr<const std::vector<FillBlock>> written_;
  PerBlock limits_;
  int longest_note_;
  Counts sounding_;
  Counts reserved_;
  std::vector<std::uint8_t> open_;  // per position of the current bar: may a note begin there
};

}  // namespace midigpt
