#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <iterator>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "codec/grid.h"

namespace py = pybind11;

namespace {

using midigpt::BarAddress;
using midigpt::EncodeOptions;
using midigpt::Level;
using midigpt::OutOfRange;
using midigpt::ScoreTable;
using midigpt::Vocabulary;

using Pairs = std::vector<std::pair<int, int>>;
using AttributeArray = py::array_t<std::int16_t, py::array::c_style>;

std::vector<BarAddress> addresses(const Pairs& pairs) {
  std::vector<BarAddress> out;
  for (const auto& [track, bar] : pairs) out.push_back({track, bar});
  return out;
}

Pairs pairs(const std::vector<BarAddress>& addresses) {
  Pairs out;
  for (const auto& address : addresses) out.emplace_back(address.track, address.bar);
  return out;
}

// Rows of attribute values; empty for None. The array must outlive the columns made of it.
AttributeArray attribute_rows(const py::object& values, const char* name) {
  if (values.is_none()) return AttributeArray(std::vector<py::ssize_t>{0, 0}, nullptr);
  AttributeArray rows = midigpt::bindings::whole_numbers<std::int16_t, midigpt::VocabularyError>(values, name);
  if (rows.ndim() != 2) throw midigpt::VocabularyError(std::string(name) + " has two dimensions, rows and slots; given " + std::to_string(rows.ndim()));
  return rows;
}

midigpt::AttributeColumns columns(const AttributeArray& rows) {
  return {{rows.data(), static_cast<std::size_t>(rows.size())}, static_cast<std::size_t>(rows.shape(1))};
}

template <typename T>
py::array_t<T> array_of(const std::vector<T>& data) {
  return py::array_t<T>(static_cast<py::ssize_t>(data.size()), data.data());
}

py::array_t<std::int16_t> rows_of(const std::vector<std::int16_t>& data, std::size_t rows, std::size_t slots) {
  py::array_t<std::int16_t> out({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(slots)});
  std::copy(data.begin(), data.end(), out.mutable_data());
  return out;
}

// TABLE: names of the choices for values outside their domain.
constexpr std::pair<const char*, OutOfRange> kOutOfRange[] = {{"saturate", OutOfRange::saturate}, {"error", OutOfRange::error}};

OutOfRange out_of_range(const std::string& name) {
  for (const auto& [text, choice] : kOutOfRange) {
    if (name == text) return choice;
  }
  throw py::value_error("out_of_range is '" + name + "'; it must be 'saturate' or 'error'");
}

std::string name_of(OutOfRange wanted) {
  const auto row = std::find_if(std::begin(kOutOfRange), std::end(kOutOfRange), [&](const auto& r) { return r.second == wanted; });
  return row->first;
}

py::tuple encode(const Vocabulary& vocabulary, const ScoreTable& table, const py::object& track_attributes,
                 const py::object& bar_attributes, EncodeOptions options) {  // a copy: another thread may set the caller's
  const AttributeArray track_rows = attribute_rows(track_attributes, "track_attributes");
  const AttributeArray bar_rows = attribute_rows(bar_attributes, "bar_attributes");
  const auto track_columns = columns(track_rows);
  const auto bar_columns = columns(bar_rows);
  midigpt::Encoding encoding;
  {
    py::gil_scoped_release release;
    encoding = midigpt::encode(vocabulary, table, track_columns, bar_columns, options);
  }
  py::array_t<std::int32_t> spans({static_cast<py::ssize_t>(encoding.hidden_spans.size()), py::ssize_t{2}});
  auto cells = spans.mutable_unchecked<2>();
  for (py::ssize_t i = 0; i < cells.shape(0); ++i) {
    cells(i, 0) = encoding.hidden_spans[static_cast<std::size_t>(i)].start;
    cells(i, 1) = encoding.hidden_spans[static_cast<std::size_t>(i)].end;
  }
  return py::make_tuple(array_of(encoding.tokens), spans, encoding.saturated);
}

py::tuple decode(const Vocabulary& vocabulary, const py::object& tokens, bool resample) {
  const midigpt::bindings::TokenArray rows = midigpt::bindings::token_ids(tokens, "tokens");
  const std::span<const std::int32_t> ids(rows.data(), static_cast<std::size_t>(rows.size()));
  midigpt::Decoding decoding;
  {
    py::gil_scoped_release release;
    decoding = midigpt::decode(vocabulary, ids, resample);
  }
  const std::size_t tracks = decoding.table.tracks.size();
  const std::size_t bars = decoding.table.bars.size();
  auto track_rows = rows_of(decoding.track_attributes, tracks, vocabulary.slots(Level::track).size());
  auto bar_rows = rows_of(decoding.bar_attributes, bars, vocabulary.slots(Level::bar).size());
  return py::make_tuple(std::move(decoding.table), std::move(track_rows), std::move(bar_rows));
}

}  // namespace

void bind_codec(py::module_& m) {
  py::class_<EncodeOptions>(m, "EncodeOptions", "Options of one encode call.")
      .def(py::init([](int window_bars, const Pairs& multi_fill, int partial_track, int partial_bars, int use_velocity,
                       int use_microtiming, int genre, bool use_span_masks, bool remove_future_bars, const Pairs& hidden_bars,
                       bool fill_sections, const std::string& beyond) {
             return EncodeOptions{window_bars, addresses(multi_fill), partial_track, partial_bars, use_velocity, use_microtiming,
                                  genre, use_span_masks, remove_future_bars, addresses(hidden_bars), fill_sections,
                                  out_of_range(beyond)};
           }),
           py::arg("window_bars") = 0, py::arg("multi_fill") = Pairs{}, py::arg("partial_track") = -1,
           py::arg("partial_bars") = -1, py::arg("use_velocity") = -1, py::arg("use_microtiming") = -1, py::arg("genre") = -1,
           py::arg("use_span_masks") = false, py::arg("remove_future_bars") = false, py::arg("hidden_bars") = Pairs{},
           py::arg("fill_sections") = true, py::arg("out_of_range") = "saturate")
      .def_readwrite("window_bars", &EncodeOptions::window_bars)
      .def_property("multi_fill", [](const EncodeOptions& o) { return pairs(o.multi_fill); },
                    [](EncodeOptions& o, const Pairs& bars) { o.multi_fill = addresses(bars); })
      .def_readwrite("partial_track", &EncodeOptions::partial_track)
      .def_readwrite("partial_bars", &EncodeOptions::partial_bars)
      .def_readwrite("use_velocity", &EncodeOptions::use_velocity)
      .def_readwrite("use_microtiming", &EncodeOptions::use_microtiming)
      .def_readwrite("genre", &EncodeOptions::genre)
      .def_readwrite("use_span_masks", &EncodeOptions::use_span_masks)
      .def_readwrite("remove_future_bars", &EncodeOptions::remove_future_bars)
      .def_property("hidden_bars", [](const EncodeOptions& o) { return pairs(o.hidden_bars); },
                    [](EncodeOptions& o, const Pairs& bars) { o.hidden_bars = addresses(bars); })
      .def_readwrite("fill_sections", &EncodeOptions::fill_sections)
      .def_property("out_of_range", [](const EncodeOptions& o) { return name_of(o.out_of_range); },
                    [](EncodeOptions& o, const std::string& name) { o.out_of_range = out_of_range(name); },
                    "'saturate' or 'error': what happens to a value that the vocabulary cannot say.")
      // The names that the published package has for them.
      .def_readwrite("partial_encode_track_index", &EncodeOptions::partial_track)
      .def_readwrite("partial_encode_track_bars", &EncodeOptions::partial_bars);
  m.def("encode", &encode, py::arg("vocab"), py::arg("table"), py::arg("track_attributes") = py::none(),
        py::arg("bar_attributes") = py::none(), py::arg("options") = EncodeOptions{},
        "(tokens int32, hidden spans (k, 2), number of values outside their domain, written as the nearest one).");
  m.def("decode", &decode, py::arg("vocab"), py::arg("tokens"), py::arg("resample") = true,
        "(ScoreTable, track attributes, bar attributes); -1 = no token.");
  m.def("grid_table", &midigpt::grid_table, py::arg("table"), py::arg("resolution"), py::arg("microtiming") = false,
        py::call_guard<py::gil_scoped_release>(), "The table at another resolution, onsets cut as in training.");
}
