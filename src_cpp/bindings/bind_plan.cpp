#include <pybind11/stl.h>

#include <map>
#include <tuple>

#include "bindings/bind.h"
#include "plan/planner.h"

namespace py = pybind11;

namespace {

using midigpt::Step;

std::vector<std::pair<int, std::vector<int>>> target_pairs(const Step& step) {
  std::vector<std::pair<int, std::vector<int>>> out;
  for (const auto& target : step.targets) out.emplace_back(target.track, target.bars);
  return out;
}

std::string step_repr(const Step& step) {
  std::string text = "Step([" + std::to_string(step.start) + ", " + std::to_string(step.end) + ")";
  text += step.autoregressive ? " autoregressive" : " infill";
  for (const auto& target : step.targets) {
    text += " track " + std::to_string(target.track) + ":";
    for (const int bar : target.bars) text += " " + std::to_string(bar);
  }
  return text + ")";
}

std::vector<Step> plan(int n_bars, const std::vector<std::tuple<int, std::vector<int>, bool>>& targets, int model_dim,
                       int bars_per_step, int tracks_per_step, int min_overlap_bars, double ar_overlap,
                       const std::map<int, std::vector<int>>& kinds) {
  std::vector<midigpt::PlanTarget> list;
  for (const auto& [track, bars, autoregressive] : targets) {
    const auto own = kinds.find(track);
    list.push_back({track, bars, autoregressive, own == kinds.end() ? std::vector<int>{} : own->second});
  }
  const py::gil_scoped_release unlocked;
  return midigpt::plan(n_bars, std::move(list), {model_dim, bars_per_step, tracks_per_step, min_overlap_bars, ar_overlap});
}

}  // namespace

void bind_plan(py::module_& m) {
  py::class_<Step>(m, "Step", "A window [start, end) of bars and the bars written in it.")
      .def_readonly("start", &Step::start)
      .def_readonly("end", &Step::end)
      .def_readonly("autoregressive", &Step::autoregressive)
      .def_property_readonly("targets", &target_pairs)
      .def_readonly("beside", &Step::beside)
      .def("__eq__", [](const Step& a, const Step& b) { return a == b; }, py::arg("other"))
      .def("__repr__", &step_repr);
  m.def("plan", &plan, py::arg("n_bars"), py::arg("targets"), py::arg("model_dim"), py::arg("bars_per_step") = 0,
        py::arg("tracks_per_step") = 0, py::arg("min_overlap_bars") = 2, py::arg("ar_overlap") = 0.5,
        py::arg("kinds") = std::map<int, std::vector<int>>{},
        "Steps that write the targets [(track, bars, autoregressive)]; 0 = auto for bars_per_step and tracks_per_step. `kinds`:\n"
        "{track: one number per bar}; bars of a track that differ in kind are never written in one step.");
}
