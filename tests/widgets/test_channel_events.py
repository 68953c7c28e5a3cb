"""What a file says besides notes reaches the page: at its tick, on its track, with its bars."""

from __future__ import annotations

import io

import pretty_midi
import pytest

from midigpt_nb import Score
from midigpt_nb.widgets.channel_events import BEND, channel_events
from midigpt_nb.widgets.document import Document
from midigpt_nb.widgets.protocol import unpack_document


def two_tracks() -> Score:
    """Piano with pedal and volume, bass with a bend; 120 bpm, 220 ticks a quarter."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    for program, pitch in ((0, 60), (33, 40)):
        part = pretty_midi.Instrument(program)
        part.notes = [pretty_midi.Note(90, pitch, beat / 2, beat / 2 + 0.4) for beat in range(16)]
        midi.instruments.append(part)
    piano, bass = midi.instruments
    piano.control_changes = [
        pretty_midi.ControlChange(64, 127, 1.0),
        pretty_midi.ControlChange(64, 0, 2.0),
        pretty_midi.ControlChange(7, 70, 0.0),
        pretty_midi.ControlChange(99, 5, 0.0),  # nothing one hears
    ]
    bass.pitch_bends = [pretty_midi.PitchBend(4096, 3.0)]
    data = io.BytesIO()
    midi.write(data)
    return Score.from_bytes(data.getvalue())


def test_s7_pedal_volume_and_bends_at_their_ticks() -> None:
    score = two_tracks()
    quarter = score.resolution
    assert channel_events(score) == [
        [0, 0, 7, 70],
        [2 * quarter, 0, 64, 127],
        [4 * quarter, 0, 64, 0],
        [6 * quarter, 1, BEND, 8192 + 4096],
    ]


def test_s7_they_move_with_their_bars_and_tracks() -> None:
    score = two_tracks()
    bar = 4 * score.resolution
    moved = channel_events(score.insert_bars(1, 2))
    assert [bar * 3 + 2 * score.resolution, 1, BEND, 12288] in moved
    swapped = channel_events(score.reorder_tracks([1, 0]))
    assert [0, 1, 7, 70] in swapped


def test_s7_the_document_carries_them_and_a_score_without_a_file_has_none() -> None:
    document = Document(two_tracks())
    header, _, _ = unpack_document(document.pack())
    assert [0, 0, 7, 70] in header["controls"]
    plain, _, _ = unpack_document(Document(Score.from_dict(two_tracks().to_dict())).pack())
    assert "controls" not in plain


@pytest.mark.parametrize("score", [Score([]), Score.example()[0:1]])
def test_s7_small_scores(score: Score) -> None:
    for tick, track, controller, value in channel_events(score):
        assert 0 <= tick <= 4 * score.resolution and 0 <= track < score.n_tracks
        assert controller >= BEND and 0 <= value < 16384
