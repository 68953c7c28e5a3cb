"""TABLE: the settings of a generation. Each field carries its range, choices, unit, group and meaning.

Validation, the widget's panel, `from_dict` and the reference pages read this metadata; to add a setting, add
a field.
"""

# ruff: noqa: E501, RUF009 - one row of the table per line; `_setting` makes dataclass fields

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

from midigpt_nb.errors import Place, Problem, RequestValidationError
from midigpt_nb.inference.suggest import known_fields_only, refuse_unknown

__all__ = ["AUTO", "GROUPS", "InferenceConfig", "Setting", "capped", "setting_allows", "settings"]

AUTO = 0
LISTED = "those of midigpt_nb.inference.config.settings()"
GROUPS = ("sampling", "limits", "attempts", "planning", "context")


@dataclass(frozen=True)
class Setting:
    """What is known about one setting.

    `low`/`high` bound numbers, `open_low`/`open_high` exclude the bound itself; `choices` lists allowed
    texts; `auto` says that ``"auto"`` (stored as 0) is accepted, `capped` that a number above `high` is and
    counts as `high` when it is used.
    """

    meaning: str
    group: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""
    auto: bool = False
    capped: bool = False

    @property
    def allowed(self) -> str:
        """The accepted values in words: ``> 0``, ``0..16``, ``'token', 'remove'``."""
        if self.choices:
            return ", ".join(repr(c) for c in self.choices)
        low = "" if self.low is None else f"{'>' if self.open_low else '>='} {self.low:g}"
        high = "" if self.high is None else f"{'<' if self.open_high else '<='} {self.high:g}"
        words = " and ".join(part for part in (low, high) if part) or "any value"
        return f"{words}, or 'auto'" if self.auto else words

    def accepts(self, value: Any) -> bool:
        """Whether `value` lies inside the range (type already checked)."""
        if self.choices:
            return value in self.choices
        if self.low is not None and not (value > self.low if self.open_low else value >= self.low):
            return False
        return self.high is None or (value < self.high if self.open_high else value <= self.high)


def _setting(default: Any, meaning: str, group: str, **facts: Any) -> Any:
    metadata = {"setting": Setting(meaning, group, **facts)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@known_fields_only(Place("config"), "setting", LISTED)
@dataclass
class InferenceConfig:
    """How to generate. A session copies it; changing it later changes nothing that runs.

    >>> InferenceConfig(temperature=0.9, model_dim="auto").temperature
    0.9
    """

    # fmt: off
    temperature: float = _setting(1.0, "how adventurous: below 1 safer, above 1 wilder", "sampling", low=0.0, open_low=True)
    seed: int = _setting(-1, "same number, same music; below 0: a new one each time", "sampling")
    top_k: int = _setting(0, "only the k most likely tokens; 0 = off", "sampling", low=0, unit="tokens")
    top_p: float = _setting(1.0, "only the most likely tokens that sum to p; 1 = off", "sampling", low=0.0, high=1.0, open_low=True)
    mask_k: int = _setting(0, "never the k most likely note tokens; 0 = off", "sampling", low=0, unit="tokens")
    mask_p: float = _setting(0.0, "never the most likely note tokens that sum to p; 0 = off", "sampling", low=0.0, high=1.0, open_high=True)

    polyphony_hard_limit: int = _setting(0, "most notes that may start together; 0 = no limit", "limits", low=0, unit="notes")
    density_hard_limit: int = _setting(0, "most notes in a written bar; 0 = no limit", "limits", low=0, unit="notes")
    sounding_limit: int = _setting(0, "most notes of a track that sound at the same time, ringing ones counted; 0 = no limit", "limits", low=0, unit="notes")
    max_note_beats: float = _setting(0.0, "longest note that may be written; 0 = no limit (drums have no lengths)", "limits", low=0.0, unit="quarter notes")
    note_end: str = _setting("free", "how far a written note may ring: on, to the end of its bar, or to the end of the piece (drums have no lengths)", "limits",
                             choices=("free", "bar", "piece"))
    allow_empty: bool = _setting(False, "written bars may stay empty (a rest); otherwise each holds at least one note", "limits")

    max_attempts: int = _setting(3, "attempts per step before giving up", "attempts", low=1)
    temperature_escalation: float = _setting(1.0, "each further attempt multiplies the temperature by this", "attempts", low=1.0, high=3.0, capped=True)
    silence_check: bool = _setting(True, "try again when a step wrote no note", "attempts")
    novelty_check: bool = _setting(True, "try again when a step wrote what was there before", "attempts")
    novelty_threshold: float = _setting(1.0, "how alike old and new bars may be; 1 = anything but identical", "attempts", low=0.0, high=1.0, open_low=True)
    batch_attempts: bool = _setting(False, "write several attempts side by side; the first acceptable one in order is kept, as without it", "attempts")
    num_candidates: int = _setting(1, "how many takes run_variations() makes", "attempts", low=1, high=16)
    adherence: str = _setting("off", "how hard to try for the wishes: as it comes, the best of 8 takes, or missed bars again until all hold", "attempts",
                              choices=("off", "best", "strict"))
    max_tokens: int = _setting(0, "stop after this many tokens, keeping finished bars; 0 = no limit", "attempts", low=0, unit="tokens")
    max_seconds: float = _setting(0.0, "stop after this time, keeping finished bars; 0 = no limit", "attempts", low=0.0, unit="seconds")

    model_dim: int = _setting(4, "width of the model's window", "planning", low=0, unit="bars", auto=True)
    bars_per_step: int = _setting(1, "bars written per step", "planning", low=0, unit="bars", auto=True)
    tracks_per_step: int = _setting(1, "tracks written together in one infill step; from 2 on, so many continued tracks take turns over each window", "planning", low=0, unit="tracks", auto=True)
    ar_overlap: float = _setting(0.5, "share of the window kept as history when continuing", "planning", low=0.0, high=1.0, open_high=True)
    min_overlap_bars: int = _setting(2, "least history when continuing", "planning", low=0, unit="bars")
    shuffle: bool = _setting(False, "write the infill steps in random order", "planning")
    infill_probability: float = _setting(1.0, "rewrite only a random share of the asked bars", "planning", low=0.0, high=1.0, open_low=True)
    plan_only: bool = _setting(False, "only plan: run() is refused, plan_summary() answers", "planning")
    mask_mode: str = _setting("auto", "how hidden bars are kept from the model", "planning",
                              choices=("auto", "token", "attention", "attention_approx", "attention_skip", "remove"))
    track_order: str = _setting("score", "order of tracks in infill prompts; written_last lets the steps of a window share what the model has read (the key is then that of the bars no step writes)", "planning",
                              choices=("score", "written_last"))
    later_targets: str = _setting("hide", "what the model sees of bars that a later step will rewrite", "planning", choices=("hide", "show"))

    context: str = _setting("auto", "which tracks may be left out when a step does not fit the model", "context", choices=("auto", "listed", "all"))
    context_drop: list[int] = _setting([], "tracks to leave out first", "context")
    context_keep: list[int] = _setting([], "tracks never left out", "context")
    budget_margin: float = _setting(1.25, "room reserved for the answer, as a multiple of its estimated length", "context", low=1.0)
    # fmt: on

    def __post_init__(self) -> None:
        for f in fields(self):
            name, setting = f.name, f.metadata["setting"]
            value = getattr(self, name)
            if setting.auto and (value is None or (isinstance(value, str) and value == "auto")):
                setattr(self, name, AUTO)
        if isinstance(self.model_dim, int) and self.model_dim < 0:
            self.model_dim = AUTO

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InferenceConfig:
        """Settings from a mapping; an unknown name raises `RequestValidationError` with a suggestion."""
        if not isinstance(data, Mapping):
            hint = "{'temperature': 0.9}"
            raise RequestValidationError([Problem(Place("config"), data, "is not possible", "a dict", hint)])
        refuse_unknown(data, settings(), Place("config"), "setting", LISTED)
        return cls(**deepcopy(dict(data)))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, `"auto"` written out; `from_dict` makes equal settings of it.

        >>> InferenceConfig.from_dict(InferenceConfig(top_k=5).to_dict()) == InferenceConfig(top_k=5)
        True
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: "auto"
            if _SETTINGS[name].auto and value == AUTO
            else list(value)
            if isinstance(value, list)
            else value
            for name, value in values.items()
        }


def settings() -> dict[str, Setting]:
    """Every setting by name, in the order of the table."""
    return dict(_SETTINGS)


_SETTINGS: dict[str, Setting] = {f.name: f.metadata["setting"] for f in fields(InferenceConfig)}
_DEFAULTS = InferenceConfig()


def capped(config: InferenceConfig, name: str) -> float:
    """What a setting counts as when it is used: a number above the highest one of a capped setting counts as
    that one.

    >>> capped(InferenceConfig(temperature_escalation=4), "temperature_escalation")
    3.0
    """
    setting, value = _SETTINGS[name], getattr(config, name)
    return min(value, setting.high) if setting.capped and setting.high is not None else value


def setting_allows(name: str, value: Any) -> tuple[bool, str]:
    """Whether a setting may have a value (its type and its range), and what it may have, in words.

    >>> setting_allows("top_k", 1.5)
    (False, 'a whole number >= 0')
    """
    setting, default = _SETTINGS[name], getattr(_DEFAULTS, name)
    if isinstance(default, bool):
        return isinstance(value, bool), "True, False"
    if isinstance(default, list):
        return isinstance(value, list) and all(map(_is_whole, value)), "a list of track ids"
    if isinstance(default, str):
        return isinstance(value, str) and setting.accepts(value), setting.allowed
    broken = isinstance(default, float)
    number = _is_whole(value) or (broken and isinstance(value, float) and math.isfinite(value))
    if number and setting.capped and setting.high is not None:
        value = min(value, setting.high)
    kind = "a number" if broken else "a whole number"
    words = kind if setting.allowed == "any value" else f"{kind} {setting.allowed}"
    return number and setting.accepts(value), words


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
