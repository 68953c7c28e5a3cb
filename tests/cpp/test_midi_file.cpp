#include <doctest/doctest.h>

#include <random>

#include "error.h"
#include "midi/event_writer.h"
#include "midi/midi_file.h"
#include "midi_builder.h"
#include "score/from_midi.h"
#include "score/rewrite_midi.h"
#include "score/table_edit.h"

using namespace midigpt;

namespace {

Bytes event_bytes(const MidiFile& file, std::size_t index) {
  Bytes out{file.events[index].status};
  const auto data = file.data(file.events[index]);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

// Something of everything: SysEx, escapes, aftertouch, running status, text, an unknown chunk, bytes after the end.
Bytes rich_file() {
  Bytes track = track_of({after(0, {0xFF, 0x03, 0x02, 'h', 'i'}), after(0, {0xF0, 0x03, 0x01, 0x02, 0xF7}), after(0, {0xF7, 0x02, 0xF3, 0x01}),
                          after(0, {0x90, 60, 90}), after(10, {64, 90}), after(0, {0xFF, 0x01, 0x01, 'x'}), after(10, {60, 0}), after(0, {64, 0}),
                          after(0, {0xA0, 60, 5}), after(0, {0xD0, 7}), after(0, {0xE0, 0, 0x40}), after(0, {0xF8}), after(200, {0xB0, 64, 127})});
  Bytes file = file_of({track, chunk_of("XFIH", {1, 2, 3}), track});
  file[11] = 2;  // two track chunks; the third chunk is of another kind
  append(file, {9, 9, 9});
  return file;
}

}  // namespace

TEST_CASE("every event is kept, in order, with running status resolved") {
  const MidiFile file = parse_midi(rich_file());
  REQUIRE(file.track_chunks.size() == 2);
  CHECK(file.chunks.size() == 3);
  REQUIRE(file.events.size() == 28);
  CHECK(event_bytes(file, 0) == Bytes{0xFF, 0x03, 0x02, 'h', 'i'});
  CHECK(event_bytes(file, 1) == Bytes{0xF0, 0x03, 0x01, 0x02, 0xF7});
  CHECK(event_bytes(file, 2) == Bytes{0xF7, 0x02, 0xF3, 0x01});
  CHECK(event_bytes(file, 4) == Bytes{0x90, 64, 90});
  CHECK(event_bytes(file, 6) == Bytes{0x90, 60, 0});  // running status goes on after a meta event
  CHECK(event_bytes(file, 11) == Bytes{0xF8});
  CHECK(file.events[12].tick == 220);
  CHECK(file.events[14].chunk == 1);
  CHECK(file.chunk_name(0) == "hi");
  CHECK(file.running_status);
}

TEST_CASE("an error names the byte") {
  Bytes file = file_of({track_of({after(0, {0x90, 60, 90})})});
  SUBCASE("not MIDI") {
    file[0] = 'R';
    CHECK_THROWS_WITH_AS((void)parse_midi(file), "MIDI byte 0: not a MIDI file: it does not start with 'MThd'", ScoreError);
  }
  SUBCASE("a data byte first") {
    file[23] = 0x3C;
    CHECK_THROWS_WITH_AS((void)parse_midi(file), "MIDI byte 23: a data byte without a status byte before it", ScoreError);
  }
  SUBCASE("cut inside an event") {
    file[21] = 3;
    file.resize(25);
    CHECK_THROWS_WITH_AS((void)parse_midi(file), "MIDI byte 24: an event of 2 bytes runs past the end of its track chunk", ScoreError);
  }
  SUBCASE("chunk past the end") {
    file[20] = 200;
    CHECK_THROWS_AS((void)parse_midi(file), ScoreError);
  }
}

TEST_CASE("a note knows its note-on and its note-off") {
  const MidiFile file = parse_midi(file_of({track_of({after(0, {0x90, 60, 10}), after(240, {0x90, 60, 20}), after(240, {0x80, 60, 0}), after(480, {0x80, 60, 0})})}));
  const MidiReading reading = read_score(file);
  CHECK(reading.table.note_source == std::vector<std::int32_t>{0, 1});
  CHECK(reading.partner[0] == 2);  // the oldest open note ends first
  CHECK(reading.partner[3] == 1);
  CHECK(reading.table.notes[1].duration_ticks == 720);
}

TEST_CASE("a damaged file cannot ask for endless bars") {
  const Bytes far = {0xFF, 0xFF, 0xFF, 0x7F};  // the largest delta
  Bytes body{0x00, 0xFF, 0x58, 0x04, 1, 7, 24, 8, 0x00, 0x90, 60, 90};
  append(body, far);
  append(body, {0x80, 60, 0});
  const MidiFile file = parse_midi(file_of({chunk_of("MTrk", body)}, 1, 32));
  CHECK_THROWS_AS((void)read_score(file), ScoreError);
}

TEST_CASE("mutated files raise ScoreError or parse, and what parses can be edited and read again") {
  std::mt19937 random(20);
  const Bytes original = rich_file();
  int parsed = 0;
  for (int round = 0; round < 4000; ++round) {
    Bytes bytes = original;
    const auto n_edits = 1 + random() % 4;
    for (std::size_t i = 0; i < n_edits; ++i) bytes[14 + random() % (bytes.size() - 14)] = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    try {
      const MidiFile file = parse_midi(bytes);
      const MidiReading reading = read_score(file);
      reading.table.validate();
      ++parsed;
      if (reading.table.bars.empty()) continue;
      const Cell cell[] = {{0, 0}};
      const std::vector<Note> notes[] = {{{0, 60, 60, 90, 0}, {7, 1000, 64, 90, 0}}};
      const RewrittenMidi written = rewrite_midi(file, reading, reading.table, replaced(reading.table, cell, notes));
      read_score(parse_midi(written.bytes)).table.validate();
    } catch (const ScoreError&) {
    }
  }
  CHECK(parsed > 400);
}

TEST_CASE("values that MIDI cannot say are refused") {
  CHECK_THROWS_AS((void)tempo_data(1 << 24), ScoreError);
  CHECK_THROWS_AS((void)time_signature_data(4, 3), ScoreError);
  CHECK(time_signature_data(7, 8) == Bytes{0x58, 4, 7, 3, 24, 8});
}
