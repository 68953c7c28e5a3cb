#include "score/note_matching.h"

#include <algorithm>
#include <array>
#include <map>

#include "score/table_edit.h"

namespace midigpt {
namespace {

using Values = std::array<std::int32_t, 5>;

Values values(const Note& note) { return {note.onset_ticks, note.duration_ticks, note.pitch, note.velocity, note.delta}; }

// Origin note row of each source event; -1 where an event is no visible note.
std::vector<std::int32_t> rows_by_source(const ScoreTable& origin) {
  std::vector<std::int32_t> rows;
  for (std::size_t i = 0; i < origin.note_source.size(); ++i) {
    const std::int32_t source = origin.note_source[i];
    if (source < 0) continue;
    if (static_cast<std::size_t>(source) >= rows.size()) rows.resize(static_cast<std::size_t>(source) + 1, -1);
    rows[static_cast<std::size_t>(source)] = static_cast<std::int32_t>(i);
  }
  return rows;
}

std::pair<std::size_t, std::size_t> track_note_rows(const ScoreTable& table, std::size_t track) {
  const auto first = static_cast<std::size_t>(table.tracks[track].first_bar);
  const std::size_t last = table.bars_end(track);
  if (first == last) return {0, 0};
  return {note_rows(table, first).first, note_rows(table, last - 1).second};
}

class Matcher {
 public:
  Matcher(const ScoreTable& origin, const ScoreTable& table) : origin_(origin), table_(table), row_of_source_(rows_by_source(origin)) {
    result_.origin_track.assign(table.tracks.size(), -1);
    result_.is_new.assign(table.notes.size(), true);
    result_.is_kept.assign(origin.notes.size(), false);
  }

  NoteMatching run() {
    match_tracks();
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      if (result_.origin_track[track] >= 0) match_bars(track, static_cast<std::size_t>(result_.origin_track[track]));
    }
    return std::move(result_);
  }

 private:
  std::int32_t origin_row(std::size_t note) const {
    const std::int32_t source = table_.note_source[note];
    return source >= 0 && static_cast<std::size_t>(source) < row_of_source_.size() ? row_of_source_[static_cast<std::size_t>(source)] : -1;
  }

  bool same_kind(std::size_t track, std::size_t origin_track) const {
    return table_.tracks[track].is_drum == origin_.tracks[origin_track].is_drum;
  }

  void match_tracks() {
    std::vector<std::int32_t> track_of_note(origin_.notes.size(), -1);
    for (std::size_t track = 0; track < origin_.tracks.size(); ++track) {
      const auto [first, last] = track_note_rows(origin_, track);
      std::fill(track_of_note.begin() + static_cast<std::ptrdiff_t>(first), track_of_note.begin() + static_cast<std::ptrdiff_t>(last),
                static_cast<std::int32_t>(track));
    }
    std::vector<bool> taken(origin_.tracks.size(), false);
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      std::map<std::size_t, std::size_t> votes;  // by origin track
      const auto [first, last] = track_note_rows(table_, track);
      for (std::size_t note = first; note < last; ++note) {
        if (const std::int32_t row = origin_row(note); row >= 0) ++votes[static_cast<std::size_t>(track_of_note[static_cast<std::size_t>(row)])];
      }
      std::erase_if(votes, [&](const auto& vote) { return taken[vote.first] || !same_kind(track, vote.first); });
      const auto best = std::ranges::max_element(votes, {}, &std::pair<const std::size_t, std::size_t>::second);
      if (best == votes.end()) continue;
      const std::size_t chosen = best->first;
      result_.origin_track[track] = static_cast<std::int32_t>(chosen);
      taken[chosen] = true;
    }
    for (std::size_t track = 0; track < std::min(table_.tracks.size(), origin_.tracks.size()); ++track) {
      if (result_.origin_track[track] >= 0 || taken[track] || !same_kind(track, track)) continue;
      result_.origin_track[track] = static_cast<std::int32_t>(track);
      taken[track] = true;
    }
  }

  void match_bars(std::size_t track, std::size_t origin_track) {
    const std::size_t n_bars = std::min(table_.track_bars(track).size(), origin_.track_bars(origin_track).size());
    for (std::size_t bar = 0; bar < n_bars; ++bar) {
      const auto mine = note_rows(table_, static_cast<std::size_t>(table_.tracks[track].first_bar) + bar);
      const auto theirs = note_rows(origin_, static_cast<std::size_t>(origin_.tracks[origin_track].first_bar) + bar);
      match_by_source(mine, theirs);
      match_by_value(mine, theirs);
    }
  }

  using Rows = std::pair<std::size_t, std::size_t>;

  void match_by_source(const Rows& mine, const Rows& theirs) {
    for (std::size_t note = mine.first; note < mine.second; ++note) {
      const std::int32_t row = origin_row(note);
      if (row < 0) continue;
      const auto old = static_cast<std::size_t>(row);
      if (old >= theirs.first && old < theirs.second && !result_.is_kept[old] && values(table_.notes[note]) == values(origin_.notes[old])) keep(note, old);
    }
  }

  void match_by_value(const Rows& mine, const Rows& theirs) {
    std::multimap<Values, std::size_t> free;  // equal notes stay in order
    for (std::size_t old = theirs.first; old < theirs.second; ++old) {
      if (!result_.is_kept[old]) free.emplace(values(origin_.notes[old]), old);
    }
    for (std::size_t note = mine.first; note < mine.second && !free.empty(); ++note) {
      if (!result_.is_new[note]) continue;
      const auto found = free.lower_bound(values(table_.notes[note]));
      if (found == free.end() || found->first != values(table_.notes[note])) continue;
      keep(note, found->second);
      free.erase(found);
    }
  }

  void keep(std::size_t note, std::size_t old) {
    result_.is_new[note] = false;
    result_.is_kept[old] = true;
  }

  const ScoreTable& origin_;
  const ScoreTable& table_;
  std::vector<std::int32_t> row_of_source_;
  NoteMatching result_;
};

}  // namespace

NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table) { return Matcher(origin, table).run(); }

}  // namespace midigpt
