"""Edits of notes, bars and tracks: each returns a new score, and what it does not name is bit-identical."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

from .rare_files import chunk_of, content, events_of, file_of, is_end, meta


@pytest.fixture
def score() -> Score:
    return Score.example()


def small() -> Score:
    """Two 4/4 bars of bass and drums at 480 ticks; a bass note rings from bar 0 into bar 1."""
    bass = Track([Bar([Note(40, 90, 0, 480), Note(43, 80, 1440, 960)]), Bar([Note(45, 70, 960, 240)])], 33)
    drums = Track(
        [Bar([Note(36, 100, 0, 120)]), Bar([Note(38, 100, 10, 120)])], track_type="drum", name="Kit"
    )
    return Score([bass, drums])


def rows(score: Score, track: int = 0) -> list[tuple[int, int, int, int]]:
    """(bar, onset, duration, pitch) of every note."""
    return [
        (number, note.onset_ticks, note.duration_ticks, note.pitch)
        for number, bar in enumerate(score.tracks[track].bars)
        for note in bar.notes
    ]


EDITS: dict[str, Callable[[Score], Score]] = {
    "add_note": lambda s: s.add_note("Bass", 1, 40, 100, 200),
    "delete_notes": lambda s: s.delete_notes(s.find_notes("Bass", 0)),
    "move_notes": lambda s: s.move_notes(s.find_notes("Bass", 0), ticks=240, semitones=2),
    "resize_notes": lambda s: s.resize_notes(s.find_notes("Bass"), by=-1),
    "set_velocity": lambda s: s.set_velocity(s.find_notes("Bass"), 11),
    "transpose": lambda s: s.transpose(3),
    "quantise": lambda s: s.quantise("1/8"),
    "insert_bars": lambda s: s.insert_bars(4, 2),
    "append_bars": lambda s: s.append_bars(3, "7/8"),
    "delete_bars": lambda s: s.delete_bars(slice(4, 8)),
    "duplicate_bars": lambda s: s.duplicate_bars(slice(0, 4)),
    "clear_bars": lambda s: s.clear_bars(slice(0, 4), "Bass"),
    "set_metre": lambda s: s.set_metre(slice(2, 5), "3/4"),
    "set_tempo": lambda s: s.set_tempo(90, slice(2, 4)),
    "delete_track": lambda s: s.delete_track("Bass"),
    "duplicate_track": lambda s: s.duplicate_track("Bass", name="Bass 2"),
    "reorder_tracks": lambda s: s.reorder_tracks([3, 0, 2, 1]),
    "rename_track": lambda s: s.rename_track("Bass", "Low"),
    "set_instrument": lambda s: s.set_instrument("Bass", 35),
    "slice": lambda s: s[4:8],
    "track slice": lambda s: s["Bass"],
    "both": lambda s: s[4:8, ["Flute", "Drums"]],
    "sum": lambda s: s + s,
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_leaves_its_score_alone_and_is_written_as_it_is(score: Score, name: str) -> None:
    before, data = score.hash(), score.to_midi()
    edited = EDITS[name](score)
    assert score.hash() == before and score.to_midi() == data
    assert edited is not score
    again = Score.from_bytes(edited.to_midi())
    assert content(again.table) == content(edited.table)
    assert again.track_names == edited.track_names
    assert again.tempo_map == edited.tempo_map


def test_slices_of_bars_and_tracks(score: Score) -> None:
    part = score[4:8]
    assert part.n_bars == 4 and part.n_tracks == 4
    first, last = score.table.note_rows(1, 4)[0], score.table.note_rows(1, 7)[1]
    start, end = part.table.note_rows(1, 0)[0], part.table.note_rows(1, 3)[1]
    assert part.table.notes[start:end].tolist() == score.table.notes[first:last].tolist()
    assert score[-1] == score[15] == score[15:16]
    assert score["bass"].track_names == ["Bass"]
    assert score[0:2, ["Flute", 0]].track_names == ["Flute", "Drums"]
    assert score[:] == score
    assert score[[2, 2, 0]].n_bars == 3
    with pytest.raises(TypeError, match="not iterable"):
        iter(score)  # type: ignore[call-overload]


def test_a_slice_clips_notes_that_ring_past_its_end() -> None:
    assert rows(small()[0:1]) == [(0, 0, 480, 40), (0, 1440, 480, 43)]
    assert rows(small()[1:2]) == [(0, 960, 240, 45)]


def test_a_deleted_bar_takes_its_time_from_notes_held_over_it() -> None:
    held = Score([Track([Bar([Note(60, 90, 960, 4800)]), Bar(), Bar(), Bar([Note(62, 90, 0, 10)])])])
    assert rows(held.delete_bars(1)) == [(0, 960, 2880, 60), (2, 0, 10, 62)]
    assert rows(held.delete_bars(slice(1, 4))) == [(0, 960, 960, 60)]
    assert rows(held.insert_bars(1)) == [(0, 960, 4800, 60), (4, 0, 10, 62)]


def test_inserted_bars_have_the_metre_of_the_bar_before_or_their_own() -> None:
    longer = small().insert_bars(1, 2).append_bars(1, (7, 8)).insert_bars(0, 1, "3/4")
    metres = [(bar.ts_numerator, bar.ts_denominator) for bar in longer.tracks[0].bars]
    assert metres == [(3, 4), (4, 4), (4, 4), (4, 4), (4, 4), (7, 8)]
    assert rows(longer) == [(1, 0, 480, 40), (1, 1440, 960, 43), (4, 960, 240, 45)]


def test_a_new_metre_moves_bar_lines_and_not_music() -> None:
    other = small().set_metre(None, "3/4")
    assert rows(other) == [(0, 0, 480, 40), (1, 0, 960, 43), (2, 0, 240, 45)]
    assert other.n_bars == 3 and other.set_metre(None, "4/4")[0:2] == small()


def test_moving_notes_crosses_bar_lines() -> None:
    moved = small().move_notes([(0, 0, 1)], ticks=600)
    assert rows(moved) == [(0, 0, 480, 40), (1, 120, 960, 43), (1, 960, 240, 45)]
    assert rows(moved.move_notes([(0, 1, 0)], ticks=-600)) == rows(small())
    with pytest.raises(ScoreError, match=r"tracks\[0\].bars\[0\].notes\[0\] cannot move by -1 ticks"):
        small().move_notes([(0, 0, 0)], ticks=-1)


def test_transposing_leaves_drums_and_names_what_does_not_fit() -> None:
    up = small().transpose(2)
    assert [pitch for _, _, _, pitch in rows(up)] == [42, 45, 47]
    assert rows(up, 1) == rows(small(), 1)
    assert [pitch for *_, pitch in rows(small().transpose(1, tracks="Kit"), 1)] == [37, 39]
    with pytest.raises(ScoreError, match=r"tracks\[0\].bars\[0\].notes\[0\]: pitch would be 130 after 90"):
        small().transpose(90)
    assert [pitch for *_, pitch in rows(small().transpose(90, outside="octave"))] == [118, 121, 123]
    assert [pitch for *_, pitch in rows(small().transpose(-43, outside="drop"))] == [0, 2]
    with pytest.raises(ScoreError, match="allowed: 'error', 'octave', 'drop'"):
        small().transpose(90, outside="wrap")


@pytest.mark.parametrize(
    ("onset", "settings", "expected"),
    [
        pytest.param(100, {}, (0, 120), id="nearest"),
        pytest.param(100, {"strength": 0.5}, (0, 110), id="half of the way"),
        pytest.param(100, {"swing": 1 / 3}, (0, 160), id="every second line is late"),
        pytest.param(250, {"swing": 1 / 3}, (0, 240), id="the others are not"),
        pytest.param(90, {"grid": "1/8T"}, (0, 160), id="triplets"),
        pytest.param(95, {"grid": 0.125}, (0, 120), id="quarter notes"),
        pytest.param(1900, {}, (1, 0), id="into the next bar"),
    ],
)
def test_quantising_moves_to_the_grid(onset: int, settings: dict, expected: tuple[int, int]) -> None:
    piece = Score([Track([Bar([Note(60, 90, onset, 100)]), Bar()])])
    assert rows(piece.quantise(**settings))[0][:2] == expected


def test_quantising_keeps_what_a_tick_cannot_say_and_stays_inside_the_piece() -> None:
    late = Score([Track([Bar([Note(60, 90, 1900, 100), Note(60, 90, 5, 100, 240)])])])
    assert rows(late.quantise("1/4")) == [(0, 0, 100, 60), (0, 1440, 100, 60)]
    half = late.quantise("1/4", strength=0.5).tracks[0].bars[0].notes[0]
    assert (half.onset_ticks, half.delta) == (3, -120)  # 5.5 ticks, half of the way to 0
    ends = Score([Track([Bar([Note(60, 90, 10, 100)])])]).quantise("1/16", ends=True)
    assert rows(ends) == [(0, 0, 120, 60)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda s: s.track("Bas"),
            r"no track is named 'Bas'; there are 0 'Drums', 1 'Bass', .*; did you mean 'Bass'\?$",
        ),
        (lambda s: s.track(4), "track 4 does not exist; there are 0 'Drums', 1 'Bass'"),
        (lambda s: s.track(1.0), "track 1.0 does not exist"),
        (lambda s: s.track(True), "track True does not exist"),
        (lambda s: s[16], r"bar 16 does not exist; the score has 16 bars, 0..15"),
        (lambda s: s[1.5], "1.5 is no bar"),
        (lambda s: s["x":"y"], r"bars\['x':'y'\] is no range of whole numbers"),
        (lambda s: s[::0], "cannot be taken in steps of 0"),
        (lambda s: s[:, [0, "Drums"]], "track 0 is named twice"),
        (
            lambda s: s.add_note("Bass", 0, 128, 0, 1),
            r"bars\[0\]: pitch is 128; allowed: .* 0..127",
        ),
        (
            lambda s: s.add_note("Bass", 0, 60, 1920, 1),
            r"onset_ticks is 1920; allowed: .* 0..1919",
        ),
        (lambda s: s.add_note("Bass", 0, 60, float("nan"), 1), "onset_ticks is nan"),
        (lambda s: s.add_note("Bass", 0, 60, 0, 0), "duration_ticks is 0"),
        (lambda s: s.add_note("Bass", 0, 60, 0, 10**30), "duration_ticks is 1000"),
        (lambda s: s.add_notes("Bass", 0, [None]), "onset_ticks is None"),
        (lambda s: s.add_notes("Bass", 0, 5), "5 is no list of notes"),
        (lambda s: s.add_notes("Bass", [0, 1], []), "notes are put into one bar"),
        (lambda s: s.delete_notes([(0, 0)]), r"\(0, 0\) is no place of a note"),
        (lambda s: s.delete_notes([(0, 0, 999)]), r"note of tracks\[0\].bars\[0\] is 999"),
        (lambda s: s.delete_notes([(0, 0, 0)] * 2), "a note is named twice"),
        (lambda s: s.delete_notes(3), "3 is no list of"),
        (lambda s: s.resize_notes([(0, 0, 0)], by=-(10**6)), "duration_ticks would be -"),
        (lambda s: s.set_velocity([(0, 0, 0)], 0), "velocity is 0; allowed: a whole number 1..127"),
        (lambda s: s.transpose(1.5), "semitones is 1.5"),
        (lambda s: s.quantise("1/0"), "grid is '1/0'"),
        (lambda s: s.quantise(float("nan")), "grid is nan"),
        (lambda s: s.quantise(1e-9), "less than a tick"),
        (lambda s: s.quantise(strength=float("nan")), "strength is nan; allowed: 0..1"),
        (lambda s: s.quantise(swing=1), "swing is 1; allowed: 0..0.9"),
        (lambda s: s.insert_bars(17), "at is 17; allowed: a whole number 0..16"),
        (lambda s: s.insert_bars(0, 10**9), "n is 1000000000"),
        (lambda s: s.insert_bars(0, 1, "4/3"), "metre is '4/3'"),
        (lambda s: s.insert_bars(0, 1, 4), "metre is 4"),
        (lambda s: s.set_metre([0, 2], "3/4"), r"bars \[0, 2\] are not neighbours"),
        (lambda s: s.set_tempo(0), "bpm is 0"),
        (lambda s: s.set_tempo(float("inf")), "bpm is inf"),
        (lambda s: s.reorder_tracks([0, 1]), r"leaves out tracks \[2, 3\]"),
        (lambda s: s.add_track(128), "instrument is 128; allowed: 0..127, or a General MIDI name"),
        (lambda s: s.add_track("Violn"), "instrument is 'Violn'; allowed: .*; did you mean 'Violin'?"),
        (lambda s: s.set_instrument(0, True), "instrument is True"),
        (lambda s: s.rename_track(0, 5), "name is 5"),
        (lambda s: Score().insert_bars(0), "a score without tracks holds no bars"),
    ],
)
def test_errors_name_the_place_the_value_and_the_choices(
    score: Score, edit: Callable[[Score], object], message: str
) -> None:
    with pytest.raises(ScoreError, match=message):
        edit(score)


def test_sums_match_tracks_by_name_and_keep_every_note() -> None:
    first, second = small(), small().resample(720)
    second.tracks[0].instrument = 40
    both = first + second
    assert both.resolution == 1440 and both.n_bars == 4
    assert both.track_names == ["Electric Bass (finger)", "Kit", "Violin"]
    assert both.n_notes == first.n_notes + second.n_notes
    assert rows(both, 2) == [(2, 0, 1440, 40), (2, 4320, 2880, 43), (3, 2880, 720, 45)]
    assert first + Score() == first
    with pytest.raises(TypeError):
        first + 3  # type: ignore[operator]


def test_a_sum_says_the_tempo_and_programs_of_its_second_part() -> None:
    slow, fast = Score.example().set_tempo(60), Score.example().set_tempo(180)
    both = slow + fast
    assert both.tempo_map == [(0, 1_000_000), (16 * 1920, 333_333)]
    assert (fast + slow)[16:].tempo_map == [(0, 1_000_000)]
    assert both[16:].hash() == fast.hash()


def test_settings_made_before_a_slice_hold_in_it(score: Score) -> None:
    file = score[4:8].source.file  # type: ignore[union-attr]
    first = [file.event(i) for i in range(file.n_events) if file.event(i)[1] == 0]
    kinds = {data[0] & 0xF0 for _, _, data in first if data[0] < 0xF0}
    assert 0xC0 in kinds and 0xB0 in kinds  # programs and volumes
    assert meta(0x51, score.tempo.to_bytes(3, "big")) in [data for _, _, data in first]
    assert score[4:8].track_names == score.track_names
    assert score[4:8].source.n_dropped > 0  # type: ignore[union-attr]  # the markers of other bars


def test_edited_tracks_keep_names_and_attributes(score: Score) -> None:
    score.tracks[1].attributes["note_density"] = 3
    assert score[0:4].tracks[1].attributes == {"note_density": 3}
    assert score.reorder_tracks([1, 0, 2, 3]).tracks[0].attributes == {"note_density": 3}
    assert score.add_track(40, name="Solo").track_names[-1] == "Solo"
    assert [t.n_notes for t in score.duplicate_track("Bass").tracks][1:3] == [80, 80]
    assert not np.shares_memory(score.table.notes, score.transpose(1).table.notes)


def one_note_each(n_tracks: int, from_file: bool) -> Score:
    """Tracks T0, T1 … of one note each; from a file, each with a volume of its own."""
    tracks = [Track([Bar([Note(40 + 5 * i, 90, 0, 12)])], 8 * i, name=f"T{i}") for i in range(n_tracks)]
    return Score.from_bytes(with_volumes(Score(tracks).to_midi())) if from_file else Score(tracks)


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("how", ["added", "emptied"])
def test_an_order_with_a_silent_track_is_the_order_of_the_file(how: str, from_file: bool) -> None:
    """A MIDI file says nothing of a track without notes; the others keep their new order and names."""
    score = one_note_each(4, from_file)
    if how == "added":
        score = score.add_track(33, name="New")
    else:
        score.tracks[1].bars[0].notes = []
    for order in itertools.islice(itertools.permutations(range(score.n_tracks)), 0, None, 5):
        asked = score.reorder_tracks(order)
        wanted = [t.name for t in asked.tracks if t.bars[0].notes]
        assert Score.from_bytes(asked.to_midi()).track_names == wanted, order


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("silence", ["keep", "silence"])
def test_a_silent_track_that_was_moved_is_written_at_its_place_when_it_gets_notes(
    silence: str, from_file: bool
) -> None:
    score = one_note_each(3, from_file)
    score = score.add_track(33, name="New").add_track(34, name="Newer").set_tempo(90)
    for order in itertools.permutations(range(5)):
        asked = score.reorder_tracks(order)
        asked = asked.add_notes("New", 0, [Note(70, 90, 0, 10)])
        again = Score.from_bytes(asked.to_midi(controllers_in_new_bars=silence))
        wanted = [name for name in asked.track_names if name != "Newer"]
        assert again.track_names == wanted, order
        assert again.tempo_map == asked.tempo_map
        played = {name: asked.track(name).bars[0].notes for name in wanted}
        assert {t: again.track(t).bars[0].notes for t in wanted} == played
        both = Score.from_bytes(asked.add_notes("Newer", 0, [Note(71, 90, 0, 10)]).to_midi())
        assert both.track_names == asked.track_names, order


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("how", ["added", "emptied"])
def test_a_silent_track_that_was_moved_gets_its_notes_in_one_chunk_of_its_name(
    how: str, from_file: bool
) -> None:
    """For one that was emptied it is the chunk that it had, with its controllers."""
    score = one_note_each(4, from_file)
    name = "New" if how == "added" else "T1"
    score = score.add_track(33, name=name) if how == "added" else score.clear_bars(tracks=name)
    for order in itertools.permutations(range(score.n_tracks)):
        asked = score.reorder_tracks(order).add_notes(name, 0, [Note(70, 90, 0, 10)])
        written = asked.to_midi()
        again = Score.from_bytes(written)
        assert again.track_names == asked.track_names and again == asked, order
        file = again.source.file  # type: ignore[union-attr]
        names = [own for own in file.chunk_names if own]
        assert Counter(names) == Counter(asked.track_names), order
        assert len({channel for _, channel, _ in file.track_sources}) == score.n_tracks, order
        if how == "emptied" and from_file:
            volume = [e for _, _, e in map(file.event, range(file.n_events)) if e[0] == 0xB1]
            assert volume == [b"\xb1\x07\x47"], order
            of_channel = {
                c for c, _, e in map(file.event, range(file.n_events)) if e[0] in (0x91, 0xB1, 0xC1)
            }
            assert of_channel == {list(file.chunk_names).index(name)}, order


def with_volumes(data: bytes | None) -> bytes:
    """The file with a volume of 70 + channel in each chunk of notes."""
    assert data is not None
    chunks: dict[int, list[tuple[int, bytes]]] = {}
    for chunk, tick, event in events_of(data):
        own = chunks.setdefault(chunk, [])
        if not is_end(event):
            own.append((tick, event))
        if event[0] & 0xF0 == 0xC0:
            own.append((tick, bytes([0xB0 | event[0] & 15, 7, 70 + (event[0] & 15)])))
    return file_of([chunk_of(*own) for own in chunks.values()], ticks=480)


def test_a_track_that_is_put_into_the_middle_of_a_file_keeps_all_its_other_events(score: Score) -> None:
    def events(one: Score) -> Counter[tuple[int, bytes]]:
        file = one.source.file  # type: ignore[union-attr]
        return Counter((tick, data) for _, tick, data in map(file.event, range(file.n_events)))

    last = score.add_track(48, name="Strings").add_notes("Strings", 3, [Note(55, 80, 0, 480)])
    middle = score.add_track(48, name="Strings").reorder_tracks([0, 4, 1, 2, 3])
    middle = middle.add_notes("Strings", 3, [Note(55, 80, 0, 480)])
    written, moved = Score.from_bytes(last.to_midi()), Score.from_bytes(middle.to_midi())
    assert written.track_names == [*score.track_names, "Strings"]
    assert moved.track_names == ["Drums", "Strings", *score.track_names[1:]]
    assert moved == written.reorder_tracks([0, 4, 1, 2, 3])
    assert not events(score) - events(moved)
    assert score.to_midi() == Score.example().to_midi()
    assert middle.delete_track("Strings") == score


def test_instruments_may_be_named_as_in_requests(score: Score) -> None:
    assert score.add_track("violin").tracks[-1].instrument == 40
    assert score.set_instrument("Bass", "Cello").tracks[1].instrument == 42
