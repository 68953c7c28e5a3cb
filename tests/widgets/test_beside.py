"""What stands beside the music: cut to the piece that is there, brought back by undo, with tracks by name."""

from __future__ import annotations

import pytest
import traitlets as t

from midigpt_nb import Bar, InfillEditor, Note, PianoRoll, Score, Track

DENSITY = "bar_note_density"


def short_piece() -> Score:
    return Score([Track([Bar([Note(60, 90, 0, 12)]), Bar([])], name="Solo")])


def decided(roll: InfillEditor) -> dict:
    names = ("attributes", "plan", "mix", "selection", "loop", "chords")
    return {name: getattr(roll, name) for name in names}


def decide(roll: InfillEditor) -> dict:
    roll.select(tracks=[0, 3], bars=[1, 9])
    roll.attributes = {"track": {0: {"note_density": 3}, 3: {"note_density": 4}},
                       "bar": {0: {1: {DENSITY: 1}, 9: {DENSITY: 2}}, 3: {0: {DENSITY: 5}}}}  # fmt: skip
    roll.plan = {"roles": {"0": {"bars": {"1": "hidden", "9": "locked"}}, "3": {"track": "ignore"}}}
    roll.mix = {"0": {"muted": True}, "3": {"volume": 40}}
    roll.loop = [1, 9]
    roll.set_chords({0: "Am", 9: "F"})
    return decided(roll)


FITTED = {
    "attributes": {"track": {"0": {"note_density": 3}}, "bar": {"0": {"1": {DENSITY: 1}}}},
    "plan": {"roles": {"0": {"bars": {"1": "hidden"}}}},
    "mix": {},  # the tracks of another piece are other tracks
    "selection": {"cells": [[0, 1]]},
    "loop": [1, 2],
    "chords": {0: "Am"},
}


def test_nothing_outlives_its_track_or_bar_and_undo_brings_it_back(example) -> None:
    roll = InfillEditor(example)
    before = decide(roll)
    roll.score = short_piece()
    assert decided(roll) == FITTED
    assert roll.undo() and decided(roll) == before
    assert roll.redo() and decided(roll) == FITTED
    assert roll.undo() and decided(roll) == before


def test_what_was_said_meanwhile_is_not_overruled(example) -> None:
    roll = InfillEditor(example)
    decide(roll)
    roll.score = short_piece()
    roll.attributes = {"track": {0: {"note_density": 7}}}
    roll.loop = [0, 1]
    roll.undo()
    assert roll.attributes["track"] == {"0": {"note_density": 7}, "3": {"note_density": 4}}
    assert roll.attributes["bar"] == {
        "0": {"9": {DENSITY: 2}},
        "3": {"0": {DENSITY: 5}},
    }
    assert roll.loop == [0, 1]


def test_a_file_that_the_page_opens_takes_the_wishes_with_it(connect, example) -> None:
    roll, page = connect(PianoRoll, example)
    roll.attributes = {"track": {3: {"note_density": 4}}}
    request = {"v": 1, "k": "upload", "id": "u", "name": "short.mid", "part": 0, "parts": 1}
    page.raw(request, [memoryview(short_piece().to_midi())])
    assert roll.score.n_tracks == 1 and roll.attributes == {"track": {}, "bar": {}}
    assert page.updates("attributes")[-1] == {"track": {}, "bar": {}}
    page.request("undo")
    assert roll.attributes["track"] == {"3": {"note_density": 4}}


# ------------------------------------------------------------------------------------------- tracks by name


def test_tracks_are_selected_by_name(example) -> None:
    roll = PianoRoll(example)
    bass = example.track_names.index("Bass")
    roll.select(tracks="Bass", bars=[4])
    assert roll.selected_cells == [(bass, 4)]
    roll.select(["bass", 2], 0)
    assert roll.selected_cells == sorted([(bass, 0), (2, 0)])
    with pytest.raises(ValueError, match=r"no track is named 'Tuba'; there are 0 '.*Bass"):
        roll.select("Tuba")


def test_a_name_that_several_tracks_have_is_refused_with_their_numbers(example) -> None:
    roll = PianoRoll(example.rename_track(0, "Bass"))
    numbers = [i for i, name in enumerate(roll.score.track_names) if name == "Bass"]
    assert len(numbers) == 2
    with pytest.raises(ValueError, match=f"2 tracks are named 'Bass': use their numbers, {numbers[0]} and"):
        roll.select("Bass")
    with pytest.raises(t.TraitError, match="use their numbers"):
        roll.attributes = {"track": {"Bass": {"note_density": 1}}}


def test_wishes_name_their_tracks(example) -> None:
    roll = PianoRoll(example)
    bass = str(example.track_names.index("Bass"))
    roll.attributes = {"track": {"Bass": {"note_density": 4}}, "bar": {"Bass": {2: {DENSITY: 1}}}}
    assert roll.attributes == {
        "track": {bass: {"note_density": 4}},
        "bar": {bass: {"2": {DENSITY: 1}}},
    }
    with pytest.raises(t.TraitError, match="no track is named 'Tuba'"):
        roll.attributes = {"bar": {"Tuba": {2: {DENSITY: 1}}}}
    with pytest.raises(t.TraitError, match="already, under another name"):
        roll.attributes = {"track": {"Bass": {DENSITY: 4}, bass: {DENSITY: 1}}}


def test_a_generation_takes_wishes_by_name(engine, example) -> None:
    roll = InfillEditor(example, engine)
    bass = example.track_names.index("Bass")
    job = roll.generate([(bass, 4)], {"track": {"Bass": {"note_density": 4}}}, seed=1)
    job.result()
    assert f"'track': {{'{bass}': {{'note_density': 4}}}}" in roll.code()
    with pytest.raises(ValueError, match="no track is named"):
        roll.generate([(bass, 4)], {"track": {"Tuba": {"note_density": 4}}})
