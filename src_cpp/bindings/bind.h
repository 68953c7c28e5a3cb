#pragma once
#include <pybind11/pybind11.h>

#include <utility>

namespace midigpt::bindings {

// A method as a function of a reference. As a pointer to a member, Python could call it with None in place of the object.
template <class Out, class Class, class... In>
auto by_reference(Out (Class::*method)(In...) const) {
  return [method](const Class& self, In... in) -> Out { return (self.*method)(std::forward<In>(in)...); };
}
template <class Out, class Class, class... In>
auto by_reference(Out (Class::*method)(In...)) {
  return [method](Class& self, In... in) -> Out { return (self.*method)(std::forward<In>(in)...); };
}

}  // namespace midigpt::bindings

void bind_score(pybind11::module_& m);
void bind_vocab(pybind11::module_& m);
void bind_codec(pybind11::module_& m);
void bind_mask(pybind11::module_& m);
void bind_plan(pybind11::module_& m);
void bind_dense(pybind11::module_& m);
