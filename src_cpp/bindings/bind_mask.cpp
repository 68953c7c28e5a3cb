#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "mask/matcher.h"

namespace py = pybind11;

namespace {

using midigpt::Matcher;
using midigpt::MatcherOptions;
using midigpt::Pin;
using midigpt::Vocabulary;

using NamedValues = std::map<std::string, int>;
using midigpt::bindings::TokenArray;

std::vector<Pin> pins(const NamedValues& named) {
  std::vector<Pin> out;
  for (const auto& [name, value] : named) out.push_back({midigpt::parse_token_type(name), value});
  return out;
}

NamedValues named(const std::vector<Pin>& pins) {
  NamedValues out;
  for (const Pin& pin : pins) out.emplace(midigpt::token_type_name(pin.type), pin.value);
  return out;
}

std::map<int, std::vector<Pin>> bar_pins(const std::map<int, NamedValues>& bars) {
  std::map<int, std::vector<Pin>> out;
  for (const auto& [bar, values] : bars) out.emplace(bar, pins(values));
  return out;
}

std::map<int, NamedValues> named_bars(const std::map<int, std::vector<Pin>>& bars) {
  std::map<int, NamedValues> out;
  for (const auto& [bar, values] : bars) out.emplace(bar, named(values));
  return out;
}

std::vector<midigpt::TokenType> types(const std::vector<std::string>& names) {
  std::vector<midigpt::TokenType> out;
  for (const auto& name : names) out.push_back(midigpt::parse_token_type(name));
  return out;
}

std::vector<std::string> type_names(const std::vector<midigpt::TokenType>& types) {
  std::vector<std::string> out;
  for (const auto type : types) out.emplace_back(midigpt::token_type_name(type));
  return out;
}

std::unique_ptr<MatcherOptions> make_options(bool autoregressive, int n_bars, const std::vector<int>& bar_metres,
                                             const NamedValues& track, const std::map<int, NamedValues>& bars, int polyphony_limit,
                                             int density_limit, int sounding_limit, bool allow_empty, bool velocity,
                                             bool microtiming, bool optional_attributes, const std::vector<std::string>& excluded) {
  return std::make_unique<MatcherOptions>(MatcherOptions{autoregressive, n_bars, bar_metres, pins(track), bar_pins(bars),
                                                         polyphony_limit, density_limit, sounding_limit, allow_empty, velocity,
                                                         microtiming, optional_attributes, types(excluded)});
}

// A contiguous writable array of bytes or bools, one per token.
void fill_mask(const Matcher& matcher, py::array& row) {
  if (row.itemsize() != 1 || row.ndim() != 1 || (row.shape(0) > 1 && row.strides(0) != 1)) {
    throw py::value_error("a mask row is a contiguous one-dimensional array of uint8 or bool");
  }
  matcher.fill_mask({static_cast<std::uint8_t*>(row.mutable_data()), static_cast<std::size_t>(row.shape(0))});
}

std::vector<std::pair<int, int>> blocks(const Matcher& matcher) {
  std::vector<std::pair<int, int>> out;
  for (const auto& block : matcher.blocks()) out.emplace_back(block.track, block.bar);
  return out;
}

void bind_options(py::module_& m) {
  py::class_<MatcherOptions>(m, "MatcherOptions", "What a matcher asks of a sequence beyond the grammar.")
      .def(py::init(&make_options), py::arg("autoregressive") = false, py::arg("n_bars") = 0,
           py::arg("bar_metres") = std::vector<int>{}, py::arg("track_pins") = NamedValues{},
           py::arg("bar_pins") = std::map<int, NamedValues>{}, py::arg("polyphony_limit") = 0, py::arg("density_limit") = 0,
           py::arg("sounding_limit") = 0, py::arg("allow_empty") = false, py::arg("velocity") = true,
           py::arg("microtiming") = true, py::arg("optional_attributes") = true,
           py::arg("excluded_attributes") = std::vector<std::string>{})
      .def_readwrite("autoregressive", &MatcherOptions::autoregressive)
      .def_readwrite("n_bars", &MatcherOptions::n_bars)
      .def_readwrite("bar_metres", &MatcherOptions::bar_metres)
      .def_property("track_pins", [](const MatcherOptions& o) { return named(o.track_pins); },
                    [](MatcherOptions& o, const NamedValues& values) { o.track_pins = pins(values); })
      .def_property("bar_pins", [](const MatcherOptions& o) { return named_bars(o.bar_pins); },
                    [](MatcherOptions& o, const std::map<int, NamedValues>& bars) { o.bar_pins = bar_pins(bars); })
      .def_readwrite("polyphony_limit", &MatcherOptions::polyphony_limit)
      .def_readwrite("density_limit", &MatcherOptions::density_limit)
      .def_readwrite("sounding_limit", &MatcherOptions::sounding_limit)
      .def_readwrite("allow_empty", &MatcherOptions::allow_empty)
      .def_readwrite("velocity", &MatcherOptions::velocity)
      .def_readwrite("microtiming", &MatcherOptions::microtiming)
      .def_readwrite("optional_attributes", &MatcherOptions::optional_attributes)
      .def_property("excluded_attributes", [](const MatcherOptions& o) { return type_names(o.excluded_attributes); },
                    [](MatcherOptions& o, const std::vector<std::string>& names) { o.excluded_attributes = types(names); });
}

// The tables as data, for the generated documentation and for tests of the tables themselves.
void bind_grammar_table(py::module_& m) {
  m.def("grammar_states", [] {
    std::vector<std::pair<std::string, std::string>> rows;
#define STATE(name, words) rows.emplace_back(#name, words);
#define FOLLOW(state, type, guard, next)
#define FOLLOW_SLOTS(state, level, next)
#define PASS(state, type, next)
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
    return rows;
  }, "Rows (state, what has just been read).");
  m.def("grammar_rows", [] {
    std::vector<std::tuple<std::string, std::string, std::string, std::string>> rows;
#define STATE(name, words)
#define FOLLOW(state, type, guard, next) rows.emplace_back(#state, #type, #guard, #next);
#define FOLLOW_SLOTS(state, level, next) rows.emplace_back(#state, #level " attributes", "slot", #next);
#define PASS(state, type, next) rows.emplace_back(#state, "no " #type, "pass", #next);
#include "mask/grammar.def"
#undef STATE
#undef FOLLOW
#undef FOLLOW_SLOTS
#undef PASS
    return rows;
  }, "Rows (state, what may follow, guard, next state).");
}

}  // namespace

void bind_mask(py::module_& m) {
  bind_grammar_table(m);
  bind_options(m);
  py::class_<Matcher>(m, "Matcher", "Which tokens may come next. One per row of a generation.")
      .def_static("for_prompt", [](std::shared_ptr<Vocabulary> vocabulary, const py::object& tokens, const MatcherOptions& options) {
        const TokenArray prompt = midigpt::bindings::token_ids(tokens, "prompt");
        return Matcher(std::move(vocabulary), {prompt.data(), static_cast<std::size_t>(prompt.size())}, options);
      }, py::arg("vocab").none(false), py::arg("prompt"), py::arg("options") = MatcherOptions{})
      .def("accept", &Matcher::accept, py::arg("token"))
      .def("fill_mask", &fill_mask, py::arg("row").noconvert(), "Write 1 for each legal token, else 0, in place.")
      .def("forced", &Matcher::forced, "The only legal token, or -1.")
      .def("is_legal", &Matcher::is_legal, py::arg("token"))
      .def_property_readonly("complete", &Matcher::complete)
      .def_property_readonly("infill", &Matcher::infill)
      .def_property_readonly("block", &Matcher::block)
      .def_property_readonly("blocks", &blocks, "(track, bar) of each fill block, in the order of the prompt.")
      .def_property_readonly("position", [](const Matcher& matcher) { return matcher.place().position; })
      .def("fork", &Matcher::fork)
      .def("reset", &Matcher::reset);
}
