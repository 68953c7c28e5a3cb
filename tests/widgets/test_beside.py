"""What stands beside the music: cut to the piece that is there, brought back by undo, with tracks by name."""

from __future__ import annotations

from typing import Any

import numpy as np
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
    roll.mix = {str(roll._document.state.track_numbers[0]): {"muted": True}}
    roll.loop = [0, 1]
    roll.undo()
    assert roll.mix == {"0": {"muted": True}, "3": {"volume": 40}}
    assert roll.loop == [0, 1]


def test_what_was_cut_off_comes_back_once(example) -> None:
    """A wish that was cleared later stays cleared when something else is undone."""
    roll = InfillEditor(example)
    before = decide(roll)
    roll.score = short_piece()
    roll.attributes = {"track": {0: {"note_density": 7}}}
    roll.undo()
    assert decided(roll) == FITTED
    roll.undo()
    assert decided(roll) == before
    roll.mix = {}
    roll.set_chords("C", 2)
    roll.undo()
    assert decided(roll) == {**before, "mix": {}}


def test_a_file_that_the_page_opens_takes_the_wishes_with_it(connect, example) -> None:
    roll, page = connect(PianoRoll, example)
    roll.attributes = {"track": {3: {"note_density": 4}}}
    request = {"v": 1, "k": "upload", "id": "u", "name": "short.mid", "part": 0, "parts": 1}
    page.raw(request, [memoryview(short_piece().to_midi())])
    assert roll.score.n_tracks == 1 and roll.attributes == {"track": {}, "bar": {}}
    assert page.updates("attributes")[-1] == {"track": {}, "bar": {}}
    page.request("undo")
    assert roll.attributes["track"] == {"3": {"note_density": 4}}


# --------------------------------------------------------------------- tracks and bars that move, come and go


def edit(page, op: str, **fields) -> None:
    answer, _ = page.request("ops", label="x", ops=[{"op": op, **fields}])
    assert answer["k"] == "ok", answer


def test_what_is_decided_goes_where_its_track_and_bar_go(connect, example) -> None:
    roll, page = connect(InfillEditor, example)
    before = decide(roll)
    roll.plan = {"roles": {"0": {"bars": {"1": "hidden"}}, "3": {"track": "ignore"}}}
    before["plan"] = roll.plan
    edit(page, "track_delete", track=1)
    assert roll.attributes["track"] == {"0": {"note_density": 3}, "2": {"note_density": 4}}
    assert roll.plan["roles"]["2"] == {"track": "ignore"}
    assert roll.selection["cells"] == [[0, 1], [0, 9], [2, 1], [2, 9]]
    edit(page, "bars_insert", at=4, count=2)
    edit(page, "bars_delete", first=0, count=1)
    assert roll.attributes["bar"] == {"0": {"0": {DENSITY: 1}, "10": {DENSITY: 2}}}  # bar 0 of track 3 went
    assert roll.loop == [0, 10] and roll.chords == {10: "F"}
    assert roll.plan["roles"]["0"] == {"bars": {"0": "hidden"}}
    for _ in range(3):
        roll.undo()
    assert decided(roll) == before
    roll.score = roll.score.reorder_tracks([3, 0, 1, 2]).delete_bars(range(2, 4))
    assert roll.attributes["track"] == {"1": {"note_density": 3}, "0": {"note_density": 4}}
    assert roll.attributes["bar"]["1"] == {"1": {DENSITY: 1}, "7": {DENSITY: 2}}
    assert roll.selection["cells"] == [[0, 1], [0, 7], [1, 1], [1, 7]]
    roll.undo()
    assert decided(roll) == before


def test_a_copied_phrase_has_the_wishes_of_its_bars(connect, example) -> None:
    roll, page = connect(PianoRoll, example)
    roll.attributes = {"track": {0: {"note_density": 3}}, "bar": {0: {1: {DENSITY: 1}}}}
    roll.loop = [1, 2]
    edit(page, "bars_duplicate", first=0, count=2)
    edit(page, "track_duplicate", track=0)
    phrase = {"1": {DENSITY: 1}, "3": {DENSITY: 1}}
    assert roll.attributes["bar"] == {"0": phrase, "1": phrase} and roll.loop == [1, 2]
    roll.attributes = {"track": {}, "bar": {0: {1: {DENSITY: 1}}}}
    assert roll.undo() and roll.undo() and roll.redo() and roll.redo()
    assert roll.attributes == {"track": {}, "bar": {"0": {"1": {DENSITY: 1}}}}, "what was said since stays"


def test_another_metre_keeps_what_follows_with_its_bars(connect, example) -> None:
    roll, page = connect(PianoRoll, example)
    roll.attributes = {"bar": {0: {1: {DENSITY: 1}, 9: {DENSITY: 2}}}}
    edit(page, "metre_set", first=2, count=3, metre=[3, 4])
    assert roll.score.n_bars == len(example.tracks[0].bars) + 1
    assert roll.attributes["bar"]["0"] == {"1": {DENSITY: 1}, "10": {DENSITY: 2}}


def random_op(rng: np.random.Generator, n_tracks: int, n_bars: int) -> dict:
    track, bar = int(rng.integers(n_tracks)), int(rng.integers(n_bars))
    count = int(rng.integers(1, max(2, n_bars - bar)))
    ops = [
        {"op": "bars_insert", "at": bar, "count": count},
        {"op": "track_move", "track": track, "to": int(rng.integers(n_tracks))},
        {"op": "track_add"},
    ]
    if n_bars - count > 2:
        ops += [{"op": "bars_delete", "first": bar, "count": min(count, n_bars - bar)}] * 2
    if n_tracks > 2:
        ops += [{"op": "track_delete", "track": track}]
    return ops[int(rng.integers(len(ops)))]


def numbered(track: int, bar: int) -> dict[str, int]:
    """Wishes that no other bar of 16 has, with levels that every model knows."""
    return {DENSITY: (16 * track + bar) // 10, "bar_max_polyphony": (16 * track + bar) % 10}


@pytest.mark.parametrize("seed", range(4))
def test_random_edits_keep_every_wish_with_its_bar_and_undo_restores_all(connect, example, seed) -> None:
    """Each bar has wishes of its own; lists of tracks and bars beside the roll say where it has to be."""
    rng = np.random.default_rng(seed)
    roll, page = connect(InfillEditor, example)
    n_tracks, n_bars = example.n_tracks, example.n_bars
    roll.attributes = {
        "track": {i: {"note_density": i} for i in range(n_tracks)},
        "bar": {i: {b: numbered(i, b) for b in range(n_bars)} for i in range(n_tracks)},
    }
    roll.plan = {
        "roles": {i: {"bars": dict.fromkeys(range(i, n_bars, 3), "hidden")} for i in range(n_tracks)}
    }
    roll.mix = {str(i): {"volume": 10 * i} for i in range(n_tracks)}
    roll.selection = {"cells": [[i, b] for i in range(n_tracks) for b in range(0, n_bars, 2)]}
    roll.loop, roll.chords = [2, 9], {1: "Am", 7: "F"}
    tracks: list[int | None] = list(range(n_tracks))
    bars: list[Any] = list(range(n_bars))
    looped = set(bars[2:9])
    steps = [(decided(roll), list(tracks), list(bars))]

    def as_modelled() -> None:
        places = {old: new for new, old in enumerate(bars) if isinstance(old, int)}
        wished = {str(new): {str(places[b]): numbered(old, b) for b in sorted(places)}
                  for new, old in enumerate(tracks) if old is not None and places}  # fmt: skip
        assert roll.attributes["bar"] == wished
        assert roll.attributes["track"] == {
            str(new): {"note_density": old} for new, old in enumerate(tracks) if old is not None and bars
        }
        hidden = {(new, places[b]) for new, old in enumerate(tracks) if old is not None
                  for b in range(old, n_bars, 3) if b in places}  # fmt: skip
        rows = roll.plan.get("roles", {})
        assert {(int(i), int(b)) for i, row in rows.items() for b in row["bars"]} == hidden
        selected = {(new, places[b]) for new, old in enumerate(tracks) if old is not None
                    for b in range(0, n_bars, 2) if b in places}  # fmt: skip
        assert set(roll.selected_cells) == selected
        inside = [new for new, old in enumerate(bars) if old in looped]
        assert roll.loop == ([min(inside), max(inside) + 1] if inside else [])
        looped.update(bars[slice(*roll.loop)] if inside else ())
        assert roll.chords == {places[b]: name for b, name in ((1, "Am"), (7, "F")) if b in places}
        assert roll.mix == {str(old): {"volume": 10 * old} for old in tracks if old is not None}

    for _ in range(15):
        op = random_op(rng, len(tracks), len(bars))
        edit(page, **op)
        first, count = op.get("first", 0), op.get("count", 0)
        match op["op"]:
            case "bars_insert":
                bars[op["at"] : op["at"]] = [object() for _ in range(count)]
            case "bars_delete":
                del bars[first : first + count]
            case "track_delete":
                del tracks[op["track"]]
            case "track_move":
                tracks.insert(op["to"], tracks.pop(op["track"]))
            case "track_add":
                tracks.append(None)
        as_modelled()
        steps.append((decided(roll), list(tracks), list(bars)))
    for told, *_ in reversed(steps[:-1]):
        assert roll.undo() and decided(roll) == told
    for told, *_ in steps[1:]:
        assert roll.redo() and decided(roll) == told


def test_twins_are_told_apart_by_their_notes() -> None:
    """Python deletes the first of two tracks of one name and instrument: what is left is the second."""
    twins = [Track([Bar([Note(pitch, 90, 0, 12)]), Bar([])], name="Piano") for pitch in (60, 70, 80)]
    roll = PianoRoll(Score(twins))
    roll.attributes = {"track": {i: {"note_density": i} for i in range(3)}}
    roll.score = roll.score.delete_track(0)
    assert roll.attributes["track"] == {"0": {"note_density": 1}, "1": {"note_density": 2}}


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
