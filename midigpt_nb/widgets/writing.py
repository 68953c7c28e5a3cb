"""Files that are written whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from midigpt_nb.errors import ProjectError

__all__ = ["readable", "write_whole"]


def readable(path: Any) -> Path:
    """What a person gave as a path, as one. Raises `ProjectError` for what is none."""
    try:
        text = os.fspath(path)
        place = Path(os.fsdecode(text)).expanduser()
        place.lstat()
    except FileNotFoundError:
        return place
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(f"{_short(path)} is no path of a file: {reason}") from error
    return place


def write_whole(path: Any, data: bytes) -> None:
    """Write a file; what was there before stays when that fails. Raises `ProjectError` where it cannot be
    written, and for anything there that is no file: a folder, a device.
    """
    target = Path(os.path.realpath(readable(path)))  # a link stays one
    scratch = target.with_name(f".{target.name[:200]}.part") if target.name else target
    try:
        if not target.name or (target.exists() and not target.is_file()):
            raise IsADirectoryError(0, "it is no file" if not target.is_dir() else "it is a folder")
        scratch.write_bytes(data)
        scratch.replace(target)
    except OSError as error:
        if scratch != target:
            scratch.unlink(missing_ok=True)
        raise ProjectError(f"cannot write {_short(path)}: {error.strerror or error}") from error


def _short(path: Any) -> str:
    text = repr(str(path))
    return text if len(text) <= 120 else f"{text[:80]}...{text[-30:]}"
