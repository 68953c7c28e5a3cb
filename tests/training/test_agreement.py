"""Training windows against the package's own encoder and attributes: what is trained is what is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from midigpt_nb import Bar, Note, Score, Track, _core
from midigpt_nb.attributes.analyzer import AttributeAnalyzer
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training import vocabulary as v
from midigpt_nb.training.attributes import density_bin, key_signature, track_attributes
from midigpt_nb.training.corpus import Corpus
from midigpt_nb.training.mixes import LONG_MIX
from midigpt_nb.training.windows import WindowSampler

TOKEN_TYPES = {
    "note_density": "NoteDensity",
    "min_polyphony": "MinPolyphony",
    "max_polyphony": "MaxPolyphony",
    "min_note_duration": "MinNoteDuration",
    "max_note_duration": "MaxNoteDuration",
    "pitch_range": "TrackLevelPitchRangeMax",
    "key_signature": "KeySignature",
    "silence_proportion": "TrackLevelSilenceProportionMax",
}


def test_windows_are_what_the_encoder_writes(corpus: Corpus) -> None:
    pytest.importorskip("torch")
    from midigpt_nb.evaluation.sampler import read_targets

    tokenizer = Tokenizer(v.encoder_config())
    mix = replace(LONG_MIX, mask_bars=0.0, infill=0.6)
    for window in WindowSampler(corpus, "train", mix).pool(seed=11, number=0, size=40):
        ids = window.ids.astype(int).tolist()
        options = _core.EncodeOptions(
            window_bars=window.n_bars, multi_fill=[(t.track, t.bar) for t in read_targets(window.ids)]
        )
        assert tokenizer.encode(tokenizer.decode(ids), options, compute_attributes=False) == ids


def test_attribute_values_are_those_of_the_package() -> None:
    rng = np.random.default_rng(4)
    analyzer = AttributeAnalyzer.from_config(v.encoder_config())
    for _ in range(25):
        signatures = rng.integers(0, 4, size=8)
        bar_start = np.concatenate([[0], np.cumsum(v.BAR_TICKS[signatures])])
        scored, arrays = [], []
        for is_drum in (False, False, True):
            bars, rows = [], []
            for bar, signature in enumerate(signatures):
                numerator, denominator = map(int, v.TIME_SIGNATURES[signature].split("/"))
                ticks = int(v.BAR_TICKS[signature])
                notes = [
                    Note(int(rng.integers(30, 90)), 100, int(rng.integers(ticks)), int(rng.integers(1, 97)))
                    for _ in range(int(rng.integers(0, 7)) if bar else 3)
                ]
                notes = [Note(n.pitch, 100, n.onset_ticks, 1) for n in notes] if is_drum else notes
                bars.append(Bar(notes, numerator, denominator))
                rows += [(n.pitch, bar_start[bar] + n.onset_ticks, n.duration_ticks, bar) for n in notes]
            program = int(rng.choice(v.INSTRUMENT_TO_PROGRAM))
            scored.append(Track(bars, program, "drum" if is_drum else "melodic"))
            arrays.append(np.array(rows).T)
        score = Score(scored, resolution=v.RESOLUTION)
        key = key_signature(*(np.concatenate([part[i] for part in arrays[:2]]) for i in (0, 2)))
        everything = {track: range(len(signatures)) for track in range(3)}
        for track, (pitch, start, duration, bar) in enumerate(arrays):
            is_drum = track == 2
            limits = v.density_row(is_drum, int(v.PROGRAM_TO_INSTRUMENT[scored[track].instrument]))
            looked_at = rng.random(len(signatures)) < 0.7
            mine = track_attributes(pitch, start, duration, bar, bar_start, looked_at, is_drum, limits, key)
            theirs = analyzer.track_values(score, track, np.flatnonzero(looked_at).tolist(), cells=everything)
            assert mine == {TOKEN_TYPES[name]: int(value) for name, value in theirs.items()}
            counts = np.bincount(bar, minlength=len(signatures))
            densities = [density_bin(int(count), limits) for count in counts]
            assert analyzer.bar_values(score, track)["bar_note_density"].tolist() == densities
