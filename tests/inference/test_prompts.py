"""What a step's prompt shows and says."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.engine import InferenceEngine
from midigpt_nb.inference.planning import Planner, Said
from midigpt_nb.inference.validation import validate_request
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer

from .conftest import make_score

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"
T = _core.TokenType


@pytest.fixture(scope="module")
def engines():
    """Engines with the vocabularies of published models, and no model."""
    made = {}
    for name in ("yellow", "ghost", "prism", "expressive"):
        tokenizer = Tokenizer(json.loads((CONFIGS / f"{name}.json").read_text()))
        made[name] = InferenceEngine(ScriptedBackend(tokenizer.vocab.size), tokenizer, name=name)
    return made


@pytest.fixture
def pocket(scripted):
    return scripted()


def planner(engine, score, *tracks, controls=None, **config):
    request = GenerationRequest(list(tracks), InferenceConfig(**{"model_dim": 8, **config}), controls or {})
    valid = validate_request(request, score, engine.tokenizer.config, engine.attributes)
    return Planner(engine, score, valid, seed=1)


def prompts(engine, score, *tracks, **config):
    """The prompts of all steps, as if nothing was written."""
    made = planner(engine, score, *tracks, **config)
    return [
        made.prompt(step, i, made.piece, hidden, Said())
        for i, (step, hidden, _) in enumerate(made.situations(made.plan))
    ]


def rows_of(engine, prompt):
    return [(kind.name, value) for kind, value in map(engine.tokenizer.vocab.decode, prompt.tokens.tolist())]


def parts(rows, kind):
    """The pieces that begin with a token of this type."""
    starts = [i for i, (name, _) in enumerate(rows) if name == kind] + [len(rows)]
    return [rows[a:b] for a, b in pairwise(starts)]


def tracks_of(engine, prompt):
    """Per track: the tokens before its first bar, and its bars."""
    found = []
    for track in parts(rows_of(engine, prompt), "Track"):
        bars = parts(track, "Bar")
        found.append((track[: len(track) - sum(map(len, bars))], bars))
    return found


def only(pairs, *kinds):
    return [(kind, value) for kind, value in pairs if kind in kinds]


# --- layout ---------------------------------------------------------------------------------------


def test_k2_the_layout_of_an_infill_prompt(pocket):
    score = make_score(3)
    (prompt,) = prompts(pocket, score, TrackPrompt(1, [2, 3]), bars_per_step="auto")
    rows = rows_of(pocket, prompt)
    assert rows[:2] == [("PieceStart", 1), ("NumBars", 1)] and prompt.tracks == [0, 1, 2]
    assert [head[:2] for head, _ in tracks_of(pocket, prompt)] == [
        [("Track", 0), ("Instrument", 0)],
        [("Track", 0), ("Instrument", pocket.tokenizer.vocab.instrument_value(8))],
        [("Track", 1), ("Instrument", 0)],
    ]


def test_k3_placeholders_in_place_and_one_fill_start_at_the_end(pocket):
    (prompt,) = prompts(
        pocket,
        make_score(3),
        TrackPrompt(1, [2, 5]),
        TrackPrompt(0, [3]),
        bars_per_step="auto",
        tracks_per_step="auto",
    )
    rows = rows_of(pocket, prompt)
    assert [kind for kind, _ in rows].count("FillInStart") == 1 and rows[-1] == ("FillInStart", 0)
    waiting = [
        (t, b)
        for t, (_, bars) in enumerate(tracks_of(pocket, prompt))
        for b, bar in enumerate(bars)
        if ("FillInPlaceholder", 0) in bar
    ]
    assert waiting == [(0, 3), (1, 2), (1, 5)] == [(b.track, b.bar) for b in prompt.blocks]
    assert prompt.matcher.blocks == waiting


def test_k2_an_autoregressive_prompt_stops_after_instrument(pocket):
    (prompt,) = prompts(pocket, make_score(3), TrackPrompt(0, autoregressive=True))
    rows = rows_of(pocket, prompt)
    assert rows[0] == ("PieceStart", 0) and rows[-2:] == [("Track", 0), ("Instrument", 0)]
    assert prompt.tracks == [1, 2, 0]


def test_k2_or_after_the_history(pocket):
    (prompt,) = prompts(pocket, make_score(3), TrackPrompt(0, [6, 7], autoregressive=True))
    head, bars = tracks_of(pocket, prompt)[-1]
    assert len(bars) == 6 and bars[-1][-1] == ("BarEnd", 0) and len(head) > 2
    assert rows_of(pocket, prompt)[-1] == ("BarEnd", 0)


@pytest.mark.parametrize("window", [4, 8, 16])
def test_k4_every_track_has_as_many_bars_as_the_window(pocket, window):
    (prompt,) = prompts(pocket, make_score(2, 6), TrackPrompt(0, [1]), model_dim=window, context="all")
    assert [len(bars) for _, bars in tracks_of(pocket, prompt)] == [window] * 2
    assert rows_of(pocket, prompt)[1] == ("NumBars", pocket.tokenizer.vocab.num_bars_value(window))


@pytest.mark.parametrize("mode", ["attention", "attention_skip", "attention_approx", "remove", "token"])
def test_k6_hidden_bars_keep_their_shell_and_their_place(pocket, mode):
    score = make_score(2)
    score.tracks[1].bars[6].future = True
    made = planner(pocket, score, TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[3]), mask_mode=mode)
    ((step, hidden, _),) = made.situations(made.plan)
    prompt = made.prompt(step, 0, made.piece, hidden, Said())
    bars = tracks_of(pocket, prompt)[1][1]
    shell = [("Bar", 0), ("TimeSig", 0), *([("MaskBar", 0)] if mode == "token" else []), ("BarEnd", 0)]
    assert bars[3] == bars[6] == shell and hidden == {(1, 3), (1, 6)}
    skipped = set(range(prompt.length)) - set(prompt.positions.tolist())
    assert len(skipped) == (6 if mode.startswith("attention") else 0)
    assert (prompt.tokens[prompt.positions] == prompt.feed).all()


def test_k11_published_models_are_never_told_pitch_class_sets(engines):
    for name in ("prism", "expressive"):
        for tracks in ([TrackPrompt(0, [2])], [TrackPrompt(0, [4, 5, 6, 7], autoregressive=True)]):
            (prompt,) = prompts(engines[name], make_score(2), *tracks)
            assert not only(rows_of(engines[name], prompt), "BarLevelPitchClassSet")


def test_the_written_track_last_lets_steps_share_what_was_read(pocket):
    """Everything before the written track is the same in the next step, whatever the first one wrote."""
    score = make_score(3)
    for order, tracks in (("score", [0, 1, 2]), ("written_last", [1, 2, 0])):
        made = planner(pocket, score, TrackPrompt(0, [2, 3]), track_order=order)
        (step, hidden, _), (later, still_hidden, _) = made.situations(made.plan)
        first = made.prompt(step, 0, made.piece, hidden, Said())
        piece = made.piece.written({(0, 2): [(0, 1900, pitch, 90, 0) for pitch in (61, 63, 66, 68, 70)]})
        second = made.prompt(later, 1, piece, still_hidden, Said())
        n = min(first.length, second.length)
        shared = int(np.argmin(first.tokens[:n] == second.tokens[:n]))
        begins = np.flatnonzero(first.tokens == pocket.tokenizer.vocab.encode(T.Track, 0))
        assert first.tracks == tracks
        assert (shared >= begins[-1]) == (order == "written_last")


# --- attribute tokens -----------------------------------------------------------------------------

KINDS = ("BarLevelOnsetDensity", "BarLevelOnsetPolyphonyMin", "BarLevelOnsetPolyphonyMax")


@pytest.mark.parametrize("name", ["prism", "expressive"])
def test_d1_bars_say_their_own_values_wherever_the_window_begins(engines, name):
    engine, score = engines[name], make_score(3, 12)
    made = planner(engine, score, TrackPrompt(0, [9]), model_dim=4)
    ((step, hidden, _),) = made.situations(made.plan)
    assert step.start == 7
    prompt = made.prompt(step, 0, made.piece, hidden, Said())
    for track, (_, bars) in zip(prompt.tracks, tracks_of(engine, prompt), strict=True):
        own = engine.attributes.bar_values(made.piece.grid, track)
        tokens = {engine.attributes.get(n).token_type: values for n, values in own.items()}
        for bar, rows in enumerate(bars):
            said = dict(only(rows, *KINDS))
            written = (track, step.start + bar) in step.cells
            assert said == {k: int(tokens[k][step.start + bar]) for k in said} and bool(said) != written


def test_d1_wishes_stand_at_their_own_bars(pocket):
    prompt_ = TrackPrompt(0, [5, 6], bar_attributes={6: {"note_density": 9}})
    (prompt,) = prompts(pocket, make_score(), prompt_, model_dim=4, bars_per_step="auto")
    bars = tracks_of(pocket, prompt)[0][1]
    start = prompt.blocks[0].bar - 1
    assert [only(bars[b - start], "BarLevelOnsetDensity") for b in (5, 6)] == [
        [],
        [("BarLevelOnsetDensity", 9)],
    ]
    assert prompt.announced_bars == {(0, 5): {}, (0, 6): {"bar_note_density": 9}}


def test_d2_an_empty_track_says_nothing_but_what_was_asked_for(pocket, engines):
    for engine, asked, expected in (
        (pocket, {"note_density": 7}, [("NoteDensity", 7)]),
        (engines["yellow"], {"max_polyphony": 2}, [("MaxPolyphony", 2)]),
    ):
        score = Score([make_score(1).tracks[0], Track([Bar() for _ in range(8)], 30, "melodic")])
        for attributes, said in (({}, []), (asked, expected)):
            (prompt,) = prompts(engine, score, TrackPrompt(1, [1], attributes=attributes))
            head = tracks_of(engine, prompt)[1][0]
            assert head[2:] == said and prompt.announced_tracks == {1: attributes}


def loud_copy(score, track, bar):
    copy = score.copy()
    copy.tracks[track].bars[bar].notes = [Note(30 + i, 100, 10 * i, 5) for i in range(60)]
    return copy


def test_d2_what_is_to_be_written_colours_nothing(pocket, engines):
    for engine in (pocket, engines["yellow"], engines["expressive"]):
        score = make_score()
        for asked in (TrackPrompt(0, [2]), TrackPrompt(0, [5, 6, 7], autoregressive=True)):
            (plain,) = prompts(engine, score, asked, bars_per_step="auto")
            (other,) = prompts(engine, loud_copy(score, 0, asked.bars[0]), asked, bars_per_step="auto")
            assert plain.tokens.tolist() == other.tokens.tolist()


def test_k8_track_values_do_not_hear_hidden_bars(pocket, engines):
    """Neither masked bars, nor future ones, nor those of other tracks (for the key)."""
    for engine in (pocket, engines["expressive"]):
        score = make_score()
        for mode in ("attention", "remove"):
            asked = [TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[5])]
            (plain,) = prompts(engine, score, *asked, mask_mode=mode)
            (other,) = prompts(engine, loud_copy(score, 1, 5), *asked, mask_mode=mode)
            assert plain.tokens.tolist() == other.tokens.tolist()
            (shown,) = prompts(engine, loud_copy(score, 1, 5), asked[0], mask_mode=mode)
            assert shown.tokens.tolist() != plain.tokens.tolist()


def test_k8_visible_bars_are_described(pocket):
    made = planner(pocket, make_score(), TrackPrompt(0, [2]))
    ((step, hidden, _),) = made.situations(made.plan)
    prompt = made.prompt(step, 0, made.piece, hidden, Said())
    seen = [b for b in range(8) if b != 2]
    cells = {0: seen, 1: range(8), 2: range(8)}
    expected = pocket.attributes.track_values(made.piece.grid, 0, bars=seen, cells=cells)
    assert prompt.announced_tracks[0] == expected and len(expected) == 8


def test_d9_requested_levels_are_written_and_the_others_drawn(engines):
    """Published models were always told every attribute, so they write every one."""
    wish = TrackPrompt(0, autoregressive=True, attributes={"min_note_duration": 3})
    for engine in (engines["yellow"], engines["expressive"]):
        (prompt,) = prompts(engine, make_score(), wish)
        s, vocab = engine.symbols, engine.tokenizer.vocab
        written, matcher = [], prompt.matcher.fork()
        while True:
            legal = _legal(engine, matcher)
            (kind,) = {s.type_names[s.types[token]] for token in legal}
            if kind == "Bar":
                break
            if kind == "MinNoteDuration":
                assert [s.values[token] for token in legal] == [3]
            written.append(kind)
            matcher.accept(legal[0])
        assert written == [t for t in vocab.track_slots if t in _track_types(engine, "melodic")]


def test_d9_a_model_that_knows_gaps_may_leave_attributes_out(pocket):
    wish = TrackPrompt(0, autoregressive=True, attributes={"max_polyphony": 3})
    (prompt,) = prompts(pocket, make_score(), wish)
    s, matcher = pocket.symbols, prompt.matcher
    kinds = {s.type_names[s.types[token]] for token in _legal(pocket, matcher)}
    assert kinds == {"MinPolyphony", "MaxPolyphony"}
    matcher.accept(pocket.tokenizer.vocab.encode(T.MaxPolyphony, 3))
    kinds = {s.type_names[s.types[token]] for token in _legal(pocket, matcher)}
    assert "Bar" in kinds and "MinPolyphony" not in kinds and "KeySignature" in kinds


def test_d9_bars_too(engines):
    engine = engines["expressive"]
    made = prompts(engine, make_score(), TrackPrompt(0, [4, 5, 6, 7], autoregressive=True))
    matcher, s = made[0].matcher, engine.symbols
    matcher.accept(engine.tokenizer.vocab.encode(T.Bar, 0))
    types = []
    while True:
        legal = _legal(engine, matcher)
        (kind,) = {s.type_names[s.types[token]] for token in legal}
        if kind == "TimeSig":
            break
        types.append(kind)
        matcher.accept(legal[0])
    assert types == [t for t in engine.tokenizer.vocab.bar_slots if t in _bar_types(engine, "melodic")]


def test_d9_drums_are_not_told_what_only_melodies_have(engines):
    engine = engines["expressive"]
    (prompt,) = prompts(engine, make_score(), TrackPrompt(2, autoregressive=True))
    kinds = {engine.symbols.type_name(t) for t in _legal(engine, prompt.matcher)}
    assert kinds <= {"Bar", *_track_types(engine, "drum")}


def _legal(engine, matcher):
    row = np.zeros(engine.tokenizer.vocab.size, dtype=np.uint8)
    matcher.fill_mask(row)
    return np.flatnonzero(row).tolist()


def _track_types(engine, kind):
    names = engine.symbols.track_type_names
    rows = engine.attributes.attributes
    return {names[a.name] for a in rows if a.name in names and a.track_type in ("both", kind)}


def _bar_types(engine, kind):
    names = engine.symbols.bar_type_names
    rows = engine.attributes.attributes
    return {names[a.name] for a in rows if a.name in names and a.track_type in ("both", kind)}


def test_d9_history_says_what_was_asked_for(pocket):
    wish = TrackPrompt(0, [4, 5, 6, 7], autoregressive=True, attributes={"max_polyphony": 3})
    (prompt,) = prompts(pocket, make_score(), wish)
    head = dict(tracks_of(pocket, prompt)[-1][0])
    assert head["MaxPolyphony"] == 3 and prompt.announced_tracks[0]["max_polyphony"] == 3
    grid = planner(pocket, make_score(), wish).piece.grid
    own = pocket.attributes.track_values(grid, 0, bars=range(4))
    assert head["NoteDensity"] == own["note_density"]


def test_what_the_model_said_first_holds_for_its_later_steps(pocket):
    made = planner(pocket, make_score(1, 12), TrackPrompt(0, autoregressive=True), bars_per_step="auto")
    (_, _, _), (step, hidden, _) = made.situations(made.plan)
    said = Said(sampled={0: {"note_density": 1}})
    prompt = made.prompt(step, 1, made.piece, hidden, said)
    assert dict(tracks_of(pocket, prompt)[-1][0])["NoteDensity"] == 1


def test_d21_attributes_that_an_earlier_result_carries_are_ignored(pocket, engines):
    for engine in (pocket, engines["yellow"]):
        score = make_score()
        stale = score.copy()
        stale.tracks[0].attributes = {"note_density": 9, "max_polyphony": 9}
        for asked in (TrackPrompt(0, [2]), TrackPrompt(0, autoregressive=True)):
            (plain,), (other,) = prompts(engine, score, asked), prompts(engine, stale, asked)
            assert plain.tokens.tolist() == other.tokens.tolist()


def test_d25_old_content_of_later_steps_is_hidden_unless_asked_for(pocket):
    score = make_score()
    for setting, hidden, shown in (("hide", [1, 0], []), ("show", [0, 0], [1])):
        made = prompts(pocket, score, TrackPrompt(0, [2, 3]), later_targets=setting)
        assert [len(only(rows_of(pocket, p), "MaskBar")) for p in made] == hidden
        whole = [TrackPrompt(0, autoregressive=True), TrackPrompt(1, autoregressive=True)]
        first, second = prompts(pocket, score, *whole, later_targets=setting)
        assert first.context_tracks == [*shown, 2] and second.context_tracks == [0, 2]


# --- switches -------------------------------------------------------------------------------------


def test_d20_without_loudness_nothing_says_any(engines):
    engine = engines["expressive"]
    for value, header in ((True, 1), (False, 0)):
        (prompt,) = prompts(
            engine, make_score(), TrackPrompt(0, [2]), controls={"velocity": value, "microtiming": value}
        )
        rows = rows_of(engine, prompt)
        assert rows[1:3] == [("UseVelocity", header), ("UseMicrotiming", header)]
        assert bool(only(rows, "VelocityLevel")) == bool(only(rows, "Delta")) == value
        kinds = {engine.symbols.type_name(t) for t in _legal(engine, prompt.matcher)}
        assert ("VelocityLevel" in kinds) == value


def test_microtiming_of_the_context_is_told(engines):
    engine = engines["expressive"]
    score = Score([Track([Bar([Note(60, 90, 20, 100)]) for _ in range(8)])])
    (prompt,) = prompts(engine, score, TrackPrompt(0, [2]))
    assert only(rows_of(engine, prompt), "Delta") == [("Delta", 5)] * 7  # half a grid step, cut at 5


def test_a_genre_stands_in_the_header(engines):
    engine = engines["expressive"]
    name = engine.tokenizer.vocab.genres[3]
    (prompt,) = prompts(engine, make_score(), TrackPrompt(0, [2]), controls={"genre": name})
    assert only(rows_of(engine, prompt), "Genre") == [("Genre", 3)]


# --- tracks in turns ------------------------------------------------------------------------------


def test_u16_a_prompt_goes_on_from_what_the_track_before_wrote(pocket):
    """Two new tracks over one window: the second prompt begins with the first and its answer."""
    score = make_score(3)
    turns = [TrackPrompt(0, autoregressive=True), TrackPrompt(1, autoregressive=True)]
    made = planner(pocket, score, *turns, tracks_per_step=2)
    (first, hidden, _), (second, later, _) = made.situations(made.plan)
    before = made.prompt(first, 0, made.piece, hidden, Said())
    rng, answer, matcher = random.Random(3), [], before.matcher
    piece_notes: dict = {}
    from midigpt_nb.inference.notes import NoteParser, NotePlacer

    blocks = before.fresh_blocks()
    parser = NoteParser(pocket.symbols, blocks)
    placer = NotePlacer(made.piece.table, 12, first.cells)
    while not all(block.finished for block in blocks):
        legal = _legal(pocket, matcher)
        ends = [t for t in legal if pocket.symbols.type_name(t) in ("BarEnd",)]
        token = ends[0] if ends and rng.random() < 0.5 else rng.choice(legal)
        if pocket.symbols.type_name(token) == "NoteDuration":
            token = legal[rng.randrange(6)]
        if pocket.symbols.type_name(token) == "NoteOnset" and parser.current and not parser.current.notes:
            level = pocket.tokenizer.vocab.encode(T.VelocityLevel, 20)
            if level in legal:
                token = level
        matcher.accept(token)
        answer.append(token)
        note = parser.feed(token)
        if note is not None:
            block = parser.current
            row = placer.place(block.track, block.bar, note)
            if row is not None:
                piece_notes.setdefault((block.track, block.bar), []).append(row)
    piece = made.piece.written(piece_notes)
    names = {v: k for k, v in pocket.symbols.track_type_names.items()}
    bar_names = {v: k for k, v in pocket.symbols.bar_type_names.items()}
    said = Said(
        tracks={0: {names[k]: v for k, v in parser.track_tokens.items()}},
        bars={(b.track, b.bar): {bar_names[k]: v for k, v in b.tokens.items()} for b in blocks},
    )
    after = made.prompt(second, 1, piece, later, said)
    assert after.tracks == [2, 0, 1] and second.beside == {0: list(range(8))}
    assert after.tokens[: before.length].tolist() == before.tokens.tolist()
    head = after.tokens[before.length :].tolist()
    assert head[: len(parser.track_tokens)] == answer[: len(parser.track_tokens)]
    for block, rows in zip(blocks, tracks_of(pocket, after)[1][1], strict=True):
        assert {k: v for k, v in rows if k in bar_names} == block.tokens


# --- lengths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pocket", "yellow", "prism", "expressive", "ghost"])
def test_p2_prompt_lengths_are_known_without_encoding(engines, pocket, name):
    """The arithmetic of the budget agrees with the encoder to the token."""
    engine = {**engines, "pocket": pocket}[name]
    rng = random.Random(5)
    for _ in range(12):
        notes = rng.choice([0, 1, 5])
        score = make_score(3, rng.choice([3, 8, 11]), notes_per_bar=notes, seed=rng.random())
        tracks = []
        for t in rng.sample(range(3), rng.choice([1, 2])):
            bars = sorted(rng.sample(range(score.n_bars), rng.randrange(1, score.n_bars)))
            if rng.random() < 0.4:
                tracks.append(TrackPrompt(t, list(range(bars[0], score.n_bars)), autoregressive=True))
            else:
                tracks.append(TrackPrompt(t, bars))
        free = sorted(set(range(3)) - {p.id for p in tracks})
        tracks.append(TrackPrompt(free[0], mask_bars=[0, score.n_bars - 1]))
        config = engine.tokenizer.config
        modes = ["attention", "remove", *(["token"] if config.supports_mask_bar_token else [])]
        made = planner(
            engine,
            score,
            *tracks,
            bars_per_step=rng.choice([1, "auto"]),
            tracks_per_step=rng.choice([1, "auto"]),
            mask_mode=rng.choice(modes),
        )
        for i, (step, hidden, _) in enumerate(made.situations(made.plan)):
            prompt = made.prompt(step, i, made.piece, hidden, Said())
            counted = made._counts.prompt(prompt.tracks, step, hidden)
            # Behind an empty history room is kept for what the model may have said of itself.
            assert counted == prompt.length if notes else counted >= prompt.length
