"""Is this request possible? A list of small rules; every problem of a request is reported at once.

A rule is a function `rule(case) -> iterator of Problem`. Add one by writing it and putting it in `RULES`.
Score tracks without a prompt are context, so a request only names what it is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import Problem, RequestValidationError
from midigpt_nb.inference.config import AUTO, Setting, settings
from midigpt_nb.inference.controls import check_control
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.inference.tidy import is_whole, tidied

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.score.model import Score

__all__ = ["RULES", "Case", "bar_attribute_name", "validate_request"]


@dataclass(frozen=True)
class Case:
    """A request with everything the rules look at."""

    request: GenerationRequest
    n_bars: list[int]  # per score track
    drums: list[bool]
    metres: list[list[tuple[int, int]]]
    futures: set[tuple[int, int]]
    time_signatures: list[str]
    num_bars_map: list[int]
    supports_infill: bool
    has_mask_bar: bool
    analyzer: AttributeAnalyzer | None

    @property
    def n_tracks(self) -> int:
        return len(self.n_bars)

    @property
    def track_range(self) -> str:
        """The tracks there are, in words."""
        return f"0..{self.n_tracks - 1}" if self.n_tracks else "none: the score has no tracks"

    def prompts(self) -> Iterator[tuple[str, TrackPrompt]]:
        """Prompts that name an existing track, with their path."""
        for i, prompt in enumerate(self.request.tracks):
            if 0 <= prompt.id < self.n_tracks:
                yield f"tracks[{i}]", prompt


Rule = Callable[[Case], Iterator[Problem]]


def setting_types(case: Case) -> Iterator[Problem]:
    """Every setting has the type of its default and lies in its range."""
    config, defaults = case.request.config, type(case.request.config)()
    for name, setting in settings().items():
        value, default = getattr(config, name), getattr(defaults, name)
        ok, allowed = _setting_fits(setting, name, value, default)
        if not ok:
            hint = suggestion(value, setting.choices) if setting.choices else f"{default!r} is the default"
            yield Problem(f"config.{name}", value, "is not possible", allowed, hint)


def _setting_fits(setting: Setting, name: str, value: Any, default: Any) -> tuple[bool, str]:
    """Whether a value will do, and what would, in words."""
    if isinstance(default, bool):
        return isinstance(value, bool), "True, False"
    if isinstance(default, list):
        return isinstance(value, list) and all(map(is_whole, value)), "a list of track ids"
    if isinstance(default, str):
        return isinstance(value, str) and setting.accepts(value), setting.allowed
    broken = isinstance(default, float)
    number = is_whole(value) or (broken and isinstance(value, float) and value == value)
    if number and name == "temperature_escalation" and setting.high is not None:
        value = min(value, setting.high)  # too bold an escalation is toned down later, not refused
    kind = "a number" if broken else "a whole number"
    words = kind if setting.allowed == "any value" else f"{kind} {setting.allowed}"
    return number and abs(value) != math.inf and setting.accepts(value), words


def window_sizes(case: Case) -> Iterator[Problem]:
    """The window is one the model knows; a step is not wider than the window."""
    config = case.request.config
    if is_whole(config.model_dim) and config.model_dim != AUTO and config.model_dim not in case.num_bars_map:
        allowed = ", ".join(str(n) for n in case.num_bars_map)
        yield Problem(
            "config.model_dim", config.model_dim, "is not a window this model knows", f"{allowed}, 'auto'"
        )
    elif (
        is_whole(config.model_dim)
        and config.model_dim != AUTO
        and is_whole(config.bars_per_step)
        and config.bars_per_step > config.model_dim
    ):
        yield Problem(
            "config.bars_per_step", config.bars_per_step, "is wider than the window", f"0..{config.model_dim}"
        )


def filter_pairs(case: Case) -> Iterator[Problem]:
    """The anti filters must leave something of what the top filters keep."""
    c = case.request.config
    if not all(isinstance(v, int | float) for v in (c.top_k, c.top_p, c.mask_k, c.mask_p)):
        return
    if c.mask_p > 0 and c.top_p < 1 and c.mask_p >= c.top_p:
        yield Problem(
            "config.mask_p", c.mask_p, "would remove all that top_p keeps", f"< top_p ({c.top_p:g})"
        )
    if c.mask_k > 0 and c.top_k > 0 and c.mask_k >= c.top_k:
        yield Problem("config.mask_k", c.mask_k, "would remove all that top_k keeps", f"< top_k ({c.top_k})")


def mask_mode(case: Case) -> Iterator[Problem]:
    """`token` needs a model trained with it."""
    if case.request.config.mask_mode == "token" and not case.has_mask_bar:
        yield Problem(
            "config.mask_mode",
            "token",
            "this model has no token for hidden bars",
            "'auto', 'attention', 'attention_skip', 'remove'",
        )


def score_shape(case: Case) -> Iterator[Problem]:
    """The score has tracks of equal length."""
    if not case.n_bars:
        yield Problem("score", 0, "has no tracks", "at least one track")
    elif min(case.n_bars) != max(case.n_bars):
        yield Problem("score", case.n_bars, "its tracks differ in their number of bars", "equal numbers")
    elif case.n_bars[0] == 0:
        yield Problem("score", 0, "has no bars", "at least one bar")


def track_ids(case: Case) -> Iterator[Problem]:
    """Prompts name existing tracks, each once."""
    if not case.request.tracks:
        yield Problem("tracks", [], "there is nothing to do", "at least one TrackPrompt")
    seen: set[Any] = set()
    for i, prompt in enumerate(case.request.tracks):
        path = f"tracks[{i}].id"
        if not 0 <= prompt.id < case.n_tracks:
            yield Problem(path, prompt.id, "there is no such track", case.track_range)
        elif prompt.id in seen:
            yield Problem(path, prompt.id, "this track already has a prompt", "one prompt per track")
        else:
            seen.add(prompt.id)


def context_ids(case: Case) -> Iterator[Problem]:
    """Lists of context tracks name existing tracks."""
    for name in ("context_drop", "context_keep"):
        ids = getattr(case.request.config, name)
        for id_ in _ints(ids) if isinstance(ids, list) else ():
            if not 0 <= id_ < case.n_tracks:
                yield Problem(f"config.{name}", id_, "there is no such track", case.track_range)


def roles(case: Case) -> Iterator[Problem]:
    """A track is either written or ignored; hidden bars are not written bars."""
    for path, prompt in case.prompts():
        if prompt.ignore and prompt.autoregressive:
            yield Problem(
                f"{path}.ignore", True, "an ignored track cannot be continued", "ignore or autoregressive"
            )
        if prompt.ignore and prompt.bars:
            yield Problem(f"{path}.bars", prompt.bars, "an ignored track cannot be written", "[] with ignore")
        if prompt.ignore and prompt.mask_bars:
            yield Problem(
                f"{path}.mask_bars",
                prompt.mask_bars,
                "an ignored track is not shown anyway",
                "[] with ignore",
            )
        both = sorted(set(_ints(prompt.bars)) & set(_ints(prompt.mask_bars)))
        if both:
            yield Problem(
                f"{path}.mask_bars", both, "these bars are to be written", "bars that are not in `bars`"
            )


def _ints(values: Sequence[Any]) -> list[int]:
    return [v for v in values if is_whole(v)]


def bar_numbers(case: Case) -> Iterator[Problem]:
    """Bars exist; what an autoregressive track writes reaches to the end."""
    for path, prompt in case.prompts():
        n = case.n_bars[prompt.id]
        for name in ("bars", "mask_bars"):
            wrong = [b for b in getattr(prompt, name) if not is_whole(b) or not 0 <= b < n]
            if wrong:
                yield Problem(f"{path}.{name}", wrong, "there are no such bars", f"0..{n - 1}")
        bars = sorted(_ints(prompt.bars))
        if prompt.autoregressive and bars and bars[0] >= 0 and bars != list(range(bars[0], n)):
            message = "a continued track is written from one bar to the end, without gaps or repeats"
            yield Problem(f"{path}.bars", prompt.bars, message, f"[k, ..., {n - 1}] or []")


def future_targets(case: Case) -> Iterator[Problem]:
    """A bar marked as hidden in the score cannot be written."""
    for path, prompt in case.prompts():
        wrong = [b for b in targets_of(prompt, case.n_bars[prompt.id]) if (prompt.id, b) in case.futures]
        if wrong:
            yield Problem(
                f"{path}.bars", wrong, "the score marks these bars as future", "bars with future=False"
            )


def targets_of(prompt: TrackPrompt, n_bars: int) -> list[int]:
    """The bars a prompt asks to write: ascending, each once; all bars for a whole autoregressive track."""
    if prompt.ignore:
        return []
    if prompt.autoregressive and not prompt.bars:
        return list(range(n_bars))
    return sorted(set(_ints(prompt.bars)))


def anything(case: Case) -> Iterator[Problem]:
    """There is something to write, and the model can do it."""
    prompts = [p for _, p in case.prompts()]
    written = [p for p in prompts if targets_of(p, case.n_bars[p.id])]
    if prompts and not written:
        yield Problem(
            "tracks",
            [p.bars for p in prompts],
            "no bar is asked for",
            "`bars` of some track, or autoregressive=True",
        )
    if any(not p.autoregressive for p in written) and not case.supports_infill:
        yield Problem("tracks", "bars", "this model cannot fill in bars", "autoregressive=True")


def _value_problem(case: Case, path: str, name: str, value: Any, track: int) -> Iterator[Problem]:
    assert case.analyzer is not None
    row = case.analyzer.get(name)
    assert row is not None
    if not row.emitted:
        message = "this model measures it, but was never taught it"
        yield Problem(path, value, message, ", ".join(_known(case, row.level)) or "none")
        return
    if not is_whole(value) or not 0 <= value < row.size:
        yield Problem(path, value, "is not a level of this attribute", f"0..{row.size - 1}")
    kind = "drum" if case.drums[track] else "melodic"
    if row.track_type not in ("both", kind):
        fitting = [
            a.name
            for a in case.analyzer.attributes
            if a.level == row.level and a.track_type in ("both", kind)
        ]
        yield Problem(
            path, value, f"{name!r} is for {row.track_type} tracks, this one is {kind}", ", ".join(fitting)
        )


def _known(case: Case, level: str) -> list[str]:
    """Attributes of a level that can be asked for."""
    assert case.analyzer is not None
    return [a.name for a in case.analyzer.attributes if a.level == level and a.emitted]


def track_attributes(case: Case) -> Iterator[Problem]:
    """Track wishes: known names, possible values, right kind of track."""
    if case.analyzer is None:
        return
    for path, prompt in case.prompts():
        for name, value in prompt.attributes.items():
            here = f"{path}.attributes[{name!r}]"
            row = case.analyzer.get(name)
            if row is None:
                hint = suggestion(name, _known(case, "track")) or "this model has none"
                yield Problem(here, value, "this model has no such attribute", "", hint)
            elif row.level != "track":
                yield Problem(here, value, "this attribute belongs to bars", "", "put it in bar_attributes")
            else:
                yield from _value_problem(case, here, name, value, prompt.id)


def bar_attribute_name(analyzer: AttributeAnalyzer, name: str) -> str | None:
    """The bar-level attribute that `name` means: itself, or `bar_` + itself; None when the model has
    neither.
    """
    for candidate in (name, f"bar_{name}"):
        row = analyzer.get(candidate)
        if row is not None and row.level == "bar":
            return candidate
    return None


def bar_attributes(case: Case) -> Iterator[Problem]:
    """Bar wishes: bars that are written, known names, possible values, right kind of track."""
    if case.analyzer is None:
        return
    known = _known(case, "bar")
    for path, prompt in case.prompts():
        written = set(targets_of(prompt, case.n_bars[prompt.id]))
        for bar, wishes in prompt.bar_attributes.items():
            here = f"{path}.bar_attributes[{bar}]"
            if bar not in written:
                yield Problem(here, bar, "this bar is not written", "bars of the same prompt")
                continue
            for name, value in wishes.items():
                real = bar_attribute_name(case.analyzer, name)
                if real is not None:
                    yield from _value_problem(case, f"{here}[{name!r}]", real, value, prompt.id)
                elif case.analyzer.get(name) is not None:
                    hint = f"put it in attributes; per bar there are: {', '.join(known) or 'none'}"
                    yield Problem(
                        f"{here}[{name!r}]", value, "this model has it for whole tracks only", "", hint
                    )
                else:
                    hint = suggestion(name, known) or "this model has none for bars"
                    yield Problem(f"{here}[{name!r}]", value, "this model has no such attribute", "", hint)


def controls(case: Case) -> Iterator[Problem]:
    """Controls: known, possible, and no metre that contradicts the score."""
    for name, value in case.request.controls.items():
        yield from check_control(name, value, "piece", case.time_signatures, f"controls[{name!r}]")
    for path, prompt in case.prompts():
        written = targets_of(prompt, case.n_bars[prompt.id])
        for name, value in prompt.controls.items():
            yield from _control(case, name, value, "track", f"{path}.controls[{name!r}]", prompt.id, written)
        for bar, wishes in prompt.bar_controls.items():
            here = f"{path}.bar_controls[{bar}]"
            if bar not in written:
                yield Problem(here, bar, "this bar is not written", "bars of the same prompt")
                continue
            for name, value in wishes.items():
                yield from _control(case, name, value, "bar", f"{here}[{name!r}]", prompt.id, [bar])


def _control(
    case: Case, name: str, value: Any, level: Any, path: str, track: int, bars: Sequence[int]
) -> Iterator[Problem]:
    problems = list(check_control(name, value, level, case.time_signatures, path))
    yield from problems
    if problems or name != "time_signature":
        return
    wanted = case.time_signatures[value]
    n = case.n_bars[track]
    other = [b for b in bars if 0 <= b < n and "{}/{}".format(*case.metres[track][b]) != wanted]
    if other:
        has = "{}/{}".format(*case.metres[track][other[0]])
        message = f"{wanted} is not the metre of the bars to write (bar {other[0]} is in {has})"
        yield Problem(
            path, value, message, "the score's own metre", "change the bars' metre in the score first"
        )


RULES: tuple[Rule, ...] = (
    setting_types,
    window_sizes,
    filter_pairs,
    mask_mode,
    score_shape,
    track_ids,
    context_ids,
    roles,
    bar_numbers,
    future_targets,
    anything,
    track_attributes,
    bar_attributes,
    controls,
)


def problems_of(case: Case) -> list[Problem]:
    """What every rule says, in the order of the table."""
    return [problem for rule in RULES for problem in rule(case)]


def _spell_out(request: GenerationRequest, n_bars: int) -> None:
    """Sort bars and name each once; list the bars of whole autoregressive tracks."""
    for prompt in request.tracks:
        if not prompt.ignore:
            prompt.bars = targets_of(prompt, n_bars)
        prompt.mask_bars = sorted(set(prompt.mask_bars))


def validate_request(
    request: GenerationRequest, score: Score, encoder_config: Any, analyzer: AttributeAnalyzer | None = None
) -> GenerationRequest:
    """Check a request against a score and a model; the normalised copy, or `RequestValidationError` with all
    problems.

    `encoder_config` is the model's configuration (`engine.tokenizer.config`); without `analyzer` attribute
    names are not checked. Nothing that is passed in is changed.
    """
    request = tidied(request)
    case = make_case(request, score.table, encoder_config, analyzer)
    problems = problems_of(case)
    if problems:
        raise RequestValidationError(problems)
    _spell_out(request, min(case.n_bars))
    return request


def make_case(
    request: GenerationRequest, table: Any, encoder_config: Any, analyzer: AttributeAnalyzer | None
) -> Case:
    """Collect what the rules look at."""
    tracks, bars = table.tracks, table.bars
    rows = [table.bar_rows(t) for t in range(table.n_tracks)]
    return Case(
        request=request,
        n_bars=[last - first for first, last in rows],
        drums=[bool(d) for d in tracks[:, 2]],
        metres=[[(int(n), int(d)) for n, d in bars[first:last, 1:3]] for first, last in rows],
        futures={
            (t, b)
            for t, (first, last) in enumerate(rows)
            for b in (bars[first:last, 3] & 1).nonzero()[0].tolist()
        },
        time_signatures=[_metre_name(m) for m in encoder_config.time_signatures],
        num_bars_map=sorted(int(n) for n in encoder_config.num_bars_map),
        supports_infill=bool(encoder_config.supports_infill),
        has_mask_bar=bool(encoder_config.supports_mask_bar_token),
        analyzer=analyzer,
    )


def _metre_name(metre: Any) -> str:
    return metre if isinstance(metre, str) else "{}/{}".format(*metre)
