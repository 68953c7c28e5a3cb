"""The stub of the compiled module says what is there, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import midigpt_nb
from midigpt_nb import _core

# Found in every pybind11 class, or inherited.
MACHINERY = {"_pybind11_conduit_v1_"}


def public(names):
    return {name for name in names if not name.startswith("_")}


def stub_names():
    """{top-level name: members, or None for a function}"""
    source = (Path(midigpt_nb.__file__).parent / "_core.pyi").read_text()
    names = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.ClassDef):
            members = set()
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    members.add(item.name)
                elif isinstance(item, ast.AnnAssign):
                    members.add(item.target.id)
                elif isinstance(item, ast.Assign):
                    members.add(item.targets[0].id)
            names[node.name] = public(members)
    return names


def test_stub_and_module_agree():
    stub = stub_names()
    assert public(stub) == public(dir(_core))
    for name, members in stub.items():
        if members is None:
            assert callable(getattr(_core, name))
        elif hasattr(kind := getattr(_core, name), "__members__"):
            assert members == set(kind.__members__) - {"None"}
        else:
            assert members == public(vars(getattr(_core, name))) - MACHINERY, name
