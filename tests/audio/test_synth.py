"""The sound is measured: onsets where the notes are, the right pitch, no clipping, no silence."""

from __future__ import annotations

import time

import numpy as np
import pytest

from midigpt_nb import Bar, Note, Score, Track
from midigpt_nb.audio import SAMPLE_RATE, render
from midigpt_nb.audio.patches import DRUMS, PATCHES
from midigpt_nb.audio.synth import limit, pan_positions, timed_notes
from midigpt_nb.audio.voices import frequency

TICKS = 480


def piece(*tracks: tuple[int, bool, list[Note]], bars: int = 1, tempo: int = 500_000) -> Score:
    """One bar of notes per track, repeated `bars` times."""
    return Score(
        [
            Track(
                [Bar(list(notes)) for _ in range(bars)],
                instrument=program,
                track_type="drum" if drum else "melodic",
            )
            for program, drum, notes in tracks
        ],
        resolution=TICKS,
        tempo=tempo,
    )


def one_note(program: int, pitch: int = 69, velocity: int = 100, ticks: int = 960) -> Score:
    return piece((program, False, [Note(pitch, velocity, 0, ticks)]))


def rms_db(x: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(x))) + 1e-12))


def envelope(audio: np.ndarray, window: float = 0.003) -> np.ndarray:
    """Loudness per sample: mean of |x| over a short window that ends at the sample."""
    size = round(window * SAMPLE_RATE)
    total = np.cumsum(np.abs(audio).sum(axis=1))
    return (total[size:] - total[:-size]) / size


def onset_near(audio: np.ndarray, seconds: float, before: float = 0.02, after: float = 0.06) -> float:
    """The time at which the sound around `seconds` first rises clearly over what was there before."""
    env = envelope(audio)
    at = round(seconds * SAMPLE_RATE)
    floor = env[max(0, at - round(before * SAMPLE_RATE)) : max(1, at - round(0.004 * SAMPLE_RATE))].max(
        initial=0.0
    )
    part = env[max(0, at - round(before * SAMPLE_RATE)) : at + round(after * SAMPLE_RATE)]
    rising = np.flatnonzero(part > floor + 0.15 * (part.max() - floor))
    return (max(0, at - round(before * SAMPLE_RATE)) + int(rising[0])) / SAMPLE_RATE + 0.003


@pytest.mark.parametrize(
    "program", [0, 12, 25, 33, 115], ids=["piano", "marimba", "guitar", "bass", "woodblock"]
)
def test_struck_notes_start_where_they_are_written(program: int) -> None:
    notes = [Note(60 + 2 * k, 100, k * 480, 200) for k in range(4)]
    audio = render(piece((program, False, notes), bars=2), room=0)
    for k in range(8):
        assert onset_near(audio, 0.5 * k) == pytest.approx(0.5 * k, abs=0.010)


@pytest.mark.parametrize("pitch", [36, 38, 42, 49], ids=["kick", "snare", "hat", "crash"])
def test_drums_start_where_they_are_written(pitch: int) -> None:
    audio = render(piece((0, True, [Note(pitch, 110, 0, 60), Note(pitch, 110, 960, 60)])), room=0)
    for seconds in (0.0, 1.0):
        assert onset_near(audio, seconds) == pytest.approx(seconds, abs=0.010)


def test_the_room_does_not_move_onsets() -> None:
    audio = render(piece((0, False, [Note(60, 100, k * 480, 200) for k in range(4)])))
    for k in range(4):
        assert onset_near(audio, 0.5 * k) == pytest.approx(0.5 * k, abs=0.010)


def spectrum_peak(x: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 18))
    return float(np.argmax(power) * SAMPLE_RATE / (1 << 18))


def fundamental(x: np.ndarray, expected: float) -> float:
    """The strongest frequency within a quarter tone band around `expected`."""
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 18))
    hertz = np.fft.rfftfreq(1 << 18, 1 / SAMPLE_RATE)
    band = (hertz > expected / 1.2) & (hertz < expected * 1.2)
    assert power[band].max() > 0.02 * power.max()
    return float(hertz[band][np.argmax(power[band])])


@pytest.mark.parametrize("pitch", [36, 57, 69, 84])
def test_a_note_has_its_pitch(pitch: int) -> None:
    audio = render(one_note(0, pitch), room=0)[: SAMPLE_RATE // 2].mean(axis=1)
    assert fundamental(audio, frequency(pitch)) == pytest.approx(frequency(pitch), rel=0.01)
    assert frequency(69) == 440.0


@pytest.mark.parametrize("program", [p for p in range(0, 119, 4) if p not in (115, 116)])
def test_every_family_is_in_tune(program: int) -> None:
    audio = render(one_note(program), room=0)[: SAMPLE_RATE // 2].mean(axis=1)
    assert fundamental(audio, 440.0) == pytest.approx(440.0, rel=0.01)


def test_every_program_sounds_at_a_similar_level() -> None:
    levels = {}
    for patch in sorted(set(PATCHES), key=PATCHES.index):
        audio = render(one_note(PATCHES.index(patch), 60), room=0)
        assert np.isfinite(audio).all()
        # The loudest 100 ms: decaying and sustained sounds can be compared.
        power = envelope(audio, 0.1)
        levels[PATCHES.index(patch)] = 20 * np.log10(power.max())
    middle = np.median(list(levels.values()))
    assert max(abs(level - middle) for level in levels.values()) < 8.0, levels


def test_every_drum_key_sounds_and_ends() -> None:
    for pitch in DRUMS:
        audio = render(piece((0, True, [Note(pitch, 100, 0, 100)])), room=0)
        assert rms_db(audio[: SAMPLE_RATE // 10]) > -45, pitch
        assert np.abs(audio[-100:]).max() < 0.02, pitch


def flatness(x: np.ndarray) -> float:
    """Geometric over arithmetic mean of the power spectrum: near 1 for noise, near 0 for tones."""
    power = np.abs(np.fft.rfft(x)) ** 2 + 1e-12
    hertz = np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE)
    power = power[(hertz > 500) & (hertz < 14000)]
    return float(np.exp(np.mean(np.log(power))) / np.mean(power))


def test_snares_and_hats_are_noise_and_a_piano_is_not() -> None:
    def sound(score: Score) -> np.ndarray:
        return render(score, room=0)[: SAMPLE_RATE // 8].mean(axis=1)

    piano = flatness(sound(one_note(0)))
    for pitch in (38, 42, 49):
        assert flatness(sound(piece((0, True, [Note(pitch, 100, 0, 100)])))) > 20 * piano


def test_the_example_is_neither_silent_nor_clipped() -> None:
    audio = render(Score.example())
    assert audio.dtype == np.float32 and audio.ndim == 2 and audio.shape[1] == 2
    assert np.abs(audio).max() <= 1.0
    assert -30 < rms_db(audio) < -10
    seconds = len(audio) // SAMPLE_RATE
    quiet = [rms_db(audio[k * SAMPLE_RATE : (k + 1) * SAMPLE_RATE]) for k in range(seconds - 1)]
    assert min(quiet[1:-1]) > -50
    assert np.abs(audio.mean()) < 1e-3  # no constant offset


def test_a_wall_of_sound_stays_below_full_scale() -> None:
    notes = [Note(pitch, 127, 0, 1900) for pitch in range(30, 100, 8)]
    audio = render(
        piece(*[(program, False, notes) for program in (0, 19, 48, 61, 81)], (0, True, [Note(36, 127, 0, 9)]))
    )
    assert 0.5 < np.abs(audio).max() <= 0.98


def test_the_limiter_leaves_quiet_sound_alone() -> None:
    quiet = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 5000)).astype(np.float32)
    assert np.array_equal(limit(quiet.copy(), SAMPLE_RATE), quiet)
    loud = limit(4 * quiet, SAMPLE_RATE)
    assert np.abs(loud).max() <= 0.97
    assert np.corrcoef(loud.ravel(), quiet.ravel())[0, 1] > 0.99  # turned down, not cut off


def test_louder_notes_are_louder_and_brighter() -> None:
    soft, loud = (
        render(one_note(0, 48, velocity), room=0)[: SAMPLE_RATE // 2].mean(axis=1) for velocity in (30, 120)
    )

    def centroid(x: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(x)) ** 2
        return float(np.sum(np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE) * power) / power.sum())

    assert rms_db(loud) > rms_db(soft) + 6
    assert centroid(loud) > 1.15 * centroid(soft)


def test_note_length_is_heard() -> None:
    short, long = (render(one_note(48, 60, ticks=ticks), room=0) for ticks in (240, 1920))
    after = slice(round(0.8 * SAMPLE_RATE), round(1.2 * SAMPLE_RATE))
    assert rms_db(long[after]) > rms_db(short[after]) + 20


def test_half_the_tempo_takes_twice_the_time() -> None:
    notes = [Note(60, 100, 960, 200)]
    fast, slow = (
        timed_notes(piece((0, False, notes), tempo=tempo))[0].start[0] for tempo in (500_000, 1_000_000)
    )
    assert (fast, slow) == (pytest.approx(1.0), pytest.approx(2.0))


def test_bars_and_tracks_choose_what_is_played() -> None:
    score = piece((0, False, [Note(60, 100, 0, 100)]), (33, False, [Note(40, 100, 480, 100)]), bars=4)
    both = timed_notes(score, bars=(2, 4))
    assert both[0].start.tolist() == pytest.approx([0.0, 2.0])
    assert timed_notes(score, tracks=[1])[0].program == 33
    assert np.array_equal(render(score, bars=(0, 1)), render(score, bars=(3, 4)))
    same = render(score, bars=(2, 4), tracks=[1])
    assert np.array_equal(same, render(score, bars=range(2, 4), tracks=score.track_names[1]))
    with pytest.raises(ValueError, match=r"track 7 does not exist; there are 0 '.*', 1 '"):
        render(score, tracks=[7])
    with pytest.raises(ValueError, match="go from 0 to 4"):
        render(score, bars=(0, 9))


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(Score([Track([Bar(), Bar()])]), id="bars without notes"),
        pytest.param(Score([]), id="no tracks"),
    ],
)
def test_nothing_to_play_is_silence(score: Score) -> None:
    audio = render(score)
    assert len(audio) > 0 and not audio.any()


def test_drums_and_bass_stay_in_the_middle() -> None:
    note = [Note(60, 100, 0, 100)]
    score = piece((0, False, note), (33, False, note), (24, False, note), (0, True, note))
    assert pan_positions(timed_notes(score)) == [-0.35, 0.0, 0.35, 0.0]
    left, right = render(one_note(0), room=0).T
    assert rms_db(left) > rms_db(right) + 2


def test_the_same_score_gives_the_same_samples_and_leaves_numpys_generator_alone() -> None:
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    score = piece((0, True, [Note(38, 90, 0, 100)]), (73, False, [Note(70, 90, 0, 900)]))
    assert np.array_equal(render(score), render(score))
    assert np.array_equal(np.random.get_state()[1], state)


def test_other_sample_rates() -> None:
    audio = render(one_note(0), sample_rate=22050, room=0)
    assert len(audio) == pytest.approx(len(render(one_note(0), room=0)) / 2, abs=2)
    with pytest.raises(ValueError, match="8000 to 192000"):
        render(one_note(0), sample_rate=4)


def test_too_long_a_piece_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"Choose a part with bars=\(first, end\)"):
        render(piece((0, False, [Note(60, 90, 0, 100)]), bars=2, tempo=2_000_000_000))


def test_sixteen_bars_of_four_tracks_take_about_a_second() -> None:
    score = Score.example()
    render(score, bars=(0, 1))
    start = time.perf_counter()
    render(score)
    assert time.perf_counter() - start < 6.0  # 0.8 s on a quiet machine; the limit allows for busy cores
