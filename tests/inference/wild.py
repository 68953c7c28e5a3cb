"""Requests drawn at random, possible and impossible ones, and what must hold after each of them.

Settings, controls and attributes are drawn from the package's own tables, so that what is added there is
drawn, too. `wild_request` gives plain data, `try_out` runs it in one of the ways a session can be used.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np
import torch

from midigpt_nb import _core
from midigpt_nb.errors import GenerationCancelled, GenerationError, MidiGPTError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, replay
from midigpt_nb.inference.config import settings
from midigpt_nb.inference.controls import describe_controls, model_facts
from midigpt_nb.score.model import Score

JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 7, 1 << 40, 0.5, float("nan"), float("inf"), "", "auto", "4", "Ende", [], [0], [-1],
    [[0]], {}, {"a": 1}, {0: {}}, {"0": {"note_density": 3}}, b"x", (1, 2), {1, 2}, object, 3 + 4j,
)  # fmt: skip
Data = dict[str, Any]

# --- requests -------------------------------------------------------------------------------------


def some_setting(rng: random.Random, name: str, n_tracks: int) -> Any:
    """A value the setting accepts by itself."""
    setting, default = settings()[name], getattr(InferenceConfig(), name)
    if setting.auto and rng.random() < 0.3:
        return "auto"
    if isinstance(default, bool):
        return rng.random() < 0.5
    if isinstance(default, list):
        return rng.sample(range(n_tracks), rng.randrange(n_tracks + 1))
    if setting.choices:
        return rng.choice(setting.choices)
    low = 0 if setting.low is None else setting.low
    high = low + 8 if setting.high is None else setting.high
    if isinstance(default, float):
        return round(rng.uniform(low + 0.05 * (high - low), high - 0.05 * (high - low)), 3)
    return rng.randint(int(low), int(min(high, low + 8)))


def some_config(rng: random.Random, n_tracks: int, windows: tuple[int, ...]) -> Data:
    """A few settings; always a short piece of work, since the model is random and never stops by itself."""
    names = [name for name in settings() if name not in ("plan_only", "max_seconds")]
    config = {name: some_setting(rng, name, n_tracks) for name in rng.sample(names, rng.randrange(7))}
    config["density_hard_limit"] = rng.randrange(1, 5)
    config["max_tokens"] = config.get("max_tokens") or 200
    if rng.random() < 0.7:
        config.pop("adherence", None)  # eight takes: long
    config["seed"] = rng.randrange(1000)
    config["num_candidates"] = rng.randrange(1, 3)
    if "model_dim" in config:
        config["model_dim"] = rng.choice([*windows, "auto"])
    if "max_attempts" in config:
        config["max_attempts"] = rng.randrange(1, 4)
    if rng.random() < 0.02:
        config["plan_only"] = True
    if rng.random() < 0.03:
        config["max_seconds"] = 0.01
    return config


def some_control(rng: random.Random, row: Data, kind: str) -> Any:
    """A value for a control by its description."""
    if row["kind"] == "dict":
        return _DICTS[row["name"]](rng)
    if row["name"] == "time_signature":
        return 0 if rng.random() < 0.7 else rng.randrange(len(row["choices"]))
    if row["kind"] == "flag":
        return rng.random() < 0.5
    if row["choices"]:
        return rng.choice(row["choices"])
    return rng.randrange(1, 6)


def _pitch_mask(rng: random.Random) -> Data:
    mask: Data = {}
    if rng.random() < 0.4:
        mask["pitches"] = rng.sample(range(30, 90), rng.randrange(1, 12))
    elif rng.random() < 0.6:
        mask |= {
            "scale": rng.choice(["major", "blues", "dorian", "chromatic"]),
            "root": rng.choice([0, 7, "C", "F#"]),
        }
    elif rng.random() < 0.5:
        mask["pitch_classes"] = rng.sample(range(12), rng.randrange(1, 6))
    if rng.random() < 0.2:
        mask["range"] = rng.choice(["flute", "bass voice", [40, 80]])
    if rng.random() < 0.4:
        low = rng.randrange(100)
        mask["shape"] = rng.choice(
            [
                {"type": "uniform", "min": low, "max": rng.randrange(low, 128)},
                {"type": "normal", "mean": 60, "std": rng.choice([0, 4, 30])},
                {"type": "normal"},
            ]
        )
    return mask


def _rhythm_mask(rng: random.Random) -> Data:
    if rng.random() < 0.5:
        ticks = sorted({0, *rng.sample(range(48), rng.randrange(1, 6))})[rng.random() < 0.1 :]
        return {"positions": [{"pos": tick, "polyphony": rng.randrange(1, 3)} for tick in ticks]}
    unit = rng.choice(["whole", "half", "quarter", "eighth", "sixteenth", "eighth_triplet"])
    return {"grid": {"unit": unit, "strength": rng.choice([0.0, 0.5, 1.0])}}


def _remix(rng: random.Random) -> Data:
    return {"amount": rng.choice([0.1, 0.5, 1.0]), "mode": rng.choice(["pitch", "full"])}


def _chord(rng: random.Random) -> Data:
    chord: Data = {"name": rng.choice(("C", "Am", "F#7", "Bbmaj7", "C/E", "Gsus4", "Ddim"))}
    if rng.random() < 0.6:
        chord["how"] = rng.choice(("auto", "soft", "strict", "token"))
    return chord


_DICTS: dict[str, Callable[[random.Random], Data]] = {
    "chord": _chord,
    "pitch_mask": _pitch_mask,
    "rhythm_mask": _rhythm_mask,
    "remix": _remix,
}


class Maker:
    """Draws requests for an engine."""

    def __init__(self, engine: InferenceEngine) -> None:
        self.engine = engine
        self._controls = describe_controls(model_facts(engine.tokenizer.config))
        self._attributes = [a for a in engine.attributes.attributes if a.emitted]

    def request(self, rng: random.Random, score: Score) -> Data:
        """Mostly possible; the tables say what fits, chance decides."""
        table = score.table
        n_tracks, n_bars = table.n_tracks, table.n_bars(0)
        chosen = rng.sample(range(n_tracks), min(n_tracks, rng.choice([1, 1, 1, 2, 3])))
        tracks = [self._prompt(rng, t, bool(table.tracks[t, 2]), n_bars) for t in chosen]
        if rng.random() < 0.08:
            tracks += self._new_tracks(rng, n_tracks, n_bars)
        rest = [t for t in range(n_tracks) if t not in chosen]
        for track in rest if rng.random() < 0.4 else ():
            role = rng.choice(["ignore", "mask", "plain", "none"])
            if role == "ignore":
                tracks.append({"id": track, "bars": [], "ignore": True})
            elif role == "mask":
                tracks.append({"id": track, "bars": [], "mask_bars": _some_bars(rng, n_bars)})
            elif role == "plain":
                tracks.append({"id": track, "bars": []})
        rng.shuffle(tracks)
        return {
            "tracks": tracks,
            "config": some_config(rng, n_tracks, self.engine.limits.window_bars),
            "controls": self._some_controls(rng, "piece", "") if rng.random() < 0.1 else {},
        }

    def _prompt(self, rng: random.Random, track: int, drums: bool, n_bars: int) -> Data:
        prompt: Data = {"id": track, "bars": _some_bars(rng, n_bars)}
        if rng.random() < 0.3:
            first = rng.randrange(max(0, n_bars - 5), n_bars)
            end = n_bars + (rng.randrange(1, 4) if rng.random() < 0.2 else 0)
            prompt |= {"bars": list(range(first, end)), "autoregressive": True}
            if n_bars <= 4 and rng.random() < 0.3:
                prompt["bars"] = []
        return prompt | self._wishes(rng, "drum" if drums else "melodic", prompt["bars"], n_bars)

    def _wishes(self, rng: random.Random, kind: str, bars: list[int], n_bars: int) -> Data:
        wishes: Data = {}
        if rng.random() < 0.3:
            wishes["attributes"] = self._some_attributes(rng, "track", kind)
        if bars and rng.random() < 0.3:
            wishes["bar_attributes"] = {
                rng.choice(bars): self._some_attributes(rng, rng.choice(["bar", "bar", "track"]), kind)
            }
        if rng.random() < 0.3:
            wishes["controls"] = self._some_controls(rng, "track", kind)
        if bars and rng.random() < 0.2:
            wishes["bar_controls"] = {rng.choice(bars): self._some_controls(rng, "bar", kind)}
        if rng.random() < 0.2:
            wishes["mask_bars"] = [b for b in _some_bars(rng, n_bars) if b not in bars]
        return wishes

    def _new_tracks(self, rng: random.Random, n_tracks: int, n_bars: int) -> Iterator[Data]:
        for i in range(rng.choice([1, 1, 2])):
            kind = rng.choice(["melodic", "drum"])
            yield {
                "id": n_tracks + i,
                "bars": list(range(n_bars)) if n_bars <= 8 and rng.random() < 0.5 else [],
                "autoregressive": True,
                "new": {"instrument": rng.randrange(128), "track_type": kind},
            }

    def _some_attributes(self, rng: random.Random, level: str, kind: str) -> Data:
        fitting = [a for a in self._attributes if a.level == level and a.track_type in ("both", kind)]
        if rng.random() < 0.1:
            fitting = self._attributes
        picked = rng.sample(fitting, min(len(fitting), rng.randrange(1, 3)))
        return {a.name: rng.randrange(a.size) for a in picked}

    def _some_controls(self, rng: random.Random, level: str, kind: str) -> Data:
        here = [row for row in self._controls if level in row["levels"]]
        if rng.random() < 0.7:
            here = [row for row in here if row["name"] != "time_signature"]
        picked = rng.sample(here, min(len(here), rng.choice([1, 1, 2])))
        return {row["name"]: some_control(rng, row, kind) for row in picked}


def _some_bars(rng: random.Random, n_bars: int) -> list[int]:
    if rng.random() < 0.5:
        first = rng.randrange(n_bars)
        return list(range(first, min(n_bars, first + rng.randrange(1, 4))))
    return [rng.randrange(n_bars) for _ in range(rng.randrange(1, 4))]


def damaged(rng: random.Random, data: Data) -> Data:
    """The request with one to three things wrong: junk for a value, a name nobody knows, a piece missing."""
    data = deepcopy(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        found = list(places(data))
        holder, key = rng.choice(found)
        what = rng.random()
        if what < 0.6:
            holder[key] = deepcopy(rng.choice(JUNK))
        elif what < 0.7 and isinstance(holder[key], int):
            holder[key] += rng.choice([-1000, -1, 1, 1000])
        elif what < 0.85 and isinstance(holder, dict):
            holder[rng.choice(["tempo", "note_densty", "bras", -3, "99", None])] = deepcopy(rng.choice(JUNK))
        else:
            del holder[key]
    return data


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


# --- trying them out ------------------------------------------------------------------------------


def global_randomness() -> tuple[Any, ...]:
    """The state of every global generator."""
    state = np.random.get_state()
    return (
        random.getstate(),
        state[0],
        state[1].tobytes(),
        state[2:],
        torch.random.get_rng_state().numpy().tobytes(),
    )


def try_out(
    engine: InferenceEngine, score: Score, data: Data, rng: random.Random, *, events: bool = True
) -> str:
    """Make the request of `data` and use it in some way; a word for how it ended. Whatever the outcome: no
    error that is not documented, nothing changed but the asked bars, no global randomness touched.
    """
    before, hash_before, data_before = global_randomness(), score.hash(), repr(data)
    try:
        ending, scores, asked = _used(engine, score, data, rng)
    except MidiGPTError as error:
        _refuse_hidden_bug(error)
        ending, scores, asked = type(error).__name__, [], {}
    assert global_randomness() == before, "a global generator was used"
    assert score.hash() == hash_before, "the caller's score changed"
    assert repr(data) == data_before, "the caller's request changed"
    for result in scores:
        only_asked_bars_differ(score, result, asked, events=events)
    return ending


def _used(
    engine: InferenceEngine, score: Score, data: Data, rng: random.Random
) -> tuple[str, list[Score], dict[int, list[int]]]:
    request = GenerationRequest.from_dict(data)
    copy = repr(request)
    session = engine.session(score, request)
    asked = session.generated_bars
    way = rng.choice(sorted(WAYS))
    scores: list[Score] = []
    try:
        for result in WAYS[way](session, rng, engine):
            scores.append(result)
        ending = way
    except (GenerationError, GenerationCancelled) as error:
        _refuse_hidden_bug(error)
        partial = error.partial
        scores += [partial] if isinstance(partial, Score) else []
        if isinstance(partial, list):
            scores += [
                s for t in partial if (s := t["score"] if isinstance(t, dict) else t.score) is not None
            ]
        ending = f"{way}: {type(error).__name__}"
    session.report(), session.plan_summary(), session.progress()
    assert repr(request) == copy, "the caller's request changed"
    return ending, scores, asked


def _refuse_hidden_bug(error: BaseException) -> None:
    """A model that breaks is reported as a GenerationError; here nothing may break."""
    if error.__cause__ is not None and not isinstance(error.__cause__, MidiGPTError):
        raise error.__cause__


def _run(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    yield session.run()


def _run_partial(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    yield session.run(on_failure="partial")


def _stream(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    *_, last = session.stream()
    if last.error is not None:
        _refuse_hidden_bug(last.error)
    yield last.score


def _cancelled(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    stop = rng.randrange(12)
    events = []
    for event in session.stream():
        if len(events) == stop:
            session.cancel_event.set()
        events.append(event)
    yield events[-1].score


def _left_early(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    stream = session.stream()
    list(islice(stream, rng.randrange(8)))
    stream.close()
    yield session.run()


def _variations(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    yield from (take["score"] for take in session.run_variations() if take["score"] is not None)


def _takes(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    yield from (take.score for take in session.takes(rng.randrange(1, 3)))


def _twice(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    first = session.run()
    assert session.run().hash() == first.hash(), "two runs of a session differ"
    yield first


def _replayed(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    first = session.run()
    again = replay(session.record(), session.score, engine)
    assert again.hash() == first.hash(), "a replayed record gives other music"
    yield again


def _async(session: Any, rng: random.Random, engine: InferenceEngine) -> Iterator[Score]:
    yield asyncio.run(session.arun())


WAYS: dict[str, Callable[..., Iterator[Score]]] = {
    "run": _run,
    "partial": _run_partial,
    "stream": _stream,
    "cancel": _cancelled,
    "left early": _left_early,
    "variations": _variations,
    "takes": _takes,
    "twice": _twice,
    "replay": _replayed,
    "async": _async,
}


# --- what differs ---------------------------------------------------------------------------------


def only_asked_bars_differ(
    before: Score, after: Score, asked: dict[int, list[int]], *, events: bool = True
) -> None:
    """Every note, metre and instrument outside the asked bars is the same, in the table and in the file."""
    a, b = before.table, after.table
    cells = {(track, bar) for track, bars in asked.items() for bar in bars}
    assert (a.resolution, a.tempo) == (b.resolution, b.tempo)
    assert b.n_tracks <= max([a.n_tracks, *(t + 1 for t in asked)]), "a track that nobody asked for"
    n_bars = a.n_bars(0)
    metres = {bar for _, bar in cells}  # a control may have given written bars another metre
    for track in range(a.n_tracks):
        assert tuple(a.tracks[track, 1:]) == tuple(b.tracks[track, 1:])
        kept = [bar for bar in range(n_bars) if (track, bar) not in cells]
        same_metre = (_bars(a, track)[:, 1:3] == _bars(b, track)[:n_bars, 1:3]).all(axis=1)
        other_metre = set(np.flatnonzero(~same_metre).tolist())
        assert other_metre <= metres, f"the metre of bars {other_metre - metres} changed"
        (old, old_sizes), (new, new_sizes) = _notes(a, track, kept), _notes(b, track, kept)
        wrong = [bar for bar, n, m in zip(kept, old_sizes, new_sizes, strict=True) if n != m]
        assert not wrong and np.array_equal(old, new), f"track {track}: bars like {wrong} changed"
    for track in range(b.n_tracks):
        added = [bar for bar in range(n_bars, b.n_bars(track)) if (track, bar) not in cells]
        assert not len(_notes(b, track, added)[0]), f"track {track} has notes in new bars of {added}"
    if events and not (metres & _changed_metres(a, b)):
        _only_asked_events_differ(before, after, cells)


def _bars(table: Any, track: int) -> Any:
    first, last = table.bar_rows(track)
    return table.bars[first:last]


def _notes(table: Any, track: int, bars: list[int]) -> tuple[Any, list[int]]:
    """All notes of some bars with the events they came from, and how many each bar has."""
    starts = np.append(table.bars[:, 0], len(table.notes))
    rows = np.asarray(bars, dtype=np.int64) + table.bar_rows(track)[0]
    first, sizes = starts[rows], starts[rows + 1] - starts[rows]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    index = np.repeat(first, sizes) + within
    return np.column_stack([table.notes[index], table.note_source[index]]), sizes.tolist()


def _changed_metres(a: Any, b: Any) -> set[int]:
    n = a.n_bars(0)
    differ = (a.bars[:n, 1:3] != b.bars[:n, 1:3]).any(axis=1)
    return set(np.flatnonzero(differ).tolist())


def _events(score: Score) -> tuple[Any, Counter[tuple[int, int, bytes]]]:
    file, _ = _core.read_midi(score.to_midi())
    return file, Counter(file.event(i) for i in range(file.n_events))


def _only_asked_events_differ(before: Score, after: Score, cells: set[tuple[int, int]]) -> None:
    """In the files, note-ons differ in the asked bars only; note-offs and program changes may come with them,
    everything else is untouched. What stands in new chunks or behind the old end is new by wish.
    """
    (old, a), (new, b) = _events(before), _events(after)
    bars = {bar for _, bar in cells}
    n_bars = before.table.n_bars(0)
    grown = after.table.n_bars(0) > n_bars or after.table.n_tracks > before.table.n_tracks
    starts = np.asarray((new if grown else old).bar_starts)
    for chunk, tick, data in [*(a - b), *(b - a)]:
        bar = int(np.searchsorted(starts, tick, side="right")) - 1
        kind = data[0] >> 4
        note_on = kind == 9 and data[2] > 0
        if kind in (8, 9) and not note_on:
            continue
        if grown and (chunk >= old.n_chunks or bar >= n_bars or kind in (12, 15)):
            continue
        fits = (note_on and bar in bars) or (kind == 12 and {bar, bar - 1} & bars)
        # The last bar may have been there for the end of a replaced note only: a metre event keeps it.
        fits = fits or (data[:2] == b"\xff\x58" and bar == n_bars - 1 and tick == starts[bar])
        assert fits or data[:2] == b"\xff\x2f", f"event {data.hex()} at tick {tick} (bar {bar}) differs"
