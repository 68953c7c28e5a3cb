#include <pybind11/numpy.h>

#include <cstdint>
#include <string>

#include "bindings/bind.h"
#include "dense/dense.h"

namespace py = pybind11;

namespace {

using midigpt::kDenseColumns;
using Floats = py::array_t<float>;

constexpr auto kFloat = static_cast<py::ssize_t>(sizeof(float));

void require(bool holds, const char* what) {
  if (!holds) throw py::value_error(what);
  if (!midigpt::has_dense()) throw py::value_error("this processor has no AVX2 and FMA");
}

std::size_t step(const Floats& array, py::ssize_t axis) { return static_cast<std::size_t>(array.strides(axis) / kFloat); }
std::size_t extent(const Floats& array, py::ssize_t axis) { return static_cast<std::size_t>(array.shape(axis)); }

bool aligned(const Floats& array) { return reinterpret_cast<std::uintptr_t>(array.data()) % alignof(float) == 0; }

bool whole_steps(const Floats& array) {
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.strides(axis) < 0 || array.strides(axis) % kFloat != 0) return false;
  }
  return true;
}

// The last axes from `axis` on lie in one piece.
bool in_one_piece(const Floats& array, py::ssize_t axis) {
  py::ssize_t wanted = kFloat;
  for (py::ssize_t i = array.ndim() - 1; i >= axis; --i) {
    if (array.shape(i) != 1 && array.strides(i) != wanted) return false;
    wanted *= array.shape(i);
  }
  return true;
}

void linear(const Floats& x, const Floats& w, const Floats& bias, Floats& out, midigpt::Then then, std::size_t threads) {
  require(x.ndim() == 2 && w.ndim() == 2 && bias.ndim() == 1 && out.ndim() == 2, "x, w and out must have two axes, bias one");
  require(x.shape(1) == w.shape(0) && w.shape(1) == bias.shape(0) && x.shape(0) == out.shape(0) && w.shape(1) == out.shape(1) && x.shape(1) > 0,
          "the shapes of x, w, bias and out do not fit");
  require(extent(w, 1) % kDenseColumns == 0, "w must have a multiple of 16 columns");
  require(whole_steps(x) && whole_steps(w) && whole_steps(out) && in_one_piece(x, 1) && in_one_piece(bias, 0) && in_one_piece(out, 1),
          "rows of x, bias and out must lie in one piece");
  require(aligned(x) && aligned(w) && aligned(bias) && aligned(out), "x, w, bias and out must begin at whole numbers in memory");
  float* to = out.mutable_data();
  const midigpt::ConstMatrix left{x.data(), extent(x, 0), extent(x, 1), step(x, 0), 1};
  const midigpt::ConstMatrix right{w.data(), extent(w, 0), extent(w, 1), step(w, 0), step(w, 1)};
  const py::gil_scoped_release unlocked;
  midigpt::linear(left, right, bias.data(), {to, left.rows, right.columns, step(out, 0)}, then, threads);
}

void attend(const Floats& queries, const Floats& keys, const Floats& values, Floats& out, std::size_t before, std::size_t threads) {
  require(queries.ndim() == 3 && keys.ndim() == 3 && values.ndim() == 3 && out.ndim() == 2, "queries, keys and values must have three axes, out two");
  const std::size_t tokens = extent(queries, 0), heads = extent(queries, 1), width = extent(queries, 2);
  require(extent(keys, 0) == heads && extent(keys, 2) == width && extent(keys, 1) >= tokens && before <= extent(keys, 1) - tokens,
          "the keys do not fit the queries");
  require(extent(values, 0) == heads && extent(values, 2) == width && extent(values, 1) == extent(keys, 1) && step(values, 0) == step(keys, 0),
          "the values do not fit the keys");
  require(extent(out, 0) == tokens && extent(out, 1) == heads * width && in_one_piece(out, 0), "out does not fit the queries");
  require(width > 0 && width % kDenseColumns == 0, "heads must have a multiple of 16 columns");
  require(whole_steps(queries) && whole_steps(keys) && whole_steps(values) && in_one_piece(queries, 1) && in_one_piece(keys, 1) && in_one_piece(values, 1),
          "tokens of queries and heads of keys and values must lie in one piece");
  require(aligned(queries) && aligned(keys) && aligned(values) && aligned(out), "queries, keys, values and out must begin at whole numbers in memory");
  float* to = out.mutable_data();
  const midigpt::Attended a{tokens, heads, width, before, queries.data(), step(queries, 0), keys.data(), values.data(), step(keys, 0), to};
  const py::gil_scoped_release unlocked;
  midigpt::attend(a, threads);
}

}  // namespace

void bind_dense(py::module_& m) {
  py::enum_<midigpt::Then>(m, "Then", "What happens to a product.")
      .value("Store", midigpt::Then::Store)
      .value("Gelu", midigpt::Then::Gelu)
      .value("Add", midigpt::Then::Add);
  m.def("has_dense", &midigpt::has_dense, "Whether this processor can do `linear` and `attend`: AVX2 and FMA.");
  m.def("linear", &linear, py::arg("x").noconvert(), py::arg("w").noconvert(), py::arg("bias").noconvert(), py::arg("out").noconvert(),
        py::arg("then"), py::arg("threads") = 1,
        "x (m, k) times w (k, n) plus bias (n) into out (m, n), or its GELU, or added to what is there. n: a multiple of 16.");
  m.def("attend", &attend, py::arg("queries").noconvert(), py::arg("keys").noconvert(), py::arg("values").noconvert(), py::arg("out").noconvert(),
        py::arg("before"), py::arg("threads") = 1,
        "Causal attention of new tokens (tokens, heads, width) over keys and values (heads, positions, width), of which `before` came before "
        "them and theirs follow; into out (tokens, heads * width).");
}
