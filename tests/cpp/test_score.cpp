#include <doctest/doctest.h>

#include "error.h"
#include "score/meter.h"
#include "score/score.h"
#include "score/table_edit.h"

using namespace midigpt;

namespace {

// Two tracks of three bars: 4/4, 3/4, 4/4. Track 0 holds notes in bars 0 and 2, track 1 (drums) in bar 1.
ScoreTable small_table() {
  ScoreTable table;
  table.tracks = {{0, 33, 0}, {3, 0, 1}};
  table.bars = {{0, 4, 4, 0}, {2, 3, 4, 0}, {2, 4, 4, 0}, {3, 4, 4, 0}, {3, 3, 4, 0}, {4, 4, 4, 0}};
  table.notes = {{0, 480, 40, 90, 0}, {480, 960, 43, 80, -3}, {241, 3, 45, 70, 0}, {0, 120, 36, 100, 0}};
  table.note_source = {5, 7, 9, 11};
  return table;
}

}  // namespace

TEST_CASE("a sound table validates") { CHECK_NOTHROW(small_table().validate()); }

TEST_CASE("validate names the row that breaks an invariant") {
  ScoreTable table = small_table();
  SUBCASE("first_note goes back") {
    table.bars[1].first_note = 3;
    CHECK_THROWS_WITH_AS(table.validate(), "bars row 2: first_note 2 is less than that of the row before", ScoreError);
  }
  SUBCASE("first_note past the end") {
    table.bars[5].first_note = 9;
    CHECK_THROWS_AS(table.validate(), ScoreError);
  }
  SUBCASE("first_bar does not start at 0") {
    table.tracks[0].first_bar = 1;
    CHECK_THROWS_AS(table.validate(), ScoreError);
  }
  SUBCASE("pitch out of range") {
    table.notes[2].pitch = 128;
    CHECK_THROWS_WITH_AS(table.validate(), "notes row 2: pitch 128 is outside 0..127", ScoreError);
  }
  SUBCASE("negative onset") {
    table.notes[0].onset_ticks = -1;
    CHECK_THROWS_AS(table.validate(), ScoreError);
  }
  SUBCASE("sources and notes differ in number") {
    table.note_source.pop_back();
    CHECK_THROWS_AS(table.validate(), ScoreError);
  }
  SUBCASE("bars without a track") {
    table.tracks.clear();
    CHECK_THROWS_AS(table.validate(), ScoreError);
  }
}

TEST_CASE("a window keeps the order of the tracks asked for and the sources") {
  const std::int32_t order[] = {1, 0};
  const ScoreTable cut = window(small_table(), order, 1, 3);
  CHECK_NOTHROW(cut.validate());
  REQUIRE(cut.tracks.size() == 2);
  CHECK(cut.tracks[0].is_drum == 1);
  CHECK(cut.bars.size() == 4);
  CHECK(cut.note_source == std::vector<std::int32_t>{11, 9});
  CHECK(cut.bars[0].numerator == 3);
}

TEST_CASE("a window past the end gives the bars there are; a track that does not exist raises") {
  const std::int32_t first[] = {0};
  CHECK(window(small_table(), first, 2, 10).bars.size() == 1);
  CHECK(window(small_table(), first, 7, 10).bars.empty());
  const std::int32_t missing[] = {2};
  CHECK_THROWS_AS((void)window(small_table(), missing, 0, 1), ScoreError);
}

TEST_CASE("replaced touches the asked cells only") {
  const ScoreTable before = small_table();
  const Cell cells[] = {{0, 0}, {1, 2}};
  const std::vector<std::vector<Note>> notes = {{{10, 20, 60, 64, 0}}, {{0, 1, 38, 1, 0}, {5, 1, 38, 2, 0}}};
  const ScoreTable after = replaced(before, cells, notes);
  CHECK(after.note_source == std::vector<std::int32_t>{-1, 9, 11, -1, -1});
  CHECK(after.notes[0].pitch == 60);
  CHECK(after.bar_notes(2)[0].pitch == 45);
  CHECK(after.bar_notes(5).size() == 2);
  const Cell twice[] = {{0, 0}, {0, 0}};
  CHECK_THROWS_AS((void)replaced(before, twice, notes), ScoreError);
}

TEST_CASE("bars and tracks are appended empty") {
  const Metre metres[] = {{7, 8}, {4, 4}};
  const ScoreTable longer = with_bars(small_table(), 0, metres);
  CHECK(longer.tracks[1].first_bar == 5);
  CHECK(longer.track_bars(0)[3].numerator == 7);
  CHECK(longer.bar_notes(6).size() == 1);
  const ScoreTable wider = with_track(small_table(), 40, false);
  REQUIRE(wider.tracks.size() == 3);
  CHECK(wider.track_bars(2).size() == 3);
  CHECK(wider.track_bars(2)[1].numerator == 3);
}

TEST_CASE("resampling rounds halves to even and keeps durations at least 1") {
  const ScoreTable coarse = resampled(small_table(), 12);
  CHECK(coarse.notes[1].onset_ticks == 12);
  CHECK(coarse.notes[2].duration_ticks == 1);
  CHECK(coarse.notes[2].onset_ticks == 6);
  CHECK(coarse.notes[1].delta == -3);
  CHECK(same_as(resampled(resampled(small_table(), 1920), 480), small_table()));
}

TEST_CASE("same_as ignores the sources and nothing else") {
  ScoreTable other = small_table();
  other.note_source.assign(4, -1);
  CHECK(same_as(small_table(), other));
  other.notes[3].velocity = 99;
  CHECK_FALSE(same_as(small_table(), other));
}

TEST_CASE("bar lengths are exact") {
  CHECK(bar_ticks(7, 8, 480) == 1680);
  CHECK(bar_ticks(9, 16, 12) == 27);
  CHECK(bar_ticks(4, 0, 480) == 0);
  CHECK(bar_quarters(7, 8) == 3.5);
}
