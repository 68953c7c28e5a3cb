"""Chords: estimated from notes, read as they are typed, measured in bars."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import Bar, Note, Score, Track
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.chord_names import QUALITIES, chord_text, parse_chord, parse_chords
from midigpt_nb.score.chords import ESTIMATED, as_chords, chord_share

BAR = 1920


def bar_of(*pitches: int, length: int = BAR) -> Bar:
    return Bar([Note(p, 90, 0, length) for p in pitches])


def one_bar(*pitches: int) -> Score:
    return Score([Track([bar_of(*pitches)])])


def as_defined(score: Score, bar: int) -> tuple[dict[str, float], np.ndarray]:
    """Per chord what the module says it is worth in a bar, tick by tick; and for how long classes sound."""
    start, end = score.bar_starts[bar : bar + 2]
    notes = [
        (begin + note.onset_ticks, begin + note.onset_ticks + max(note.duration_ticks, 1), note.pitch)
        for track in score.tracks
        if track.track_type == "melodic"
        for begin, own in zip(score.bar_starts, track.bars, strict=False)
        for note in own.notes
    ]
    sounding, lowest = np.zeros(12), np.zeros(12)
    for tick in range(start, end):
        weight = 1 if tick < (start + end) / 2 else 0.6
        for on, off, pitch in notes:
            sounding[pitch % 12] += weight * (on <= tick < off)
    for part in range(48):
        moment = start + (part + 0.5) * (end - start) / 48
        heard = [pitch for on, off, pitch in notes if on <= moment < off]
        if heard:
            lowest[min(heard) % 12] += 1 if part < 24 else 0.6
    lowest /= lowest.sum() or 1
    worth = {}
    for kind in ESTIMATED:
        for root in range(12):
            on_it = np.isin(np.arange(12), [(root + step) % 12 for step in QUALITIES[kind]])
            shape = sounding @ on_it / np.linalg.norm(sounding) / np.sqrt(on_it.sum())
            worth[f"{root} {kind}"] = shape + 0.25 * lowest[root] + 0.05 * lowest @ on_it
    return worth, sounding


# --- estimating


@pytest.mark.parametrize("seed", range(3))
def test_a7_chords_are_the_ones_of_the_definition(seed: int) -> None:
    """Notes that ring on for bars, odd metres, drums, bars of silence."""
    rng = np.random.default_rng(seed)
    metres = [(4, 4) if rng.random() < 0.6 else (7, 8) for _ in range(8)]

    def some_notes() -> list[Note]:
        rows = rng.integers([36, 0, 1], [84, 80, 160], size=(int(rng.integers(0, 6)), 3)).tolist()
        return [Note(pitch, 90, onset, duration) for pitch, onset, duration in rows]

    score = Score(
        [
            Track([Bar(some_notes(), *metre) for metre in metres], track_type=kind)
            for kind in ("melodic", "melodic", "drum")
        ],
        resolution=24,
    )
    named = [found for found in score.chords() if found.name is not None]
    assert named
    for found in named:
        worth, sounding = as_defined(score, found.bar)
        chord = parse_chord(found.name)
        kinds = [k for k in ESTIMATED if {(chord.root + s) % 12 for s in QUALITIES[k]} == set(chord.classes)]
        own = max(worth[f"{chord.root} {kind}"] for kind in kinds)
        assert own == pytest.approx(max(worth.values()), abs=1e-9)
        assert found.fit == pytest.approx(sounding[list(chord.classes)].sum() / sounding.sum())


@pytest.mark.parametrize("kind", ESTIMATED)
def test_a7_every_chord_is_found_on_every_root(kind: str) -> None:
    steps = QUALITIES[kind]
    bars = [bar_of(36 + root, *(60 + root + step for step in steps)) for root in range(12)]
    found = Score([Track(bars)]).chords()
    wanted = {(root, tuple(sorted((root + step) % 12 for step in steps))) for root in range(12)}
    assert {(c.root, c.classes) for c in map(parse_chord, found.names)} == wanted
    assert all(bar.fit == 1 for bar in found)


def test_a7_the_example_piece_has_the_chords_it_was_composed_with() -> None:
    """FORM of scripts/compose_example.py; where a bar has two chords, the first, or both together."""
    assert Score.example().chords().names == [
        "Fmaj7", "Edim", "Dm7", "Cm7", "Bbmaj7", "Am7", "Gm7", "C7",
        "Bbmaj7", "Am7", "Bbmaj7", "Am7", "Bbmaj7", "Am7", "Gm7", "F6",
    ]  # fmt: skip


def test_a7_chords_move_with_the_music() -> None:
    score = Score.example()
    up = score.transpose(5).chords().names
    assert [(parse_chord(n).root - 5) % 12 for n in up] == [parse_chord(n).root for n in score.chords().names]


def test_a7_drums_silence_and_single_notes_are_no_chord() -> None:
    drums = Track([bar_of(36, 40, 43)], track_type="drum")
    assert Score([drums]).chords().names == [None]
    assert one_bar(60).chords().names == [None]
    assert Score([Track([Bar()])]).chords()[0].fit == 0
    assert one_bar(*range(60, 72)).chords()[0].fit < 0.5


def test_a7_the_bass_tells_chords_of_the_same_notes_apart() -> None:
    assert one_bar(45, 60, 64, 67).chords().names == ["Am7"]
    assert one_bar(48, 57, 64, 67).chords().names == ["C6"]


def test_a7_notes_that_ring_in_count_for_the_bar_they_ring_in() -> None:
    score = Score([Track([Bar([Note(p, 90, 0, 2 * BAR) for p in (48, 60, 64, 67)]), Bar()])])
    assert score.chords().names == ["C", "C"]


def test_a7_tracks_and_bars_can_be_chosen() -> None:
    score = Score([Track([bar_of(48, 52, 55)] * 3), Track([bar_of(50, 53, 57)] * 3)])
    assert score.chords(tracks=1).text == "Dm % %"
    assert [c.bar for c in score.chords([2, 0], tracks=[0])] == [2, 0]
    with pytest.raises(ScoreError, match="bar 3 does not exist"):
        score.chords(3)


# --- typing


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Am F C G", ["Am", "F", "C", "G"]),
        ("| Am | % | F |", ["Am", "Am", "F"]),
        ("Am, F, N.C., nc", ["Am", "F", None, None]),
        ("cmaj7 bb7 F♯m7b5 Ab/C", ["Cmaj7", "Bb7", "F#m7b5", "Ab/C"]),
        ("C6/9 Dmin7 Esus G+ Bo7", ["C6", "Dm7", "Esus4", "Gaug", "Bdim7"]),
        ("", []),
    ],
)
def test_a7_chords_are_read_as_musicians_write_them(text: str, names: list[str | None]) -> None:
    assert [chord and chord.name for chord in parse_chords(text)] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Am F Hm", r"chord 3: 'Hm' is no chord; a chord begins with its root, A\.\.G"),
        ("Am Fmay7", r"chord 2: there is no chord 'Fmay7'; on F there are F, Fm, .*did you mean 'Fmaj7'"),
        ("% Am", r"chord 1: '%' repeats the chord before"),
        ("| Am | F G |", r"place 2 between bar lines has 2 chords \(F G\)"),
        ("| Am | | F |", r"place 2 between bar lines has no chord"),
        ("C/H", r"chord 1: 'C/H': the bass after '/' is a note"),
    ],
)
def test_a7_what_is_no_chord_is_named_with_its_place_and_the_choices(text: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        parse_chords(text)


def test_a7_every_kind_reads_back_as_itself() -> None:
    for kind, steps in QUALITIES.items():
        chord = parse_chord("Eb" + kind)
        assert chord.name == "Eb" + kind and chord.classes == tuple(sorted((3 + s) % 12 for s in steps))
    assert parse_chord("C/D").classes == (0, 2, 4, 7) and parse_chord("C/D").bass == 2


def test_a7_text_lists_and_dicts_are_spread_over_bars() -> None:
    assert as_chords("Am F", range(4, 7)) == {4: "Am", 5: "F", 6: "Am"}
    assert as_chords(["Am", None], [0, 1]) == {0: "Am", 1: None}
    assert as_chords({"3": "Bmin"}, range(8)) == {3: "Bm"}
    assert as_chords("", [1, 2]) == {1: None, 2: None}
    assert as_chords(chord_text(["Am", "Am", None]), range(3)) == {0: "Am", 1: "Am", 2: None}
    with pytest.raises(ScoreError, match="3 chords for 2 bars"):
        as_chords("A B C", [0, 1])
    with pytest.raises(ScoreError, match=r"chords\[9\]: there is no such bar; bars: 0\.\.7"):
        as_chords({9: "C"}, range(8))
    with pytest.raises(ScoreError, match=r"chords\[1\]: 'X' is no chord"):
        as_chords({1: "X"}, range(8))


@pytest.mark.parametrize("text", ["C" + "x" * 100_000, "A/" + "B" * 100_000, "X" * 100_000])
def test_a_very_long_name_makes_no_long_message(text: str) -> None:
    for given in (text, [text], {0: text}, {text: "C"}):
        with pytest.raises(ScoreError) as caught:
            as_chords(given, [0, 1])
        assert len(str(caught.value)) < 1000


def test_pieces_of_odd_shapes_have_chords() -> None:
    long = [Note(60, 90, 0, 2**31 - 1), Note(64, 90, 0, 2**31 - 1)]
    assert list(Score([]).chords()) == [] == list(Score([Track([])]).chords())
    assert Score([Track([Bar(), Bar()])]).chords().names == [None, None]
    assert Score([Track([Bar()]), Track([Bar(long), Bar()])]).chords().names == ["C", "C"]
    assert set(Score.example().chords(tracks=[]).names) == {None}


# --- measuring


def test_a7_the_share_counts_time_inside_the_bar() -> None:
    notes = [Note(60, 90, 0, 960), Note(61, 90, 960, 480), Note(64, 90, 1440, 4 * BAR)]
    table = Score([Track([Bar(notes)])]).table
    assert chord_share(table, 0, 0, parse_chord("C"), BAR) == (960 + 480) / 1920
    assert chord_share(table, 0, 0, parse_chord("F#"), BAR) == 480 / 1920
    assert chord_share(Score([Track([Bar()])]).table, 0, 0, parse_chord("C"), BAR) is None


def test_a7_long_pieces_are_quick() -> None:
    import time

    rng = np.random.default_rng(0)
    pitches = rng.integers(40, 80, (1000, BAR // 240)).tolist()
    bars = [Bar([Note(p, 90, 240 * i, 240) for i, p in enumerate(own)]) for own in pitches]
    score = Score([Track(bars)])
    score.table  # noqa: B018 - made once
    began = time.process_time()
    assert len(score.chords()) == 1000
    assert time.process_time() - began < 2
