"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import midigpt_nb.attributes
import midigpt_nb.plots

MODULES = [
    f"{package.__name__}.{info.name}"
    for package in (midigpt_nb.attributes, midigpt_nb.plots)
    for info in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"AttributeAnalyzer": midigpt_nb.attributes.AttributeAnalyzer})
    assert not found.failed


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = [
        test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples
    ]
    assert len(examples) >= 5


def test_what_is_public_exists():
    for module in (midigpt_nb.attributes, midigpt_nb.plots):
        assert all(hasattr(module, name) for name in module.__all__)
