#include "score/rewrite_midi.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "error.h"
#include "midi/event_writer.h"
#include "score/channel_pool.h"
#include "score/chunk_edit.h"
#include "score/gestures.h"
#include "score/note_matching.h"
#include "score/table_edit.h"
#include "score/to_midi.h"

namespace midigpt {
namespace {

// A track that the file does not have.
struct NewTrack {
  Seat seat;
  int program = 0;
  std::string name;
  std::vector<FileNote> notes;
};

std::span<const Bar> longest_bars(const ScoreTable& table) {
  std::span<const Bar> longest;
  for (std::size_t track = 0; track < table.tracks.size(); ++track) {
    if (table.track_bars(track).size() > longest.size()) longest = table.track_bars(track);
  }
  return longest;
}

// The file's bars, and those of the table past their end.
std::vector<FileBar> extended_bars(const MidiReading& reading, const ScoreTable& table, int ticks_per_quarter) {
  std::vector<FileBar> bars = reading.bars;
  const auto wanted = longest_bars(table);
  for (std::size_t i = bars.size(); i < wanted.size(); ++i) {
    const std::int64_t start = bars.empty() ? 0 : bars.back().start_tick + bars.back().length_ticks;
    bars.push_back({start, file_bar_ticks(wanted[i].numerator, wanted[i].denominator, ticks_per_quarter), wanted[i].numerator, wanted[i].denominator});
  }
  return bars;
}

// Where notes of the table stand in the file.
class FileClock {
 public:
  FileClock(std::vector<FileBar> bars, std::int32_t resolution, int ticks_per_quarter)
      : bars_(std::move(bars)), resolution_(resolution), ticks_per_quarter_(ticks_per_quarter) {
    for (const double start : nominal_bar_starts(bars_, resolution, ticks_per_quarter)) nominal_.push_back(std::llround(start));
  }

  [[nodiscard]] const std::vector<FileBar>& bars() const { return bars_; }

  // Where the next bar starts, which may be before the bar's length is over.
  [[nodiscard]] std::int64_t end_of_bar(std::size_t bar) const {
    return bar + 1 < bars_.size() ? bars_[bar + 1].start_tick : bars_[bar].start_tick + bars_[bar].length_ticks;
  }

  // Nothing when the note starts after the end of its bar in the file.
  [[nodiscard]] std::optional<FileNote> place(const Note& note, std::size_t bar) const {
    const double exact = file_ticks(exact_onset(note, resolution_));
    const std::int64_t length = end_of_bar(bar) - bars_[bar].start_tick;
    if (exact >= static_cast<double>(length)) return std::nullopt;
    FileNote placed;
    placed.on_tick = bars_[bar].start_tick + std::clamp<std::int64_t>(std::llround(exact), 0, length - 1);
    placed.off_tick = std::max(placed.on_tick + 1, end_tick(nominal_[bar] + note.onset_ticks + note.duration_ticks));
    placed.pitch = static_cast<std::uint8_t>(note.pitch);
    placed.velocity = static_cast<std::uint8_t>(std::max(1, note.velocity));  // velocity 0 would end the note
    return placed;
  }

 private:
  [[nodiscard]] double file_ticks(double ticks) const { return ticks * ticks_per_quarter_ / resolution_; }

  // File tick of a nominal position: the way by which durations are read, backwards.
  [[nodiscard]] std::int64_t end_tick(std::int64_t nominal) const {
    const auto after = std::upper_bound(nominal_.begin(), nominal_.begin() + static_cast<std::ptrdiff_t>(bars_.size()), nominal);
    const std::size_t bar = after == nominal_.begin() ? 0 : static_cast<std::size_t>(after - nominal_.begin()) - 1;
    const std::int64_t tick = bars_[bar].start_tick + std::llround(file_ticks(static_cast<double>(nominal - nominal_[bar])));
    return std::min(tick, end_of_bar(bar));
  }

  std::vector<FileBar> bars_;
  std::vector<std::int64_t> nominal_;  // start of each bar in ticks of the table, and the end of the last
  std::int32_t resolution_;
  double ticks_per_quarter_;
};

class Rewriter {
 public:
  Rewriter(const MidiFile& file, const MidiReading& reading, const ScoreTable& origin, const ScoreTable& table, const RewriteOptions& options)
      : file_(file),
        reading_(reading),
        origin_(origin),
        table_(table),
        options_(options),
        matching_(options.origin_tracks ? match_notes(origin, table, *options.origin_tracks) : match_notes(origin, table)),
        clock_(extended_bars(reading, table, file.ticks_per_quarter), table.resolution, file.ticks_per_quarter),
        channels_(file, reading.tracks) {
    for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) edits_.emplace_back(file, chunk, reading.partner);
  }

  RewrittenMidi run() {
    for (std::size_t note = 0; note < origin_.notes.size(); ++note) {
      if (!matching_.is_kept[note]) remove(note);
    }
    if (options_.silence_gestures) silence();
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) put_track(track);
    put_tempo();
    put_time_signatures();
    return {bytes(), std::move(left_out_)};
  }

 private:
  void remove(std::size_t origin_note) {
    if (origin_.note_source[origin_note] < 0) return;
    const auto event = static_cast<std::uint32_t>(origin_.note_source[origin_note]);
    edits_[file_.events[event].chunk].remove_note(event);
  }

  void put_track(std::size_t track) {
    const Track& row = table_.tracks[track];
    std::vector<FileNote> notes = new_notes(track);
    if (const std::int32_t known = matching_.origin_track[track]; known >= 0) {
      const SourceTrack& source = reading_.tracks[static_cast<std::size_t>(known)];
      if (row.instrument != source.program) change_program(source, row.instrument);
      if (!name_of(track).empty()) change_name(source, name_of(track));
      if (!notes.empty()) edits_[source.chunk].insert_notes(source.channel, row.instrument, std::move(notes));
      return;
    }
    put_in_order(notes);
    new_tracks_.push_back({channels_.take(row.is_drum != 0, row.instrument), row.instrument, name_of(track), std::move(notes)});
  }

  void silence() {
    std::vector<NewStretch> stretches;
    for (std::size_t track = 0; track < table_.tracks.size(); ++track) {
      if (matching_.origin_track[track] >= 0) add_new_stretches(track, static_cast<std::size_t>(matching_.origin_track[track]), stretches);
    }
    std::vector<std::int32_t> track_of_note(file_.events.size(), -1);
    for (std::size_t track = 0; track < origin_.tracks.size(); ++track) {
      const auto first_bar = static_cast<std::size_t>(origin_.tracks[track].first_bar);
      if (origin_.bars_end(track) == first_bar) continue;
      for (std::size_t note = note_rows(origin_, first_bar).first; note < note_rows(origin_, origin_.bars_end(track) - 1).second; ++note) {
        if (matching_.is_kept[note] && origin_.note_source[note] >= 0) {
          track_of_note[static_cast<std::size_t>(origin_.note_source[note])] = static_cast<std::int32_t>(track);
        }
      }
    }
    silence_gestures(file_, reading_, stretches, track_of_note, edits_);
  }

  // Runs of bars that differ from the file's and have no note that came from it.
  void add_new_stretches(std::size_t track, std::size_t origin_track, std::vector<NewStretch>& stretches) const {
    const std::size_t n_bars = std::min(table_.track_bars(track).size(), origin_.track_bars(origin_track).size());
    bool continues = false;
    for (std::size_t bar = 0; bar < n_bars; ++bar) {
      const auto mine = note_rows(table_, static_cast<std::size_t>(table_.tracks[track].first_bar) + bar);
      const auto theirs = note_rows(origin_, static_cast<std::size_t>(origin_.tracks[origin_track].first_bar) + bar);
      bool has_old = false, differs = false;
      for (std::size_t note = mine.first; note < mine.second; ++note) {
        has_old |= table_.note_source[note] >= 0;
        differs |= matching_.is_new[note];
      }
      for (std::size_t note = theirs.first; note < theirs.second; ++note) differs |= !matching_.is_kept[note];
      const bool is_new = differs && !has_old;
      if (is_new && continues) stretches.back().end = clock_.end_of_bar(bar);
      if (is_new && !continues) stretches.push_back({origin_track, clock_.bars()[bar].start_tick, clock_.end_of_bar(bar)});
      continues = is_new;
    }
  }

  std::string name_of(std::size_t track) const { return track < options_.names.size() ? options_.names[track] : std::string(); }

  // A chunk that several tracks share keeps its name.
  void change_name(const SourceTrack& source, const std::string& name) {
    const auto shares = [&](const SourceTrack& other) { return other.chunk == source.chunk; };
    if (std::ranges::count_if(reading_.tracks, shares) > 1 || file_.chunk_name(source.chunk) == name) return;
    const MidiChunk& chunk = file_.chunks[file_.track_chunks[source.chunk]];
    for (std::uint32_t i = chunk.first_event; i < chunk.first_event + chunk.n_events; ++i) {
      if (!file_.is_meta(file_.events[i], midi::kTrackName)) continue;
      return edits_[source.chunk].set_data(i, text_meta_data(midi::kTrackName, name));
    }
    edits_[source.chunk].insert_about(0, midi::kMeta, text_meta_data(midi::kTrackName, name));
  }

  std::vector<FileNote> new_notes(std::size_t track) {
    std::vector<FileNote> notes;
    const auto first_bar = static_cast<std::size_t>(table_.tracks[track].first_bar);
    for (std::size_t bar = 0; bar < table_.track_bars(track).size(); ++bar) {
      const auto [first, last] = note_rows(table_, first_bar + bar);
      for (std::size_t note = first; note < last; ++note) {
        if (!matching_.is_new[note]) continue;
        if (auto placed = clock_.place(table_.notes[note], bar)) {
          placed->release = release_of(note).value_or(placed->velocity);
          notes.push_back(*placed);
        } else {
          left_out_.push_back({static_cast<std::int32_t>(track), static_cast<std::int32_t>(bar)});
        }
      }
    }
    return notes;
  }

  // Of a note that came from the file: what its own note-off says.
  std::optional<std::uint8_t> release_of(std::size_t note) const {
    const std::int32_t on = table_.note_source[note];
    if (on < 0 || static_cast<std::size_t>(on) >= file_.events.size()) return std::nullopt;
    const std::int32_t off = reading_.partner[static_cast<std::size_t>(on)];
    if (off < 0 || file_.events[static_cast<std::size_t>(off)].kind() != midi::kNoteOff) return std::nullopt;
    return file_.data(file_.events[static_cast<std::size_t>(off)])[1];
  }

  // The program changes that lead into a track; where there is none (program 0 from the start), one is put at the start.
  void change_program(const SourceTrack& source, int program) {
    ChunkEdit& edit = edits_[source.chunk];
    const MidiChunk& chunk = file_.chunks[file_.track_chunks[source.chunk]];
    bool is_set = false;
    for (std::uint32_t i = chunk.first_event; i < chunk.first_event + chunk.n_events; ++i) {
      const MidiEvent& event = file_.events[i];
      if (!event.is_channel() || event.channel() != source.channel) continue;
      if (event.kind() == midi::kProgram) {
        is_set = true;
        if (file_.data(event)[0] == source.program) edit.set_data(i, {static_cast<std::uint8_t>(program)});
      } else if (!is_set && source.program == 0 && starts_note(file_, event)) {
        edit.insert_about(0, static_cast<std::uint8_t>(midi::kProgram | source.channel), {static_cast<std::uint8_t>(program)});
        is_set = true;
      }
    }
  }

  void put_tempo() {
    if (table_.tempo == origin_.tempo) return;
    if (reading_.first_tempo_event < 0) return put_about(0, tempo_data(table_.tempo));
    const auto event = static_cast<std::uint32_t>(reading_.first_tempo_event);
    edits_[file_.events[event].chunk].set_data(event, tempo_data(table_.tempo));
  }

  // Metre changes of bars past the end of the file, and one at the last bar when nothing else makes readers go that far.
  void put_time_signatures() {
    const auto& bars = clock_.bars();
    const std::size_t n_bars = longest_bars(table_).size();
    std::int64_t content_end = 0;
    for (const ChunkEdit& edit : edits_) content_end = std::max(content_end, edit.end_of_notes());
    for (const NewTrack& track : new_tracks_) {
      for (const FileNote& note : track.notes) content_end = std::max(content_end, note.off_tick);
    }
    std::int64_t last_signature = last_metre_change();
    for (std::size_t i = reading_.bars.size(); i < n_bars; ++i) {
      if (bars[i].numerator == bars[i - 1].numerator && bars[i].denominator == bars[i - 1].denominator) continue;
      put_about(bars[i].start_tick, time_signature_data(bars[i].numerator, bars[i].denominator));
      last_signature = bars[i].start_tick;
    }
    if (n_bars == 0) return;
    const FileBar& last = bars[n_bars - 1];
    if (std::max(content_end, last_signature + 1) > last.start_tick) return;
    put_about(last.start_tick, time_signature_data(last.numerator, last.denominator));
  }

  // Tick of the file's last time signature. A file without one starts in 4/4 all the same.
  std::int64_t last_metre_change() const {
    std::int64_t tick = 0;
    for (const MidiEvent& event : file_.events) {
      if (file_.is_meta(event, midi::kTimeSignature)) tick = std::max(tick, event.tick);
    }
    return tick;
  }

  void put_about(std::int64_t tick, std::vector<std::uint8_t> data) {
    if (edits_.empty()) {
      about_.emplace_back(tick, std::move(data));
    } else {
      edits_.front().insert_about(tick, midi::kMeta, std::move(data));
    }
  }

  std::vector<std::uint8_t> bytes() const {
    const std::size_t n_new = new_tracks_.size() + (about_.empty() ? 0 : 1);
    const std::size_t n_tracks = n_new == 0 ? static_cast<std::size_t>(file_.announced_tracks) : edits_.size() + n_new;
    if (n_tracks > 0xFFFF) throw ScoreError("a MIDI file holds at most 65535 tracks");
    const int format = file_.format == 0 && n_tracks > 1 && n_new > 0 ? 1 : file_.format;
    EventWriter writer(format, static_cast<int>(n_tracks), file_.division, file_.running_status);
    const std::span<const std::uint8_t> all(file_.bytes);
    std::size_t track_chunk = 0;
    for (const MidiChunk& chunk : file_.chunks) {
      const ChunkEdit* edit = chunk.is_track ? &edits_[track_chunk++] : nullptr;
      if (edit == nullptr || !edit->changed()) {
        writer.verbatim(all.subspan(chunk.offset - 8, std::size_t{chunk.size} + 8));
        continue;
      }
      edit->write(writer);
      writer.raw(all.subspan(chunk.events_end, chunk.offset + chunk.size - chunk.events_end));
      writer.end_track();
    }
    write_about(writer);
    for (const NewTrack& track : new_tracks_) write_new_track(writer, track);
    writer.verbatim(all.subspan(file_.tail_offset));
    return writer.take();
  }

  // Only a file without any track chunk needs a chunk of its own for this.
  void write_about(EventWriter& writer) const {
    if (about_.empty()) return;
    writer.begin_track();
    for (const auto& [tick, data] : about_) writer.event(tick, midi::kMeta, data);
    writer.event(about_.back().first, midi::kMeta, meta_data(midi::kEndOfTrack, {}));
    writer.end_track();
  }

  static void write_new_track(EventWriter& writer, const NewTrack& track) {
    struct Edge {
      std::int64_t tick;
      bool is_on;
      const FileNote* note;
    };
    std::vector<Edge> edges;
    for (const FileNote& note : track.notes) {
      edges.push_back({note.on_tick, true, &note});
      edges.push_back({note.off_tick, false, &note});
    }
    std::ranges::stable_sort(edges, [](const Edge& a, const Edge& b) { return a.tick != b.tick ? a.tick < b.tick : a.is_on < b.is_on; });
    writer.begin_track();
    if (!track.name.empty()) writer.event(0, midi::kMeta, text_meta_data(midi::kTrackName, track.name));
    if (track.seat.port > 0) writer.event(0, midi::kMeta, port_data(track.seat.port));
    const std::uint8_t program[] = {static_cast<std::uint8_t>(track.program)};
    writer.event(0, static_cast<std::uint8_t>(midi::kProgram | track.seat.channel), program);
    for (const Edge& edge : edges) {
      const std::uint8_t data[] = {edge.note->pitch, edge.is_on ? edge.note->velocity : edge.note->release};
      writer.event(edge.tick, static_cast<std::uint8_t>((edge.is_on ? midi::kNoteOn : midi::kNoteOff) | track.seat.channel), data);
    }
    writer.event(edges.empty() ? 0 : edges.back().tick, midi::kMeta, meta_data(midi::kEndOfTrack, {}));
    writer.end_track();
  }

  const MidiFile& file_;
  const MidiReading& reading_;
  const ScoreTable& origin_;
  const ScoreTable& table_;
  const RewriteOptions& options_;
  NoteMatching matching_;
  FileClock clock_;
  ChannelPool channels_;
  std::vector<ChunkEdit> edits_;  // one per track chunk
  std::vector<NewTrack> new_tracks_;
  std::vector<std::pair<std::int64_t, std::vector<std::uint8_t>>> about_;
  std::vector<Cell> left_out_;
};

// Every note of the origin names a note-on of the file.
void require_origin(const MidiFile& file, const MidiReading& reading, const ScoreTable& origin) {
  const auto is_note = [&](std::int32_t source) {
    return source < 0 || (static_cast<std::size_t>(source) < file.events.size() && starts_note(file, file.events[static_cast<std::size_t>(source)]));
  };
  const auto stranger = std::ranges::find_if_not(origin.note_source, is_note);
  if (origin.tracks.size() != reading.tracks.size() || stranger != origin.note_source.end()) {
    throw ScoreError("origin is not the table that was read from this file" +
                     (stranger == origin.note_source.end() ? std::string() : ": event " + std::to_string(*stranger) + " is no note-on"));
  }
}

}  // namespace

bool bars_match(const MidiReading& reading, const ScoreTable& table) {
  for (std::size_t track = 0; track < table.tracks.size(); ++track) {
    const auto bars = table.track_bars(track);
    for (std::size_t bar = 0; bar < std::min(bars.size(), reading.bars.size()); ++bar) {
      const FileBar& expected = reading.bars[bar];
      if (bars[bar].numerator != expected.numerator || bars[bar].denominator != expected.denominator) return false;
    }
  }
  return true;
}

RewrittenMidi rewrite_midi(const MidiFile& file, const MidiReading& reading, const ScoreTable& origin, const ScoreTable& table,
                           const RewriteOptions& options) {
  require_origin(file, reading, origin);
  if (origin.resolution != table.resolution) {
    throw ScoreError("the table has " + std::to_string(table.resolution) + " ticks per quarter note, its origin " + std::to_string(origin.resolution));
  }
  if (!bars_match(reading, table)) throw ScoreError("the bars of the table are not those of the file");
  const bool renamed = std::ranges::any_of(options.names, [](const std::string& name) { return !name.empty(); });
  if (same_as(origin, table) && !renamed) return {file.bytes, {}};
  return Rewriter(file, reading, origin, table, options).run();
}

}  // namespace midigpt
