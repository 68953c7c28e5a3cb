"""The sampled sound's files: whole when put together, checked when they are the user's."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import traitlets
from IPython.display import Audio

from midigpt_nb import Bar, Note, PianoRoll, Score, Track
from midigpt_nb.audio import read_wav
from midigpt_nb.errors import ProjectError
from midigpt_nb.widgets.parts import PART_BYTES
from midigpt_nb.widgets.sound import BANK, WORKLET, SoundFiles, packaged_sound


def test_parts_put_together_are_the_file() -> None:
    sound = packaged_sound()
    assert sound is not None
    for name, path in (("worklet", WORKLET), ("bank", BANK)):
        first, n = sound.part(name, 0)
        parts = [first, *(sound.part(name, i)[0] for i in range(1, n))]
        assert b"".join(parts) == path.read_bytes()
        assert max(map(len, parts)) <= PART_BYTES


@pytest.mark.parametrize(("file", "part"), [("bank", 99), ("bank", -1), ("bank", True), ("../x", 0)])
def test_a_part_that_does_not_exist_is_refused(file: str, part: int) -> None:
    sound = packaged_sound()
    assert sound is not None
    with pytest.raises(ValueError, match=r"part|file"):
        sound.part(file, part)


def test_the_packaged_sound_is_within_its_size() -> None:
    assert BANK.stat().st_size + WORKLET.stat().st_size < 6_000_000


def test_a_soundfont_of_ones_own_replaces_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sf2"
    mine.write_bytes(BANK.read_bytes()[:4000])
    roll = PianoRoll(Score.example())
    before = roll._sound
    roll.soundfont = str(mine)
    assert roll._sound.startswith("mine-")
    answer, buffers = roll._request_sound("bank", 0)
    assert (answer, buffers) == ({"parts": 1}, [mine.read_bytes()])
    roll.soundfont = ""
    assert roll._sound == before


def test_a_file_that_is_no_soundfont_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    roll = PianoRoll(Score.example())
    before = roll._sound
    (tmp_path / "song.sf2").write_bytes(b"MThd" + bytes(20))
    for path in (tmp_path / "song.sf2", tmp_path / "missing.sf2", tmp_path):
        with pytest.raises(traitlets.TraitError, match="soundfont"):
            roll.soundfont = str(path)
    assert roll._sound == before


def test_two_files_of_one_name_have_two_names_on_the_page(tmp_path: Path) -> None:
    names = []
    for size in (4000, 5000):
        path = tmp_path / "a.sf2"
        path.write_bytes(BANK.read_bytes()[:size])
        names.append(SoundFiles(path).name)
    assert names[0] != names[1]


def heard(audio: object, seconds: float) -> float:
    """Level of the sound that begins at a second."""
    data = getattr(audio, "data", audio)
    samples, rate = read_wav(io.BytesIO(data) if isinstance(data, bytes) else str(data))
    start = round(seconds * rate)
    return float(abs(samples[start : start + rate // 4]).max(initial=0.0))


def test_s3_python_makes_the_sound_where_the_page_cannot(tmp_path: Path) -> None:
    """One track in bar 1, another in bar 2 (each two seconds long)."""
    notes = [Note(60, 100, 0, 480)]
    score = Score([Track([Bar(notes), Bar([])], 0), Track([Bar([]), Bar(notes)], 33)])
    roll = PianoRoll(score)
    sound = roll.render_audio()
    assert isinstance(sound, Audio)
    assert heard(sound, 0) > 0.05 and heard(sound, 2) > 0.05
    roll.mix = {"1": {"muted": True}}
    assert heard(roll.render_audio(), 0) > 0.05 and heard(roll.render_audio(), 2) < 0.01
    roll.mix = {"1": {"soloed": True}}
    assert heard(roll.render_audio(), 0) < 0.01 and heard(roll.render_audio(), 2) > 0.05
    path = roll.render_audio(tmp_path / "out.wav", bars=range(1, 2))
    assert path == tmp_path / "out.wav" and heard(path, 0) > 0.05
    assert read_wav(path)[1] == 44100
    with pytest.raises(ValueError, match="not in this score"):
        roll.render_audio(bars=range(1, 9))
    with pytest.raises(ProjectError, match="cannot write"):
        roll.render_audio(tmp_path / "nowhere" / "out.wav")
    assert isinstance(PianoRoll(Score()).render_audio(), Audio)
