"""A file, or the pieces it was cut into to keep each of them small, read as one."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from midigpt_nb.errors import CheckpointError

__all__ = ["Parts", "parts_of"]

_CHUNK = 1 << 20


def parts_of(path: Path) -> list[Path]:
    """The file itself, or `name.000`, `name.001`, ...; empty when there is neither."""
    if path.exists():
        return [path]
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9]")) if path.parent.is_dir() else []


class Parts:
    """Reads from several files as if they were one, without joining them in memory."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._ends = list(accumulate(path.stat().st_size for path in paths))

    @property
    def n_bytes(self) -> int:
        """Bytes in all parts together."""
        return self._ends[-1]

    def read(self, start: int, n: int) -> bytes:
        """`n` bytes from `start` on."""
        data = bytearray(n)
        self.read_into(start, memoryview(data))
        return bytes(data)

    def read_into(self, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes from `start` on."""
        done = 0
        while done < len(buffer):
            i = min(bisect_right(self._ends, start + done), len(self._paths) - 1)
            with self._paths[i].open("rb") as file:
                file.seek(start + done - (self._ends[i - 1] if i else 0))
                got = file.readinto(buffer[done : done + self._ends[i] - start - done])
            if not got:
                raise CheckpointError(f"{self._paths[i].name}: the file became shorter while it was read")
            done += got

    def sha256(self) -> str:
        """Checksum of all bytes, as `sha256sum` would print it for the whole file."""
        digest = hashlib.sha256()
        for path in self._paths:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        return digest.hexdigest()
