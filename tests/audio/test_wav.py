from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from midigpt_nb.audio import read_wav, write_wav


def test_stereo_comes_back_within_one_step(tmp_path) -> None:
    audio = np.random.default_rng(1).uniform(-1, 1, (1000, 2)).astype(np.float32)
    write_wav(tmp_path / "a.wav", audio, sample_rate=22050)
    with wave.open(str(tmp_path / "a.wav"), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (
            2,
            2,
            22050,
            1000,
        )
    back, rate = read_wav(tmp_path / "a.wav")
    assert rate == 22050
    assert np.abs(back - audio).max() <= 0.51 / 32767


def test_mono_and_file_objects() -> None:
    buffer = io.BytesIO()
    write_wav(buffer, np.array([0.0, 0.5, -0.5]))
    buffer.seek(0)
    back, _ = read_wav(buffer)
    assert back.shape == (3, 1)
    assert back[:, 0] == pytest.approx([0.0, 0.5, -0.5], abs=1e-4)


def test_samples_outside_full_scale_are_clipped_not_wrapped() -> None:
    buffer = io.BytesIO()
    write_wav(buffer, np.array([3.0, -3.0]))
    buffer.seek(0)
    assert read_wav(buffer)[0][:, 0].tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        pytest.param(np.zeros((2, 3, 4)), "shape", id="three dimensions"),
        pytest.param(np.array([0.0, np.nan]), "NaN", id="not a number"),
        pytest.param("new.wav", "audio is 'new.wav'; the file comes first", id="the wrong way round"),
    ],
)
def test_what_is_no_sound_is_refused(audio: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_wav(io.BytesIO(), audio)
