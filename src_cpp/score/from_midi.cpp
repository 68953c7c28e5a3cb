#include "score/from_midi.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "error.h"

namespace midigpt {
namespace {

constexpr std::size_t kMaxBars = 1 << 20;      // of a piece; more come only from damaged files
constexpr std::size_t kMaxBarRows = 1 << 22;   // of all tracks together
constexpr int kLyricChannel = 15;
constexpr int kKeys = 16 * 128;

struct Signature {
  std::int64_t tick = 0;
  std::int32_t numerator = 4;
  std::int32_t denominator = 4;
};

struct RawNote {
  std::uint32_t on_event = 0;
  std::int32_t off_event = -1;
  std::int32_t next_open = -1;  // next open note of the same channel and pitch
};

struct RawTrack {
  SourceTrack source;
  bool exists = false;       // a note-on or a lyric made it
  bool has_content = false;  // a note-on, a non-empty lyric, a controller or a pitch bend
  std::vector<RawNote> notes;
};

bool data_in_range(const MidiFile& file, const MidiEvent& event) {
  return std::ranges::all_of(file.data(event), [](std::uint8_t byte) { return byte < 0x80; });
}

// Splits one chunk at a time into raw tracks and pairs its notes.
class ChunkSplitter {
 public:
  ChunkSplitter(const MidiFile& file, std::vector<std::int32_t>& partner) : file_(file), partner_(partner), first_open_(kKeys, -1), last_open_(kKeys, -1) {}

  // The chunk's raw tracks that are kept, in ascending order of channel and program.
  std::vector<RawTrack> split(std::size_t chunk) {
    programs_.fill(0);
    tracks_.clear();
    notes_.clear();
    const MidiChunk& range = file_.chunks[file_.track_chunks[chunk]];
    for (std::uint32_t i = range.first_event; i < range.first_event + range.n_events; ++i) take(i);
    for (const auto& [note, track] : notes_) {
      first_open_[key_of(note.on_event)] = last_open_[key_of(note.on_event)] = -1;
      track->notes.push_back(note);
    }
    std::vector<RawTrack> kept;
    for (auto& [key, track] : tracks_) {
      if (track.exists && track.has_content) kept.push_back(std::move(track));
    }
    return kept;
  }

 private:
  std::size_t key_of(std::uint32_t event) const {
    return static_cast<std::size_t>(file_.events[event].channel()) * 128 + file_.data(file_.events[event])[0];
  }

  RawTrack& track(int channel, std::uint32_t chunk) {
    const int program = programs_[static_cast<std::size_t>(channel)];
    RawTrack& found = tracks_[channel * 128 + program];
    found.source = {chunk, channel, program};
    return found;
  }

  void take(std::uint32_t index) {
    const MidiEvent& event = file_.events[index];
    if (file_.is_meta(event, midi::kLyric)) {
      RawTrack& lyrics = track(kLyricChannel, event.chunk);
      lyrics.exists = true;
      lyrics.has_content |= !file_.meta_payload(event).empty();
    }
    if (!event.is_channel() || !data_in_range(file_, event)) return;
    if (starts_note(file_, event)) {
      open(index, track(event.channel(), event.chunk));
    } else if (ends_note(file_, event)) {
      close(index);
    } else if (event.kind() == midi::kProgram) {
      programs_[static_cast<std::size_t>(event.channel())] = file_.data(event)[0];
    } else if (event.kind() == midi::kController || event.kind() == midi::kPitchBend) {
      track(event.channel(), event.chunk).has_content = true;
    }
  }

  void open(std::uint32_t index, RawTrack& track) {
    track.exists = track.has_content = true;
    const auto note = static_cast<std::int32_t>(notes_.size());
    notes_.push_back({{index, -1, -1}, &track});
    const std::size_t key = key_of(index);
    if (last_open_[key] >= 0) {
      notes_[static_cast<std::size_t>(last_open_[key])].first.next_open = note;
    } else {
      first_open_[key] = note;
    }
    last_open_[key] = note;
  }

  void close(std::uint32_t index) {
    const std::size_t key = key_of(index);
    if (first_open_[key] < 0) return;
    RawNote& oldest = notes_[static_cast<std::size_t>(first_open_[key])].first;
    oldest.off_event = static_cast<std::int32_t>(index);
    partner_[oldest.on_event] = oldest.off_event;
    partner_[index] = static_cast<std::int32_t>(oldest.on_event);
    first_open_[key] = oldest.next_open;
    if (first_open_[key] < 0) last_open_[key] = -1;
  }

  const MidiFile& file_;
  std::vector<std::int32_t>& partner_;
  std::array<int, 16> programs_{};
  std::map<int, RawTrack> tracks_;                    // by channel * 128 + program; pointers into a map stay valid
  std::vector<std::pair<RawNote, RawTrack*>> notes_;  // in order of the note-on events
  std::vector<std::int32_t> first_open_, last_open_;  // by channel * 128 + pitch: the queue of open notes
};

std::vector<Signature> signatures_of(const MidiFile& file) {
  std::vector<Signature> found;
  for (const MidiEvent& event : file.events) {
    if (!file.is_meta(event, midi::kTimeSignature)) continue;
    const auto payload = file.meta_payload(event);
    if (payload.size() < 2 || payload[1] > 7) continue;
    found.push_back({event.tick, payload[0], 1 << payload[1]});
  }
  std::ranges::stable_sort(found, {}, &Signature::tick);
  std::vector<Signature> last_of_tick;
  for (const Signature& signature : found) {
    if (!last_of_tick.empty() && last_of_tick.back().tick == signature.tick) last_of_tick.pop_back();
    last_of_tick.push_back(signature);
  }
  if (last_of_tick.empty() || last_of_tick.front().tick > 0) last_of_tick.insert(last_of_tick.begin(), Signature{});
  return last_of_tick;
}

void add_bars(std::vector<FileBar>& bars, const Signature& signature, std::int64_t until, bool at_least_one, std::int64_t ticks_per_quarter) {
  const std::int64_t length = file_bar_ticks(signature.numerator, signature.denominator, ticks_per_quarter);
  if (length == 0) return;
  const auto n = static_cast<std::size_t>(std::max<std::int64_t>((until - signature.tick + length - 1) / length, at_least_one ? 1 : 0));
  if (bars.size() + n > kMaxBars) {
    throw ScoreError("the piece would have more than " + std::to_string(kMaxBars) + " bars; is the file damaged?");
  }
  for (std::size_t i = 0; i < n; ++i) {
    bars.push_back({signature.tick + static_cast<std::int64_t>(i) * length, length, signature.numerator, signature.denominator});
  }
}

std::vector<FileBar> bar_grid(std::vector<Signature> signatures, std::int64_t content_end, std::int64_t ticks_per_quarter) {
  content_end = std::max(content_end, signatures.back().tick);
  std::vector<FileBar> bars;
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const bool last = i + 1 == signatures.size();
    add_bars(bars, signatures[i], last ? content_end : signatures[i + 1].tick, last, ticks_per_quarter);
  }
  // Signatures that make no bars at all (0/4, or bars shorter than a tick) cannot be meant: take 4/4.
  if (bars.empty()) add_bars(bars, Signature{}, content_end, true, ticks_per_quarter);
  return bars;
}

std::int64_t end_of_notes(const MidiFile& file, const std::vector<std::int32_t>& partner) {
  std::int64_t end = 0;
  for (std::size_t i = 0; i < file.events.size(); ++i) {
    if (partner[i] >= 0) end = std::max(end, file.events[i].tick);
  }
  return end;
}

// Places notes on the bar grid of one reading.
class NotePlacer {
 public:
  NotePlacer(const MidiFile& file, const std::vector<FileBar>& bars, std::int32_t resolution)
      : file_(file), bars_(bars), nominal_(nominal_bar_starts(bars, resolution, file.ticks_per_quarter)), resolution_(resolution) {}

  // Appends a track with the given notes.
  void place(const RawTrack& track, ScoreTable& table) const {
    table.tracks.push_back({static_cast<std::int32_t>(table.bars.size()), track.source.program, track.source.channel == midi::kDrumChannel ? 1 : 0});
    std::size_t bar = 0;
    const auto open_bars = [&](std::size_t until) {  // every bar up to and with `until` starts at the next note
      for (; bar <= until && bar < bars_.size(); ++bar) {
        table.bars.push_back({static_cast<std::int32_t>(table.notes.size()), bars_[bar].numerator, bars_[bar].denominator, 0});
      }
    };
    for (const RawNote& note : track.notes) {
      if (note.off_event < 0) continue;
      const std::int64_t tick = file_.events[note.on_event].tick;
      const std::size_t holder = bar_at(bars_, tick);
      open_bars(holder);
      append(note, holder, table);
    }
    open_bars(bars_.size());
  }

 private:
  double scaled(std::int64_t ticks) const {
    return static_cast<double>(ticks) / static_cast<double>(file_.ticks_per_quarter) * static_cast<double>(resolution_);
  }

  void append(const RawNote& note, std::size_t bar, ScoreTable& table) const {
    const MidiEvent& on = file_.events[note.on_event];
    const MidiEvent& off = file_.events[static_cast<std::size_t>(note.off_event)];
    const double exact = scaled(on.tick - bars_[bar].start_tick);
    std::int64_t onset = std::llround(exact);
    const double bar_length =
        static_cast<double>(resolution_) * static_cast<double>(bars_[bar].length_ticks) / static_cast<double>(file_.ticks_per_quarter);
    if (onset >= std::llround(bar_length)) return;  // it rounds onto the next bar line
    onset = std::max<std::int64_t>(onset, 0);
    const std::size_t end_bar = bar_at(bars_, off.tick);
    const std::int64_t end = std::llround(nominal_[end_bar]) + std::llround(scaled(off.tick - bars_[end_bar].start_tick));
    const std::int64_t duration = std::max<std::int64_t>(1, end - (std::llround(nominal_[bar]) + onset));
    if (duration > INT32_MAX || onset > INT32_MAX) {
      throw ScoreError("the note at MIDI byte " + std::to_string(on.offset) + " is too long or too late in its bar");
    }
    const auto delta = std::llround((exact - std::round(exact)) * static_cast<double>(resolution_));
    table.notes.push_back({static_cast<std::int32_t>(onset), static_cast<std::int32_t>(duration), file_.data(on)[0], file_.data(on)[1],
                           static_cast<std::int32_t>(delta)});
    table.note_source.push_back(static_cast<std::int32_t>(note.on_event));
  }

  const MidiFile& file_;
  const std::vector<FileBar>& bars_;
  std::vector<double> nominal_;
  std::int32_t resolution_;
};

bool is_tempo(const MidiFile& file, const MidiEvent& event) {
  return file.is_meta(event, midi::kTempo) && file.meta_payload(event).size() >= 3;
}

std::int32_t tempo_of(const MidiFile& file, const MidiEvent& event) {
  const auto payload = file.meta_payload(event);
  return payload[0] << 16 | payload[1] << 8 | payload[2];
}

// The first tempo event in time (the first in the file of several), or -1.
std::int64_t first_tempo(const MidiFile& file) {
  std::int64_t first = -1;
  for (std::size_t i = 0; i < file.events.size(); ++i) {
    if (!is_tempo(file, file.events[i])) continue;
    if (first < 0 || file.events[i].tick < file.events[static_cast<std::size_t>(first)].tick) first = static_cast<std::int64_t>(i);
  }
  return first;
}

}  // namespace

bool starts_note(const MidiFile& file, const MidiEvent& event) {
  return event.kind() == midi::kNoteOn && event.is_channel() && data_in_range(file, event) && file.data(event)[1] > 0;
}

bool ends_note(const MidiFile& file, const MidiEvent& event) {
  if (!event.is_channel() || (event.kind() != midi::kNoteOff && event.kind() != midi::kNoteOn)) return false;
  return data_in_range(file, event) && (event.kind() == midi::kNoteOff || file.data(event)[1] == 0);
}

std::vector<std::pair<std::int64_t, std::int32_t>> tempo_changes(const MidiFile& file) {
  std::vector<std::pair<std::int64_t, std::int32_t>> changes;
  for (const MidiEvent& event : file.events) {
    if (is_tempo(file, event)) changes.emplace_back(event.tick, tempo_of(file, event));
  }
  std::ranges::stable_sort(changes, {}, &std::pair<std::int64_t, std::int32_t>::first);
  return changes;
}

std::vector<double> nominal_bar_starts(const std::vector<FileBar>& bars, std::int32_t resolution, int ticks_per_quarter) {
  std::vector<double> starts{0.0};
  for (const FileBar& bar : bars) {
    starts.push_back(starts.back() + static_cast<double>(resolution) * static_cast<double>(bar.length_ticks) / static_cast<double>(ticks_per_quarter));
  }
  return starts;
}

std::size_t bar_at(const std::vector<FileBar>& bars, std::int64_t tick) {
  const auto after = std::ranges::upper_bound(bars, tick, {}, &FileBar::start_tick);
  return after == bars.begin() ? 0 : static_cast<std::size_t>(after - bars.begin()) - 1;
}

MidiReading read_score(const MidiFile& file, std::int32_t resolution) {
  require_resolution(resolution);
  MidiReading reading;
  reading.partner.assign(file.events.size(), -1);
  std::vector<RawTrack> raw_tracks;
  ChunkSplitter splitter(file, reading.partner);
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) {
    for (RawTrack& track : splitter.split(chunk)) raw_tracks.push_back(std::move(track));
  }
  reading.bars = bar_grid(signatures_of(file), end_of_notes(file, reading.partner), file.ticks_per_quarter);
  if (reading.bars.size() * raw_tracks.size() > kMaxBarRows) {
    throw ScoreError(std::to_string(raw_tracks.size()) + " tracks of " + std::to_string(reading.bars.size()) + " bars are too many; is the file damaged?");
  }
  reading.table.resolution = resolution;
  reading.first_tempo_event = first_tempo(file);
  if (reading.first_tempo_event >= 0) {
    reading.table.tempo = tempo_of(file, file.events[static_cast<std::size_t>(reading.first_tempo_event)]);
  }
  for (const RawTrack& track : raw_tracks) {
    reading.n_unended_notes += static_cast<std::size_t>(std::ranges::count(track.notes, -1, &RawNote::off_event));
  }
  const NotePlacer placer(file, reading.bars, resolution);
  for (const RawTrack& track : raw_tracks) {
    placer.place(track, reading.table);
    reading.tracks.push_back(track.source);
  }
  return reading;
}

}  // namespace midigpt
