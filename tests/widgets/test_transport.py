"""How a roll plays, as traits: metronome, speed, following (S5)."""

from __future__ import annotations

import pytest
import traitlets

from midigpt_nb import PianoRoll, Score


def test_s5_how_it_plays_can_be_said_from_python() -> None:
    roll = PianoRoll(Score.example(), metronome=True, tempo_factor=0.5, follow="centre")
    state = roll.get_state()
    assert (state["metronome"], state["tempo_factor"], state["follow"]) == (True, 0.5, "centre")
    plain = PianoRoll(Score.example())
    assert (plain.metronome, plain.tempo_factor, plain.follow) == (False, 1.0, "page")


@pytest.mark.parametrize(
    ("name", "value"), [("tempo_factor", 0.1), ("tempo_factor", 2.5), ("follow", "middle")]
)
def test_s5_what_does_not_exist_is_refused(name: str, value: object) -> None:
    roll = PianoRoll(Score.example())
    before = getattr(roll, name)
    with pytest.raises(traitlets.TraitError):
        setattr(roll, name, value)
    assert getattr(roll, name) == before
