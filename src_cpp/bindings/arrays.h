#pragma once
// numpy views over core memory. A view is read-only and keeps its owner alive; nothing is copied. Rows are structs of int32 columns.

#include <pybind11/numpy.h>

#include <cstring>
#include <string>
#include <vector>

#include "error.h"

namespace midigpt::bindings {

namespace py = pybind11;

using IntArray = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;

// (n, columns) view of a vector of plain int32 structs, or (n,) of a vector of int32.
template <class Row>
py::array int_view(const std::vector<Row>& rows, const py::object& owner) {
  static_assert(sizeof(Row) % sizeof(std::int32_t) == 0);
  constexpr auto columns = static_cast<py::ssize_t>(sizeof(Row) / sizeof(std::int32_t));
  const auto n = static_cast<py::ssize_t>(rows.size());
  const auto type = py::dtype::of<std::int32_t>();
  const auto* data = reinterpret_cast<const std::int32_t*>(rows.data());
  py::array view = columns == 1 ? py::array(type, {n}, data, owner) : py::array(type, {n, columns}, data, owner);
  view.attr("setflags")(py::arg("write") = false);
  return view;
}

// The reverse, by copy. `name` is the argument's name for the message.
template <class Row>
std::vector<Row> rows_from(const IntArray& array, const char* name) {
  constexpr auto columns = static_cast<py::ssize_t>(sizeof(Row) / sizeof(std::int32_t));
  std::vector<Row> rows;
  if (array.size() == 0) return rows;
  const bool fits = columns == 1 ? array.ndim() == 1 : array.ndim() == 2 && array.shape(1) == columns;
  if (!fits) {
    throw ScoreError(std::string(name) + " must have the shape (n" + (columns == 1 ? ",)" : ", " + std::to_string(columns) + ")"));
  }
  rows.resize(static_cast<std::size_t>(array.shape(0)));
  std::memcpy(static_cast<void*>(rows.data()), array.data(), static_cast<std::size_t>(array.nbytes()));
  return rows;
}

}  // namespace midigpt::bindings
