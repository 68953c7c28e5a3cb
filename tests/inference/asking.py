"""What the session tests ask with, and how they compare."""

from __future__ import annotations

import numpy as np

from midigpt_nb.inference import GenerationRequest, InferenceConfig

SHORT = {"density_hard_limit": 6, "seed": 1}  # keeps random models brief


def request(*tracks, **config):
    return GenerationRequest(list(tracks), InferenceConfig(**{**SHORT, **config}))


def changed_cells(before, after):
    """Cells whose notes differ, after checking that nothing else does."""
    a, b = before.table, after.table
    assert (a.bars[:, 1:] == b.bars[:, 1:]).all() and (a.tracks == b.tracks).all()
    assert (a.resolution, a.tempo) == (b.resolution, b.tempo)
    cells = set()
    for t in range(a.n_tracks):
        for bar in range(a.n_bars(t)):
            (first, last), (start, end) = a.note_rows(t, bar), b.note_rows(t, bar)
            if not (
                np.array_equal(a.notes[first:last], b.notes[start:end])
                and np.array_equal(a.note_source[first:last], b.note_source[start:end])
            ):
                cells.add((t, bar))
    return cells


def notes_of(score, cell):
    """The note rows of a bar."""
    first, last = score.table.note_rows(*cell)
    return score.table.notes[first:last].tolist()


def prompts_of(engine, score, asked, monkeypatch):
    """The session after its run, and the token rows (type, value) of every step's prompt."""
    from midigpt_nb.inference.prompt import PromptWriter

    seen = []
    original = PromptWriter.write

    def spy(self, *args):
        prompt = original(self, *args)
        seen.append(prompt)
        return prompt

    monkeypatch.setattr(PromptWriter, "write", spy)
    session = engine.session(score, asked)
    session.run()
    decode = engine.tokenizer.vocab.decode
    return session, [[(kind.name, value) for kind, value in map(decode, p.tokens.tolist())] for p in seen]


def refuse(monkeypatch, when=lambda cells: True):
    """Have attempts refused as not new: all, or those of some cells."""
    from midigpt_nb.inference import step

    original = step.judge

    def judge(before, after, cells, config, *more):
        return {"novelty": "it is refused"} if when(cells) else original(before, after, cells, config, *more)

    monkeypatch.setattr(step, "judge", judge)
