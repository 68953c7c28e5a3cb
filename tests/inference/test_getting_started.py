"""What the reference's getting-started page shows, block by block, with only the import changed.

Each test is one block of that page. Pieces have one, two, three or more tracks (D33); models are the bundled
one by its old name, a bundle made here, and published names from a stand-in for the hub: small and random.
"""

from __future__ import annotations

import pytest

from midigpt_nb import Bar, Note, Score, Track
from midigpt_nb.errors import CheckpointError, RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt, models
from midigpt_nb.inference.models import PUBLISHED_REPO

from .conftest import make_score
from .hub_standin import serving
from .weights import write_published

MODES = ("attention", "attention_approx", "attention_skip", "remove", "token")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Small random checkpoints with published vocabularies."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "ghost": write_published(folder / "ghost.safetensors", "ghost"),
        "pt": write_published(folder / "model.pt", "yellow"),
        "yellow": write_published(folder / "yellow.safetensors", "yellow"),
        "expressive": write_published(folder / "expressive.safetensors", "expressive", context=4096),
        "prism": write_published(folder / "prism.safetensors", "prism", context=4096),
    }


@pytest.fixture(scope="module")
def yellow(files):
    """What most blocks of the page were written for."""
    return InferenceEngine.from_checkpoint(files["pt"])


@pytest.fixture(scope="module")
def pocket(files):
    """A model with a token for hidden bars, and attributes per bar where it has them."""
    return InferenceEngine.from_checkpoint(files["ghost"])


@pytest.fixture
def song(tmp_path):
    """`song(n)`: a MIDI file of n tracks and 8 bars, as `my_song.mid`."""

    def make(n_tracks: int):
        path = tmp_path / "my_song.mid"
        score = make_score(n_tracks, 8)
        for track in score.tracks:
            track.bars[-1].notes = []  # nothing rings past the end, which would make a ninth bar
        score.to_midi(path)
        return str(path)

    return make


def config(**settings) -> InferenceConfig:
    """The page's settings, kept short: a random model would fill the bars to the last tick."""
    return InferenceConfig(**{"density_hard_limit": 3, "seed": 1, "model_dim": 8, **settings})


def same_but(before: Score, after: Score, written: dict[int, set[int]]) -> None:
    """Every bar is as it was, except that the written ones have notes."""
    for t, (old, new) in enumerate(zip(before.tracks, after.tracks, strict=True)):
        for b, (was, now) in enumerate(zip(old.bars, new.bars, strict=True)):
            if b not in written.get(t, set()):
                assert now.notes == was.notes, (t, b)
            else:
                assert now.notes, (t, b)


# --- loading a model --------------------------------------------------------------------------------


def test_d30_load_by_name(files, monkeypatch, tmp_path):
    from midigpt_nb.inference import engine as module

    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setitem(models.BUNDLED, "pocket", files["ghost"])
    monkeypatch.setattr(module, "_told", set())
    published = {
        "yellow_medium-final.safetensors": files["yellow"].read_bytes(),
        "expressive_medium-step10.safetensors": files["expressive"].read_bytes(),
    }
    with serving(PUBLISHED_REPO, published) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        assert InferenceEngine.from_pretrained("yellow").limits.vocab_size == 647
        assert InferenceEngine.from_pretrained("expressive").limits.vocab_size == 964
    with pytest.warns(UserWarning, match="bundled model"):
        assert InferenceEngine.from_pretrained("ghost").source.name == "pocket"
    with pytest.raises(CheckpointError, match="did you mean 'yellow'"):
        InferenceEngine.from_pretrained("yelow")


def test_load_from_a_local_checkpoint(files):
    engine = InferenceEngine.from_checkpoint(str(files["pt"]))
    assert engine.limits.vocab_size == 647 and engine.limits.max_context == 2048


# --- working with scores ----------------------------------------------------------------------------


def test_build_from_scratch():
    score = Score(
        tracks=[Track(bars=[Bar() for _ in range(8)], instrument=0, track_type="melodic")],
        resolution=480,
        tempo=500000,
    )
    assert (score.n_tracks, score.n_bars, score.n_notes) == (1, 8, 0)


@pytest.mark.parametrize("n_tracks", [1, 2, 5])
def test_load_and_save(song, tmp_path, n_tracks):
    score = Score.from_midi(song(n_tracks))
    assert (score.n_tracks, score.n_bars) == (n_tracks, 8)
    score.to_midi(str(tmp_path / "output.mid"))
    assert Score.from_midi(tmp_path / "output.mid").n_notes == score.n_notes


# --- infill -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_tracks", [2, 3, 6])
def test_d33_infill_a_song_of_any_size(yellow, song, tmp_path, n_tracks):
    """The page's request names two tracks; the others are context."""
    score = Score.from_midi(song(n_tracks))
    request = GenerationRequest(
        tracks=[TrackPrompt(id=0, bars=[4, 5, 6, 7]), TrackPrompt(id=1, bars=[], ignore=True)],
        config=config(temperature=1.0, top_p=0.95),
    )
    result = yellow.session(score, request).run()
    same_but(score, result, {0: {4, 5, 6, 7}})
    result.to_midi(str(tmp_path / "output.mid"))
    assert Score.from_midi(tmp_path / "output.mid").n_tracks == n_tracks


def test_d33_a_song_of_one_track_needs_one_prompt(yellow, song):
    score = Score.from_midi(song(1))
    request = GenerationRequest(tracks=[TrackPrompt(id=0, bars=[4, 5, 6, 7])], config=config())
    same_but(score, yellow.session(score, request).run(), {0: {4, 5, 6, 7}})


def test_d33_a_prompt_names_an_existing_track_once(yellow, song):
    score = Score.from_midi(song(2))
    request = GenerationRequest(
        tracks=[TrackPrompt(id=0, bars=[4]), TrackPrompt(id=0, bars=[5]), TrackPrompt(id=7, bars=[1])],
        config=config(),
    )
    with pytest.raises(RequestValidationError) as caught:
        yellow.session(score, request)
    assert {p.path for p in caught.value.problems} >= {"tracks[1].id", "tracks[2].id"}


# --- autoregressive generation ----------------------------------------------------------------------


@pytest.mark.parametrize("n_tracks", [1, 3])
def test_a_new_track_from_scratch(yellow, n_tracks):
    """The page asks for metre 0; on published encoders that is 2/4's neighbour 1/2, so the piece is in it."""
    wanted = yellow.limits.time_signatures[0]
    score = make_score(n_tracks, 8, metres=(wanted,))
    request = GenerationRequest(
        tracks=[
            TrackPrompt(
                id=0,
                bars=[],
                autoregressive=True,
                attributes={"max_polyphony": 3},
                controls={"time_signature": 0},
            )
        ],
        config=config(temperature=1.0, polyphony_hard_limit=4),
    )
    result = yellow.session(score, request).run()
    same_but(score, result, {0: set(range(8))})
    for bar in result.tracks[0].bars:
        assert (bar.ts_numerator, bar.ts_denominator) == tuple(wanted)
        onsets = [note.onset_ticks for note in bar.notes]
        assert max(onsets.count(onset) for onset in onsets) <= 4


# --- attribute control ------------------------------------------------------------------------------


def test_introspection(yellow):
    sizes = yellow._analyzer.attribute_sizes()
    assert sizes["note_density"] == sizes["min_polyphony"] == sizes["max_polyphony"] == 10
    labels = yellow._analyzer.attribute_value_labels()
    assert "spars" in labels["note_density"][0] and "dens" in labels["note_density"][-1]
    assert {name: len(texts) for name, texts in labels.items()}.items() <= sizes.items()
    kinds = yellow._analyzer.attribute_track_types()
    assert (kinds["min_polyphony"], kinds["max_polyphony"]) == ("melodic", "melodic")
    assert kinds["note_density"] == "drum"  # the page says otherwise; this is what the models were taught
    assert yellow.attributes is yellow._analyzer


def drums_first() -> Score:
    score = make_score(3, 8)
    return Score([score.tracks[2], *score.tracks[:2]], resolution=score.resolution)


PAGE_OVERRIDES = {0: {"note_density": 2}, 3: {"note_density": 8}}


@pytest.mark.parametrize("model", ["pt", "ghost"])
def test_per_bar_overrides_of_an_attribute_that_belongs_to_tracks(files, model):
    """The page's block, on a drum track: bars of equal value form one step, told that value."""
    engine = InferenceEngine.from_checkpoint(files[model])
    prompt = TrackPrompt(
        id=0, bars=[0, 1, 2, 3], attributes={"note_density": 5}, bar_attributes=PAGE_OVERRIDES
    )
    session = engine.session(
        drums_first(), GenerationRequest(tracks=[prompt], config=config(bars_per_step=4))
    )
    groups = {tuple(step["generate"]["0"]) for step in session.plan_summary()}
    assert groups == {(0,), (1, 2), (3,)}
    same_but(drums_first(), session.run(), {0: {0, 1, 2, 3}})


@pytest.mark.parametrize("model", ["expressive", "prism"])
def test_per_bar_overrides_of_an_attribute_that_belongs_to_bars(files, model):
    """`note_density` means `bar_note_density` there."""
    engine = InferenceEngine.from_checkpoint(files[model])
    score = drums_first()
    prompt = TrackPrompt(id=0, bars=[0, 1, 2, 3], bar_attributes=PAGE_OVERRIDES)
    session = engine.session(score, GenerationRequest(tracks=[prompt], config=config()))
    same_but(score, session.run(), {0: {0, 1, 2, 3}})


def test_per_bar_overrides_with_the_bundled_vocabulary(engine):
    """The page's block as it stands: a melodic track, a default and two bars unlike it."""
    score = make_score(3, 8)
    prompt = TrackPrompt(
        id=0, bars=[0, 1, 2, 3], attributes={"note_density": 5}, bar_attributes=PAGE_OVERRIDES
    )
    session = engine.session(score, GenerationRequest(tracks=[prompt], config=config()))
    same_but(score, session.run(), {0: {0, 1, 2, 3}})


def test_an_attribute_for_the_wrong_kind_of_track_names_those_that_work(yellow, song):
    score = Score.from_midi(song(2))
    prompt = TrackPrompt(id=0, bars=[0], attributes={"note_density": 5})
    with pytest.raises(RequestValidationError, match="drum") as caught:
        yellow.session(score, GenerationRequest(tracks=[prompt], config=config()))
    assert "max_polyphony" in str(caught.value)


# --- sampling filters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": 5}, {"top_p": 0.9}, {"mask_k": 1}, {"mask_p": 0.3}, {"top_k": 20, "mask_k": 1},
        {"mask_k": 1, "novelty_check": True, "max_attempts": 5},
    ],
    ids=str,
)  # fmt: skip
def test_filters(yellow, song, settings):
    score = Score.from_midi(song(2))
    request = GenerationRequest(tracks=[TrackPrompt(id=0, bars=[4])], config=config(**settings))
    same_but(score, yellow.session(score, request).run(), {0: {4}})


def test_all_filters_are_off_by_default():
    plain = InferenceConfig()
    assert (plain.top_k, plain.top_p, plain.mask_k, plain.mask_p) == (0, 1.0, 0, 0.0)


# --- mask modes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_mask_modes_on_models_with_a_token_for_hidden_bars(pocket, engine, mode):
    hidden_bars(pocket, mode)
    hidden_bars(engine, mode)  # the bundled model's vocabulary


@pytest.mark.parametrize("mode", MODES[:4])
@pytest.mark.parametrize("model", ["yellow", "expressive"])
def test_mask_modes_that_work_on_every_model(files, model, mode):
    hidden_bars(InferenceEngine.from_checkpoint(files[model]), mode)


def hidden_bars(engine: InferenceEngine, mode: str) -> None:
    """Hidden bars and bars of the future come back as they were; only the asked bar is written."""
    score = make_score(3, 8)
    score.tracks[1].bars[7].future = True
    request = GenerationRequest(
        tracks=[TrackPrompt(id=0, bars=[4], mask_bars=[5, 6, 7]), TrackPrompt(id=1, bars=[], mask_bars=[6])],
        config=config(mask_mode=mode),
    )
    same_but(score, engine.session(score, request).run(), {0: {4}})


def test_token_needs_a_model_that_knows_it(yellow):
    request = GenerationRequest(tracks=[TrackPrompt(id=0, bars=[4])], config=config(mask_mode="token"))
    with pytest.raises(RequestValidationError, match="no token for hidden bars"):
        yellow.session(make_score(2, 8), request)


# --- names that do not exist ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "settings", "hint"),
    [
        ({}, {"mask_mode": "atention"}, "attention"),
        ({"attributes": {"max_polyphny": 3}}, {}, "max_polyphony"),
        ({"bar_attributes": {4: {"max_polyphny": 3}}}, {}, "max_polyphony"),
        ({"controls": {"time_sig": 0}}, {}, "time_signature"),
        ({"attributes": {"max_polyphony": 10}}, {}, "0..9"),
    ],
    ids=["mode", "attribute", "bar attribute", "control", "level"],
)
def test_unknown_names_are_refused_with_a_suggestion(yellow, facts, settings, hint):
    prompt = TrackPrompt(id=0, bars=[4], **facts)
    with pytest.raises(RequestValidationError, match=hint):
        yellow.session(make_score(2, 8), GenerationRequest(tracks=[prompt], config=config(**settings)))


def test_unknown_fields_are_refused_with_a_suggestion():
    with pytest.raises(RequestValidationError, match="did you mean 'temperature'"):
        InferenceConfig.from_dict({"temprature": 1})
    with pytest.raises(RequestValidationError, match="did you mean 'autoregressive'"):
        TrackPrompt.from_dict({"id": 0, "bars": [], "autoregresive": True})
    with pytest.raises(TypeError, match=r"config\.temprature.* those of .*settings\(\); did you mean 'temp"):
        InferenceConfig(temprature=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"track\.autoregresive.*did you mean 'autoregressive'"):
        TrackPrompt(0, autoregresive=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"request\.konfig.*did you mean 'config'"):
        GenerationRequest([], konfig=None)  # type: ignore[call-arg]
    with pytest.raises(
        RequestValidationError, match=r"temprature.* those of .*settings\(\); did you mean 'temp"
    ):
        GenerationRequest.from_selection([(0, 1)], temprature=1)
    with pytest.raises(RequestValidationError, match=r"atributes.*did you mean 'attributes'"):
        GenerationRequest.from_selection([(0, 1)], atributes={})


def test_an_engine_without_its_parts_says_how_to_load_one():
    with pytest.raises(
        TypeError, match=r"from_pretrained\(\) loads the bundled one.*from_checkpoint\(path\)"
    ):
        InferenceEngine()


def test_notes_are_plain_objects():
    bar = Bar([Note(60, 100, 0, 480)])
    assert Score([Track([bar])]).tracks[0].bars[0].notes[0].pitch == 60
