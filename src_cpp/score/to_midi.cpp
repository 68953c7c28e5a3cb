#include "score/to_midi.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "error.h"
#include "midi/event_writer.h"
#include "midi/midi_file.h"
#include "score/channel_pool.h"
#include "score/meter.h"

namespace midigpt {
namespace {

// Order of events at one tick.
enum Rank { kAbout, kOff, kOn };

struct TimedEvent {
  std::int64_t tick = 0;
  Rank rank = kAbout;
  std::uint8_t status = 0;
  std::vector<std::uint8_t> data;
};

std::size_t longest_track(const ScoreTable& table) {
  std::size_t longest = 0;
  for (std::size_t track = 1; track < table.tracks.size(); ++track) {
    if (table.track_bars(track).size() > table.track_bars(longest).size()) longest = track;
  }
  return longest;
}

// Start tick of every bar of the longest track, and the end of the last.
std::vector<std::int64_t> bar_starts(const ScoreTable& table) {
  std::vector<std::int64_t> starts{0};
  double exact = 0.0;
  for (const Bar& bar : table.track_bars(longest_track(table))) {
    const bool unfinished = (bar.flags & kBarUnfinished) != 0;
    exact += unfinished ? 0.0 : table.resolution * bar_quarters(bar.numerator, bar.denominator);
    starts.push_back(std::llround(exact));
  }
  return starts;
}

void add_time_signatures(const ScoreTable& table, const std::vector<std::int64_t>& starts, std::vector<TimedEvent>& out) {
  const auto bars = table.track_bars(longest_track(table));
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const bool same = i > 0 && bars[i].numerator == bars[i - 1].numerator && bars[i].denominator == bars[i - 1].denominator;
    if (same || bars[i].numerator < 1 || bars[i].denominator < 1) continue;
    out.push_back({starts[i], kAbout, midi::kMeta, time_signature_data(bars[i].numerator, bars[i].denominator)});
  }
}

void add_notes(const ScoreTable& table, std::size_t track, const std::vector<std::int64_t>& starts, int channel, std::vector<TimedEvent>& out) {
  const auto first_bar = static_cast<std::size_t>(table.tracks[track].first_bar);
  for (std::size_t bar = 0; bar < table.track_bars(track).size(); ++bar) {
    for (const Note& note : table.bar_notes(first_bar + bar)) {
      const std::int64_t on = std::max<std::int64_t>(0, starts[bar] + std::llround(exact_onset(note, table.resolution)));
      const std::int64_t off = on + std::max(1, note.duration_ticks);
      const auto pitch = static_cast<std::uint8_t>(note.pitch);
      const auto velocity = static_cast<std::uint8_t>(std::max(1, note.velocity));  // velocity 0 would end the note
      out.push_back({on, kOn, static_cast<std::uint8_t>(midi::kNoteOn | channel), {pitch, velocity}});
      out.push_back({off, kOff, static_cast<std::uint8_t>(midi::kNoteOff | channel), {pitch, velocity}});
    }
  }
}

// Readers make bars as far as there is content; a repeated time signature keeps the empty ones at the end.
void keep_last_bar(const ScoreTable& table, const std::vector<std::int64_t>& starts, std::int64_t content_end, std::vector<TimedEvent>& about) {
  const auto bars = table.track_bars(longest_track(table));
  if (bars.empty()) return;
  const Bar& last = bars.back();
  const std::int64_t start = starts[bars.size() - 1];
  for (const TimedEvent& event : about) content_end = std::max(content_end, event.tick + (event.tick == start ? 1 : 0));
  if (start < content_end || last.numerator < 1 || last.denominator < 1) return;
  about.push_back({start, kAbout, midi::kMeta, time_signature_data(last.numerator, last.denominator)});
}

void write_track(EventWriter& writer, std::vector<TimedEvent> events) {
  std::ranges::stable_sort(events, [](const TimedEvent& a, const TimedEvent& b) { return a.tick != b.tick ? a.tick < b.tick : a.rank < b.rank; });
  writer.begin_track();
  for (const TimedEvent& event : events) writer.event(event.tick, event.status, event.data);
  writer.event(events.empty() ? 1 : events.back().tick + 1, midi::kMeta, meta_data(midi::kEndOfTrack, {}));
  writer.end_track();
}

}  // namespace

double exact_onset(const Note& note, std::int32_t resolution) {
  return static_cast<double>(note.onset_ticks) + static_cast<double>(note.delta) / static_cast<double>(resolution);
}

std::vector<std::uint8_t> write_midi(const ScoreTable& table, const std::vector<std::string>& names) {
  if (table.resolution > 0x7FFF) {
    throw ScoreError("a resolution of " + std::to_string(table.resolution) + " ticks per quarter note cannot be written; resample to 32767 or less");
  }
  const std::size_t n_chunks = std::max<std::size_t>(1, table.tracks.size());
  if (n_chunks > 0xFFFF) throw ScoreError("a MIDI file holds at most 65535 tracks");
  std::vector<std::vector<TimedEvent>> notes(table.tracks.size());
  std::vector<TimedEvent> about;  // the meta events of the piece
  const std::vector<Seat> seats = plain_seats(table);
  const bool has_ports = std::ranges::any_of(seats, [](const Seat& seat) { return seat.port > 0; });
  std::int64_t content_end = 0;
  if (!table.tracks.empty()) {
    const std::vector<std::int64_t> starts = bar_starts(table);
    for (std::size_t track = 0; track < table.tracks.size(); ++track) {
      add_notes(table, track, starts, seats[track].channel, notes[track]);
      for (const TimedEvent& event : notes[track]) content_end = std::max(content_end, event.tick);
    }
    add_time_signatures(table, starts, about);
    keep_last_bar(table, starts, content_end, about);
  }
  about.push_back({0, kAbout, midi::kMeta, tempo_data(table.tempo)});

  EventWriter writer(1, static_cast<int>(n_chunks), table.resolution, true);
  for (std::size_t track = 0; track < n_chunks; ++track) {
    std::vector<TimedEvent> events;
    if (track < names.size() && !names[track].empty()) events.push_back({0, kAbout, midi::kMeta, text_meta_data(midi::kTrackName, names[track])});
    if (track == 0) events.insert(events.end(), about.begin(), about.end());
    if (track < table.tracks.size()) {
      if (has_ports) events.push_back({0, kAbout, midi::kMeta, port_data(seats[track].port)});
      events.push_back({0, kAbout, static_cast<std::uint8_t>(midi::kProgram | seats[track].channel), {static_cast<std::uint8_t>(table.tracks[track].instrument)}});
      events.insert(events.end(), notes[track].begin(), notes[track].end());
    }
    write_track(writer, std::move(events));
  }
  return writer.take();
}

}  // namespace midigpt
