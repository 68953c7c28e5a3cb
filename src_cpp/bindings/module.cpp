// The compiled module: maps the core's exceptions and calls one bind_* per folder of the core. No logic here.

#include <pybind11/pybind11.h>

#include "bindings/bind.h"
#include "error.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of midigpt_nb: MIDI files, score tables, vocabulary, encoding, decoding, grammar and planning.";

  // midigpt_nb.errors imports nothing, so reading it here cannot run in a circle.
  py::register_exception_translator([](std::exception_ptr thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    }
#define MIDIGPT_TRANSLATE(name)                                                        \
  catch (const midigpt::name& error) {                                                 \
    py::set_error(py::module_::import("midigpt_nb.errors").attr(#name), error.what()); \
  }
    MIDIGPT_ERRORS(MIDIGPT_TRANSLATE)
#undef MIDIGPT_TRANSLATE
  });

  bind_score(m);
  bind_vocab(m);
  bind_codec(m);
  bind_mask(m);
  bind_plan(m);
}
