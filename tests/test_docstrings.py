"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import functools
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import midigpt_nb
from midigpt_nb import Bar, InfillEditor, Note, PianoRoll, Score, Track, show
from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.audio import render

PACKAGE = Path(midigpt_nb.__file__).parent
# What a reader has at hand; everything else an example names is in its own module.
IMPORTED = (AttributeAnalyzer, Bar, InfillEditor, Note, PianoRoll, Score, Track, render, show)


@functools.cache
def the_engine() -> Any:
    return midigpt_nb.inference.InferenceEngine.from_pretrained()


def a_request() -> Any:
    return midigpt_nb.inference.GenerationRequest.from_selection([(1, 4), (1, 5)], seed=7)


def a_session() -> Any:
    return the_engine().session(Score.example(), a_request())


def a_record() -> Any:
    session = a_session()
    session.run()
    return session.record()


# The names that examples use for what a reader has made before, and how it is made; those with a model last.
MADE: dict[str, Callable[[], Any]] = {
    "score": Score.example,
    "roll": lambda: PianoRoll(Score.example()),
    "request": a_request,
    "editor": lambda: InfillEditor(Score.example(), the_engine()),
    "engine": the_engine,
    "record": a_record,
    "session": a_session,
}
WITH_A_MODEL = re.compile(r">>> .*(\b(editor|engine|record|session)\b|InfillEditor)")


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
WITH_EXAMPLES = {name: text for name, text in SOURCES.items() if ">>> " in text}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.model] if WITH_A_MODEL.search(text) else [])
        for name, text in WITH_EXAMPLES.items()
    ],
)
def test_docstring_examples(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    at_hand = {made.__name__: made for made in IMPORTED if not hasattr(module, made.__name__)}
    for test in finder.find(module, extraglobs=at_hand):
        text = "".join(example.source for example in test.examples)
        made = {key for key in MADE if re.search(rf"\b{key}\b", text) and not hasattr(module, key)}
        test.globs.update({key: MADE[key]() for key in made})
        runner.run(test)
    assert runner.tries and not runner.failures, capsys.readouterr().out


def test_every_part_that_is_called_by_hand_has_examples() -> None:
    parts = {name.split(".")[1] for name in WITH_EXAMPLES if "." in name}
    assert {"attributes", "audio", "inference", "plots", "score", "tokenizer", "widgets"} <= parts
