#include <doctest/doctest.h>

#include <algorithm>

#include "error.h"
#include "midi/midi_file.h"
#include "midi_builder.h"
#include "score/from_midi.h"
#include "score/rewrite_midi.h"
#include "score/table_edit.h"
#include "score/to_midi.h"

using namespace midigpt;

namespace {

struct Source {
  MidiFile file;
  MidiReading reading;
};

Source read(const Bytes& bytes) {
  Source source;
  source.file = parse_midi(bytes);
  source.reading = read_score(source.file);
  return source;
}

ScoreTable with_notes(const ScoreTable& table, Cell cell, std::vector<Note> notes) {
  const Cell cells[] = {cell};
  const std::vector<Note> content[] = {std::move(notes)};
  return replaced(table, cells, content);
}

Source rewritten(const Source& source, const ScoreTable& table) {
  return read(rewrite_midi(source.file, source.reading, source.reading.table, table).bytes);
}

using Row = std::vector<std::int32_t>;

// onset, duration, pitch of every note, bar by bar with the bar's number first.
std::vector<Row> rows(const ScoreTable& table, std::size_t track = 0) {
  std::vector<Row> out;
  for (std::size_t bar = 0; bar < table.track_bars(track).size(); ++bar) {
    for (const Note& note : table.bar_notes(static_cast<std::size_t>(table.tracks[track].first_bar) + bar)) {
      out.push_back({static_cast<std::int32_t>(bar), note.onset_ticks, note.duration_ticks, note.pitch});
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a new note that would overlap a kept one gives way, and the kept one keeps its end") {
  // kept: bar 1, pitch 60, 0..480
  const Source source = read(file_of({track_of({after(0, {0x90, 62, 90}), after(10, {0x80, 62, 0}), after(1910, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}));
  SUBCASE("before it: ends where it begins") {
    const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{1440, 2000, 60, 90, 0}}));
    CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 1440, 480, 60}, {1, 0, 480, 60}});
  }
  SUBCASE("in the middle of it: ends with it at the earliest") {
    const ScoreTable table = with_bars(source.reading.table, 0, std::vector<Metre>{});
    const Source long_note = read(file_of({track_of({after(0, {0x90, 60, 90}), after(4000, {0x80, 60, 0})})}));
    const Source after_edit = rewritten(long_note, with_notes(long_note.reading.table, {0, 1}, {{100, 50, 60, 90, 0}}));
    CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 0, 4000, 60}, {1, 100, 1980, 60}});
    CHECK(same_as(table, source.reading.table));
  }
}

TEST_CASE("new notes of one pitch that overlap among themselves read back in turn") {
  const Source source = read(file_of({track_of({after(0, {0x90, 62, 90}), after(10, {0x80, 62, 0})})}));
  const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{0, 960, 60, 90, 0}, {480, 240, 60, 90, 0}, {600, 400, 60, 90, 0}}));
  CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 0, 480, 60}, {0, 480, 240, 60}, {0, 600, 400, 60}});
}

TEST_CASE("note-offs that end nothing and notes never ended do not cut a new note") {
  const Source source = read(file_of({track_of({after(0, {0x90, 62, 90}), after(10, {0x80, 62, 0}), after(90, {0x80, 60, 0}), after(100, {0x90, 61, 90})})}));
  const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{0, 480, 60, 90, 0}, {960, 480, 61, 90, 0}}));
  CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 0, 480, 60}, {0, 960, 480, 61}});
}

TEST_CASE("a program change is put around a note of another program, and the file's own is put back") {
  const Source source = read(file_of({track_of({after(0, {0xC0, 5}), after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0}), after(0, {0xC0, 7}),
                                                after(0, {0x90, 62, 90}), after(480, {0x80, 62, 0}), after(0, {0xB0, 7, 99}), after(480, {0x90, 64, 90}), after(480, {0x80, 64, 0})})}));
  REQUIRE(source.reading.table.tracks.size() == 2);
  const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{0, 480, 60, 90, 0}, {1200, 100, 50, 90, 0}, {1200, 100, 55, 90, 0}}));
  CHECK(rows(after_edit.reading.table, 0) == std::vector<Row>{{0, 0, 480, 60}, {0, 1200, 100, 50}, {0, 1200, 100, 55}});
  CHECK(rows(after_edit.reading.table, 1) == rows(source.reading.table, 1));
  const auto n_changes = std::ranges::count_if(after_edit.file.events, [](const MidiEvent& event) { return event.is_channel() && event.kind() == midi::kProgram; });
  CHECK(n_changes == 4);  // the file's two, one before both new notes, one after
}

TEST_CASE("a bar cut short by a metre change: new notes stand at its start in the file") {
  // 4/4, 3/4 from tick 2400: bar 1 is 480 ticks long in the file and 1920 in the score.
  const Source source = read(file_of({track_of({after(0, {0xFF, 0x58, 4, 4, 2, 24, 8}), after(1920, {0x90, 61, 90}), after(100, {0x80, 61, 0}), after(380, {0xFF, 0x58, 4, 3, 2, 24, 8}),
                                                after(0, {0x90, 62, 90}), after(100, {0x80, 62, 0})})}));
  REQUIRE(source.reading.bars.size() == 3);
  const ScoreTable table = with_notes(source.reading.table, {0, 2}, {{240, 60, 70, 90, 0}});
  const Source after_edit = rewritten(source, table);
  CHECK(rows(after_edit.reading.table) == std::vector<Row>{{1, 0, 100, 61}, {2, 240, 60, 70}});
  SUBCASE("a note in the part that is missing is left out and counted") {
    const ScoreTable late = with_notes(source.reading.table, {0, 1}, {{0, 100, 60, 90, 0}, {960, 100, 65, 90, 0}});
    const RewrittenMidi written = rewrite_midi(source.file, source.reading, source.reading.table, late);
    CHECK(written.left_out.size() == 1);
    CHECK(rows(read(written.bytes).reading.table) == std::vector<Row>{{1, 0, 100, 60}, {2, 0, 100, 62}});
  }
}

TEST_CASE("new bars past the end, empty ones too") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}));
  const Metre metres[] = {{4, 4}, {7, 8}, {7, 8}};
  const ScoreTable longer = with_bars(source.reading.table, 0, metres);
  const Source after_edit = rewritten(source, with_notes(longer, {0, 2}, {{240, 240, 72, 90, 0}}));
  CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 0, 480, 60}, {2, 240, 240, 72}});
  REQUIRE(after_edit.reading.table.bars.size() == 4);
  CHECK(after_edit.reading.table.bars[3].numerator == 7);
}

TEST_CASE("a new track gets a chunk and a channel of its own; format 0 becomes 1") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}, 0));
  const ScoreTable wider = with_track(with_track(source.reading.table, 40, false), 0, true);
  const ScoreTable table = with_notes(with_notes(wider, {1, 0}, {{0, 240, 55, 80, 0}}), {2, 0}, {{0, 60, 36, 80, 0}});
  const std::vector<std::string> names = {"", "Strings", ""};
  const Source after_edit = read(rewrite_midi(source.file, source.reading, source.reading.table, table, {names, false}).bytes);
  REQUIRE(after_edit.reading.tracks.size() == 3);
  CHECK(after_edit.file.format == 1);
  CHECK(after_edit.reading.tracks[1].channel == 1);
  CHECK(after_edit.reading.tracks[1].program == 40);
  CHECK(after_edit.reading.tracks[2].channel == 9);
  CHECK(after_edit.file.chunk_name(1) == "Strings");
  CHECK(same_as(after_edit.reading.table, table));
}

TEST_CASE("a changed instrument or tempo changes its events in place") {
  const Source source = read(file_of({track_of({after(0, {0xFF, 0x51, 3, 7, 0xA1, 0x20}), after(0, {0xC0, 5}), after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})}),
                                      track_of({after(0, {0x91, 64, 90}), after(480, {0x81, 64, 0})})}));
  ScoreTable table = source.reading.table;
  table.tracks[0].instrument = 11;
  table.tracks[1].instrument = 12;  // had no program change at all
  table.tempo = 600000;
  const Source after_edit = rewritten(source, table);
  CHECK(same_as(after_edit.reading.table, table));
  CHECK(after_edit.file.events.size() == source.file.events.size() + 1);
}

TEST_CASE("removed and reordered tracks") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})}), track_of({after(0, {0xB1, 7, 80}), after(0, {0x91, 64, 90}), after(480, {0x81, 64, 0})})}));
  const std::int32_t swapped[] = {1, 0};
  CHECK(rewrite_midi(source.file, source.reading, source.reading.table, window(source.reading.table, swapped, 0, 1)).bytes == source.file.bytes);
  const std::int32_t first_only[] = {0};
  const Source after_edit = rewritten(source, window(source.reading.table, first_only, 0, 1));
  CHECK(after_edit.reading.tracks.size() == 1);
  CHECK(after_edit.file.events.size() == source.file.events.size() - 2);  // the controller stays
}

TEST_CASE("a copied track is a new track") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}));
  const std::int32_t twice[] = {0, 0};
  const ScoreTable table = window(source.reading.table, twice, 0, 1);
  CHECK(same_as(rewritten(source, table).reading.table, table));
}

TEST_CASE("a file with coarser ticks takes the nearest one, inside its bar") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(24, {0x80, 60, 0}), after(72, {0x90, 62, 90}), after(24, {0x80, 62, 0})})}, 1, 24));
  const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{9, 480, 60, 90, 0}, {11, 480, 61, 90, 0}, {1915, 480, 65, 90, 0}}));
  CHECK(rows(after_edit.reading.table) == std::vector<Row>{{0, 0, 480, 60}, {0, 20, 480, 61}, {0, 1900, 500, 65}, {1, 0, 480, 62}});
}

TEST_CASE("microtiming is written where the file can say it") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(1920, {0x80, 60, 0})})}, 1, 1920));
  const Source after_edit = rewritten(source, with_notes(source.reading.table, {0, 0}, {{100, 120, 60, 90, 120}}));
  CHECK(after_edit.file.events[0].tick == 401);
  CHECK(after_edit.reading.table.notes[0].delta == 120);
}

TEST_CASE("bars of another metre are refused") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}));
  ScoreTable table = source.reading.table;
  table.bars[0].numerator = 3;
  CHECK_FALSE(bars_match(source.reading, table));
  CHECK_THROWS_AS((void)rewrite_midi(source.file, source.reading, source.reading.table, table), ScoreError);
}

TEST_CASE("a plain file reads back as the table, with empty bars at the end") {
  ScoreTable table;
  table.tracks = {{0, 33, 0}, {4, 0, 1}};
  table.bars = {{0, 4, 4, 0}, {2, 3, 4, 0}, {2, 4, 4, 0}, {2, 4, 4, 0}, {2, 4, 4, 0}, {2, 3, 4, 0}, {3, 4, 4, 0}, {3, 4, 4, 0}};
  table.notes = {{0, 480, 40, 90, 0}, {480, 3000, 43, 80, 0}, {0, 120, 36, 100, 0}};
  table.note_source = {0, 1, 2};
  table.tempo = 400000;
  CHECK(same_as(read(write_midi(table, {"Bass"})).reading.table, table));
  CHECK(read(write_midi(table, {"Bass"})).file.chunk_name(0) == "Bass");
}

TEST_CASE("a plain file refuses what MIDI cannot say") {
  ScoreTable table;
  table.resolution = 40000;
  CHECK_THROWS_AS((void)write_midi(table), ScoreError);
  table.resolution = 480;
  CHECK(read(write_midi(table)).reading.tracks.empty());
}

TEST_CASE("an origin whose notes are other events of the file is refused") {
  const Source source = read(file_of({track_of({after(0, {0x90, 60, 64}), after(96, {0x80, 60, 0})})}));
  ScoreTable origin = source.reading.table;
  origin.note_source[0] = 2;  // the end of the track
  CHECK_THROWS_AS((void)rewrite_midi(source.file, source.reading, origin, with_notes(origin, {0, 0}, {})), ScoreError);
}
