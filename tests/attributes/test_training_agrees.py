"""Training measures attributes with numpy functions of its own; both must say the same about every window."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.training import vocabulary
from midigpt_nb.training.attributes import density_bin, key_signature, track_attributes
from midigpt_nb.training.prepare import bar_polyphony

METRES = [(4, 4), (3, 4), (7, 8), (2, 4)]


def random_window(rng):
    """Tracks of ``(program, is_drum, [(metre, notes)])``; some bars and tracks are empty."""
    metres = [METRES[i] for i in rng.integers(0, len(METRES), rng.integers(1, 9))]
    tracks = []
    for number in range(int(rng.integers(1, 5))):
        bars = []
        for num, den in metres:
            ticks = 48 * num // den
            count = 0 if rng.random() < 0.3 else int(rng.integers(1, 14))
            onsets = np.sort(rng.integers(0, ticks, count))
            lengths = np.where(
                rng.random(count) < 0.2, rng.integers(40, 97, count), rng.integers(1, 30, count)
            )
            pitches = rng.integers(30, 90, count)
            bars.append(
                ((num, den), list(zip(onsets.tolist(), lengths.tolist(), pitches.tolist(), strict=True)))
            )
        tracks.append((int(rng.choice([0, 2, 5, 33, 34, 64, 90])), number == 0 and rng.random() < 0.5, bars))
    return metres, tracks


@pytest.mark.parametrize("seed", range(40))
def test_every_value_of_a_random_window(table, seed):
    rng = np.random.default_rng(seed)
    analyzer = AttributeAnalyzer.from_config(vocabulary.encoder_config())
    metres, tracks = random_window(rng)
    window = table(*tracks)
    lengths = np.array([48 * num // den for num, den in metres])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    looked_at = rng.random((len(tracks), len(metres))) < rng.choice([0.4, 0.8, 1.0])

    arrays = []
    for _, _, bars in tracks:
        bar = np.repeat(np.arange(len(bars)), [len(notes) for _, notes in bars])
        rows = np.array([note for _, notes in bars for note in notes], dtype=np.int64).reshape(-1, 3)
        arrays.append((rows[:, 2], starts[bar] + rows[:, 0], rows[:, 1], bar))
    melodic = [index for index, (_, is_drum, _) in enumerate(tracks) if not is_drum]
    chosen = [looked_at[index][arrays[index][3]] for index in melodic]
    empty = np.zeros(0, dtype=np.int64)
    key = key_signature(
        np.concatenate([empty, *[arrays[i][0][c] for i, c in zip(melodic, chosen, strict=True)]]),
        np.concatenate([empty, *[arrays[i][2][c] for i, c in zip(melodic, chosen, strict=True)]]),
    )
    cells = {track: np.flatnonzero(looked_at[track]).tolist() for track in range(len(tracks))}

    for track, (program, is_drum, bars) in enumerate(tracks):
        limits = vocabulary.density_row(is_drum, int(vocabulary.PROGRAM_TO_INSTRUMENT[program]))
        pitch, start, duration, bar = arrays[track]
        expected = track_attributes(
            pitch, start, duration, bar, starts, looked_at[track], is_drum, limits, key
        )
        measured = analyzer.track_values(window, track, cells[track], cells=cells)
        assert {analyzer.get(name).token_type: value for name, value in measured.items()} == expected

        per_bar = analyzer.bar_values(window, track)
        assert per_bar["bar_note_density"].tolist() == [density_bin(len(notes), limits) for _, notes in bars]
        if not is_drum:
            onset = start - starts[bar]
            voices = bar_polyphony(onset, duration, bar, lengths[bar], len(bars))
            assert per_bar["bar_max_polyphony"].tolist() == voices.tolist()


def test_both_have_the_same_domains_and_thresholds():
    analyzer = AttributeAnalyzer.from_config(vocabulary.encoder_config())
    assert analyzer.token_domain_specs() == list(vocabulary.DOMAINS[-10:])
    from midigpt_nb.attributes.tables import density_thresholds

    assert (density_thresholds() == vocabulary.DENSITY_LIMITS).all()
