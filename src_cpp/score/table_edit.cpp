#include "score/table_edit.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace midigpt {
namespace {

void require_track(const ScoreTable& table, std::int32_t track) {
  if (track < 0 || static_cast<std::size_t>(track) >= table.tracks.size()) {
    throw ScoreError("track " + std::to_string(track) + " does not exist; the score has " + std::to_string(table.tracks.size()) + " tracks");
  }
}

ScoreTable empty_like(const ScoreTable& table) {
  ScoreTable out;
  out.resolution = table.resolution;
  out.tempo = table.tempo;
  return out;
}

// Appends a copy of a bar and its notes.
void append_bar(ScoreTable& out, const ScoreTable& from, std::size_t bar) {
  const auto [first, last] = note_rows(from, bar);
  Bar copy = from.bars[bar];
  copy.first_note = static_cast<std::int32_t>(out.notes.size());
  out.bars.push_back(copy);
  out.notes.insert(out.notes.end(), from.notes.begin() + static_cast<std::ptrdiff_t>(first), from.notes.begin() + static_cast<std::ptrdiff_t>(last));
  out.note_source.insert(out.note_source.end(), from.note_source.begin() + static_cast<std::ptrdiff_t>(first),
                         from.note_source.begin() + static_cast<std::ptrdiff_t>(last));
}

void append_empty_bar(ScoreTable& out, std::int32_t numerator, std::int32_t denominator) {
  out.bars.push_back({static_cast<std::int32_t>(out.notes.size()), numerator, denominator, 0});
}

void append_track(ScoreTable& out, Track track) {
  track.first_bar = static_cast<std::int32_t>(out.bars.size());
  out.tracks.push_back(track);
}

std::int32_t scaled(std::int32_t ticks, double scale) {
  const double value = std::nearbyint(static_cast<double>(ticks) * scale);  // halves to even, as the resampling rule asks
  if (value > static_cast<double>(INT32_MAX)) throw ScoreError("a note's time of " + std::to_string(ticks) + " ticks does not fit the new resolution");
  return static_cast<std::int32_t>(value);
}

}  // namespace

std::pair<std::size_t, std::size_t> note_rows(const ScoreTable& table, std::size_t bar) {
  const auto first = static_cast<std::size_t>(table.bars[bar].first_note);
  const auto last = bar + 1 < table.bars.size() ? static_cast<std::size_t>(table.bars[bar + 1].first_note) : table.notes.size();
  return {first, last};
}

std::size_t bar_row(const ScoreTable& table, Cell cell) {
  require_track(table, cell.track);
  const auto track = static_cast<std::size_t>(cell.track);
  const std::size_t n_bars = table.track_bars(track).size();
  if (cell.bar < 0 || static_cast<std::size_t>(cell.bar) >= n_bars) {
    throw ScoreError("track " + std::to_string(cell.track) + " has no bar " + std::to_string(cell.bar) + "; it has " + std::to_string(n_bars) + " bars");
  }
  return static_cast<std::size_t>(table.tracks[track].first_bar) + static_cast<std::size_t>(cell.bar);
}

ScoreTable window(const ScoreTable& table, std::span<const std::int32_t> tracks, std::int32_t start_bar, std::int32_t end_bar) {
  if (start_bar < 0 || end_bar < start_bar) {
    throw ScoreError("bars " + std::to_string(start_bar) + ".." + std::to_string(end_bar) + " are not a window");
  }
  ScoreTable out = empty_like(table);
  for (const std::int32_t track : tracks) {
    require_track(table, track);
    const auto index = static_cast<std::size_t>(track);
    append_track(out, table.tracks[index]);
    const auto first = static_cast<std::size_t>(table.tracks[index].first_bar);
    const std::size_t begin = first + static_cast<std::size_t>(start_bar);
    const std::size_t end = std::min(first + static_cast<std::size_t>(end_bar), table.bars_end(index));
    for (std::size_t bar = begin; bar < end; ++bar) append_bar(out, table, bar);
  }
  return out;
}

ScoreTable replaced(const ScoreTable& table, std::span<const Cell> cells, std::span<const std::vector<Note>> notes) {
  if (cells.size() != notes.size()) {
    throw ScoreError(std::to_string(cells.size()) + " cells but " + std::to_string(notes.size()) + " lists of notes");
  }
  std::vector<const std::vector<Note>*> fresh(table.bars.size(), nullptr);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t bar = bar_row(table, cells[i]);
    if (fresh[bar] != nullptr) {
      throw ScoreError("bar " + std::to_string(cells[i].bar) + " of track " + std::to_string(cells[i].track) + " is named twice");
    }
    fresh[bar] = &notes[i];
  }
  ScoreTable out = empty_like(table);
  out.tracks = table.tracks;
  out.bars.reserve(table.bars.size());
  for (std::size_t bar = 0; bar < table.bars.size(); ++bar) {
    if (fresh[bar] == nullptr) {
      append_bar(out, table, bar);
      continue;
    }
    Bar copy = table.bars[bar];
    copy.first_note = static_cast<std::int32_t>(out.notes.size());
    out.bars.push_back(copy);
    out.notes.insert(out.notes.end(), fresh[bar]->begin(), fresh[bar]->end());
    out.note_source.insert(out.note_source.end(), fresh[bar]->size(), -1);
  }
  out.validate();
  return out;
}

ScoreTable with_bars(const ScoreTable& table, std::int32_t track, std::span<const Metre> metres) {
  require_track(table, track);
  ScoreTable out = empty_like(table);
  for (std::size_t index = 0; index < table.tracks.size(); ++index) {
    append_track(out, table.tracks[index]);
    for (auto bar = static_cast<std::size_t>(table.tracks[index].first_bar); bar < table.bars_end(index); ++bar) append_bar(out, table, bar);
    if (index != static_cast<std::size_t>(track)) continue;
    for (const Metre& metre : metres) append_empty_bar(out, metre.numerator, metre.denominator);
  }
  out.validate();
  return out;
}

ScoreTable with_track(const ScoreTable& table, std::int32_t instrument, bool is_drum) {
  ScoreTable out = table;
  append_track(out, {0, instrument, is_drum ? 1 : 0});
  if (!table.tracks.empty()) {
    for (const Bar& bar : table.track_bars(0)) append_empty_bar(out, bar.numerator, bar.denominator);
  }
  out.validate();
  return out;
}

ScoreTable resampled(const ScoreTable& table, std::int32_t resolution) {
  require_resolution(resolution);
  ScoreTable out = table;
  if (resolution == table.resolution) return out;
  out.resolution = resolution;
  const double scale = static_cast<double>(resolution) / static_cast<double>(table.resolution);
  for (Note& note : out.notes) {
    note.onset_ticks = scaled(note.onset_ticks, scale);
    note.duration_ticks = std::max(1, scaled(note.duration_ticks, scale));
  }
  return out;
}

bool same_as(const ScoreTable& a, const ScoreTable& b) {
  const auto same_note = [](const Note& x, const Note& y) {
    return x.onset_ticks == y.onset_ticks && x.duration_ticks == y.duration_ticks && x.pitch == y.pitch && x.velocity == y.velocity && x.delta == y.delta;
  };
  const auto same_bar = [](const Bar& x, const Bar& y) {
    return x.first_note == y.first_note && x.numerator == y.numerator && x.denominator == y.denominator && x.flags == y.flags;
  };
  const auto same_track = [](const Track& x, const Track& y) {
    return x.first_bar == y.first_bar && x.instrument == y.instrument && x.is_drum == y.is_drum;
  };
  return a.resolution == b.resolution && a.tempo == b.tempo && std::ranges::equal(a.tracks, b.tracks, same_track) &&
         std::ranges::equal(a.bars, b.bars, same_bar) && std::ranges::equal(a.notes, b.notes, same_note);
}

}  // namespace midigpt
