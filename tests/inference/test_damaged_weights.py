"""A model whose answers are not numbers writes nothing: an error that names it, and the score as it was.

Files with NaN in them are refused when they are loaded (test_checkpoint.py); weights may also be damaged in
memory, or be so large that computing with them overflows.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midigpt_nb import _core
from midigpt_nb.errors import CheckpointError, GenerationError
from midigpt_nb.inference import InferenceEngine, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.inference.checkpoint import GPT2Shape, write_checkpoint
from midigpt_nb.training.vocabulary import encoder_config

from .asking import changed_cells, request
from .conftest import VOCABULARY_SIZE, random_arrays

SAYS = "cannot be used: its weights hold values that are not numbers"


def engine_with(value, path, width=32):
    """A tiny engine whose last scaling is replaced."""
    shape = GPT2Shape(VOCABULARY_SIZE, 1024, width, 2, 4)
    arrays = random_arrays(shape)
    arrays["transformer.ln_f.weight"][:] = value
    write_checkpoint(path / "odd.safetensors", arrays, shape, encoder_config())
    return InferenceEngine.from_checkpoint(path / "odd.safetensors", name="odd")


@pytest.fixture(scope="module", params=[32, 64], ids=["sums of torch", "sums of the core"])
def damaged(request, tmp_path_factory):
    """Finite in the file, and beyond single precision as soon as it is multiplied."""
    return engine_with(3e38, tmp_path_factory.mktemp("damaged"), request.param)


def test_a_file_with_nan_is_refused_when_it_is_loaded(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"odd.safetensors: transformer.ln_f.weight holds numbers that are not"
    ):
        engine_with(np.nan, tmp_path)


@pytest.mark.parametrize(
    "settings", [{}, {"batch_attempts": True}, {"adherence": "best"}, {"temperature": 2.0}]
)
def test_a_damaged_model_is_named_and_writes_nothing(damaged, score, settings):
    session = damaged.session(score, request(TrackPrompt(0, [2, 3]), **settings))
    before = score.hash()
    with pytest.raises(GenerationError, match=rf"the model 'odd' \(odd.safetensors\) {SAYS}") as caught:
        session.run()
    assert type(caught.value) is GenerationError and caught.value.partial.hash() == before == score.hash()
    assert session.status == "failed" and session.gen_count == 0
    assert changed_cells(score, session.run(on_failure="partial")) == set()


def test_every_take_of_a_damaged_model_fails_with_its_own_error(damaged, score):
    session = damaged.session(score, request(TrackPrompt(0, [2])))
    with pytest.raises(GenerationError, match=SAYS):
        session.takes(3)
    takes = session.last_takes()
    assert [take.status for take in takes] == ["failed"] * 3
    assert len({id(take.error) for take in takes}) == 3 and all(SAYS in str(t.error) for t in takes)


@pytest.mark.parametrize("patient", [False, True])
def test_weights_that_were_damaged_in_memory_are_told_and_mended_ones_write_again(tmp_path, score, patient):
    engine = engine_with(1, tmp_path)
    session = engine.session(score, request(TrackPrompt(0, [2]), seed=4))
    session.patient = patient
    whole = session.run().hash()
    bias = engine.backend.ln_f[1]
    kept = bias.clone()
    bias.fill_(torch.nan)
    engine.prompt_cache.clear()
    with pytest.raises(GenerationError, match=SAYS):
        session.run()
    bias.copy_(kept)
    engine.prompt_cache.clear()
    assert session.run().hash() == whole and session.status == "done"


@pytest.mark.parametrize("n_takes", [1, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bars_that_were_finished_before_are_kept(scripted, score, value, n_takes):
    """Without torch: answers that turn into noise in the third bar."""
    calls, spoilt = [0], [True]

    def script(fed):
        calls[0] += 1
        return np.full(833, value, np.float32) if spoilt[0] and calls[0] > 60 * n_takes else None

    engine = scripted(script)
    session = engine.session(score, request(TrackPrompt(0, list(range(8))), bars_per_step=1))
    events = session.stream_takes(n_takes) if n_takes > 1 else session.stream()
    ends = [event for event in events if isinstance(event, ev.Finished)]
    assert len(ends) == n_takes
    for end in ends:
        assert end.status == "failed" and "the model 'scripted' cannot be used" in str(end.error)
        kept = changed_cells(score, end.score)
        assert kept and kept < {(0, b) for b in range(8)} and end.error.partial.hash() == end.score.hash()
    spoilt[0] = False
    assert session.run().hash() != score.hash() and session.status == "done"


def test_the_likelihood_of_tokens_is_refused_too(damaged, score):
    session = damaged.session(score, request(TrackPrompt(0, [2])))
    with pytest.raises(GenerationError, match=SAYS):
        session.score_from_tokens([damaged.tokenizer.vocab.encode(_core.TokenType.NoteOnset, 60)])
