#include "score/note_matching.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "error.h"
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

bool are_of_one_kind(const Track& a, const Track& b) { return a.is_drum == b.is_drum; }

// Origin note row that a note came from, -1 for none.
std::int32_t origin_row(const ScoreTable& table, const std::vector<std::int32_t>& row_of_source, std::size_t note) {
  const std::int32_t source = table.note_source[note];
  return source >= 0 && static_cast<std::size_t>(source) < row_of_source.size() ? row_of_source[static_cast<std::size_t>(source)] : -1;
}

class TrackMatcher {
 public:
  TrackMatcher(const ScoreTable& origin, const ScoreTable& table, const std::vector<std::string>& origin_names, const std::vector<std::string>& names)
      : origin_(origin), table_(table), origin_names_(origin_names), names_(names), found_(table.tracks.size(), -1), taken_(origin.tracks.size(), false) {}

  std::vector<std::int32_t> run() {
    by_notes();
    if (!origin_names_.empty() || !names_.empty()) {
      const auto is_described = [this](std::size_t track, std::size_t old) { return same_name(track, old) && same_kind(track, old) && same_program(track, old); };
      by_place(is_described);
      in_order(is_described);
      in_order([this](std::size_t track, std::size_t old) { return !name_at(names_, track).empty() && same_name(track, old) && same_kind(track, old); });
    }
    by_place([this](std::size_t track, std::size_t old) { return same_kind(track, old); });
    return std::move(found_);
  }

 private:
  static const std::string& name_at(const std::vector<std::string>& names, std::size_t track) {
    static const std::string none;
    return track < names.size() ? names[track] : none;
  }

  bool same_name(std::size_t track, std::size_t old) const { return name_at(names_, track) == name_at(origin_names_, old); }
  bool same_kind(std::size_t track, std::size_t old) const { return are_of_one_kind(table_.tracks[track], origin_.tracks[old]); }
  bool same_program(std::size_t track, std::size_t old) const { return table_.tracks[track].instrument == origin_.tracks[old].instrument; }

  void take(std::size_t track, std::size_t old) {
    found_[track] = static_cast<std::int32_t>(old);
    taken_[old] = true;
  }

  void by_notes() {
    const std::vector<std::int32_t> row_of_source = rows_by_source(origin_);
    std::vector<std::size_t> track_of_note(origin_.notes.size(), 0);
    for (std::size_t track = 0; track < origin_.tracks.size(); ++track) {
      const auto [first, last] = track_note_rows(origin_, track);
      std::fill(track_of_note.begin() + static_cast<std::ptrdiff_t>(first), track_of_note.begin() + static_cast<std::ptrdiff_t>(last), track);
    }
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      std::map<std::size_t, std::size_t> votes;  // by origin track
      const auto [first, last] = track_note_rows(table_, track);
      for (std::size_t note = first; note < last; ++note) {
        if (const std::int32_t row = origin_row(table_, row_of_source, note); row >= 0) ++votes[track_of_note[static_cast<std::size_t>(row)]];
      }
      std::erase_if(votes, [&](const auto& vote) { return taken_[vote.first] || !same_kind(track, vote.first); });
      const auto best = std::ranges::max_element(votes, {}, &std::pair<const std::size_t, std::size_t>::second);
      if (best != votes.end()) take(track, best->first);
    }
  }

  template <typename Fits>
  void by_place(Fits fits) {
    for (std::size_t track = 0; track < std::min(table_.tracks.size(), origin_.tracks.size()); ++track) {
      if (found_[track] < 0 && !taken_[track] && fits(track, track)) take(track, track);
    }
  }

  template <typename Fits>
  void in_order(Fits fits) {
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      for (std::size_t old = 0; found_[track] < 0 && old < origin_.tracks.size(); ++old) {
        if (!taken_[old] && fits(track, old)) take(track, old);
      }
    }
  }

  const ScoreTable& origin_;
  const ScoreTable& table_;
  const std::vector<std::string>& origin_names_;
  const std::vector<std::string>& names_;
  std::vector<std::int32_t> found_;
  std::vector<bool> taken_;
};

void require_tracks(const ScoreTable& origin, const ScoreTable& table, const std::vector<std::int32_t>& origin_track) {
  const auto refuse = [](const std::string& what) { throw ScoreError("origin_tracks" + what); };
  if (origin_track.size() != table.tracks.size()) {
    refuse(" has " + std::to_string(origin_track.size()) + " entries for " + std::to_string(table.tracks.size()) + " tracks");
  }
  std::vector<bool> taken(origin.tracks.size(), false);
  for (std::size_t track = 0; track < origin_track.size(); ++track) {
    if (origin_track[track] == -1) continue;
    const std::string place = "[" + std::to_string(track) + "] is " + std::to_string(origin_track[track]);
    const auto old = static_cast<std::size_t>(origin_track[track]);
    if (origin_track[track] < 0 || old >= taken.size()) refuse(place + "; allowed: -1.." + std::to_string(static_cast<std::int64_t>(taken.size()) - 1));
    if (taken[old]) refuse(place + ", which another track is already");
    if (!are_of_one_kind(table.tracks[track], origin.tracks[old])) refuse(place + ", and one of the two is a drum track");
    taken[old] = true;
  }
}

class Matcher {
 public:
  Matcher(const ScoreTable& origin, const ScoreTable& table, std::vector<std::int32_t> origin_track)
      : origin_(origin), table_(table), row_of_source_(rows_by_source(origin)) {
    require_tracks(origin, table, origin_track);
    result_.origin_track = std::move(origin_track);
    result_.is_new.assign(table.notes.size(), true);
    result_.is_kept.assign(origin.notes.size(), false);
  }

  NoteMatching run() {
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      if (result_.origin_track[track] >= 0) match_bars(track, static_cast<std::size_t>(result_.origin_track[track]));
    }
    return std::move(result_);
  }

 private:
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
      const std::int32_t row = origin_row(table_, row_of_source_, note);
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

std::vector<std::int32_t> match_tracks(const ScoreTable& origin, const ScoreTable& table, const std::vector<std::string>& origin_names,
                                       const std::vector<std::string>& names) {
  return TrackMatcher(origin, table, origin_names, names).run();
}

NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table, std::vector<std::int32_t> origin_track) {
  return Matcher(origin, table, std::move(origin_track)).run();
}

NoteMatching match_notes(const ScoreTable& origin, const ScoreTable& table) { return match_notes(origin, table, match_tracks(origin, table)); }

}  // namespace midigpt
