#pragma once
#include <pybind11/pybind11.h>

void bind_score(pybind11::module_& m);
void bind_vocab(pybind11::module_& m);
void bind_codec(pybind11::module_& m);
void bind_mask(pybind11::module_& m);
void bind_plan(pybind11::module_& m);
