"""The ordered table of attributes, and the decorator that adds a row to it.

An attribute is one function with a few facts around it. Nothing else has to change when one is added::

    @attribute("onset_spread", token="AvPolyphony", level="track", tracks="both", bins=Bins.edges(2, 4, 8))
    def onset_spread(track: TrackView) -> float:
        \"\"\"How many different positions in the bar carry a note.\"\"\"
        return len(set(track.bar_onset_ticks.tolist()))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, get_args

import numpy as np

from midigpt_nb.attributes.numbers import level, levels, one_number, one_number_per_bar
from midigpt_nb.attributes.reach import reachable_levels
from midigpt_nb.attributes.stored import stored_values
from midigpt_nb.attributes.view import Settings, TrackView, WindowView, as_table, track_of
from midigpt_nb.errors import AttributeParameterError, EncoderConfigError, UnknownAttribute, brief

Level = Literal["track", "bar"]
TrackType = Literal["melodic", "drum", "both"]
Formulas = Literal["compatible", "exact"]
LEVELS, TRACK_TYPES, FORMULAS = get_args(Level), get_args(TrackType), get_args(Formulas)


def short_name(name: str) -> str:
    """An attribute's name without what tells the one of bars from the one of tracks.

    >>> short_name("bar_note_density"), short_name("note_density")
    ('note_density', 'note_density')
    """
    return name.removeprefix("bar_")


@dataclass(frozen=True)
class Bins:
    """How a raw number (or an array of them) becomes one of `size` values, and words for the values."""

    size: int
    quantize: Callable[[Any], Any]
    labels: tuple[str, ...] = ()
    # Largest value that quantize gives; -1: size - 1. Beyond `size` the tokenizer writes the last.
    top: int = -1
    raw: Callable[[int], float] | None = None  # a raw number that has this value; None: nobody has said one

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"an attribute has 1 value or more, not {self.size!r}")
        if self.labels and len(self.labels) != self.size:
            raise ValueError(f"{len(self.labels)} labels for {self.size} values")

    @property
    def highest(self) -> int:
        """The largest value that quantizing may give."""
        return self.size - 1 if self.top < 0 else self.top

    @classmethod
    def edges(cls, *edges: float, labels: Sequence[str] = ()) -> Bins:
        """One bin below each edge and one above the last: value = how many edges are <= raw.

        >>> Bins.edges(2, 4).quantize(np.array([1, 2, 3.9, 4])).tolist()
        [0, 1, 1, 2]
        """
        if list(edges) != sorted(edges) or not edges:
            raise ValueError(f"bin edges must be given in rising order, got {edges}")
        limits = np.array(edges, dtype=float)
        lowest = [min(edges[0] - 1, float(np.nextafter(limits[0], -np.inf))), *edges]
        return cls(
            len(edges) + 1,
            lambda raw: np.searchsorted(limits, raw, side="right"),
            tuple(labels),
            raw=lambda value: float(lowest[value]),
        )

    @classmethod
    def whole(cls, size: int, *, top: int | None = None, first: int = 0, labels: Sequence[str] = ()) -> Bins:
        """The whole part of raw, counted from `first`, kept inside 0…`top` (default ``size - 1``)."""
        last = first + (size - 1 if top is None else top)

        def quantize(raw: Any) -> Any:
            if isinstance(raw, np.ndarray):
                return np.clip(np.trunc(raw), first, last) - first
            return min(max(int(raw), first), last) - first

        return cls(size, quantize, tuple(labels), last - first, raw=lambda value: float(first + value))


Formula = Callable[[Any], Any]


@dataclass(frozen=True)
class Attribute:
    """One row of the table: a musical property as the model sees it.

    `level` says whether there is one value per track or per bar, `track_type` which tracks have it, `size`
    how many values there are (0 … size - 1). `compute` measures, `quantize` makes the value.
    """

    name: str
    token_type: str
    level: Level
    track_type: TrackType
    bins: Bins
    unit: str = ""
    doc: str = ""
    title: str = ""  # what musicians call it; by default the name without underscores
    entry: str = ""  # name in a configuration's attribute_controls
    params: Mapping[str, str] = field(default_factory=dict)  # what selects this row among those of the entry
    token_aliases: tuple[str, ...] = ()
    emitted: bool = True  # False: measured and reported, never written as a token
    taught: bool = True  # False: configurations list it, but its token never stood in training data
    from_domain: bool = True  # a vocabulary that lists the token type has this attribute
    nominal: bool = False  # values are names without an order
    words: tuple[str, ...] = ()  # what `describe` says where it is more than the labels, or there are none
    of_window: bool = False  # track level: measured on all tracks of the window together
    # Lowest and highest raw value within reach when the bars of a mask are written anew. A track-level one
    # gets the view of the others, a bar-level one that of the whole track and gives two arrays.
    reach: Callable[[TrackView, np.ndarray], tuple[Any, Any]] | None = None
    vectorized: bool = False  # bar level: the function takes the whole track and returns one number per bar
    formulas: dict[str, Formula] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    @property
    def size(self) -> int:
        """Number of values: 0 … size - 1."""
        return self.bins.size

    @property
    def short_name(self) -> str:
        """The name under which a bar's wish may ask for it, too."""
        return short_name(self.name)

    @property
    def can_be_told(self) -> bool:
        """Whether a model can be told a value of it."""
        return self.emitted and self.taught

    @property
    def in_words(self) -> str:
        """What people call the attribute.

        >>> AttributeAnalyzer.from_config({"attribute_controls": [{"name": "nomml"}]}).get("nomml").in_words
        'rhythmic grid'
        """
        return self.title or self.short_name.replace("_", " ")

    @property
    def value_labels(self) -> list[str]:
        """Words for the values in order, or an empty list."""
        return list(self.bins.labels or self.words)

    def applies_to(self, is_drum: bool) -> bool:
        """Whether tracks of this kind have the attribute."""
        return self.track_type == "both" or (self.track_type == "drum") == is_drum

    def describe(self, value: int) -> str:
        """A value in words, for people.

        >>> AttributeAnalyzer.from_config({"attribute_controls": [{"name": "key_signature"}]}).get(
        ...     "key_signature").describe(9)
        'A major'
        """
        words = self.words or self.bins.labels
        return words[value] if 0 <= value < len(words) else str(value)

    def formula(self, name: Formulas) -> Callable[[Formula], Formula]:
        """Decorator: another way to measure this attribute, used by configurations that ask for it."""

        def add(function: Formula) -> Formula:
            self.formulas[name] = function
            return function

        return add

    def measure(self, view: TrackView) -> Any:
        """Raw value of a track view: a number, or for a bar-level attribute an array ``(n_bars,)``."""
        function = self.formulas.get(view.settings.formulas) or self.formulas["compatible"]
        if self.level == "track":
            return one_number(self.name, function, view, f"track {view.number}")
        if self.vectorized:
            return one_number_per_bar(self.name, function, view, f"track {view.number}")
        bars = range(view.n_bars)
        place = f"track {view.number}, bar "
        return np.array(
            [one_number(self.name, function, view.bar_view(bar), f"{place}{bar}") for bar in bars],
            dtype=float,
        )

    def quantize(self, raw: Any) -> Any:
        """The value of a raw number (an int), or of an array of them (int16)."""
        if isinstance(raw, np.ndarray) and raw.ndim:
            return levels(self.name, self.bins.quantize, raw, self.bins.highest)
        return level(self.name, self.bins.quantize, raw, self.bins.highest)

    def dequantize(self, value: int) -> float:
        """A raw number, in the attribute's unit, that has this value (0 … size - 1).

        Raises ValueError for another value, and for a user's own `Bins` that were made without `raw`.

        >>> AttributeAnalyzer.from_config({"attribute_controls": [{"name": "silence_proportion"}]}).get(
        ...     "silence_proportion").dequantize(7)
        0.75
        """
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_whole or not 0 <= value < self.size:
            raise ValueError(f"attribute {self.name!r}: value is {brief(value)}; allowed: 0..{self.size - 1}")
        if self.bins.raw is None:
            raise ValueError(
                f"attribute {self.name!r}: its bins say no raw number for value {value}; "
                "give one with Bins(…, raw=function), or make them with Bins.edges or Bins.whole"
            )
        return float(self.bins.raw(int(value)))

    def compute(self, score: Any, track: int | str, bar: int | None = None) -> float | np.ndarray:
        """Raw value of a track (or of one bar, or of all bars) of a Score or score table."""
        track = track_of(score, track)
        raw = self.measure(
            WindowView(as_table(score), self.settings).track(track, stored=stored_values(score, track))
        )
        return raw if bar is None or self.level == "track" else raw[bar]

    def adherence(self, requested: int, realized: int) -> float:
        """How well a wish was met, 0 … 1: 1 is exact; keys are right or wrong."""
        return closeness(requested, realized, self.size, self.nominal)

    def achievable_range(
        self, fixed_score: Any, track: int | str, generated_bars: Sequence[int]
    ) -> tuple[int, int]:
        """Lowest and highest value a request can still reach when `generated_bars` are written anew.

        A bar-level attribute has its full range, as does a track that does not exist.
        """
        track = track_of(fixed_score, track)
        window = WindowView(as_table(fixed_score), self.settings)
        if self.level == "bar" or not 0 <= track < window.n_tracks:
            return 0, self.size - 1
        generated = np.zeros(window.n_bars(track), dtype=bool)
        generated[[bar for bar in generated_bars if 0 <= bar < len(generated)]] = True
        return reachable_levels(self, window.track(track), generated)


# Entries of the reference's catalogue that this package knows but does not measure: (name, token type,
# tracks, size). Their tokens exist in vocabularies, so a configuration that lists them must load.
NOT_MEASURED: dict[str, tuple[str, TrackType, int]] = {
    "tension": ("Tension", "melodic", 10),
    "tension_drum": ("TensionDrum", "drum", 10),
}

_rows: list[Attribute] = []


def attribute(
    name: str,
    *,
    token: str,
    level: Level = "track",
    tracks: TrackType = "both",
    bins: Bins,
    entry: str | None = None,
    params: Mapping[str, str] | None = None,
    **facts: Any,
) -> Callable[[Formula], Attribute]:
    """Decorator: register a function as an attribute and return its row.

    A track-level function gets a `TrackView` and returns a number. A bar-level one gets a `BarView`, or with
    ``vectorized=True`` the `TrackView` and then returns one number per bar. `entry` and `params` are how a
    configuration's ``attribute_controls`` asks for it (default: by `name`, no parameters).
    """
    if level not in LEVELS or tracks not in TRACK_TYPES:
        raise ValueError(f"attribute {name!r}: level must be one of {LEVELS} and tracks one of {TRACK_TYPES}")

    def register(function: Formula) -> Attribute:
        row = Attribute(
            name=name,
            token_type=token,
            level=level,
            track_type=tracks,
            bins=bins,
            entry=entry or name,
            params=dict(params or {}),
            doc=(function.__doc__ or "").strip().split("\n")[0],
            formulas={"compatible": function},
            **facts,
        )
        for other in _rows:
            if other.entry == row.entry and other.params == row.params:
                raise ValueError(
                    f"attribute {row.entry!r} {row.params or ''} is registered already; "
                    f"to define it anew, call forget({row.name!r}) first"
                )
            if other.name == row.name and row.from_domain:
                raise ValueError(f"an attribute named {row.name!r} is registered already")
        _rows.append(row)
        return row

    return register


def forget(name: str) -> None:
    """Take an attribute out of the table again (for tests and for cells that are run twice)."""
    _rows[:] = [row for row in _rows if row.name != name]


def rows() -> tuple[Attribute, ...]:
    """Every registered attribute, in order."""
    return tuple(_rows)


def available() -> list[str]:
    """Names that a configuration's ``attribute_controls`` may use.

    >>> available()[:2]
    ['note_density_quantile', 'note_density']
    """
    return list(dict.fromkeys(row.entry for row in _rows))


def closeness(requested: int, realized: int, size: int, nominal: bool) -> float:
    """How near one of `size` values is to another, 0 … 1; values without an order are the same or not.

    >>> closeness(2, 3, 5, nominal=False), closeness(2, 3, 5, nominal=True)
    (0.75, 0.0)
    """
    if nominal:
        return float(requested == realized)
    return max(0.0, 1.0 - abs(realized - requested) / max(size - 1, 1))


def is_nominal(name: str) -> bool:
    """Whether the values of the attribute of this name have no order, so that near is as wrong as far.

    >>> is_nominal("key_signature"), is_nominal("note_density")
    (True, False)
    """
    return any(row.nominal for row in _rows if row.name == name)


def row_for_token(token_type: str) -> Attribute | None:
    """The attribute that a vocabulary with this token type has, or None."""
    for row in _rows:
        if row.from_domain and (row.token_type == token_type or token_type in row.token_aliases):
            return row
    return None


def row_for_entry(entry: str, params: Mapping[str, Any] | None = None) -> Attribute:
    """The attribute a configuration entry asks for.

    Raises UnknownAttribute (a KeyError) for an unknown name, AttributeParameterError (a TypeError) for
    unknown or missing parameters, EncoderConfigError for a parameter value without an attribute.
    """
    candidates = [row for row in _rows if row.entry == entry]
    if not candidates:
        near = get_close_matches(entry[:60], available(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(available())}"
        raise UnknownAttribute(f"no attribute is named {brief(entry)}; {hint}")
    if params is not None and not isinstance(params, Mapping):
        raise AttributeParameterError(f"attribute {entry!r}: params is {brief(params)}; it must be an object")
    given = dict(params or {})
    tracks = given.pop("track_type", None)
    known = sorted({key for row in candidates for key in row.params})
    allowed = [*known, "track_type"] if known else []
    unknown = sorted(set(map(str, params or {})) - set(allowed))
    if unknown:
        raise AttributeParameterError(
            f"attribute {entry!r} takes no parameter {brief(unknown[0])}; it takes {allowed or 'none'}"
        )
    if "mode" in known and "mode" not in given:
        raise AttributeParameterError(f"attribute {entry!r} needs a parameter 'mode': 'min' or 'max'")
    # The first row of an entry carries the defaults of the parameters that may be left out.
    wanted = {**candidates[0].params, **given}
    if tracks is not None and tracks not in TRACK_TYPES:
        raise EncoderConfigError(
            f"attribute {entry!r}: track_type {brief(tracks)} is not one of {TRACK_TYPES}"
        )
    for row in candidates:
        if row.params == wanted:
            return row if tracks is None else dataclasses.replace(row, track_type=tracks)
    forms = [dict(row.params) for row in candidates]
    raise EncoderConfigError(f"attribute {entry!r} has no form with {brief(given)}; there are {forms}")
