"""16-bit WAV files, through the standard library."""

from __future__ import annotations

import wave
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

FULL_SCALE = 32767


def write_wav(
    target: str | PathLike[str] | BinaryIO, audio: npt.ArrayLike, *, sample_rate: int = 44100
) -> None:
    """Write `audio` as a 16-bit PCM WAV file.

    Parameters
    ----------
    target
        A path, or a binary file object open for writing.
    audio
        Samples between -1 and 1, shape (n,) for mono or (n, channels). Values outside are clipped.
    sample_rate
        Samples per second.

    Raises
    ------
    ValueError
        If the array has another shape or holds NaN or infinity.

    Example
    -------
    >>> write_wav("song.wav", render(Score.example()[:2]))
    """
    if isinstance(audio, str | PathLike):
        raise ValueError(f"audio is {str(audio)!r}; the file comes first: write_wav('new.wav', samples)")
    samples = np.asarray(audio, dtype=np.float32)
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or not 1 <= samples.shape[1] <= 8:
        raise ValueError(f"audio has shape {np.shape(audio)}; expected (n,) or (n, channels)")
    if not np.isfinite(samples).all():
        raise ValueError("audio holds NaN or infinite samples")
    pcm = np.rint(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype("<i2")
    with wave.open(str(Path(target)) if isinstance(target, str | PathLike) else target, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(pcm.tobytes())


def read_wav(source: str | PathLike[str] | BinaryIO) -> tuple[npt.NDArray[np.float32], int]:
    """Read a 16-bit WAV file: (samples of shape (n, channels) between -1 and 1, sample rate).

    Raises
    ------
    ValueError
        If the file is not 16-bit PCM.
    """
    with wave.open(str(Path(source)) if isinstance(source, str | PathLike) else source, "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{8 * file.getsampwidth()}-bit WAV files are not read; only 16-bit ones are")
        raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return raw.reshape(-1, file.getnchannels()).astype(np.float32) / np.float32(
            FULL_SCALE
        ), file.getframerate()
