"""`midigpt-nb infill`: what it understands, what it says, and the three files it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midigpt_nb import Bar, Note, Score, Track
from midigpt_nb.audio import read_wav
from midigpt_nb.cli import UsageError, bar_range, choose, main


def piece(n_bars: int = 16) -> Score:
    drums = Track([Bar([Note(36, 100, 0, 60)]) for _ in range(n_bars)], track_type="drum", name="Kit")
    bass = Track([Bar([Note(40, 100, 0, 480)]) for _ in range(n_bars)], instrument=33, name="Bass")
    return Score([drums, bass])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5-8", (5, 8)), ("5", (5, 5)), (" 1-16 ", (1, 16))],
    ids=["range", "one bar", "spaces"],
)
def test_bars_as_people_write_them(text: str, expected: tuple[int, int]) -> None:
    assert bar_range(text) == expected


@pytest.mark.parametrize("text", ["8-5", "0-3", "a-b", "5-", "-3", ""])
def test_what_is_no_range_of_bars_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["infill", f"--bars={text}"])
    assert stop.value.code == 2
    assert "is not a range of bars" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("n_bars", "track", "bars", "expected"),
    [
        pytest.param(16, None, None, (1, [4, 5, 6, 7]), id="the first melodic track, bars 5-8"),
        pytest.param(16, 1, (16, 16), (0, [15]), id="counted from 1, both ends included"),
        pytest.param(6, 2, None, (1, [2, 3, 4, 5]), id="a short piece: its last four bars"),
        pytest.param(2, 2, None, (1, [0, 1]), id="two bars: both"),
        pytest.param(16, "bass", (1, 1), (1, [0]), id="a track by name"),
    ],
)
def test_what_is_rewritten(
    n_bars: int, track: int | str | None, bars: tuple[int, int] | None, expected: object
) -> None:
    assert choose(piece(n_bars), track, bars) == expected


@pytest.mark.parametrize(
    ("track", "bars", "message"),
    [
        pytest.param(3, None, "track 3 does not exist; there are 1 'Kit', 2 'Bass'", id="no such track"),
        pytest.param(0, None, "track 0 does not exist; there are 1 'Kit'", id="tracks count from 1"),
        pytest.param(
            "Lute", None, "no track is named 'Lute'; there are 1 'Kit', 2 'Bass'$", id="no such name"
        ),
        pytest.param("Bas", None, r"there are 1 'Kit', 2 'Bass'; did you mean 'Bass'\?", id="nearly a name"),
        pytest.param(1, (15, 17), "no bar 17; the piece has bars 1-16", id="past the end"),
    ],
)
def test_wishes_that_do_not_fit_the_piece(track: int, bars: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(piece(), track, bars)


def test_a_name_of_several_tracks_is_refused_with_their_numbers_from_1() -> None:
    score = piece().rename_track(0, "bass")
    assert choose(score, "bass", (1, 1)) == (0, [0])  # exactly so goes before other letters
    assert choose(score, "Bass", (1, 1)) == (1, [0])
    with pytest.raises(UsageError, match="2 tracks are named 'BASS': use their numbers, 1 and 2"):
        choose(score, "BASS", None)


def test_an_empty_piece_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to rewrite"):
        choose(Score([]), None, None)


def test_problems_are_one_plain_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infill", "--midi", str(tmp_path / "no.mid")]) == 1
    (tmp_path / "bad.mid").write_bytes(b"not music")
    assert main(["infill", "--midi", str(tmp_path / "bad.mid")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("midigpt-nb: ") for line in lines)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "infill" in capsys.readouterr().out


@pytest.mark.model
def test_the_example_is_rewritten_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["infill", "--track", "2", "--bars", "5-8", "--seed", "3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    before, after = Score.example(), Score.from_midi(out / "demo.mid")

    changed = before.diff(after).changed
    assert changed
    assert set(changed) <= {(1, bar) for bar in range(4, 8)}
    assert "bars 5-8" in said and "seed 3" in said and "bars changed elsewhere: 0" in said

    assert (out / "demo.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    audio, rate = read_wav(out / "demo.wav")
    assert len(audio) / rate == pytest.approx(float(after.seconds(after.bar_starts[-1])), rel=0.1)
    assert 0.05 < np.abs(audio).max() < 1.0

    assert main(["infill", "--track", "2", "--bars", "5-8", "--seed", "3", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "demo.mid").read_bytes() == (out / "demo.mid").read_bytes()
    assert (tmp_path / "demo.wav").read_bytes() == (out / "demo.wav").read_bytes()
