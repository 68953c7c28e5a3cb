#include <doctest/doctest.h>

#include <algorithm>

#include "error.h"
#include "midi/midi_file.h"
#include "midi_builder.h"
#include "score/assemble_midi.h"
#include "score/channel_pool.h"
#include "score/from_midi.h"
#include "score/rewrite_midi.h"
#include "score/table_edit.h"
#include "score/to_midi.h"

using namespace midigpt;

namespace {

constexpr std::int64_t kBar = 1920, kForever = std::int64_t{1} << 62;

struct Piece {
  MidiFile file;
  MidiReading reading;
};

Piece read(const Bytes& bytes) {
  Piece piece;
  piece.file = parse_midi(bytes);
  piece.reading = read_score(piece.file);
  return piece;
}

MidiSource source_of(const Piece& piece, std::vector<std::size_t> dropped = {}) {
  MidiSource source{&piece.file, &piece.reading, {}, {}, std::move(dropped)};
  for (std::size_t chunk = 0; chunk < piece.file.track_chunks.size(); ++chunk) {
    source.chunk_of.push_back(chunk);
    std::array<std::uint8_t, 16> channels{};
    for (std::uint8_t i = 0; i < 16; ++i) channels[i] = i;
    source.channel_of.push_back(channels);
  }
  return source;
}

std::vector<FileBar> bars(std::size_t n) {
  std::vector<FileBar> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back({static_cast<std::int64_t>(i) * kBar, kBar, 4, 4});
  return out;
}

AssembledMidi assembled(const Piece& piece, const std::vector<TimeSpan>& spans, std::size_t n_bars, std::vector<std::size_t> dropped = {}) {
  const MidiSource sources[] = {source_of(piece, std::move(dropped))};
  return assemble_midi(sources, spans, bars(n_bars), static_cast<std::int64_t>(n_bars) * kBar, 480);
}

// (tick, status, first data byte) of every event of a chunk without its end.
using Row = std::vector<std::int64_t>;
std::vector<Row> rows(const MidiFile& file, std::size_t chunk = 0) {
  std::vector<Row> out;
  for (const MidiEvent& event : file.chunk_events(chunk)) {
    if (!file.is_meta(event, midi::kEndOfTrack)) out.push_back({event.tick, event.status, file.data(event)[0]});
  }
  return out;
}

// Program 5 and volume at the start, a note of 480 ticks in each of three bars, a lyric in the second, a bend in the third.
Piece three_bars() {
  return read(file_of({track_of({after(0, {0xC0, 5}), after(0, {0xB0, 7, 80}), after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0}), after(1440, {0x90, 61, 90}),
                                 after(10, {0xFF, 5, 2, 'l', 'a'}), after(470, {0x80, 61, 0}), after(1440, {0xE0, 0, 80}), after(0, {0x90, 62, 90}), after(480, {0x80, 62, 0})})}));
}

}  // namespace

TEST_CASE("all of a file is that file's events") {
  const Piece piece = three_bars();
  const AssembledMidi made = assembled(piece, {{0, 0, kForever, 0, false}}, 3);
  CHECK(rows(parse_midi(made.bytes)) == rows(piece.file));
  CHECK(made.n_dropped == 0);
  for (std::size_t i = 0; i + 1 < piece.file.events.size(); ++i) CHECK(made.event_of[0][i] == static_cast<std::int32_t>(i));
}

TEST_CASE("a bar taken out takes its moments along, and settings made before it hold") {
  const AssembledMidi made = assembled(three_bars(), {{0, 2 * kBar, kForever, 0, false}}, 1);
  CHECK(rows(parse_midi(made.bytes)) == std::vector<Row>{{0, 0xC0, 5}, {0, 0xB0, 7}, {0, 0xE0, 0}, {0, 0x90, 62}, {480, 0x80, 62}});
  CHECK(made.n_dropped == 1);  // the lyric
}

TEST_CASE("what was set and is not set any more is put to rest") {
  const AssembledMidi made = assembled(three_bars(), {{0, 2 * kBar, 3 * kBar, 0, false}, {0, 0, kBar, 0, false}}, 2);
  const auto found = rows(parse_midi(made.bytes));
  CHECK(std::ranges::find(found, Row{kBar, 0xE0, 0}) != found.end());
  CHECK(read(made.bytes).reading.table.notes[1].pitch == 60);
}

TEST_CASE("silence put in moves what comes behind it; a note held into it keeps its length") {
  const Piece piece = read(file_of({track_of({after(0, {0x90, 60, 90}), after(1000, {0xB0, 64, 127}), after(1400, {0x80, 60, 0}), after(600, {0xB0, 64, 0})})}));
  const AssembledMidi made = assembled(piece, {{0, 0, kBar, kBar, false}, {0, kBar, kForever, 0, false}}, 3);
  CHECK(rows(parse_midi(made.bytes)) == std::vector<Row>{{0, 0x90, 60}, {1000, 0xB0, 64}, {2400, 0x80, 60}, {2 * kBar, 0xFF, 0x58}, {3000 + kBar, 0xB0, 64}});  // the metre keeps the last bar
}

TEST_CASE("silence before everything: the first settings hold there") {
  const AssembledMidi made = assembled(three_bars(), {{0, 0, 0, kBar, false}, {0, 0, kForever, 0, false}}, 4);
  const auto found = rows(parse_midi(made.bytes));
  CHECK(found[0] == Row{0, 0xC0, 5});
  CHECK(found[1] == Row{0, 0xB0, 7});
  CHECK(found[2] == Row{kBar, 0x90, 60});
}

TEST_CASE("a tuning parameter is said again with its selection") {
  const Piece piece = read(file_of({track_of({after(0, {0xB0, 101, 0}), after(0, {0xB0, 100, 0}), after(0, {0xB0, 6, 12}), after(0, {0xB0, 101, 127}), after(0, {0xB0, 100, 127}),
                                              after(1920, {0x90, 60, 90}), after(480, {0x80, 60, 0})})}));
  const MidiFile file = parse_midi(assembled(piece, {{0, kBar, kForever, 0, false}}, 1).bytes);
  int high = -1, low = -1, range = -1;
  for (const MidiEvent& event : file.events) {
    if (!event.is_channel() || event.kind() != midi::kController) continue;
    const auto data = file.data(event);
    if (data[0] == 101) high = data[1];
    if (data[0] == 100) low = data[1];
    if (data[0] == 6 && high == 0 && low == 0) range = data[1];
  }
  CHECK(range == 12);
  CHECK(high == 127);
}

TEST_CASE("a track taken out takes its controllers and its empty chunk along") {
  const Piece piece = read(file_of({track_of({after(0, {0xFF, 0x51, 3, 7, 0xA1, 0x20})}), track_of({after(0, {0xFF, 3, 1, 'A'}), after(0, {0xB0, 7, 80}), after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0})}),
                                    track_of({after(0, {0x91, 64, 90}), after(480, {0x81, 64, 0})})}));
  const MidiFile file = parse_midi(assembled(piece, {{0, 0, kForever, 0, false}}, 1, {0}).bytes);
  CHECK(file.track_chunks.size() == 2);
  CHECK(rows(file, 0).size() == 1);
  CHECK(rows(file, 1) == rows(piece.file, 2));
}

TEST_CASE("two files one after the other, at the resolution asked for") {
  const Piece first = three_bars();
  const Piece second = read(file_of({track_of({after(0, {0x91, 70, 90}), after(96, {0x81, 70, 0})})}, 1, 96));
  MidiSource sources[] = {source_of(first), source_of(second)};
  sources[1].chunk_of = {1};
  const TimeSpan spans[] = {{0, 0, 3 * kBar, 0, true}, {1, 0, kForever, 0, false}};
  const AssembledMidi made = assemble_midi(sources, spans, bars(4), 4 * kBar, 480);
  const MidiFile file = parse_midi(made.bytes);
  REQUIRE(file.track_chunks.size() == 2);
  CHECK(rows(file, 1) == std::vector<Row>{{3 * kBar, 0x91, 70}, {3 * kBar + 480, 0x81, 70}});
  const auto conductor = rows(file, 0);
  CHECK(std::ranges::find(conductor, Row{3 * kBar, 0xE0, 0}) != conductor.end());  // the bend of the first piece ends with it
}

TEST_CASE("stretches and tracks that do not exist are refused") {
  const Piece piece = three_bars();
  CHECK_THROWS_AS((void)assembled(piece, {}, 1), ScoreError);
  CHECK_THROWS_AS((void)assembled(piece, {{1, 0, 10, 0, false}}, 1), ScoreError);
  CHECK_THROWS_AS((void)assembled(piece, {{0, 10, 0, 0, false}}, 1), ScoreError);
  CHECK_THROWS_AS((void)assembled(piece, {{0, 0, kForever, 0, false}}, 1, {7}), ScoreError);
}

TEST_CASE("silenced gestures leave the bar and come back behind it") {
  const Piece piece = read(file_of({track_of({after(0, {0xB0, 64, 127}), after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0}), after(1440, {0xE0, 0, 80}), after(0, {0x90, 61, 90}),
                                              after(480, {0x81 & 0xF0, 61, 0}), after(1440, {0x90, 62, 90}), after(480, {0x80, 62, 0})})}));
  const Cell cells[] = {{0, 1}};
  const std::vector<Note> notes[] = {{{0, 240, 70, 90, 0}}};
  const RewrittenMidi written = rewrite_midi(piece.file, piece.reading, piece.reading.table, replaced(piece.reading.table, cells, notes), {{}, true});
  CHECK(rows(parse_midi(written.bytes)) == std::vector<Row>{{0, 0xB0, 64}, {0, 0x90, 60}, {480, 0x80, 60}, {kBar, 0xB0, 64}, {kBar, 0x90, 70}, {kBar + 240, 0x80, 70},
                                                            {2 * kBar, 0xB0, 64}, {2 * kBar, 0xE0, 0}, {2 * kBar, 0x90, 62}, {2 * kBar + 480, 0x80, 62}});
}

TEST_CASE("seats: fifteen in turn, then free channels, equal programs, other ports") {
  ScoreTable table;
  for (std::int32_t i = 0; i < 18; ++i) table.tracks.push_back({0, i == 16 ? 3 : i, i == 2 ? 1 : 0});
  const std::vector<Seat> seats = plain_seats(table);
  CHECK(seats[2].channel == 9);
  CHECK(seats[9].channel == 10);
  CHECK((seats[15].port == 0 && seats[15].channel == 2));  // what the drums left free
  CHECK((seats[16].port == 0 && seats[16].channel == 3));  // plays program 3, too
  CHECK(seats[17].port == 1);
}

TEST_CASE("times that no file can have are refused before they are added") {
  const Piece piece = three_bars();
  const auto made = [&](const std::vector<TimeSpan>& spans, std::vector<FileBar> grid = bars(3), std::int64_t length = 3 * kBar, int ticks = 480,
                        std::vector<std::pair<std::int64_t, std::int32_t>> tempi = {}) {
    const MidiSource sources[] = {source_of(piece)};
    return assemble_midi(sources, spans, grid, length, ticks, std::move(tempi));
  };
  constexpr std::int64_t kFarthest = INT64_MAX;
  const std::vector<TimeSpan> all{{0, 0, kFarthest, 0, false}};
  CHECK_NOTHROW(made(all));
  CHECK_NOTHROW(made(all, bars(3), 3 * kBar, 32767));
  CHECK_THROWS_AS(made({{0, kFarthest, kFarthest, 0, false}}), ScoreError);
  CHECK_THROWS_AS(made({{0, 0, kBar, kFarthest, false}, {0, kBar, kForever, 0, false}}), ScoreError);
  CHECK_THROWS_AS(made({{0, 0, kForever, 0, false}, {0, 0, kForever, 0, false}}, bars(3), 3 * kBar, 32767), ScoreError);
  CHECK_THROWS_AS(made(all, {{kFarthest, kBar, 4, 4}}), ScoreError);
  CHECK_THROWS_AS(made(all, {{0, kFarthest, 4, 4}}), ScoreError);
  CHECK_THROWS_AS(made(all, {{kBar, kBar, 4, 4}, {0, kBar, 4, 4}}), ScoreError);
  CHECK_THROWS_AS(made(all, {{0, kBar, 4, 5}}), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), kFarthest), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), -1), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), 3 * kBar, 0), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), 3 * kBar, 32768), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), 3 * kBar, 480, {{kFarthest, 500000}}), ScoreError);
  CHECK_THROWS_AS(made(all, bars(3), 3 * kBar, 480, {{0, -1}}), ScoreError);
}

TEST_CASE("places and channels are needed for every chunk, and for no other") {
  const Piece piece = three_bars();
  const std::vector<TimeSpan> all{{0, 0, kForever, 0, false}};
  const auto made = [&](const MidiSource& source) {
    const MidiSource sources[] = {source};
    return assemble_midi(sources, all, bars(3), 3 * kBar, 480);
  };
  MidiSource source = source_of(piece);
  source.chunk_of = {1, 0};  // a permutation, but of two chunks
  CHECK_THROWS_AS(made(source), ScoreError);
  source = source_of(piece);
  source.channel_of.clear();
  CHECK_THROWS_AS(made(source), ScoreError);
  source = source_of(piece);
  source.channel_of[0][3] = 16;
  CHECK_THROWS_AS(made(source), ScoreError);
}

TEST_CASE("what a piece sets after its last bar does not hold in the piece behind it") {
  const Piece piece = read(file_of({track_of({after(0, {0x90, 60, 90}), after(480, {0x80, 60, 0}), after(1440, {0xC0, 33}), after(0, {0xB0, 7, 20})})}));
  const MidiSource sources[] = {source_of(piece), source_of(piece)};
  const std::vector<TimeSpan> spans{{0, 0, kBar, 0, true}, {1, 0, kForever, 0, false}};
  const AssembledMidi made = assemble_midi(sources, spans, bars(2), 2 * kBar, 480);
  const Piece both = read(made.bytes);
  REQUIRE(both.reading.tracks.size() == 1);
  CHECK(both.reading.tracks[0].program == 0);
  CHECK(both.reading.table.notes.size() == 2);
}

TEST_CASE("a first chunk that goes to another place leaves the time map behind, among as many events as before") {
  const Bytes lead = track_of({after(0, {0xFF, 3, 1, 'L'}), after(0, {0xFF, 0x51, 3, 6, 26, 128}), after(0, {0xFF, 0x59, 2, 0, 0}), after(0, {0xC0, 5}), after(0, {0x90, 60, 90}),
                               after(480, {0xFF, 6, 1, 'M'}), after(0, {0x80, 60, 0})});
  const Bytes bass = track_of({after(0, {0xFF, 3, 1, 'B'}), after(0, {0xC1, 33}), after(0, {0x91, 40, 90}), after(960, {0x81, 40, 0})});
  const Bytes own_key = track_of({after(0, {0xFF, 3, 1, 'K'}), after(0, {0xFF, 0x59, 2, 2, 0}), after(0, {0x92, 50, 90}), after(960, {0x82, 50, 0})});
  const auto swapped = [](const Piece& piece) {
    MidiSource source = source_of(piece);
    source.chunk_of = {1, 0};
    const TimeSpan all[] = {{0, 0, kForever, 0, false}};
    return read(assemble_midi({&source, 1}, all, bars(1), kBar, 480).bytes);
  };
  const Bytes both = file_of({lead, bass});
  const Piece there = swapped(read(both));
  CHECK(rows(there.file, 0) == std::vector<Row>{{0, 0xFF, 3}, {0, 0xFF, 0x51}, {0, 0xFF, 0x59}, {0, 0xC1, 33}, {0, 0x91, 40}, {480, 0xFF, 6}, {960, 0x81, 40}});
  CHECK(rows(there.file, 1) == std::vector<Row>{{0, 0xFF, 3}, {0, 0xC0, 5}, {0, 0x90, 60}, {480, 0x80, 60}});
  CHECK(swapped(there).file.bytes == both);

  const Piece keyed = swapped(read(file_of({lead, own_key})));
  CHECK(rows(keyed.file, 0) == std::vector<Row>{{0, 0xFF, 3}, {0, 0xFF, 0x51}, {0, 0xFF, 0x59}, {0, 0x92, 50}, {480, 0xFF, 6}, {960, 0x82, 50}});
  CHECK(rows(keyed.file, 1) == std::vector<Row>{{0, 0xFF, 3}, {0, 0xFF, 0x59}, {0, 0xC0, 5}, {0, 0x90, 60}, {480, 0x80, 60}});

  const Piece apart = swapped(read(file_of({lead, bass}, 2)));  // each chunk is a piece of its own
  CHECK(rows(apart.file, 1) == rows(read(both).file, 0));
}
