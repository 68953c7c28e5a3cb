"""Scores to sound, with numpy only.

>>> from midigpt_nb.audio import render, write_wav
>>> audio = render(Score.example()[:2])    # float32, shape (samples, 2), between -1 and 1
>>> write_wav("song.wav", audio)

In a notebook, `IPython.display.Audio(audio.T, rate=44100, normalize=False)` plays it.
"""

from __future__ import annotations

from midigpt_nb.audio.synth import SAMPLE_RATE, render
from midigpt_nb.audio.wav import read_wav, write_wav

__all__ = ["SAMPLE_RATE", "read_wav", "render", "write_wav"]
