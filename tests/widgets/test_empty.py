"""A roll without notes: it begins empty, takes the example as one undo step, and can be drawn in (X3)."""

from __future__ import annotations

import numpy as np
import pytest

import midigpt_nb as mg
from midigpt_nb import PianoRoll, Score
from midigpt_nb.widgets import protocol
from midigpt_nb.widgets.ops import NEW_ID


def test_x3_a_roll_needs_no_score() -> None:
    roll = PianoRoll()
    assert repr(roll) == "PianoRoll(0 tracks, 0 bars, 0 notes)"
    assert roll.preview_png()[:4] == b"\x89PNG" and roll.code()


def test_x3_the_example_is_one_undo_step() -> None:
    roll = PianoRoll()
    answer, _ = roll._request_example()
    assert answer["rev"] == roll._document.rev
    assert roll.score.to_midi() == Score.example().to_midi()
    program: dict[str, object] = {}
    exec(roll.code(), program)  # the line of the log runs
    assert program["roll"].score.to_midi() == roll.score.to_midi()  # type: ignore[attr-defined]
    assert roll.undo() and not roll.undo()
    assert (len(roll.score.tracks), roll.can_redo) == (0, True)


def test_x3_a_read_only_roll_stays_empty() -> None:
    roll = PianoRoll(readonly=True)
    with pytest.raises(protocol.ProtocolError, match="read-only"):
        roll._request_example()
    assert len(roll.score.tracks) == 0


def test_x3_room_and_the_first_note_can_be_taken_back() -> None:
    """What the page sends for Draw: a track and bars in one step, then a note."""
    roll = PianoRoll()
    roll._request_ops(
        "Add a track and bars",
        [{"op": "track_add", "program": 0}, {"op": "bars_insert", "at": 0, "count": 8}],
        b"",
    )
    assert (len(roll.score.tracks), roll.score.n_bars) == (1, 8)
    note = protocol.empty_notes(1)
    note["pitch"], note["velocity"], note["duration"], note["id"] = 60, 90, 480, NEW_ID
    roll._request_ops("Draw a note", [{"op": "notes", "remove": [], "count": 1}], np.asarray(note).tobytes())
    assert roll.score.n_notes == 1
    assert roll.undo() and roll.score.n_notes == 0
    assert roll.undo() and len(roll.score.tracks) == 0


def test_x3_an_editor_begins_empty_too() -> None:
    editor = mg.InfillEditor(engine="pocket")
    assert repr(editor).startswith("InfillEditor(0 tracks")
    editor.close()
