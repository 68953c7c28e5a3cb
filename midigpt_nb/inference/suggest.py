"""Did you mean ...? One helper for every place that refuses an unknown name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar

from midigpt_nb.errors import Place, Problem, RequestValidationError

__all__ = ["known_fields_only", "refuse_unknown", "suggestion", "suggestion_or_names"]

T = TypeVar("T")


def suggestion(name: object, known: Iterable[str]) -> str:
    """``"did you mean 'note_density'?"`` for a near miss or a part of a name, in any case; else ''.

    >>> suggestion("note_densty", ["note_density", "pitch_range"])
    "did you mean 'note_density'?"
    >>> suggestion("Minor", ["major", "natural_minor", "harmonic_minor"])
    "did you mean 'natural_minor' or 'harmonic_minor'?"
    """
    names = {other.casefold(): other for other in known}
    given = str(name).casefold()
    within = [other for folded, other in names.items() if len(given) > 2 and given in folded]
    close = [given] if given in names else get_close_matches(given, names, n=1, cutoff=0.6)
    found = within[:3] if within and given not in names else [names[other] for other in close]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def suggestion_or_names(name: object, known: Iterable[str]) -> str:
    """The suggestion, else the known names: for a message that does not list them anyway."""
    names = list(known)
    return suggestion(name, names) or (f"known names: {', '.join(names)}" if names else "")


def refuse_unknown(
    given: Mapping[Any, Any], known: Iterable[str], place: Place, what: str = "field", listed: str = ""
) -> None:
    """`RequestValidationError` for all names in `given` that are not known, each with the one that was likely
    meant; `listed` says where all of them are listed.
    """
    names = list(known)
    problems = [
        Problem(place.field(name), given[name], f"there is no such {what}", listed, hint)
        for name in given
        if name not in names
        for hint in (suggestion_or_names(name, names),)
    ]
    if problems:
        raise RequestValidationError(problems)


def known_fields_only(place: Place, what: str = "field", listed: str = "") -> Callable[[type[T]], type[T]]:
    """Decorator of a dataclass: an unknown keyword is a TypeError, as everywhere in Python, in the words in
    which an unknown name in a dict is refused.
    """

    def decorate(cls: type[T]) -> type[T]:
        made = cls.__init__

        @wraps(made)
        def init(self: T, *args: Any, **values: Any) -> None:
            try:
                refuse_unknown(values, (f.name for f in fields(cls)), place, what, listed)  # type: ignore[arg-type]
            except RequestValidationError as error:
                raise TypeError(str(error)) from None
            made(self, *args, **values)

        cls.__init__ = init  # type: ignore[assignment, method-assign]
        return cls

    return decorate
