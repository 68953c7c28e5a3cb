#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <tuple>
#include <variant>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "mask/matcher.h"
#include "mask/note_schedule.h"
#include "mask/value_set.h"

namespace py = pybind11;

namespace {

using midigpt::Constraint;
using midigpt::Matcher;
using midigpt::MatcherOptions;
using midigpt::NoteSchedule;
using midigpt::PerBlock;
using midigpt::Pin;
using midigpt::ScheduledNote;
using midigpt::ValueSet;
using midigpt::Vocabulary;
using midigpt::bindings::by_reference;

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

// One number for all bars, or a list.
using NumberOrList = std::variant<int, std::vector<int>>;

PerBlock per_block(const NumberOrList& value) {
  return std::holds_alternative<int>(value) ? PerBlock(std::get<int>(value)) : PerBlock(std::get<std::vector<int>>(value));
}

NumberOrList number_or_list(const PerBlock& value) {
  if (value.each()) return value.values();
  return value.at(0);
}

std::unique_ptr<MatcherOptions> make_options(bool autoregressive, int n_bars, const std::vector<int>& bar_metres,
                                             const NamedValues& track, const std::map<int, NamedValues>& bars,
                                             const NumberOrList& polyphony_limit, const NumberOrList& density_limit,
                                             const NumberOrList& sounding_limit, const NumberOrList& max_duration,
                                             const NumberOrList& max_end, const NumberOrList& allow_empty, bool velocity,
                                             bool microtiming, bool optional_attributes, const std::vector<std::string>& excluded,
                                             const std::vector<std::string>& required_track, const std::vector<std::string>& required_bar) {
  return std::make_unique<MatcherOptions>(MatcherOptions{
      autoregressive, n_bars, bar_metres, pins(track), bar_pins(bars), per_block(polyphony_limit), per_block(density_limit),
      per_block(sounding_limit), per_block(max_duration), per_block(max_end), per_block(allow_empty), velocity, microtiming,
      optional_attributes, types(excluded), types(required_track), types(required_bar)});
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
           py::arg("sounding_limit") = 0, py::arg("max_duration") = 0, py::arg("max_end") = 0, py::arg("allow_empty") = false,
           py::arg("velocity") = true, py::arg("microtiming") = true, py::arg("optional_attributes") = true,
           py::arg("excluded_attributes") = std::vector<std::string>{}, py::arg("required_track_attributes") = std::vector<std::string>{},
           py::arg("required_bar_attributes") = std::vector<std::string>{})
      .def_readwrite("autoregressive", &MatcherOptions::autoregressive)
      .def_readwrite("n_bars", &MatcherOptions::n_bars)
      .def_readwrite("bar_metres", &MatcherOptions::bar_metres)
      .def_property("track_pins", [](const MatcherOptions& o) { return named(o.track_pins); },
                    [](MatcherOptions& o, const NamedValues& values) { o.track_pins = pins(values); })
      .def_property("bar_pins", [](const MatcherOptions& o) { return named_bars(o.bar_pins); },
                    [](MatcherOptions& o, const std::map<int, NamedValues>& bars) { o.bar_pins = bar_pins(bars); })
      .def_property("polyphony_limit", [](const MatcherOptions& o) { return number_or_list(o.polyphony_limit); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.polyphony_limit = per_block(value); })
      .def_property("density_limit", [](const MatcherOptions& o) { return number_or_list(o.density_limit); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.density_limit = per_block(value); })
      .def_property("sounding_limit", [](const MatcherOptions& o) { return number_or_list(o.sounding_limit); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.sounding_limit = per_block(value); })
      .def_property("max_duration", [](const MatcherOptions& o) { return number_or_list(o.max_duration); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.max_duration = per_block(value); })
      .def_property("max_end", [](const MatcherOptions& o) { return number_or_list(o.max_end); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.max_end = per_block(value); })
      .def_property("allow_empty", [](const MatcherOptions& o) { return number_or_list(o.allow_empty); },
                    [](MatcherOptions& o, const NumberOrList& value) { o.allow_empty = per_block(value); })
      .def_readwrite("velocity", &MatcherOptions::velocity)
      .def_readwrite("microtiming", &MatcherOptions::microtiming)
      .def_readwrite("optional_attributes", &MatcherOptions::optional_attributes)
      .def_property("required_track_attributes", [](const MatcherOptions& o) { return type_names(o.required_track_attributes); },
                    [](MatcherOptions& o, const std::vector<std::string>& names) { o.required_track_attributes = types(names); })
      .def_property("required_bar_attributes", [](const MatcherOptions& o) { return type_names(o.required_bar_attributes); },
                    [](MatcherOptions& o, const std::vector<std::string>& names) { o.required_bar_attributes = types(names); })
      .def_property("excluded_attributes", [](const MatcherOptions& o) { return type_names(o.excluded_attributes); },
                    [](MatcherOptions& o, const std::vector<std::string>& names) { o.excluded_attributes = types(names); });
}

using Rhythm = std::map<int, std::vector<std::pair<int, int>>>;
using Notes = std::map<int, std::vector<std::tuple<int, int, int>>>;

constexpr int kMostTogether = 4096;

std::unique_ptr<Constraint> rhythm_schedule(const Rhythm& rhythm) {
  NoteSchedule::Blocks blocks;
  for (const auto& [block, groups] : rhythm) {
    auto& row = blocks[block];
    for (const auto& [tick, notes] : groups) {
      if (notes > kMostTogether) {
        throw midigpt::VocabularyError("the rhythm of block " + std::to_string(block) + " asks for " + std::to_string(notes) + " notes at tick " +
                                       std::to_string(tick) + "; at most " + std::to_string(kMostTogether) + " can start together");
      }
      row.push_back({tick, std::vector<ScheduledNote>(static_cast<std::size_t>(std::max(0, notes)))});
    }
  }
  return std::make_unique<NoteSchedule>("exact rhythm", std::move(blocks));
}

std::unique_ptr<Constraint> remix(const Notes& kept) {
  NoteSchedule::Blocks blocks;
  for (const auto& [block, notes] : kept) {
    auto& row = blocks[block];
    for (const auto& [tick, pitch, duration] : notes) {
      if (row.empty() || row.back().tick != tick) row.push_back({tick, {}});
      row.back().notes.push_back({pitch, duration});
    }
  }
  return std::make_unique<NoteSchedule>("remix", std::move(blocks));
}

// By block: fill block, or bar of the autoregressive track's window.
void bind_constraints(py::module_& m) {
  py::class_<Constraint>(m, "Constraint", "A wish that makes tokens illegal; blocks without an entry are free.")
      .def_static("pitch_set", &ValueSet::of_pitches, py::arg("vocab"), py::arg("allowed"),
                  "{block: pitches that may be written}")
      .def_static("position_set", &ValueSet::of_positions, py::arg("vocab"), py::arg("allowed"),
                  "{block: ticks from the start of the bar}; tick 0 is always free.")
      .def_static("rhythm_schedule", &rhythm_schedule, py::arg("rhythm"),
                  "{block: [(tick, number of notes)]}: notes begin there and nowhere else.")
      .def_static("remix", &remix, py::arg("notes"),
                  "{block: [(tick, pitch or -1, NoteDuration value or -1)]}: these onsets, -1 = free; ticks ascend.")
      .def_property_readonly("name", by_reference(&Constraint::name));
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
  bind_constraints(m);
  bind_options(m);
  py::class_<Matcher>(m, "Matcher", "Which tokens may come next. One per row of a generation.")
      .def_static("for_prompt", [](std::shared_ptr<Vocabulary> vocabulary, const py::object& tokens, const MatcherOptions& options) {
        const TokenArray prompt = midigpt::bindings::token_ids(tokens, "prompt");
        return Matcher(std::move(vocabulary), {prompt.data(), static_cast<std::size_t>(prompt.size())}, options);
      }, py::arg("vocab").none(false), py::arg("prompt"), py::arg("options") = MatcherOptions{})
      .def("add", [](Matcher& matcher, const Constraint& wish) { matcher.add(wish.clone()); }, py::arg("constraint"))
      .def("replace", [](Matcher& matcher, const Constraint& wish) { matcher.replace(wish.clone()); }, py::arg("constraint"),
           "Like add, in place of the constraints of the same name.")
      .def("accept", by_reference(&Matcher::accept), py::arg("token"))
      .def("fill_mask", &fill_mask, py::arg("row").noconvert(), "Write 1 for each legal token, else 0, in place.")
      .def("forced", by_reference(&Matcher::forced), "The only legal token, or -1.")
      .def("is_legal", by_reference(&Matcher::is_legal), py::arg("token"))
      .def_property_readonly("complete", by_reference(&Matcher::complete))
      .def_property_readonly("infill", by_reference(&Matcher::infill))
      .def_property_readonly("block", by_reference(&Matcher::block))
      .def_property_readonly("blocks", &blocks, "(track, bar) of each fill block, in the order of the prompt.")
      .def_property_readonly("position", [](const Matcher& matcher) { return matcher.place().position; })
      .def("fork", by_reference(&Matcher::fork))
      .def("reset", by_reference(&Matcher::reset));
}
