"""What an attribute's functions may give: finite numbers and whole levels, checked where they come back.

The functions may be a user's own, so whatever goes wrong in them becomes one typed error that names the
attribute, the track and the bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from midigpt_nb.errors import MeasurementError, MidiGPTError, brief


def one_number(name: str, function: Callable[[Any], Any], view: Any, place: str) -> float:
    """``function(view)``, a finite number. Raises MeasurementError."""
    raw = _called(name, function, view, place)
    if isinstance(raw, (int, float)) and _is_finite(raw):
        return raw
    if isinstance(raw, np.ndarray) and raw.ndim == 0:
        raw = raw[()]
    if isinstance(raw, (np.bool_, np.integer, np.floating)) and _is_finite(raw):
        return raw.item()
    raise MeasurementError(
        f"attribute {name!r}, {place}: its function returned {brief(raw)}, no finite number"
    )


def one_number_per_bar(name: str, function: Callable[[Any], Any], view: Any, place: str) -> np.ndarray:
    """``function(view)``, an array ``(n_bars,)`` of finite numbers. Raises MeasurementError."""
    raw = np.asarray(_called(name, function, view, place))
    if raw.dtype.kind not in "biuf" or raw.shape != (view.n_bars,):
        raise MeasurementError(
            f"attribute {name!r}, {place}: its function returned {brief(raw)}, "
            f"not one number for each of {view.n_bars} bars"
        )
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        bar = int(np.flatnonzero(~np.isfinite(raw))[0])
        raise MeasurementError(
            f"attribute {name!r}, {place}, bar {bar}: its function returned {raw[bar]}, no finite number"
        )
    return raw


def level(name: str, quantize: Callable[[Any], Any], raw: float, highest: int) -> int:
    """``quantize(raw)``, a whole number of 0…`highest`. Raises MeasurementError."""
    value = _called(name, quantize, raw, f"value {raw!r}")
    if isinstance(value, (int, float, np.number, np.bool_)) and 0 <= value <= highest and value == int(value):
        return int(value)
    raise _no_level(name, raw, value, highest)


def levels(name: str, quantize: Callable[[Any], Any], raw: np.ndarray, highest: int) -> np.ndarray:
    """``quantize(raw)`` of an array, int16. Raises MeasurementError."""
    values = np.asarray(_called(name, quantize, raw, "its values"))
    good = values.dtype.kind in "biuf" and values.shape == raw.shape
    if not good:
        raise _no_level(name, raw, values, highest)
    wrong = ~((values >= 0) & (values <= highest) & (values == np.trunc(values)))
    if wrong.any():
        raise _no_level(name, raw[wrong][0], values[wrong][0], highest)
    return values.astype(np.int16)


def _called(name: str, function: Callable[[Any], Any], argument: Any, place: str) -> Any:
    try:
        return function(argument)
    except MidiGPTError:
        raise
    except Exception as error:  # a user's own function: what it raises is theirs, the place is ours to say
        raise MeasurementError(
            f"attribute {name!r}, {place}: its function failed: {type(error).__name__}: {str(error)[:200]}"
        ) from error


def _is_finite(number: Any) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all floats
        return False


def _no_level(name: str, raw: Any, value: Any, highest: int) -> MeasurementError:
    return MeasurementError(
        f"attribute {name!r}: its bins give {brief(value)} for {brief(raw)}; they must give 0..{highest}"
    )
