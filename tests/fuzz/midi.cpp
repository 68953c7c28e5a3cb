// Bytes of a MIDI file -> events -> bytes; -> table -> edited file. What is kept is kept to the tick, and nothing else is lost.

#include "midi/midi_file.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "error.h"
#include "make.h"
#include "midi/event_writer.h"
#include "score/assemble_midi.h"
#include "score/from_midi.h"
#include "score/note_matching.h"
#include "score/rewrite_midi.h"
#include "score/table_edit.h"
#include "targets.h"

namespace midigpt::fuzz {
namespace {

struct Seen {
  std::int64_t tick;
  std::uint8_t status;
  Bytes data;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> seen(const MidiFile& file, std::size_t chunk, bool with_notes) {
  std::vector<Seen> out;
  for (const MidiEvent& event : file.chunk_events(chunk)) {
    if (!with_notes && (starts_note(file, event) || ends_note(file, event) || file.is_meta(event, midi::kEndOfTrack))) continue;
    const auto data = file.data(event);
    out.push_back({event.tick, event.status, {data.begin(), data.end()}});
  }
  return out;
}

void check_events(const MidiFile& file) {
  std::size_t n_events = 0;
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) {
    const MidiChunk& range = file.chunks[file.track_chunks[chunk]];
    require(range.first_event == n_events, "the events of the chunks follow each other");
    n_events += range.n_events;
    std::int64_t previous = 0;
    for (const MidiEvent& event : file.chunk_events(chunk)) {
      require(event.status >= 0x80 && event.chunk == chunk && event.tick >= previous, "events have a status, their chunk, and ascend");
      require(range.offset <= event.offset && event.offset + event.size <= range.events_end && range.events_end <= range.offset + range.size,
              "events lie in their chunk");
      previous = event.tick;
    }
  }
  require(n_events == file.events.size(), "every event belongs to a chunk");
}

// The events alone, written anew, read as the same events.
void check_written(const MidiFile& file, bool running_status) {
  EventWriter writer(file.format, static_cast<int>(file.track_chunks.size()), file.division, running_status);
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) {
    writer.begin_track();
    for (const MidiEvent& event : file.chunk_events(chunk)) writer.event(event.tick, event.status, file.data(event));
    writer.end_track();
  }
  const MidiFile again = parse_midi(writer.take());
  require(again.track_chunks.size() == file.track_chunks.size() && again.ticks_per_quarter == file.ticks_per_quarter, "a written file has the same chunks and clock");
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) {
    require(seen(again, chunk, true) == seen(file, chunk, true), "bytes -> events -> bytes -> events loses and moves nothing");
  }
}

void check_reading(const MidiFile& file, const MidiReading& reading) {
  const ScoreTable& table = reading.table;
  table.validate();
  require(reading.tracks.size() == table.tracks.size() && !reading.bars.empty(), "one source per track, and at least one bar");
  for (std::size_t track = 0; track < table.tracks.size(); ++track) {
    require(table.track_bars(track).size() == reading.bars.size(), "every track has the bars of the file");
  }
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    const auto source = static_cast<std::size_t>(table.note_source[i]);
    require(source < file.events.size() && starts_note(file, file.events[source]), "a note comes from a note-on");
    const auto data = file.data(file.events[source]);
    require(data[0] == table.notes[i].pitch && data[1] == table.notes[i].velocity && table.notes[i].duration_ticks > 0, "a note is its event's");
  }
  for (std::size_t i = 0; i < reading.partner.size(); ++i) {
    const std::int32_t other = reading.partner[i];
    require(other < 0 || reading.partner[static_cast<std::size_t>(other)] == static_cast<std::int32_t>(i), "partners know each other");
  }
  (void)tempo_changes(file);
}

// (chunk, channel, pitch, velocity, on, off)
using Sounding = std::tuple<std::uint32_t, int, int, int, std::int64_t, std::int64_t>;

Sounding sounding(const MidiFile& file, const MidiReading& reading, std::size_t on) {
  const MidiEvent& event = file.events[on];
  return {event.chunk, event.channel(), file.data(event)[0], file.data(event)[1], event.tick, file.events[static_cast<std::size_t>(reading.partner[on])].tick};
}

std::map<Sounding, int> all_sounding(const MidiFile& file, const MidiReading& reading) {
  std::map<Sounding, int> out;
  for (std::size_t i = 0; i < file.events.size(); ++i) {
    if (reading.partner[i] >= 0 && starts_note(file, file.events[i])) ++out[sounding(file, reading, i)];
  }
  return out;
}

int total(const std::map<Sounding, int>& counts) {
  int n = 0;
  for (const auto& [note, count] : counts) n += count;
  return n;
}

struct Edit {
  ScoreTable table;
  RewriteOptions options;
  bool only_notes = true;
};

Edit edited(Input& in, const ScoreTable& origin) {
  Edit edit{origin, {}, true};
  for (int n = in.number(0, 4); n > 0 && !edit.table.tracks.empty(); --n) {
    const Cell cell{in.number(0, static_cast<int>(edit.table.tracks.size()) - 1), in.number(0, 5)};
    if (static_cast<std::size_t>(cell.bar) >= edit.table.track_bars(static_cast<std::size_t>(cell.track)).size()) continue;
    std::vector<Note> content = notes(in, origin.resolution);
    for (const Note& note : edit.table.bar_notes(bar_row(edit.table, cell))) {
      if (!in.one_in(3)) content.push_back(note);
    }
    const Cell cells[] = {cell};
    const std::vector<Note> fresh[] = {std::move(content)};
    edit.table = replaced(edit.table, cells, fresh);
  }
  if (in.one_in(4) && !edit.table.tracks.empty()) {
    std::vector<Metre> metres;
    for (int n = in.number(1, 4); n > 0; --n) metres.push_back(in.one_in(4) ? Metre{in.number(0, 300), in.number(0, 16)} : Metre{});
    edit.table = with_bars(edit.table, in.number(0, static_cast<int>(edit.table.tracks.size()) - 1), metres);
  }
  if (in.one_in(4)) edit.table = with_track(edit.table, in.number(0, 127), in.flag());
  if (in.one_in(8)) edit.table.tempo = std::max(0, in.any());
  if (in.one_in(8) && !edit.table.tracks.empty()) {
    edit.table.tracks.front().instrument = in.number(0, 127);
    edit.only_notes = false;
  }
  if (in.one_in(8)) {
    edit.options.names = {"one", "", "three"};
    edit.only_notes = false;
  }
  if (in.one_in(8)) {
    edit.options.silence_gestures = true;
    edit.only_notes = false;
  }
  edit.only_notes = edit.only_notes && edit.table.tempo == origin.tempo;
  return edit;
}

void check_rewritten(const MidiFile& file, const MidiReading& reading, const Edit& edit, const RewrittenMidi& written) {
  const MidiFile again = parse_midi(written.bytes);
  check_events(again);
  require(again.track_chunks.size() >= file.track_chunks.size(), "no chunk is lost");
  MidiReading after;
  try {
    after = read_score(again, reading.table.resolution);
  } catch (const ScoreError&) {  // more bars than a piece may have
    return;
  }
  check_reading(again, after);
  const NoteMatching matching = match_notes(reading.table, edit.table);
  std::map<Sounding, int> kept;
  for (std::size_t i = 0; i < matching.is_kept.size(); ++i) {
    if (matching.is_kept[i]) ++kept[sounding(file, reading, static_cast<std::size_t>(reading.table.note_source[i]))];
  }
  const std::map<Sounding, int> now = all_sounding(again, after);
  for (const auto& [note, count] : kept) {
    const auto found = now.find(note);
    require(found != now.end() && found->second >= count, "a kept note keeps its chunk, channel, start and end");
  }
  const int placed = static_cast<int>(std::ranges::count(matching.is_new, true)) - static_cast<int>(written.left_out.size());
  const int removed = static_cast<int>(std::ranges::count(matching.is_kept, false));
  require(total(now) == total(all_sounding(file, reading)) - removed + placed, "as many notes as were kept and put in");
  if (!edit.only_notes) return;
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) {
    const auto before = seen(file, chunk, false), behind = seen(again, chunk, false);
    auto at = behind.begin();
    for (const Seen& event : before) {
      at = std::find(at, behind.end(), event);
      require(at != behind.end(), "every other event stays at its tick, in its order");
      ++at;
    }
  }
}

void check_file(const Bytes& bytes, Input& in) {
  MidiFile file;
  MidiReading reading;
  try {
    file = parse_midi(bytes);
    check_events(file);
    check_written(file, in.flag());
    const int resolutions[] = {480, file.ticks_per_quarter, 12, 1, 960, std::max(1, in.any())};
    reading = read_score(file, in.pick(resolutions));
  } catch (const ScoreError&) {
    return;
  }
  check_reading(file, reading);
  require(rewrite_midi(file, reading, reading.table, reading.table).bytes == bytes, "an untouched table gives the file's own bytes");
  try {
    const Edit edit = edited(in, reading.table);
    const RewrittenMidi written = rewrite_midi(file, reading, reading.table, edit.table, edit.options);
    check_rewritten(file, reading, edit, written);
  } catch (const ScoreError&) {  // a metre, tempo or distance that a MIDI file cannot say
  }
}

Bytes payload(Input& in, int longest) {
  Bytes out(static_cast<std::size_t>(in.number(0, longest)));
  for (auto& byte : out) byte = in.byte();
  return out;
}

// Data bytes of any meta event.
Bytes meta(Input& in) {
  switch (in.byte() % 8) {
    case 0: return meta_data(midi::kTimeSignature, Bytes{static_cast<std::uint8_t>(in.number(0, 16)), static_cast<std::uint8_t>(in.number(0, 8)), 24, 8});
    case 1: return tempo_data(in.number(0, 0xFFFFFF));
    case 2: return meta_data(midi::kTrackName, payload(in, 6));
    case 3: return meta_data(midi::kLyric, payload(in, 3));
    case 4: return meta_data(0x59, Bytes{in.byte(), in.byte()});
    case 5: return meta_data(midi::kTimeSignature, payload(in, 5));
    case 6: return meta_data(midi::kTempo, payload(in, 5));
    default: break;
  }
  const std::uint8_t type = in.byte();
  return meta_data(type == midi::kEndOfTrack ? std::uint8_t{0x7F} : type, payload(in, 140));
}

void any_event(Input& in, EventWriter& writer, std::int64_t tick) {
  const auto channel = static_cast<std::uint8_t>(in.one_in(4) ? in.number(0, 15) : in.number(0, 1));
  const auto data = [&] { return static_cast<std::uint8_t>(in.one_in(64) ? in.byte() & 0x7F : in.number(0, 127)); };
  const auto put = [&](int kind, const Bytes& bytes) { writer.event(tick, static_cast<std::uint8_t>(kind | channel), bytes); };
  const auto pitch = static_cast<std::uint8_t>(in.number(60, 62));
  switch (in.byte() % 12) {
    case 0: case 1: case 2: return put(midi::kNoteOn, {pitch, static_cast<std::uint8_t>(in.number(0, 127))});
    case 3: case 4: return put(midi::kNoteOff, {pitch, 64});
    case 5: return put(midi::kNoteOn, {pitch, 0});
    case 6: return put(midi::kProgram, {static_cast<std::uint8_t>(in.number(0, 3))});
    case 7: return put(midi::kController, {data(), data()});
    case 8: return put(midi::kPitchBend, {data(), data()});
    case 9: return put(in.flag() ? 0xA0 : 0xD0, {pitch});
    case 10: return writer.event(tick, midi::kMeta, meta(in));
    default: break;
  }
  const Bytes body = payload(in, 9);
  Bytes data_bytes{static_cast<std::uint8_t>(body.size())};
  data_bytes.insert(data_bytes.end(), body.begin(), body.end());
  writer.event(tick, in.flag() ? 0xF0 : 0xF7, data_bytes);
}

// A file that is well formed but for a missing end of track, a key pressure of one byte or data beyond it, now and then.
Bytes any_file(Input& in) {
  constexpr int clocks[] = {480, 1, 2, 4, 24, 96, 0, 32767};
  const int division = in.pick(clocks);
  const int n_chunks = in.number(1, 3);
  EventWriter writer(in.number(0, 2), n_chunks + (in.one_in(8) ? 1 : 0), division, in.flag());
  const int step = std::max(1, division / 4);
  const bool far = in.one_in(64);  // such files have very many bars
  for (int chunk = 0; chunk < n_chunks; ++chunk) {
    if (in.one_in(8)) writer.verbatim(Bytes{'X', 'Y', 'Z', ' ', 0, 0, 0, 2, 1, 2});
    writer.begin_track();
    std::int64_t tick = 0;
    for (int n = in.number(0, 24); n > 0; --n) {
      tick += far && in.one_in(8) ? in.number(0, in.one_in(64) ? 1 << 22 : 1 << 12) : in.one_in(4) ? in.number(0, step) : step * in.number(0, 7);
      any_event(in, writer, tick);
    }
    if (!in.one_in(8)) writer.event(tick, midi::kMeta, meta_data(midi::kEndOfTrack, {}));
    if (in.one_in(8)) writer.raw(payload(in, 4));
    writer.end_track();
  }
  if (in.one_in(8)) writer.verbatim(payload(in, 4));
  return writer.take();
}

}  // namespace

// The last bytes say the edits as well, so that a real file is an input as it stands.
void midi_bytes(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kEdits = 96;
  Input in(bytes.last(std::min(bytes.size(), kEdits)));
  check_file({bytes.begin(), bytes.end()}, in);
}

// Stretches of one or two files, in any order; what comes out is a file that can be read and holds what was taken.
void midi_pieces(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  std::vector<MidiFile> files;
  std::vector<MidiReading> readings;
  try {
    for (int n = in.number(1, 2); n > 0; --n) files.push_back(parse_midi(any_file(in)));
    for (const MidiFile& file : files) readings.push_back(read_score(file));
  } catch (const ScoreError&) {
    return;
  }
  std::vector<MidiSource> sources;
  for (std::size_t i = 0; i < files.size(); ++i) {
    MidiSource source{&files[i], &readings[i], {}, {}, {}};
    for (std::size_t chunk = 0; chunk < files[i].track_chunks.size(); ++chunk) {
      source.chunk_of.push_back(i == 0 ? chunk : static_cast<std::size_t>(in.number(0, 4)));
      source.channel_of.push_back({});
      for (std::size_t channel = 0; channel < 16; ++channel) source.channel_of.back()[channel] = static_cast<std::uint8_t>(in.one_in(4) ? in.number(0, 15) : static_cast<int>(channel));
    }
    for (int n = in.one_in(4) ? in.number(0, 2) : 0; n > 0; --n) source.dropped_tracks.push_back(static_cast<std::size_t>(in.number(0, 3)));
    sources.push_back(source);
  }
  const auto ticks = [&] { return in.one_in(64) ? std::int64_t{in.any()} << in.number(0, 32) : std::int64_t{in.number(0, 4000)}; };
  std::vector<TimeSpan> spans;
  for (int n = in.number(1, 4); n > 0; --n) {
    const std::int64_t start = ticks();
    spans.push_back({static_cast<std::size_t>(in.number(0, static_cast<int>(sources.size()) - 1)), start, in.one_in(16) ? ticks() : start + in.number(0, 4000), in.one_in(4) ? ticks() : 0, in.flag()});
  }
  std::vector<FileBar> grid;
  std::int64_t at = 0;
  for (int n = in.number(0, 6); n > 0; --n) {
    const std::int64_t length = in.one_in(32) ? ticks() : in.number(1, 2000);
    grid.push_back({at, length, in.number(0, 9), 1 << in.number(0, 5)});
    at = in.one_in(32) ? ticks() : at + std::min<std::int64_t>(length, 1 << 20);
  }
  std::optional<std::vector<std::pair<std::int64_t, std::int32_t>>> tempi;
  if (in.one_in(4)) tempi.emplace({std::pair{ticks(), in.number(0, 1 << 20)}});
  try {
    const AssembledMidi made = assemble_midi(sources, spans, grid, in.one_in(16) ? ticks() : at, in.number(1, 960), tempi);
    const MidiFile file = parse_midi(made.bytes);
    check_events(file);
    require(made.event_of.size() == files.size(), "the events of every source are accounted for");
    for (std::size_t i = 0; i < files.size(); ++i) {
      require(made.event_of[i].size() == files[i].events.size(), "the events of every source are accounted for");
      for (std::size_t event = 0; event < made.event_of[i].size(); ++event) {
        const std::int32_t now = made.event_of[i][event];
        require(now >= -1 && now < static_cast<std::int32_t>(file.events.size()), "an event's new place exists");
        if (now >= 0 && !files[i].events[event].is_channel()) require(file.events[static_cast<std::size_t>(now)].status == files[i].events[event].status, "an event stays what it is");
      }
    }
  } catch (const ScoreError&) {
  }
}

void midi_events(std::span<const std::uint8_t> bytes) {
  Input in(bytes);
  const Bytes file = any_file(in);
  check_file(file, in);
}

}  // namespace midigpt::fuzz
