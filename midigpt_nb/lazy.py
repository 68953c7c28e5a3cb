"""Names that are imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    module: str, names: list[str], places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package.

    `names` is its `__all__`; `places` says in which module the names live that are not imported at once.

        __getattr__, __dir__ = lazy_names(__name__, __all__, {"Engine": "midigpt_nb.inference.engine"})
    """

    def get(name: str) -> Any:
        if name in places:
            return getattr(import_module(places[name]), name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get, lambda: sorted(names)
