"""The command line: `midigpt-nb infill` rewrites bars of a MIDI file and writes notes, picture and sound.

Tracks and bars are counted from 1 here, as people count them; the Python interface counts from 0.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midigpt_nb.errors import GenerationCancelled, MidiGPTError, ScoreError
from midigpt_nb.score.places import no_such_track, track_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from midigpt_nb.inference import InferenceEngine
    from midigpt_nb.score.model import Score

__all__ = ["main"]

DEFAULT_BARS = (5, 8)
MOST_TRACKS_DRAWN = 6
MOST_BARS_DRAWN = 32


class UsageError(Exception):
    """What was asked for does not fit the piece; the message says what does."""


@dataclass(frozen=True)
class Take:
    """One finished rewrite and how long it took."""

    score: Score
    seed: int
    tokens: int
    seconds_to_first_note: float | None
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0 done, 1 could not be done, 2 wrong usage)."""
    options = parser().parse_args(arguments)
    if not hasattr(options, "run"):
        parser().print_help()
        return 2
    try:
        options.run(options)
    except UsageError as error:
        print(f"midigpt-nb: {error}", file=sys.stderr)
        return 2
    except (MidiGPTError, OSError) as error:
        print(f"midigpt-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("midigpt-nb: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of every command."""
    from midigpt_nb import __version__

    top = argparse.ArgumentParser(prog="midigpt-nb", description="Write music with a transformer.")
    top.add_argument("--version", action="version", version=f"midigpt-nb {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    infill = commands.add_parser(
        "infill",
        help="rewrite bars of one track",
        description="Rewrite some bars of one track so that they fit the rest of the piece. Writes demo.mid "
        "(the whole piece), demo.png (before and after) and demo.wav (the sound). Needs no network.",
    )
    infill.add_argument(
        "--midi", type=Path, metavar="FILE", help="the piece (default: the example that comes along)"
    )
    infill.add_argument(
        "--track",
        type=number_or_name,
        metavar="N",
        help="which track, counted from 1, or its name (default: the first without drums)",
    )
    infill.add_argument(
        "--bars",
        type=bar_range,
        metavar="A-B",
        help="which bars, counted from 1, both ends included (default: 5-8)",
    )
    infill.add_argument(
        "--seed", type=int, default=-1, help="the same number gives the same notes (default: a new one)"
    )
    infill.add_argument(
        "--temperature", type=float, default=1.0, help="below 1 safer, above 1 wilder (default: 1)"
    )
    infill.add_argument(
        "--model", default="pocket", metavar="NAME", help="a model's name or file (default: pocket)"
    )
    infill.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)"
    )
    infill.set_defaults(run=run_infill)
    return top


def number_or_name(text: str) -> int | str:
    """`2` as a number, anything else as a track's name."""
    return int(text) if re.fullmatch(r"[+-]?\d+", text.strip()) else text.strip()


def bar_range(text: str) -> tuple[int, int]:
    """`5-8` or `5` as (first, last), counted from 1, both included."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of bars; write 5-8, or 5 for one bar")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a range of bars; bars are counted from 1, and 5-8 goes up"
        )
    return first, last


def run_infill(options: argparse.Namespace) -> None:
    """Load, rewrite, write three files, and say so line by line."""
    from midigpt_nb.score.model import Score

    started = time.perf_counter()
    before = Score.from_midi(options.midi) if options.midi else Score.example()
    tell("piece", f"{options.midi or 'the example'}: {before!r}")
    track, bars = choose(before, options.track, options.bars)

    clock = time.perf_counter()
    engine = load_engine(options.model)
    tell("model", f"{engine.name}, loaded in {time.perf_counter() - clock:.1f} s")

    tell("asked", f"track {track + 1} ({before.track_names[track]}), {in_words(bars)}")
    take = rewrite(engine, before, track, bars, seed=options.seed, temperature=options.temperature)
    first = take.seconds_to_first_note
    tell(
        "wrote",
        f"{in_words(bars)} in {take.seconds:.1f} s"
        + (f", first note after {first:.1f} s" if first is not None else "")
        + f" ({take.tokens:,} tokens, seed {take.seed})",
    )
    changes = before.diff(take.score)
    outside = [cell for cell in changes.changed if cell not in {(track, bar) for bar in bars}]
    tell("notes", f"{changes.n_added} new, {changes.n_removed} gone; bars changed elsewhere: {len(outside)}")

    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out, before, take.score, track, bars)
    tell("total", f"{time.perf_counter() - started:.1f} s")


def choose(score: Score, track: int | str | None, bars: tuple[int, int] | None) -> tuple[int, list[int]]:
    """The track and bars to rewrite, counted from 0, from what a person asked for, counted from 1."""
    if score.n_tracks == 0 or score.n_bars == 0:
        raise UsageError("the piece has no notes, so there is nothing to rewrite")
    if track is None:
        drums = score.table.tracks[:, 2]
        track = 1 + int(drums.argmin())  # drum tracks have 1 there
    elif isinstance(track, str):
        try:
            track = 1 + track_named(track, score.track_names, first=1)
        except ScoreError as unclear:
            raise UsageError(str(unclear)) from None
    if not 1 <= track <= score.n_tracks:
        raise UsageError(no_such_track(track, score.track_names, first=1))
    if bars is None:
        last = min(DEFAULT_BARS[1], score.n_bars)
        bars = (max(1, last - (DEFAULT_BARS[1] - DEFAULT_BARS[0])), last)
    first, last = bars
    if last > score.n_bars:
        raise UsageError(f"there is no bar {last}; the piece has bars 1-{score.n_bars}")
    return track - 1, list(range(first - 1, last))


def load_engine(model: str) -> InferenceEngine:
    """The engine of a model's name, or of a file."""
    from midigpt_nb.inference import InferenceEngine

    if Path(model).suffix or Path(model).exists():
        return InferenceEngine.from_checkpoint(model)
    return InferenceEngine.from_pretrained(model)


def rewrite(
    engine: InferenceEngine, score: Score, track: int, bars: list[int], *, seed: int, temperature: float
) -> Take:
    """Have the model write the bars, noting when the first note came."""
    from midigpt_nb.inference import GenerationRequest
    from midigpt_nb.inference.events import Finished, NotesArrived

    request = GenerationRequest.from_selection(
        [(track, bar) for bar in bars], seed=seed, temperature=temperature
    )
    start = time.perf_counter()
    session = engine.session(score, request)
    first_note: float | None = None
    for event in session.stream():
        if isinstance(event, NotesArrived) and event.notes and first_note is None:
            first_note = time.perf_counter() - start
        if isinstance(event, Finished):
            if event.error is not None:
                raise event.error
            if event.status != "done":
                raise GenerationCancelled(partial=event.score)
            return Take(
                event.score, session.resolved_seed, event.tokens, first_note, time.perf_counter() - start
            )
    raise AssertionError("a stream of events ends with Finished")


def save(folder: Path, before: Score, after: Score, track: int, bars: list[int]) -> None:
    """demo.mid, demo.png and demo.wav in `folder`."""
    from midigpt_nb.audio import SAMPLE_RATE, render, write_wav

    after.to_midi(folder / "demo.mid")
    tell("file", f"{folder / 'demo.mid'}   the whole piece, for any music program")
    picture(before, after, track, bars).savefig(folder / "demo.png", dpi=150)
    tell("file", f"{folder / 'demo.png'}   before and after")
    clock = time.perf_counter()
    audio = render(after)
    write_wav(folder / "demo.wav", audio)
    length = len(audio) / SAMPLE_RATE
    tell(
        "file",
        f"{folder / 'demo.wav'}   {length:.0f} s of sound, rendered in {time.perf_counter() - clock:.1f} s",
    )


def picture(before: Score, after: Score, track: int, bars: list[int]) -> Figure:
    """What changed: all tracks of a small piece, a few bars on each side in a long one."""
    from midigpt_nb.plots import plot_diff

    tracks = None if before.n_tracks <= MOST_TRACKS_DRAWN else [track]
    part = None
    if before.n_bars > MOST_BARS_DRAWN:
        part = (max(0, bars[0] - 4), min(before.n_bars, bars[-1] + 5))
    return plot_diff(before, after, tracks=tracks, bars=part)


def in_words(bars: list[int]) -> str:
    """`bars 5-8` or `bar 5`, counted from 1."""
    return f"bar {bars[0] + 1}" if len(bars) == 1 else f"bars {bars[0] + 1}-{bars[-1] + 1}"


def tell(what: str, text: str) -> None:
    """One line of the report."""
    print(f"{what:<6} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
