"""A request with everything the rules of `validation` look at, as plain facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import Place, brief
from midigpt_nb.inference.control_values import ModelFacts
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt
from midigpt_nb.inference.tidy import is_whole
from midigpt_nb.score.general_midi import program_number
from midigpt_nb.score.places import tracks_in_words

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer

__all__ = [
    "MOST_APPENDED",
    "Case",
    "make_case",
    "new_tracks",
    "targets_of",
    "whole_numbers",
]

MOST_APPENDED = 256  # bars that a continuation may add to the piece

Metre = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A request with everything the rules look at. Tracks to be added follow those of the score."""

    request: GenerationRequest
    n_score_tracks: int
    n_bars: list[int]  # per track
    drums: list[bool]
    instruments: list[int]  # General MIDI programs, as far as they are given well
    futures: set[tuple[int, int]]
    facts: ModelFacts
    num_bars_map: list[int]
    supports_infill: bool
    has_mask_bar: bool
    analyzer: AttributeAnalyzer | None
    table: Any
    names: Sequence[str] = ()  # of the score's tracks; filled in when there is something to say about them

    @property
    def n_tracks(self) -> int:
        return len(self.n_bars)

    @property
    def track_range(self) -> str:
        """The tracks there are, in words."""
        if not self.n_score_tracks:
            return "none: the score has no tracks"
        numbers = f"0..{self.n_score_tracks - 1}"
        return f"{numbers} ({tracks_in_words(self.names)})" if self.names else numbers

    def track_in_words(self, track: int) -> str:
        """A track with its name, where that is known."""
        if track < len(self.names):
            return f"track {track} {brief(self.names[track])}"
        return f"track {track}" if track < self.n_score_tracks else f"the new track {track}"

    @cached_property
    def grid(self) -> Any:
        """The score's table on the model's grid."""
        from midigpt_nb import _core

        return _core.grid_table(self.table, self.facts.resolution)

    def prompts(self) -> Iterator[tuple[Place, TrackPrompt]]:
        """Prompts that name a track of the score or one to be added, with their place."""
        for i, prompt in enumerate(self.request.tracks):
            if 0 <= prompt.id < self.n_tracks:
                yield Place("tracks").entry(i), prompt

    def written(self, prompt: TrackPrompt) -> list[int]:
        """The bars a prompt asks to write."""
        key = id(prompt)
        if key not in self._written:
            self._written[key] = targets_of(prompt, self.n_bars[prompt.id])
        return self._written[key]

    @cached_property
    def _written(self) -> dict[int, list[int]]:
        return {}

    def metre(self, track: int, bar: int) -> Metre:
        """The metre of a bar; appended bars have that of the last one, new tracks that of the first track."""
        if not self.n_score_tracks:
            return 4, 4
        first, last = self.table.bar_rows(track if track < self.n_score_tracks else 0)
        if first == last:
            return 4, 4
        numerator, denominator = self.table.bars[max(first, min(first + bar, last - 1)), 1:3].tolist()
        return numerator, denominator

    def bar_ticks(self, track: int, bar: int) -> int:
        """The length of a bar on the model's grid."""
        from midigpt_nb import _core

        return int(_core.bar_ticks(*self.metre(track, bar), self.facts.resolution))

    def onsets(self, track: int, bar: int) -> Mapping[int, int]:
        """How many audible notes begin at each grid tick of a bar of the score."""
        counts: dict[int, int] = {}
        if track < self.n_score_tracks and bar < self.n_bars[track]:
            first, last = self.grid.note_rows(track, bar)
            for note in self.grid.notes[first:last]:
                if note[3] > 0:
                    counts[int(note[0])] = counts.get(int(note[0]), 0) + 1
        return counts


def whole_numbers(values: Sequence[Any]) -> list[int]:
    """The whole numbers among some values."""
    return [v for v in values if is_whole(v)]


def targets_of(prompt: TrackPrompt, n_bars: int) -> list[int]:
    """The bars a prompt asks to write: ascending, each once; all bars for a whole autoregressive track."""
    if prompt.ignore:
        return []
    if prompt.autoregressive and not prompt.bars:
        return list(range(n_bars))
    return sorted(set(whole_numbers(prompt.bars)))


def new_tracks(request: GenerationRequest, n_tracks: int) -> list[TrackPrompt]:
    """Prompts for tracks to be added that are numbered as they must be: on from the score's last."""
    asked = {p.id: p for p in request.tracks if p.new is not None}
    found: list[TrackPrompt] = []
    while n_tracks + len(found) in asked:
        found.append(asked[n_tracks + len(found)])
    return found


def _program(prompt: TrackPrompt) -> int:
    return program_number((prompt.new or {}).get("instrument", 0)) or 0


def make_case(
    request: GenerationRequest,
    table: Any,
    encoder_config: Any,
    facts: ModelFacts,
    analyzer: AttributeAnalyzer | None,
) -> Case:
    """Collect what the rules look at."""
    tracks, bars = table.tracks, table.bars
    rows = [table.bar_rows(t) for t in range(table.n_tracks)]
    n_bars = [last - first for first, last in rows]
    drums = [bool(d) for d in tracks[:, 2]]
    added = new_tracks(request, table.n_tracks)
    length = n_bars[0] if n_bars else 0
    return Case(
        request=request,
        n_score_tracks=table.n_tracks,
        n_bars=n_bars + [length] * len(added),
        drums=drums + [(p.new or {}).get("track_type") == "drum" for p in added],
        instruments=tracks[:, 1].tolist() + [_program(p) for p in added],
        futures={
            (t, b)
            for t, (first, last) in enumerate(rows)
            for b in (bars[first:last, 3] & 1).nonzero()[0].tolist()
        },
        facts=facts,
        num_bars_map=sorted(int(n) for n in encoder_config.num_bars_map),
        supports_infill=bool(encoder_config.supports_infill),
        has_mask_bar=bool(encoder_config.supports_mask_bar_token),
        analyzer=analyzer,
        table=table,
    )
