"""The way from MIDI files to an exported model, on a tiny corpus made here."""

from __future__ import annotations

import csv
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("symusic")

from midigpt_nb.evaluation.baselines import NGram, ngram_losses  # noqa: E402
from midigpt_nb.evaluation.infill import parse_prompt, prompt_of, rank_correlation, real_blocks  # noqa: E402
from midigpt_nb.evaluation.sampler import BlockGrammar, block_notes, fill, read_targets  # noqa: E402
from midigpt_nb.training import vocabulary as v  # noqa: E402
from midigpt_nb.training.attributes import bar_polyphony_bin, density_bin, key_signature, track_attributes  # noqa: E402
from midigpt_nb.training.checkpoint import load_checkpoint  # noqa: E402
from midigpt_nb.training.corpus import Corpus  # noqa: E402
from midigpt_nb.training.export import export_checkpoint, load_model  # noqa: E402
from midigpt_nb.training.mixes import LONG_MIX, SHORT_MIX  # noqa: E402
from midigpt_nb.training.model import link_losses  # noqa: E402
from midigpt_nb.training.prepare import bar_polyphony, snap_velocities  # noqa: E402
from midigpt_nb.training.train import PRESETS, Plan, PoolSource, Training  # noqa: E402
from midigpt_nb.training.window import FILL, FIRST_NOTE, batches  # noqa: E402
from midigpt_nb.training.windows import WindowSampler  # noqa: E402


def test_vocabulary_layout() -> None:
    assert v.VOCABULARY_SIZE == 833
    assert v.START["MaskBar"] == 607
    assert v.START["BarLevelOnsetDensity"] == 813
    assert v.START["BarLevelOnsetPolyphonyMax"] == 823
    assert v.token_name(604) == "FillInPlaceholder:0"
    assert [v.VELOCITY_TO_LEVEL[x] for x in (1, 4, 5, 100, 127)] == [1, 1, 2, 25, 31]
    assert v.PROGRAM_TO_INSTRUMENT[95] == 76
    assert len(v.TIME_SIGNATURES) == 36


def test_preparation_keeps_notes_on_their_beats(corpus: Corpus) -> None:
    assert len(corpus.piece_file) == 12
    assert len(corpus.track_cell) == 36
    assert set(np.unique(corpus.onset)) == {0, 12, 24, 36}
    bass = int(corpus.piece_track[0])
    counts = np.diff(corpus.cell_note[corpus.track_cell[bass] :][:21])
    assert (counts == 4).all()  # early notes were not lost to the bar before
    assert corpus.bar_whole.all()
    waltz = 2
    assert v.TIME_SIGNATURES[corpus.bar_signature[corpus.piece_bar[waltz]]] == "3/4"


def test_synthetic_velocities_are_snapped(corpus: Corpus) -> None:
    def levels_per_cell(source: str) -> float:
        piece = int(corpus.select("train", (source,))[0])
        first = int(corpus.track_cell[corpus.piece_track[piece]])
        tokens = corpus.tokens[corpus.cell_token[first] : corpus.cell_token[first + 20]]
        return float(((tokens >= v.VELOCITY) & (tokens < v.PLACEHOLDER)).sum() / 20)

    assert levels_per_cell("band_rulemade") == 1.0
    assert levels_per_cell("freedoom") > 1.5
    level, cell = np.array([10, 12, 11, 14, 15, 9]), np.array([0, 0, 0, 0, 1, 1])
    assert snap_velocities(level, cell).tolist() == [10, 10, 10, 14, 15, 9]


def test_attribute_formulas() -> None:
    bar_start = np.array([0, 48, 96])
    pitch, start, duration = np.array([60, 64, 67]), np.array([0, 0, 36]), np.array([12, 48, 24])
    bar = np.array([0, 0, 0])
    limits = v.density_row(False, 0)
    both = np.array([True, True])
    values = track_attributes(pitch, start, duration, bar, bar_start, both, False, limits, 0)
    # Two voices for 12 + 12 of 60 sounding ticks; the last note rings 12 ticks into the second bar.
    assert values["MaxPolyphony"] == 1
    assert values["MinPolyphony"] == 0
    assert values["TrackLevelSilenceProportionMax"] == int(10 * 36 / 96)
    assert values["NoteDensity"] == density_bin(3, limits)
    assert values["TrackLevelPitchRangeMax"] == 7
    assert track_attributes(pitch, start, duration, bar, bar_start, ~both, False, limits, 0) == {}
    assert key_signature(np.array([60, 62, 64, 65, 67, 69, 71, 72]), np.ones(8)) == 0
    assert key_signature(np.zeros(0, dtype=int), np.zeros(0)) == 24
    ticks = np.full(3, 48)
    assert bar_polyphony(start, duration, bar, ticks, 2).tolist() == [1, 0]


@pytest.mark.parametrize("mix", [SHORT_MIX, LONG_MIX])
def test_windows_follow_the_grammar(corpus: Corpus, mix: object) -> None:
    sampler = WindowSampler(corpus, "train", mix)
    windows = sampler.pool(seed=3, number=0, size=60)
    assert any(window.ids[0] == v.PIECE_START for window in windows)
    for window in windows:
        ids = window.ids.astype(int)
        assert len(ids) <= mix.max_tokens
        assert ids.max() < v.VOCABULARY_SIZE
        assert ids[1] == v.NUM_BARS + v.BAR_COUNTS.index(window.n_bars)
        assert (ids == v.BAR).sum() == (ids == v.BAR_END).sum() == window.n_bars * (ids == v.TRACK_END).sum()
        targets, blocks = read_targets(ids), real_blocks(window)
        assert len(targets) == len(blocks) == (ids == v.PLACEHOLDER).sum()
        assert (ids[0] == v.PIECE_START + 1) == bool(blocks)
        for target, block in zip(targets, blocks, strict=True):
            grammar = BlockGrammar(target)
            for token in [*block, v.FILL_END]:
                assert grammar.legal()[token], v.token_name(token)
                grammar.advance(token)
            notes = block_notes(block, target.is_drum)
            assert len(notes) and (notes[:, 0] < target.ticks).all()
            # A density token at the placeholder says what its block holds.
            bar = target.placeholder - 1
            while ids[bar] != v.BAR:
                bar -= 1
            said = [
                t - v.BAR_DENSITY
                for t in ids[bar : target.placeholder]
                if v.BAR_DENSITY <= t < v.BAR_POLYPHONY
            ]
            if said:
                assert said == [density_bin(len(notes), v.density_row(target.is_drum, target.instrument))]
            spot = target.placeholder
            assert window.hints[spot, 1] == target.bar
            assert window.hints[spot, 2] == (said[0] + 1 if said else 0)
        inside = np.isin(window.kinds, (FILL, FIRST_NOTE))
        assert inside.sum() == sum(len(block) + 1 for block in blocks)


def test_links_and_hints_point_at_what_they_name(corpus: Corpus) -> None:
    for window in WindowSampler(corpus, "train", LONG_MIX).pool(seed=9, number=0, size=30):
        ids = window.ids.astype(int)
        for spot, (instrument, bar, placeholder) in enumerate(window.links):
            if instrument >= 0:
                assert v.INSTRUMENT <= ids[instrument] < v.NUM_BARS and instrument < spot
                assert ids[bar] == v.BAR or v.BAR_DENSITY <= ids[bar] < v.BAR_POLYPHONY
            if placeholder >= 0:
                assert ids[placeholder] == v.PLACEHOLDER
                assert (window.hints[placeholder, :4] == window.hints[spot, :4]).all()
                assert window.ordinals[placeholder] == window.ordinals[spot] >= 0
        found = (window.links[:, 2] >= 0).sum()
        assert found == np.isin(window.kinds, (FILL, FIRST_NOTE)).sum()  # block starts in, block ends out


def test_windows_are_reproducible(corpus: Corpus) -> None:
    sampler = WindowSampler(corpus, "train", LONG_MIX)
    first = sampler.pool(5, 7, 10)
    sampler.pool(5, 8, 10)
    for a, b in zip(first, sampler.pool(5, 7, 10), strict=True):
        assert np.array_equal(a.ids, b.ids)
    batch = batches(first, 2048, np.random.default_rng(0))
    assert sum(int((part.kinds >= 0).sum()) for part in batch) == sum(len(window.ids) for window in first)


@pytest.fixture(scope="module")
def trained(corpus_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    torch.set_num_threads(1)
    plan = Plan(
        width=32,
        layers=2,
        heads=2,
        batch_tokens=2048,
        evaluation_windows=2,
        warm_up=0.0,
        decay_from=1.0,
    )
    return Training(corpus_path, tmp_path_factory.mktemp("run"), plan, minutes=1, seed=1, device="cpu")


def test_a_few_steps_lower_the_loss(trained: Training) -> None:
    source = PoolSource(trained.corpus, trained.plan, trained.seed, 24)
    batch = batches(source.pool(0, 0.0), 2048, np.random.default_rng(0))[0]
    losses = [float(trained.update(batch)[0]) for _ in range(6)]
    assert losses[-1] < losses[0] - 0.3
    assert all(np.isfinite(losses))


def test_guided_heads_learn_their_links(trained: Training) -> None:
    source = PoolSource(trained.corpus, trained.plan, trained.seed, 24)
    batch = batches(source.pool(1, 0.0), 2048, np.random.default_rng(0))[0]
    links = torch.from_numpy(batch.links)

    def losses() -> torch.Tensor:
        with torch.no_grad():
            return link_losses(trained.model.guided(torch.from_numpy(batch.ids).long())[2], links)

    before = losses()
    for _ in range(15):
        trained.update(batch)
    assert (losses() < before).all()


def test_resume_goes_on_where_it_stopped(trained: Training) -> None:
    trained.step, trained.pool, trained.tokens, trained.seconds = 17, 3, 1234, 42.0
    trained.save()
    again = Training(trained.corpus_path, trained.folder, trained.plan, minutes=1, seed=1, device="cpu")
    assert (again.step, again.pool, again.tokens, again.seconds) == (17, 3, 1234, 42.0)
    for a, b in zip(trained.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    batch = next(trained.pools())[0]
    assert np.array_equal(batch.ids, next(again.pools())[0].ids)
    assert float(trained.update(batch)[0]) == float(again.update(batch)[0])
    for a, b in zip(trained.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_short_run_writes_logs_and_a_checkpoint(corpus_path: Path, tmp_path: Path) -> None:
    plan = Plan(width=32, layers=1, heads=1, batch_tokens=512, evaluation_windows=2)
    run = Training(corpus_path, tmp_path, plan, minutes=0.02, seed=1, device="cpu")
    run.run(deadline=1.0)
    assert run.step > 0
    rows = list(csv.DictReader((tmp_path / "evaluations.csv").open()))
    assert {"band_token", "synthetic_fill", "wrong_density_fill"} <= set(rows[-1])
    assert float(rows[-1]["band_token"]) < 8


def test_insurance_leaves_both_states(corpus_path: Path, tmp_path: Path) -> None:
    plan = Plan(width=32, layers=1, heads=1, batch_tokens=512, evaluation_windows=2, slim=True, workers=1)
    run = Training(corpus_path, tmp_path, plan, minutes=10, seed=1, device="cpu")
    run.run(deadline=0.04, insurance=0.02)
    warm, cooled = load_checkpoint(tmp_path), load_checkpoint(tmp_path, "cooled")
    assert warm["step"] < cooled["step"]
    again = Training(corpus_path, tmp_path, plan, minutes=10, seed=1, device="cpu")
    assert again.step == warm["step"]
    assert again.rate() < plan.learning_rate / 50  # warms up again, since the momentum was not saved


def test_export_has_the_released_names_and_shapes(trained: Training, tmp_path: Path) -> None:
    trained.save()
    path = tmp_path / "model.safetensors"
    assert export_checkpoint(trained.folder, path) == [path]
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__")
    assert metadata["format_version"] == "2"
    assert metadata["arch"] == "gpt2"
    assert json.loads(metadata["config"]) == {
        "vocab_size": 833, "n_positions": 1024, "n_embd": 32, "n_layer": 2, "n_head": 2
    }  # fmt: skip
    config = json.loads(metadata["encoder_config"])
    assert config["attribute_formulas"] == "exact"
    assert "token_domains" not in config
    assert [control["name"] for control in config["attribute_controls"]][-1] == "polyphony_quantile"
    shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
    expected = {
        "transformer.wte.weight": (833, 32), "transformer.wpe.weight": (1024, 32),
        "transformer.ln_f.weight": (32,), "transformer.ln_f.bias": (32,), "lm_head.weight": (833, 32),
    }  # fmt: skip
    for i in range(2):
        block = f"transformer.h.{i}."
        for name, shape in {
            "ln_1.weight": (32,), "ln_1.bias": (32,), "ln_2.weight": (32,), "ln_2.bias": (32,),
            "attn.c_attn.weight": (32, 96), "attn.c_attn.bias": (96,), "attn.c_proj.weight": (32, 32),
            "attn.c_proj.bias": (32,), "mlp.c_fc.weight": (32, 128), "mlp.c_fc.bias": (128,),
            "mlp.c_proj.weight": (128, 32), "mlp.c_proj.bias": (32,),
        }.items():  # fmt: skip
            expected[block + name] = shape
    assert shapes == expected
    assert {entry["dtype"] for entry in header.values()} == {"F16"}
    entry = header["transformer.h.0.mlp.c_fc.weight"]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    stored = np.frombuffer(data[begin:end], dtype=np.float16).reshape(32, 128).astype(np.float32)
    assert np.allclose(stored, trained.model.h[0].mlp.c_fc.weight.detach().numpy().T, atol=2e-3)


def test_sampled_blocks_are_legal(trained: Training, corpus: Corpus) -> None:
    trained.save()
    model, _ = load_model(trained.folder)
    window = next(
        w for w in WindowSampler(corpus, "train", SHORT_MIX).pool(2, 0, 50) if w.ids[0] == v.PIECE_START + 1
    )
    prompt = prompt_of(window, density=4)
    blocks = fill(model, prompt, np.random.default_rng(0), max_block=30)
    targets = read_targets(prompt)
    assert len(blocks) == len(targets)
    for target, block in zip(targets, blocks, strict=True):
        notes = block_notes(block, target.is_drum)
        assert len(notes) and (notes[:, 0] < target.ticks).all()
        assert prompt[target.placeholder - 1] in range(v.TIME_SIG, v.INSTRUMENT)
        assert prompt[target.placeholder - 2] != v.BAR  # the wish stands in front of the time signature
    voices = prompt_of(window, voices=2)
    for target in read_targets(voices):
        assert voices[target.placeholder - 3 : target.placeholder - 1].tolist() == [
            v.BAR,
            v.BAR_POLYPHONY + 2,
        ]
    tracks = parse_prompt(prompt)
    assert all(len(track.bars) == window.n_bars for track in tracks)


def test_cached_steps_agree_with_the_whole_sequence(trained: Training) -> None:
    model = trained.model.eval()
    ids = torch.arange(20)[None] * 7
    with torch.no_grad():
        whole = model(ids)
        logits, past = model.step(ids[:, :15])
        assert torch.allclose(logits, whole[:, 14], atol=1e-5)
        for position in range(15, 20):
            logits, past = model.step(ids[:, position : position + 1], past)
            assert torch.allclose(logits, whole[:, position], atol=1e-5)
    model.train()


def test_ngrams_are_distributions_and_beat_unigrams(corpus: Corpus) -> None:
    windows = WindowSampler(corpus, "train", SHORT_MIX).pool(1, 0, 120)
    model = NGram(windows[:100], 3)
    losses = ngram_losses(model, windows[100:])
    assert losses[0]["token"] > losses[1]["token"] > losses[2]["token"]
    context = windows[0].ids[:6]
    total = sum(model.probabilities(np.append(context, token))[2][-1] for token in range(v.VOCABULARY_SIZE))
    assert total == pytest.approx(1.0, abs=1e-6)


def test_rank_correlation() -> None:
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([10, 20, 30, 40])) == pytest.approx(1.0)
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([4, 3, 2, 1])) == pytest.approx(-1.0)
    assert PRESETS["gpu"].width > PRESETS["cpu"].width


def test_thinned_bars_are_sparser_and_say_so(corpus: Corpus) -> None:
    mix = replace(SHORT_MIX, infill=1.0, thin=1.0, shapes={"block": 1.0}, transpose=0.0, mask_bars=0.0)
    counts = {}
    for thin in (0.0, 1.0):
        windows = WindowSampler(corpus, "train", replace(mix, thin=thin)).pool(seed=1, number=0, size=60)
        counts[thin] = np.mean(
            [
                len(block_notes(block, target.is_drum))
                for window in windows
                for target, block in zip(read_targets(window.ids), real_blocks(window), strict=True)
            ]
        )
    assert counts[1.0] < 0.8 * counts[0.0]
    onset, duration = np.array([0, 0, 24]), np.array([48, 12, 24])
    bins = bar_polyphony(onset, duration, np.zeros(3, int), np.full(3, 48), 1)
    assert bar_polyphony_bin(onset, duration, 48) == bins[0]
