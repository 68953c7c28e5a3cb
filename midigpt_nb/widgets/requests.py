"""From what is selected, wished for and marked in the roll to a request for the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from midigpt_nb.inference import GenerationRequest
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.document import Cell
    from midigpt_nb.widgets.targets import Roles

__all__ = ["request_from_selection", "shape_wishes"]


def request_from_selection(
    score: Score,
    cells: Iterable[Cell],
    attributes: Mapping[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
    windows: Iterable[int] = (),
    roles: Roles | None = None,
) -> GenerationRequest:
    """The request behind the Generate button.

    The selected bars of each track are infilled; all other tracks and bars are context, unless `roles` says
    otherwise. `attributes` has the shape of the trait of that name; wishes for bars and tracks that are not
    written are left out. `sampling` are settings by name and win over the rule for the window: the smallest
    of `windows` (sizes the model knows, in bars) that shows a bar on each side of the longest run of selected
    bars, which is written in one step.

    >>> request = request_from_selection(Score.example(), [(1, 4), (1, 5)], windows=[4, 8])
    >>> request.tracks[0].bars, request.config.model_dim
    ([4, 5], 4)
    """
    from midigpt_nb.inference import GenerationRequest

    cells = [(int(track), int(bar)) for track, bar in cells]
    wishes = attributes or {}
    written = {track for track, _ in cells}
    per_track = {
        int(track): dict(values)
        for track, values in (wishes.get("track") or {}).items()
        if int(track) in written
    }
    per_bar = {
        int(track): {int(bar): values for bar, values in bars.items()}
        for track, bars in (wishes.get("bar") or {}).items()
        if int(track) in written
    }
    continued = roles is not None and any(track in written for track in roles.continued)
    window = {} if continued else _window(cells, score.n_bars, windows)
    settings = {**window, **(sampling or {})}
    request = GenerationRequest.from_selection(
        cells, attributes=per_track, bar_attributes=per_bar, **settings
    )
    if roles is not None:
        _give_roles(request, roles, set(cells))
    return request


def _give_roles(request: GenerationRequest, roles: Roles, cells: set[Cell]) -> None:
    """Hidden bars, ignored tracks and continued ones, into the request's track prompts."""
    from midigpt_nb.inference import TrackPrompt

    prompts = {prompt.id: prompt for prompt in request.tracks}

    def prompt_of(track: int) -> TrackPrompt:
        if track not in prompts:
            prompts[track] = TrackPrompt(track)
            request.tracks.append(prompts[track])
        return prompts[track]

    for track in roles.ignored:
        prompt_of(track).ignore = True
    for track in roles.continued:
        if track in prompts:
            prompts[track].autoregressive = True
    for track, bar in sorted(roles.hidden - cells):
        if track not in roles.ignored:
            prompt_of(track).mask_bars.append(bar)


def _window(cells: list[Cell], n_bars: int, windows: Iterable[int]) -> dict[str, int]:
    """Window and step size for these cells; empty (the engine's own rule) when no window fits the piece."""
    sizes = sorted(size for size in windows if size <= n_bars)
    if not sizes or not cells:
        return {}
    bars = sorted({bar for _, bar in cells})
    longest = run = 1
    for before, bar in pairwise(bars):
        run = run + 1 if bar == before + 1 else 1
        longest = max(longest, run)
    size = next((size for size in sizes if size >= longest + 2), sizes[-1])
    return {"model_dim": size, "bars_per_step": min(longest, size)}


def shape_wishes(
    wishes: Mapping[str, Any], cells: list[Cell], levels: Mapping[str, str]
) -> Mapping[str, Any]:
    """Turn ``{name: value}`` into the trait shape: every written track or bar gets the value."""
    if not wishes or set(wishes) <= {"track", "bar"}:
        return wishes
    per_track = {name: value for name, value in wishes.items() if levels.get(name) != "bar"}
    per_bar = {name: value for name, value in wishes.items() if levels.get(name) == "bar"}
    shaped: dict[str, Any] = {"track": {}, "bar": {}}
    for track, bar in cells:
        shaped["track"][track] = dict(per_track)
        shaped["bar"].setdefault(track, {})[bar] = dict(per_bar)
    return shaped
