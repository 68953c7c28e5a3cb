// The compiled module: maps the core's exceptions and calls one bind_* per folder of the core. No logic here.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "error.h"

namespace py = pybind11;

namespace {

void raise(const char* name, const std::exception& error) {
  py::set_error(py::module_::import("midigpt_nb.errors").attr(name), error.what());
}

void raise(const char* name, const midigpt::GrammarDeadlock& error) {
  const py::object type = py::module_::import("midigpt_nb.errors").attr(name);
  py::set_error(type, type(error.what(), py::arg("state") = error.state, py::arg("constraints") = error.constraints));
}

// Class.__new__(Class) makes an object without a value. Where one is used, pybind11 takes memory that nobody has written for its value; this
// stands in the place of the function that would give that memory.
void* refuse_empty_object(std::size_t) {
  throw py::type_error("an object made by __new__ alone holds nothing; call its class instead");
}

void refuse_empty_objects(const py::module_& m) {
  for (const auto& [name, value] : py::dict(m.attr("__dict__"))) {
    if (PyType_Check(value.ptr()) == 0) continue;
    auto* info = py::detail::get_type_info(reinterpret_cast<PyTypeObject*>(value.ptr()));
    if (info != nullptr) info->operator_new = &refuse_empty_object;
  }
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of midigpt_nb: MIDI files, score tables, vocabulary, encoding, decoding, grammar and planning.";

  // midigpt_nb.errors imports nothing, so reading it here cannot run in a circle.
  py::register_exception_translator([](std::exception_ptr thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    }
#define MIDIGPT_TRANSLATE(name, facts) \
  catch (const midigpt::name& error) { \
    raise(#name, error);               \
  }
    MIDIGPT_ERRORS(MIDIGPT_TRANSLATE)
#undef MIDIGPT_TRANSLATE
    catch (const py::cast_error& error) {  // a value inside a container or a pickled state
      py::set_error(PyExc_TypeError, error.what());
    }
  });

  bind_score(m);
  bind_vocab(m);
  bind_codec(m);
  bind_mask(m);
  bind_plan(m);
  bind_dense(m);
  refuse_empty_objects(m);
}
