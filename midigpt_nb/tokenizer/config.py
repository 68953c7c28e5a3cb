"""Encoder configurations: what a checkpoint says about its tokens.

The fields the core reads are declared in ``src_cpp/vocab/encoder_config.def``; this module turns JSON into
them and back, and keeps what the core does not read: attribute controls, choice of formulas, unknown keys.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from midigpt_nb import _core
from midigpt_nb.attributes.registry import FORMULAS
from midigpt_nb.errors import EncoderConfigError, VocabularyError, brief

__all__ = ["EncoderConfig"]

_MOST = 2**31 - 1  # what the core's integers hold; its own limits are tighter and named there

_LONGEST_NAME, _MOST_WARNINGS = 60, 1000  # what a hostile file can make this module compare and remember

_warned: set[str] = set()  # what has been warned about


class EncoderConfig(_core.EncoderConfig):
    """How a model's tokens are laid out and what its values mean.

    Fields are those of the JSON file (``EncoderConfig.fields()`` lists them with their meaning), plus
    `attribute_controls` (list of ``{"name", "params"}``), `attribute_formulas` ("compatible" or "exact"),
    `attribute_dropout` (whether attribute tokens were left out at random in training; None: not said) and
    `unknown` (keys this version does not know; kept and written back). `token_domains` is empty when the
    vocabulary is derived from the other fields.

    >>> config = EncoderConfig.from_dict({"resolution": 12, "time_signatures": ["4/4"], "num_bars_map": [4]})
    >>> config.resolution, config.time_signatures
    (12, [(4, 4)])
    """

    def __init__(self) -> None:
        super().__init__()
        self.attribute_controls: list[dict[str, Any]] = []
        self.attribute_formulas: str = "compatible"
        self.attribute_dropout: bool | None = None
        self.unknown: dict[str, Any] = {}

    @classmethod
    def from_json(cls, text: str | bytes) -> EncoderConfig:
        """Read the JSON text of a configuration. Raises EncoderConfigError naming the key that is wrong."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:  # bad syntax, encoding or number; nested too deep
            raise EncoderConfigError(f"the encoder configuration is not JSON: {error}") from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderConfig:
        """Read a configuration from its JSON object.

        Raises EncoderConfigError for a value of the wrong kind, an impossible value, and a token list that
        contradicts the other fields. Keys nobody knows are kept in `unknown`; each name is warned about once.
        """
        if not isinstance(data, Mapping):
            raise EncoderConfigError(f"an encoder configuration is a JSON object, not {type(data).__name__}")
        config = cls()
        for key, value in data.items():
            if not isinstance(key, str):
                raise EncoderConfigError(f"an encoder configuration's keys are texts, not {brief(key)}")
            try:
                if key in _READERS:
                    setattr(config, key, _READERS[key](key, value))
                else:
                    config.unknown[key] = copy.deepcopy(value)
            except RecursionError:
                raise EncoderConfigError(f"{brief(key)} is nested too deep") from None
            except TypeError:  # what the core cannot take: a text that is no valid Unicode
                raise _wrong(key, value, "made of valid Unicode texts") from None
        if config.switchable_microtiming:
            config.emit_delta_tokens = True
        _warn_about(config.unknown)
        _core.Vocabulary(config)  # finds contradictions
        return config

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`; reading it again gives the same configuration.

        `token_domains` is there only when it was given: a derived vocabulary stays derived.
        """
        data: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        data["pitch_range"] = list(self.pitch_range)
        data["time_signatures"] = [f"{top}/{bottom}" for top, bottom in self.time_signatures]
        data["genre_groups"] = {name: list(aliases) for name, aliases in self.genre_groups}
        for name in ("instrument_merge_groups", "num_bars_map", "token_domains"):
            data[name] = getattr(self, name)
        data = {name: value for name, value in data.items() if name not in _OPTIONAL or value}
        data["attribute_controls"] = copy.deepcopy(self.attribute_controls)
        if self.attribute_formulas != "compatible":
            data["attribute_formulas"] = self.attribute_formulas
        if self.attribute_dropout is not None:
            data["attribute_dropout"] = self.attribute_dropout
        data.update(copy.deepcopy(self.unknown))
        return dict(sorted(data.items()))

    def to_json(self) -> str:
        """The JSON text of `to_dict`."""
        return json.dumps(self.to_dict(), indent=1)

    def copy(self) -> EncoderConfig:
        """An independent copy."""
        other = EncoderConfig()
        for name, _kind, _meaning in self.fields():
            setattr(other, name, getattr(self, name))
        other.attribute_controls = copy.deepcopy(self.attribute_controls)
        other.attribute_formulas = self.attribute_formulas
        other.attribute_dropout = self.attribute_dropout
        other.unknown = copy.deepcopy(self.unknown)
        return other

    @property
    def attributes_are_optional(self) -> bool:
        """Whether the model may leave attribute tokens out: it can where they were dropped in training.

        Models with exact formulas were trained by this package, which always drops some.
        """
        said = self.attribute_dropout
        return self.attribute_formulas == "exact" if said is None else said

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, EncoderConfig) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], EncoderConfig], tuple[dict[str, Any]]]:
        return EncoderConfig.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        form = f"{len(self.token_domains)} token domains" if self.token_domains else "derived vocabulary"
        attributes = len(self.attribute_controls)
        return f"EncoderConfig({form}, resolution {self.resolution}, {attributes} attribute controls)"


def config_to_json(config: _core.EncoderConfig) -> str:
    """JSON of a configuration that may be the core's plain one."""
    if isinstance(config, EncoderConfig):
        return config.to_json()
    full = EncoderConfig()
    for name, _kind, _meaning in config.fields():
        setattr(full, name, getattr(config, name))
    return full.to_json()


# Readers: JSON value -> field value, or an EncoderConfigError that names the key.


def _wrong(key: str, value: Any, expected: str) -> EncoderConfigError:
    return EncoderConfigError(f"{key} is {brief(value)}; it must be {expected}")


def _int(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_MOST <= value <= _MOST:
        raise _wrong(key, value, f"a whole number from {-_MOST} to {_MOST}")
    if value != int(value):
        raise _wrong(key, value, "a whole number")
    return int(value)


def _bool(key: str, value: Any) -> bool:
    if not isinstance(value, bool) and not (isinstance(value, int) and value in (0, 1)):
        raise _wrong(key, value, "true or false")
    if not isinstance(value, bool):
        _warn(f"{key} is {value}; taken as {'true' if value else 'false'}")
    return bool(value)


def _list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(key, value, "a list")
    return list(value)


def _ints(key: str, value: Any) -> list[int]:
    return [_int(f"{key}[{i}]", item) for i, item in enumerate(_list(key, value))]


def _pitch_range(key: str, value: Any) -> tuple[int, int]:
    pitches = _ints(key, value)
    if len(pitches) != 2:
        raise _wrong(key, value, "[lowest, highest]")
    return pitches[0], pitches[1]


def _groups(key: str, value: Any) -> list[list[int]]:
    return [_ints(f"{key}[{i}]", group) for i, group in enumerate(_list(key, value))]


def _signature(key: str, value: Any) -> tuple[int, int]:
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
        raise _wrong(key, value, 'a time signature such as "6/8"')
    return int(parts[0]), int(parts[1])


def _signatures(key: str, value: Any) -> list[tuple[int, int]]:
    return [_signature(f"{key}[{i}]", item) for i, item in enumerate(_list(key, value))]


def _genres(key: str, value: Any) -> list[tuple[str, list[str]]]:
    if not isinstance(value, Mapping):
        raise _wrong(key, value, "an object of genre names and lists of aliases")
    for name, aliases in value.items():
        if not all(isinstance(alias, str) for alias in _list(f"{key}[{name!r}]", aliases)):
            raise _wrong(f"{key}[{name!r}]", aliases, "a list of names")
    return [(name, list(aliases)) for name, aliases in value.items()]


def _domains(key: str, value: Any) -> list[dict[str, Any]]:
    rows = []
    for i, row in enumerate(_list(key, value)):
        if not isinstance(row, Mapping) or not isinstance(row.get("type"), str) or "domain_size" not in row:
            raise _wrong(f"{key}[{i}]", row, '{"type": name, "domain_size": number}')
        try:
            _core.parse_token_type(row["type"])
        except (VocabularyError, TypeError) as error:  # TypeError: a text that is no valid Unicode
            raise EncoderConfigError(f"{key}[{i}].type: {error}") from error
        _warn_about_others(f"{key}[{i}]", row, ("type", "domain_size"))
        rows.append({"type": row["type"], "domain_size": _int(f"{key}[{i}].domain_size", row["domain_size"])})
    return rows


def _controls(key: str, value: Any) -> list[dict[str, Any]]:
    for i, row in enumerate(_list(key, value)):
        if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
            raise _wrong(f"{key}[{i}]", row, '{"name": attribute, "params": {...}}')
        if not isinstance(row.get("params") or {}, Mapping):
            raise _wrong(f"{key}[{i}].params", row["params"], "an object of parameters")
        _warn_about_others(f"{key}[{i}]", row, ("name", "params"))
    return [copy.deepcopy(dict(row)) for row in value]


def _formulas(key: str, value: Any) -> str:
    if value not in FORMULAS:
        raise _wrong(key, value, " or ".join(map(repr, FORMULAS)))
    return str(value)


_PLAIN = tuple(name for name, kind, _meaning in _core.EncoderConfig.fields() if kind in ("int", "bool"))
_OPTIONAL = ("time_signatures", "instrument_merge_groups", "num_bars_map", "genre_groups", "token_domains")

_KIND_READERS: dict[str, Callable[[str, Any], Any]] = {
    "int": _int,
    "bool": _bool,
    "PitchRange": _pitch_range,
    "TimeSignatures": _signatures,
    "IntLists": _groups,
    "Ints": _ints,
    "GenreGroups": _genres,
    "TokenDomains": _domains,
}
_READERS: dict[str, Callable[[str, Any], Any]] = {
    **{name: _KIND_READERS[kind] for name, kind, _meaning in _core.EncoderConfig.fields()},
    "attribute_controls": _controls,
    "attribute_formulas": _formulas,
    "attribute_dropout": _bool,
}


def _warn_about(unknown: Mapping[str, Any]) -> None:
    for key in unknown:
        _warn(f"{key!r} is not known and has no effect{_hint(key, _READERS)}")


def _warn_about_others(place: str, row: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in row:
        if key not in known:
            _warn(f"{place}: {key!r} is not known and has no effect{_hint(str(key), known)}")


def _hint(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key[:_LONGEST_NAME], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _warn(text: str) -> None:
    """Warn, once for each text."""
    if text not in _warned and len(_warned) < _MOST_WARNINGS:
        _warned.add(text)
        warnings.warn(f"encoder configuration: {text[:300]}", stacklevel=4)
