#pragma once
// numpy views over core memory. A view is read-only and keeps its owner alive; nothing is copied. Rows are structs of int32 columns.

#include <pybind11/numpy.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "error.h"

namespace midigpt::bindings {

namespace py = pybind11;

// Whole numbers from Python as a C-contiguous array of Int: an array of any integer type, or nested sequences of ints. Throws Error,
// naming the argument, for other kinds of values and for a number that Int cannot hold; nothing is rounded or wrapped.
template <class Int, class Error>
py::array_t<Int, py::array::c_style> whole_numbers(const py::handle& values, const char* name) {
  const py::array given = py::array::ensure(values);
  if (!given) {
    PyErr_Clear();
    throw Error(std::string(name) + " must be an array of whole numbers");
  }
  const char kind = given.dtype().kind();
  if (given.size() > 0 && kind != 'i' && kind != 'u' && kind != 'b') {
    throw Error(std::string(name) + " must hold whole numbers, not values of the type " + py::str(given.dtype()).template cast<std::string>());
  }
  if (given.size() > 0 && (given.itemsize() > static_cast<py::ssize_t>(sizeof(Int)) || kind == 'u')) {
    const auto check = [&](const py::object& number) {
      const py::int_ exact(number);
      if (exact < py::int_(std::numeric_limits<Int>::min()) || exact > py::int_(std::numeric_limits<Int>::max())) {
        throw Error(std::string(name) + " holds " + py::str(exact).template cast<std::string>() + "; allowed: " +
                    std::to_string(std::numeric_limits<Int>::min()) + ".." + std::to_string(std::numeric_limits<Int>::max()));
      }
    };
    check(given.attr("min")());
    check(given.attr("max")());
  }
  auto whole = py::array_t<Int, py::array::c_style | py::array::forcecast>::ensure(given);
  if (!whole) {  // no memory for it, or a type that even without values cannot become numbers
    PyErr_Clear();
    throw Error(std::string(name) + " cannot be made an array of whole numbers");
  }
  return whole;
}

using IntArray = py::array_t<std::int32_t, py::array::c_style>;
using TokenArray = IntArray;

// A flat list of token ids.
inline TokenArray token_ids(const py::handle& values, const char* name) {
  TokenArray ids = whole_numbers<std::int32_t, VocabularyError>(values, name);
  if (ids.ndim() != 1) throw VocabularyError(std::string(name) + " must be a flat list of token ids, not an array of " + std::to_string(ids.ndim()) + " dimensions");
  return ids;
}

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
std::vector<Row> rows_from(const py::handle& values, const char* name) {
  const IntArray array = whole_numbers<std::int32_t, ScoreError>(values, name);
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
