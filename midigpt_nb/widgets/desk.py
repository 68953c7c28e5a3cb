"""The second module of the page, `static/desk.js`: menus, settings, lanes, editing.

Every widget carries `static/widget.js`, which is enough for the first picture. The page asks for the rest
once, however many widgets it shows. Both files carry the id of the build they come from; a page does not run
another build's.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

__all__ = ["DESK", "desk_module"]

DESK = Path(__file__).resolve().parent / "static" / "desk.js"


@lru_cache(maxsize=1)
def _read(_changed: int) -> bytes:
    return DESK.read_bytes()


def desk_module() -> bytes:
    """The module's bytes. Raises `FileNotFoundError` in an installation without the built page.

    >>> desk_module()[:2]
    b'/*'
    """
    return _read(DESK.stat().st_mtime_ns)
