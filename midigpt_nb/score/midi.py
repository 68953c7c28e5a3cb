"""Interop with pretty_midi, by way of MIDI bytes; imported only when asked for."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pretty_midi

__all__ = ["bytes_from_pretty_midi", "pretty_midi_from_bytes"]


def bytes_from_pretty_midi(midi: pretty_midi.PrettyMIDI) -> bytes:
    """The MIDI file that a `pretty_midi.PrettyMIDI` object writes."""
    buffer = BytesIO()
    midi.write(buffer)
    return buffer.getvalue()


def pretty_midi_from_bytes(data: bytes) -> pretty_midi.PrettyMIDI:
    """A MIDI file as a `pretty_midi.PrettyMIDI` object."""
    import pretty_midi

    return pretty_midi.PrettyMIDI(BytesIO(data))
