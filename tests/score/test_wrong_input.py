"""Wrong types, numbers and paths: one kind of error, which names the place and the value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

NAN = float("nan")


def note(**changes: Any) -> dict[str, Any]:
    return {"pitch": 60, "velocity": 90, "onset_ticks": 0, "duration_ticks": 10, **changes}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Score.from_midi(5), "5 is no path of a file"),
        (lambda: Score.from_midi(None), "None is no path"),
        (lambda: Score.from_midi("a\0b"), "cannot read 'a"),
        (lambda: Score.from_bytes("x"), "data is 'x'; it must be the bytes of a MIDI file"),
        (lambda: Score.from_bytes(b""), "MIDI byte 0: the file has 0 bytes"),
        (lambda: Score.from_midi(__file__), r"cannot read '.*test_wrong_input.py': MIDI byte 0: not a MIDI"),
        (lambda: Score.from_table(None), "table is None; it must be a ScoreTable"),
        (lambda: Score.example().with_table(None), "table is None"),
        (lambda: Score.example().with_table(Score()), "must be a ScoreTable"),
        (lambda: Score.from_pretty_midi(None), "midi is None"),
        (lambda: Score(5), "tracks is 5; it must be a list"),
        (lambda: Score([5]).table, r"tracks\[0\] is 5; it must be a Track"),
        (lambda: Track(5), "bars is 5; it must be a list"),
        (lambda: Score([Track([5])]).table, r"tracks\[0\].bars\[0\] is 5; it must be a Bar"),
        (lambda: Bar(5), "notes is 5; it must be a list"),
        (lambda: Bar([], 4, 0).beat_length, "a time signature of 4/0"),
        (lambda: Score([Track([Bar([], NAN, 4)])]).table, r"bars\[0\].ts_numerator is nan"),
        (lambda: Score([Track([Bar([Note(NAN, 1, 0, 1)])])]).table, r"notes\[0\].pitch is nan"),
        (lambda: Score([Track([], 0, 7)]).table, r"tracks\[0\].track_type is 7"),
        (lambda: Score([Track([], 0, "drums")]).table, r"track_type is 'drums'; allowed: 'melodic', 'drum'"),
        (
            lambda: Score.from_bytes(b"RIFF....WAVEfmt "),
            "^not a MIDI file but a recording .WAV.: a MIDI",
        ),
        (lambda: Score.from_bytes(b"ID3" + bytes(20)), "not a MIDI file but a recording .MP3."),
        (
            lambda: Score.from_bytes(b"<?xml version='1.0'?>"),
            "but a text such as MusicXML: open it",
        ),
        (lambda: Score.from_bytes(b"PK\3\4" + bytes(20)), "a zip file: projects .* PianoRoll.from_file"),
        (lambda: Score([Track([], 0, "melodic", None, None)]).to_midi(), r"tracks\[0\].name is None"),
        (lambda: Score([], NAN).table, "resolution is nan"),
        (lambda: Score([], 480, 10**40).table, "tempo is 1000"),
        (lambda: Score.example().resample(0), "tpq is 0"),
        (lambda: Score.example().resample(NAN), "tpq is nan"),
        (lambda: Score.example().diff(None), "other is None; it must be a Score"),
        (lambda: Score.example().seconds("x"), "ticks is 'x'"),
        (lambda: Score.from_dict({"tracks": 5}), "tracks is 5"),
        (lambda: Score.from_dict(None), "is None; it must be a dict"),
        (
            lambda: Score.from_dict({"tracks": [{"bars": [{"notes": [note(pitch=NAN)]}]}]}).table,
            "pitch is nan",
        ),
        (
            lambda: Score.from_dict({"tracks": [{"bars": [{"notes": [note(pitch=10**40)]}]}]}).table,
            "pitch is 1",
        ),
        (lambda: Score.from_dict({"tracks": [{"name": 5}]}).to_midi(), r"tracks\[0\].name is 5"),
    ],
)
def test_what_is_no_score_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        call()


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "My Song.mid").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ScoreError,
        match=r"cannot read 'my_song.mid': there is no such file in '.+'; did you mean 'My Song.mid'",
    ):
        Score.from_midi("my_song.mid")
    with pytest.raises(ScoreError, match=r"there is no such file in '[^']+'$"):
        Score.from_midi("other")
    with pytest.raises(ScoreError, match=r"there is no folder '.*sogns'$"):
        Score.from_midi("sogns/other")


def test_paths_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    score = Score.example()
    for path in (tmp_path, tmp_path / "none" / "x.mid"):
        with pytest.raises(ScoreError, match="cannot write"):
            score.to_midi(path)
        with pytest.raises(ScoreError, match="cannot read"):
            Score.from_midi(path)
    with pytest.raises(ScoreError, match="5 is no path"):
        score.to_midi(5)  # type: ignore[arg-type]
    cut = tmp_path / "cut.mid"
    data = score.to_midi()
    assert data is not None
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(ScoreError, match=r"MIDI byte \d+"):
        Score.from_midi(cut)
