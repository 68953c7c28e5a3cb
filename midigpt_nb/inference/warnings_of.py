"""What is possible in a request, but likely not meant: logged when a request is checked, never refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from midigpt_nb.inference.case import Case

__all__ = ["warnings_of"]


def warnings_of(case: Case, pitch_range: tuple[int, int]) -> Iterator[str]:
    """Sentences, each with its place. `pitch_range`: lowest and highest pitch the model can say."""
    if case.request.config.temperature_escalation > 3:
        yield "config.temperature_escalation is held at 3"
    ignored = {p.id for p in case.request.tracks if p.ignore}
    for track in range(case.n_score_tracks):
        if track not in ignored:
            yield from _notes(case, track, pitch_range)
    yield from _out_of_reach(case)
    yield from _idle_controls(case)


def _notes(case: Case, track: int, pitch_range: tuple[int, int]) -> Iterator[str]:
    """Notes that the model will not see as they are."""
    table = case.table
    first, last = table.bar_rows(track)
    if first == last:
        return
    start, end = table.note_rows(track, 0)[0], table.note_rows(track, last - first - 1)[1]
    notes = table.notes[start:end]
    low, high = pitch_range
    outside = int(np.count_nonzero((notes[:, 2] < low) | (notes[:, 2] > high)))
    if outside:
        yield (
            f"score.tracks[{track}]: {outside} notes lie outside the model's pitches {low}..{high}; "
            "it sees the nearest pitch it has"
        )
    endless = int(np.count_nonzero(notes[:, 1] <= 0))
    if endless:
        yield f"score.tracks[{track}]: {endless} notes have no length; the model sees the shortest it has"
    bars = np.asarray(table.bars[first:last], dtype=np.int64)
    counts = np.diff(np.append(bars[:, 0], end))
    lengths = np.repeat(4 * table.resolution * bars[:, 1] // np.maximum(bars[:, 2], 1), counts)
    late = int(np.count_nonzero(notes[:, 0] >= lengths))
    if late:
        yield (
            f"score.tracks[{track}]: {late} notes begin after the end of their bar; the model sees them "
            "there, as far as it has positions"
        )
    instrument = int(table.tracks[track, 1])
    if not 0 <= instrument <= 127:
        yield f"score.tracks[{track}]: instrument {instrument} is not one of 0..127; the model sees a piano"


def _out_of_reach(case: Case) -> Iterator[str]:
    """Track attributes that the bars which stay make impossible."""
    if case.analyzer is None:
        return
    for path, prompt in case.prompts():
        bars = case.written(prompt)
        if not bars or prompt.id >= case.n_score_tracks:
            continue
        for name, value in prompt.attributes.items():
            low, high = case.analyzer.achievable_range(name, case.table, prompt.id, bars)
            if not low <= value <= high:
                yield (
                    f"{path}.attributes[{name!r}]: {value} cannot be reached while the other bars stay "
                    f"as they are; within reach: {low}..{high}"
                )


def _idle_controls(case: Case) -> Iterator[str]:
    for path, prompt in case.prompts():
        if prompt.controls and not case.written(prompt):
            names = ", ".join(prompt.controls)
            yield f"{path}.controls: no bar of this track is written, so these do nothing: {names}"
