"""What the bundled model was trained on is what the tokenizer writes and the matcher allows.

Training has its own fast writer of token windows. Every window must come back from decode and encode
token for token, and everything the model had to predict in it must be legal at its place.
"""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("symusic")

from midigpt_nb import _core
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training import vocabulary as v
from midigpt_nb.training.corpus import Corpus
from midigpt_nb.training.prepare import prepare
from midigpt_nb.training.windows import LONG_MIX, SHORT_MIX, WindowSampler


def piece(random, metre, n_bars=20):
    """Bass, chords with rests, and drums, as the bytes of a MIDI file."""
    beats = metre[0] * 4 // metre[1]
    ticks = [480 * beat for beat in range(beats)]
    bass, chords, drums = [], [], []
    for _ in range(n_bars):
        roots = random.integers(36, 48, beats).tolist()
        bass.append([Note(root, 90, tick, 360) for root, tick in zip(roots, ticks, strict=True)])
        held = [Note(roots[0] + step, 70, 0, 480 * beats) for step in (12, 16, 19)]
        chords.append(held if random.random() < 0.7 else [])
        drums.append(
            [
                Note(36 + int(random.integers(3)), 100, tick + offset, 60)
                for tick in ticks
                for offset in (0, 240)
            ]
        )
    tracks = [
        Track([Bar(notes, *metre) for notes in part], program, kind)
        for part, program, kind in ((bass, 34, "melodic"), (chords, 0, "melodic"), (drums, 0, "drum"))
    ]
    return Score(tracks).to_midi()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(11)
    names = [f"freedoom/{number}.mid" for number in range(6)]
    with zipfile.ZipFile(folder / "freedoom.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, piece(random, (3, 4) if number == 2 else (4, 4)))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "source", "tier", "split"])
        writer.writerows([name, "freedoom", "A", "train"] for name in names)
    prepare(folder, folder / "corpus.npz", workers=1)
    return Corpus.load(folder / "corpus.npz")


@pytest.fixture(scope="module")
def windows(corpus):
    return [
        window.ids.astype(np.int32)
        for mix in (SHORT_MIX, LONG_MIX)
        for window in WindowSampler(corpus, "train", mix).pool(seed=3, number=0, size=80)
    ]


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return Tokenizer(v.encoder_config())


def cells_with(ids, wanted):
    """(track, bar) of every bar that holds the token."""
    cells, track, bar = [], -1, -1
    for token in ids:
        if token in (v.TRACK, v.TRACK + 1):
            track, bar = track + 1, -1
        elif token == v.BAR:
            bar += 1
        elif token == wanted:
            cells.append((track, bar))
    return cells


def test_windows_come_back_token_for_token(windows, trained):
    for ids in windows:
        table, track_values, bar_values = _core.decode(trained.vocab, ids, False)
        options = _core.EncodeOptions(
            window_bars=trained.vocab.num_bars(int(ids[1]) - v.NUM_BARS),
            multi_fill=cells_with(ids, v.PLACEHOLDER),
            hidden_bars=cells_with(ids, v.MASK_BAR),
        )
        assert np.array_equal(_core.encode(trained.vocab, table, track_values, bar_values, options)[0], ids)


def test_what_the_model_predicts_is_legal(windows, trained):
    kinds = set()
    for ids in windows:
        infill = ids[0] == v.PIECE_START + 1
        if infill:
            start = int(np.flatnonzero(ids == v.FILL_START)[0]) + 1
        else:
            start = int(np.flatnonzero((ids == v.TRACK) | (ids == v.TRACK + 1))[-1]) + 2
        matcher = _core.Matcher.for_prompt(trained.vocab, ids[:start])
        assert matcher.infill == infill
        for token in ids[start:]:
            matcher.accept(int(token))
        assert matcher.complete
        kinds.add(matcher.infill)
    assert kinds == {False, True}
