#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "midi/midi_file.h"
#include "score/assemble_midi.h"
#include "score/from_midi.h"
#include "score/meter.h"
#include "score/note_matching.h"
#include "score/rewrite_midi.h"
#include "score/score.h"
#include "score/table_edit.h"
#include "score/to_midi.h"

namespace py = pybind11;
using midigpt::bindings::int_view;
using midigpt::bindings::rows_from;

namespace {

using midigpt::Cell;
using midigpt::Metre;
using midigpt::ScoreTable;

ScoreTable table_from_arrays(const py::object& notes, const py::object& bars, const py::object& tracks, std::int32_t resolution,
                             std::int32_t tempo, const py::object& note_source) {
  ScoreTable table;
  table.notes = rows_from<midigpt::Note>(notes, "notes");
  table.bars = rows_from<midigpt::Bar>(bars, "bars");
  table.tracks = rows_from<midigpt::Track>(tracks, "tracks");
  table.resolution = resolution;
  table.tempo = tempo;
  table.note_source = note_source.is_none() ? std::vector<std::int32_t>(table.notes.size(), -1) : rows_from<std::int32_t>(note_source, "note_source");
  table.validate();
  return table;
}

std::pair<std::size_t, std::size_t> bar_rows(const ScoreTable& table, std::int32_t track) {
  if (track < 0 || static_cast<std::size_t>(track) >= table.tracks.size()) {
    throw midigpt::ScoreError("track " + std::to_string(track) + " does not exist; the score has " + std::to_string(table.tracks.size()) + " tracks");
  }
  const auto index = static_cast<std::size_t>(track);
  return {static_cast<std::size_t>(table.tracks[index].first_bar), table.bars_end(index)};
}

ScoreTable replaced(const ScoreTable& table, const std::vector<std::pair<std::int32_t, std::int32_t>>& cells, const std::vector<py::object>& notes) {
  std::vector<Cell> places;
  for (const auto& [track, bar] : cells) places.push_back({track, bar});
  std::vector<std::vector<midigpt::Note>> fresh;
  for (const py::object& rows : notes) fresh.push_back(rows_from<midigpt::Note>(rows, "notes"));
  return midigpt::replaced(table, places, fresh);
}

ScoreTable with_bars(const ScoreTable& table, std::int32_t track, const std::vector<std::pair<std::int32_t, std::int32_t>>& metres) {
  std::vector<Metre> rows;
  for (const auto& [numerator, denominator] : metres) rows.push_back({numerator, denominator});
  return midigpt::with_bars(table, track, rows);
}

py::tuple table_state(const py::object& self) {
  return py::make_tuple(self.attr("notes"), self.attr("bars"), self.attr("tracks"), self.attr("resolution"), self.attr("tempo"),
                        self.attr("note_source"));
}

ScoreTable table_from_state(const py::tuple& state) {
  return table_from_arrays(state[0], state[1], state[2], state[3].cast<std::int32_t>(), state[4].cast<std::int32_t>(), state[5]);
}

void bind_table(py::module_& m) {
  py::class_<ScoreTable>(m, "ScoreTable", "The flat score: int32 arrays grouped by track, then bar. Immutable; edits return a new table.")
      .def(py::init(&table_from_arrays), py::arg("notes"), py::arg("bars"), py::arg("tracks"), py::arg("resolution") = 480,
           py::arg("tempo") = 500000, py::arg("note_source") = py::none())
      .def_property_readonly("notes", [](const py::object& self) { return int_view(self.cast<const ScoreTable&>().notes, self); },
                             "(n, 5): onset_ticks, duration_ticks, pitch, velocity, delta; read-only view")
      .def_property_readonly("bars", [](const py::object& self) { return int_view(self.cast<const ScoreTable&>().bars, self); },
                             "(b, 4): first_note, numerator, denominator, flags; read-only view")
      .def_property_readonly("tracks", [](const py::object& self) { return int_view(self.cast<const ScoreTable&>().tracks, self); },
                             "(t, 3): first_bar, instrument, is_drum; read-only view")
      .def_property_readonly("note_source", [](const py::object& self) { return int_view(self.cast<const ScoreTable&>().note_source, self); },
                             "(n,): index of each note's note-on event in the source file, -1 for a new note; read-only view")
      .def_readonly("resolution", &ScoreTable::resolution, "ticks per quarter note")
      .def_readonly("tempo", &ScoreTable::tempo, "microseconds per quarter note")
      .def_property_readonly("n_tracks", [](const ScoreTable& t) { return t.tracks.size(); })
      .def_property_readonly("n_notes", [](const ScoreTable& t) { return t.notes.size(); })
      .def("n_bars", [](const ScoreTable& t, std::int32_t track) { const auto [first, last] = bar_rows(t, track); return last - first; },
           py::arg("track"))
      .def("bar_rows", &bar_rows, py::arg("track"), "[first, last) rows of `bars` of a track")
      .def("note_rows", [](const ScoreTable& t, std::int32_t track, std::int32_t bar) { return note_rows(t, bar_row(t, {track, bar})); },
           py::arg("track"), py::arg("bar"), "[first, last) rows of `notes` of a bar")
      .def("window", [](const ScoreTable& t, const std::vector<std::int32_t>& tracks, std::int32_t start, std::int32_t end) {
             return midigpt::window(t, tracks, start, end);
           }, py::arg("tracks"), py::arg("start_bar"), py::arg("end_bar"), "bars [start_bar, end_bar) of the tracks, in the order given")
      .def("replaced", &replaced, py::arg("cells"), py::arg("notes"), "the notes of each (track, bar) replaced by a (k, 5) array")
      .def("with_bars", &with_bars, py::arg("track"), py::arg("metres"), "empty bars appended to a track")
      .def("with_track", &midigpt::with_track, py::arg("instrument"), py::arg("is_drum"), "a new last track of empty bars")
      .def("resampled", &midigpt::resampled, py::arg("resolution"), py::call_guard<py::gil_scoped_release>(), "times scaled to another resolution")
      .def("same_as", &midigpt::same_as, py::arg("other"), "same music; note_source does not count")
      .def("__copy__", [](const py::object& self) { return self; })
      .def("__deepcopy__", [](const py::object& self, const py::dict&) { return self; }, py::arg("memo"))
      .def("__repr__", [](const ScoreTable& t) {
        return "ScoreTable(" + std::to_string(t.tracks.size()) + " tracks, " + std::to_string(t.bars.size()) + " bar rows, " +
               std::to_string(t.notes.size()) + " notes, resolution " + std::to_string(t.resolution) + ")";
      })
      .def(py::pickle(&table_state, &table_from_state));
}

// A parsed file and where its bars and notes are. Never changed after it was read.
struct SourceMidi {
  midigpt::MidiFile file;
  midigpt::MidiReading reading;  // without its table, which Python holds
};

std::vector<std::uint8_t> bytes_of(const py::bytes& data) {
  const auto view = static_cast<std::string_view>(data);
  return {view.begin(), view.end()};
}

py::bytes to_python(const std::vector<std::uint8_t>& data) { return {reinterpret_cast<const char*>(data.data()), data.size()}; }

// Text of a file is UTF-8 or, when it cannot be, Latin-1.
py::str text_of(const std::string& raw) {
  PyObject* text = PyUnicode_DecodeUTF8(raw.data(), static_cast<py::ssize_t>(raw.size()), "strict");
  if (text == nullptr) {
    PyErr_Clear();
    text = PyUnicode_DecodeLatin1(raw.data(), static_cast<py::ssize_t>(raw.size()), "strict");
  }
  if (text == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

std::pair<SourceMidi, ScoreTable> read_midi(const py::bytes& data, std::int32_t resolution) {
  std::vector<std::uint8_t> bytes = bytes_of(data);
  const py::gil_scoped_release unlocked;
  SourceMidi source;
  source.file = midigpt::parse_midi(std::move(bytes));
  source.reading = midigpt::read_score(source.file, resolution);
  ScoreTable table = std::move(source.reading.table);
  source.reading.table = {};
  return {std::move(source), std::move(table)};
}

py::bytes write_midi(const ScoreTable& table, const std::vector<std::string>& names) {
  std::vector<std::uint8_t> bytes;
  {
    const py::gil_scoped_release unlocked;
    bytes = midigpt::write_midi(table, names);
  }
  return to_python(bytes);
}

void warn_of_left_out(const std::vector<Cell>& places) {
  if (places.empty()) return;
  std::string text = std::to_string(places.size()) + " new notes were not written: they start after the end of their bar, which a metre change in the file cuts short (";
  constexpr std::size_t kNamed = 4;
  for (std::size_t i = 0; i < std::min(kNamed, places.size()); ++i) {
    text += (i == 0 ? "tracks[" : ", tracks[") + std::to_string(places[i].track) + "].bars[" + std::to_string(places[i].bar) + "]";
  }
  text += places.size() > kNamed ? ", ..)" : ")";
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) != 0) throw py::error_already_set();
}

py::bytes rewrite_midi(const SourceMidi& source, const ScoreTable& origin, const ScoreTable& table, const std::vector<std::string>& names,
                       bool silence_gestures, const std::optional<std::vector<std::int32_t>>& origin_tracks) {
  midigpt::RewrittenMidi written;
  {
    const py::gil_scoped_release unlocked;
    written = midigpt::rewrite_midi(source.file, source.reading, origin, table, {names, silence_gestures, origin_tracks});
  }
  warn_of_left_out(written.left_out);
  return to_python(written.bytes);
}

using Channels = std::array<std::uint8_t, 16>;

// (file, target chunk of each chunk, target channels of each chunk, dropped tracks)
using SourceTuple = std::tuple<const SourceMidi*, std::vector<std::size_t>, std::vector<std::vector<int>>, std::vector<std::size_t>>;
using SpanTuple = std::tuple<std::size_t, std::int64_t, std::int64_t, std::int64_t, bool>;
using BarTuple = std::tuple<std::int64_t, std::int64_t, std::int32_t, std::int32_t>;

midigpt::MidiSource midi_source(const SourceTuple& given) {
  const auto& [source, chunk_of, channel_of, dropped] = given;
  if (source == nullptr) throw midigpt::ScoreError("a source must be a MidiFile");
  const std::size_t n = source->file.track_chunks.size();
  midigpt::MidiSource out{&source->file, &source->reading, chunk_of, {}, dropped};
  for (std::size_t chunk = out.chunk_of.size(); chunk < n; ++chunk) out.chunk_of.push_back(chunk);
  for (std::size_t chunk = 0; chunk < n; ++chunk) {
    Channels channels{};
    for (std::size_t i = 0; i < 16; ++i) {
      const int channel = chunk < channel_of.size() && i < channel_of[chunk].size() ? channel_of[chunk][i] : static_cast<int>(i);
      if (channel < 0 || channel > 15) throw midigpt::ScoreError("channel " + std::to_string(channel) + " does not exist; there are 0..15");
      channels[i] = static_cast<std::uint8_t>(channel);
    }
    out.channel_of.push_back(channels);
  }
  return out;
}

py::tuple assemble_midi(const std::vector<SourceTuple>& sources, const std::vector<SpanTuple>& spans, const std::vector<BarTuple>& bars,
                        std::int64_t length, int ticks_per_quarter, const std::optional<std::vector<std::pair<std::int64_t, std::int32_t>>>& tempi) {
  std::vector<midigpt::MidiSource> files;
  for (const SourceTuple& source : sources) files.push_back(midi_source(source));
  std::vector<midigpt::TimeSpan> stretches;
  for (const auto& [source, start, end, pad, with_rest] : spans) stretches.push_back({source, start, end, pad, with_rest});
  std::vector<midigpt::FileBar> grid;
  for (const auto& [start, bar_length, numerator, denominator] : bars) grid.push_back({start, bar_length, numerator, denominator});
  midigpt::AssembledMidi made;
  {
    const py::gil_scoped_release unlocked;
    made = midigpt::assemble_midi(files, stretches, grid, length, ticks_per_quarter, tempi);
  }
  py::list event_of;
  for (const std::vector<std::int32_t>& events : made.event_of) event_of.append(py::array_t<std::int32_t>(static_cast<py::ssize_t>(events.size()), events.data()));
  return py::make_tuple(to_python(made.bytes), event_of, made.n_dropped);
}

py::tuple event_at(const SourceMidi& source, std::size_t index) {
  if (index >= source.file.events.size()) throw py::index_error("the file has " + std::to_string(source.file.events.size()) + " events");
  const midigpt::MidiEvent& event = source.file.events[index];
  std::vector<std::uint8_t> bytes{event.status};
  const auto data = source.file.data(event);
  bytes.insert(bytes.end(), data.begin(), data.end());
  return py::make_tuple(event.chunk, event.tick, to_python(bytes));
}

py::list chunk_names(const SourceMidi& source) {
  py::list names;
  for (std::size_t chunk = 0; chunk < source.file.track_chunks.size(); ++chunk) names.append(text_of(source.file.chunk_name(chunk)));
  return names;
}

std::vector<std::tuple<std::uint32_t, std::int32_t, std::int32_t>> track_sources(const SourceMidi& source) {
  std::vector<std::tuple<std::uint32_t, std::int32_t, std::int32_t>> tracks;
  for (const midigpt::SourceTrack& track : source.reading.tracks) tracks.emplace_back(track.chunk, track.channel, track.program);
  return tracks;
}

py::array_t<std::int64_t> file_bar_starts(const SourceMidi& source) {
  py::array_t<std::int64_t> starts(static_cast<py::ssize_t>(source.reading.bars.size()));
  for (std::size_t i = 0; i < source.reading.bars.size(); ++i) starts.mutable_at(static_cast<py::ssize_t>(i)) = source.reading.bars[i].start_tick;
  return starts;
}

py::array_t<std::int64_t> file_bars(const SourceMidi& source) {
  py::array_t<std::int64_t> bars({static_cast<py::ssize_t>(source.reading.bars.size()), py::ssize_t{4}});
  auto rows = bars.mutable_unchecked<2>();
  for (std::size_t i = 0; i < source.reading.bars.size(); ++i) {
    const midigpt::FileBar& bar = source.reading.bars[i];
    const auto row = static_cast<py::ssize_t>(i);
    rows(row, 0) = bar.start_tick;
    rows(row, 1) = bar.length_ticks;
    rows(row, 2) = bar.numerator;
    rows(row, 3) = bar.denominator;
  }
  return bars;
}

void bind_midi(py::module_& m) {
  py::class_<SourceMidi>(m, "MidiFile", "A MIDI file as it was read: every event of every chunk. Immutable.")
      .def_property_readonly("format", [](const SourceMidi& s) { return s.file.format; })
      .def_property_readonly("ticks_per_quarter", [](const SourceMidi& s) { return s.file.ticks_per_quarter; })
      .def_property_readonly("n_chunks", [](const SourceMidi& s) { return s.file.track_chunks.size(); }, "number of track chunks")
      .def_property_readonly("n_events", [](const SourceMidi& s) { return s.file.events.size(); })
      .def_property_readonly("n_unended_notes", [](const SourceMidi& s) { return s.reading.n_unended_notes; },
                             "note-ons without a note-off, which are not in the table")
      .def("event", &event_at, py::arg("index"), "(track chunk, tick, bytes with their status byte)")
      .def_property_readonly("bar_starts", &file_bar_starts, "(n_bars,) int64: file tick at which each bar starts")
      .def_property_readonly("bars", &file_bars, "(n_bars, 4) int64: start tick, nominal length in ticks, numerator, denominator of each bar")
      .def_property_readonly("chunk_names", &chunk_names, "name of each track chunk, '' where there is none")
      .def_property_readonly("track_sources", &track_sources, "(track chunk, channel, program) of each track read")
      .def_property_readonly("tempo_map", [](const SourceMidi& s) { return midigpt::tempo_changes(s.file); },
                             "(file tick, microseconds per quarter note) of every tempo event, in order of time")
      .def("can_hold", [](const SourceMidi& s, const ScoreTable& table) { return midigpt::bars_match(s.reading, table); }, py::arg("table"),
           "whether the table's bars have the metres of the file's, so that it can be written back into the file")
      .def("to_bytes", [](const SourceMidi& s) { return to_python(s.file.bytes); }, "the file's own bytes")
      .def("__copy__", [](const py::object& self) { return self; })
      .def("__deepcopy__", [](const py::object& self, const py::dict&) { return self; }, py::arg("memo"))
      .def(py::pickle([](const SourceMidi& s) { return py::make_tuple(to_python(s.file.bytes)); },
                      [](const py::tuple& state) { return read_midi(state[0].cast<py::bytes>(), 480).first; }));
  m.def("read_midi", &read_midi, py::arg("data"), py::arg("resolution") = 480, "bytes of a MIDI file -> (MidiFile, ScoreTable)");
  m.def("write_midi", &write_midi,
        py::arg("table"), py::arg("names") = std::vector<std::string>{}, "a plain MIDI file of the table");
  m.def("match_tracks", &midigpt::match_tracks, py::arg("origin"), py::arg("table"), py::arg("origin_names") = std::vector<std::string>{},
        py::arg("names") = std::vector<std::string>{}, "per track of the table its track in the origin, -1 for a new one");
  m.def("rewrite_midi", &rewrite_midi, py::arg("file"), py::arg("origin"), py::arg("table"), py::arg("names") = std::vector<std::string>{},
        py::arg("silence_gestures") = false, py::arg("origin_tracks") = py::none(),
        "the file with only the changed notes replaced; origin is the table read from it, at the table's resolution");
  m.def("assemble_midi", &assemble_midi, py::arg("sources"), py::arg("spans"), py::arg("bars"), py::arg("length"), py::arg("ticks_per_quarter"),
        py::arg("tempi") = py::none(),
        "stretches of files one after another -> (bytes, per source the new index of each event, number of events gone)");
}

}  // namespace

void bind_score(py::module_& m) {
  m.def("bar_ticks", [](std::int32_t numerator, std::int32_t denominator, std::int32_t resolution) {
          midigpt::require_metre(numerator, denominator, "time signature");
          midigpt::require_resolution(resolution);
          return midigpt::bar_ticks(numerator, denominator, resolution);
        }, py::arg("numerator"), py::arg("denominator"), py::arg("resolution"), "length of a bar in ticks");
  bind_table(m);
  bind_midi(m);
}
