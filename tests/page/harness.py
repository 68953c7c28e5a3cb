"""Mounts the built page in a real browser without a kernel: state and messages come from the test."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from midigpt_nb.score.general_midi import FAMILIES, PROGRAMS
from midigpt_nb.widgets import protocol
from midigpt_nb.widgets.sound import BANK, SIMPLE, WORKLET

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "midigpt_nb" / "widgets" / "static"
HARNESS = ROOT / "js" / "test" / "harness.html"
RESOLUTION = 480
BAR = 4 * RESOLUTION


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


Row = tuple[int, int, int, int, int]  # track, onset, duration, pitch, velocity


def records(rows: Sequence[Row], flags: int = 0, first_id: int = 0) -> np.ndarray[Any, Any]:
    """Packed note records of (track, onset, duration, pitch, velocity) rows."""
    notes = protocol.empty_notes(len(rows))
    for column, name in enumerate(("track", "onset", "duration", "pitch", "velocity")):
        notes[name] = [row[column] for row in rows]
    notes["id"] = np.arange(first_id, first_id + len(rows))
    notes["flags"] = flags
    return notes


def band(n_bars: int = 16) -> list[Row]:
    """A four-track piece: keys, bass, strings, drums."""
    chords = [(48, 55, 59, 64), (45, 52, 57, 60), (41, 53, 57, 60), (43, 50, 55, 59)]
    melody = [76, 74, 72, 71, 72, 74, 79, 77, 76, 72, 69, 71, 72, 67, 69, 71]
    rows: list[Row] = []
    for bar in range(n_bars):
        start, chord = bar * BAR, chords[bar % 4]
        for beat in range(4):
            at = start + beat * RESOLUTION
            rows += [(0, at, 420, pitch + 12, 62 + 18 * (beat == 0)) for pitch in chord[1:]]
            rows += [(0, at + 240 * k, 220, melody[(bar * 2 + beat + k) % 16], 84 + 10 * k) for k in (0, 1)]
        root = chord[0] - 12
        rows += [
            (1, start + k * 240, 200, root + (0, 0, 7, 12, 0, 10, 7, 5)[k], 96 - 9 * (k % 2))
            for k in range(8)
        ]
        rows += [(2, start, BAR - 40, pitch + 12, 58) for pitch in chord[1:3]]
        rows += [(2, start + 960, 900, chord[3] + 17, 70)]
        rows += [(3, start + k * 240, 60, 42, 60 + 30 * (k % 2 == 0)) for k in range(8) if k != 7]
        rows += [(3, start + 1680, 120, 46, 80)]
        rows += [(3, start + t, 60, 36, 110) for t in (0, 720, 960)]
        rows += [(3, start + t, 60, 38, 104) for t in (480, 1440)]
        if bar % 4 == 0:
            rows.append((3, start, 60, 49, 100))
        if bar % 8 == 7:
            rows += [
                (3, start + 960 + 120 * k, 60, (50, 48, 47, 45, 43, 43, 41, 41)[k], 90) for k in range(8)
            ]
    return rows


def dense(n_notes: int, n_tracks: int = 4, n_bars: int = 64) -> list[Row]:
    """`n_notes` notes spread evenly, for measurements."""
    rng = np.random.default_rng(5)
    onsets = np.sort(rng.integers(0, n_bars * BAR, n_notes))
    return [
        (
            i % n_tracks,
            int(t),
            int(rng.integers(60, 480)),
            int(rng.integers(36, 90)),
            int(rng.integers(30, 127)),
        )
        for i, t in enumerate(onsets)
    ]


TRACKS = [
    {"name": "Electric Piano", "program": 4, "drum": False, "family": "Piano"},
    {"name": "Bass", "program": 33, "drum": False, "family": "Bass"},
    {"name": "Strings", "program": 48, "drum": False, "family": "Ensemble"},
    {"name": "Drums", "program": 0, "drum": True, "family": "Drums"},
]
ATTRIBUTES = [
    {"name": "note_density", "level": "track", "track_type": "both", "size": 10},
    {"name": "min_polyphony", "level": "track", "track_type": "melodic", "size": 10},
    {"name": "max_polyphony", "level": "track", "track_type": "melodic", "size": 10},
    {"name": "pitch_range", "level": "track", "track_type": "melodic", "size": 128},
    {"name": "silence_proportion", "level": "track", "track_type": "both", "size": 10},
    {"name": "bar_note_density", "level": "bar", "track_type": "both", "size": 10},
    {"name": "bar_max_polyphony", "level": "bar", "track_type": "melodic", "size": 10},
]

SETTINGS = [
    {"name": "temperature", "label": "temperature", "help": "how adventurous", "kind": "number",
     "default": 1.0, "low": 0, "step": 0.05, "advanced": False},
    {"name": "seed", "label": "seed", "help": "same number, same music", "kind": "number", "default": -1,
     "low": 0, "step": 1, "advanced": False},
    {"name": "top_p", "label": "top p", "help": "share of likely choices", "kind": "number", "default": 1.0,
     "low": 0, "high": 1, "step": 0.01, "advanced": True},
    {"name": "adherence", "label": "adherence", "help": "how hard to try", "kind": "choice",
     "default": "off", "choices": ["off", "best", "strict"], "advanced": True},
    {"name": "silence_check", "label": "silence check", "help": "try again", "kind": "switch",
     "default": True, "advanced": True},
]  # fmt: skip


def document(
    rows: Sequence[Row],
    *,
    rev: int = 1,
    generated: Sequence[Row] = (),
    removed: Sequence[Row] = (),
    n_bars: int | None = None,
    tracks: Sequence[dict[str, Any]] = TRACKS,
    bars: Sequence[tuple[int, int]] | None = None,
    tempo: Sequence[tuple[int, int]] = ((0, 500_000),),
    controls: Sequence[tuple[int, int, int, int]] = (),
) -> bytes:
    """Document bytes of note rows. `bars`: metres, default 4/4 up to the last note."""
    last = max((row[1] for row in [*rows, *generated]), default=0)
    metres = list(bars or [(4, 4)] * (n_bars or last // BAR + 1))
    table, start = [], 0
    for numerator, denominator in metres:
        ticks = numerator * 4 * RESOLUTION // denominator
        table.append([numerator, denominator, start, ticks])
        start += ticks
    header = {
        "rev": rev,
        "resolution": RESOLUTION,
        "bars": table,
        "tempo_map": [list(row) for row in tempo],
        "tracks": list(tracks),
        "title": "Harness",
        "controls": [list(row) for row in controls],
        "drums": {"36": "Bass Drum 1", "38": "Acoustic Snare", "42": "Closed Hi-Hat"},
    }
    notes = np.concatenate([records(rows), records(generated, protocol.FLAG_GENERATED, len(rows))])
    return protocol.pack_document(header, notes, records(removed, 0, 1_000_000))


def state(**changes: Any) -> dict[str, Any]:
    """Synced state of an editor with a model."""
    return {
        "_rev": 1,
        "_sound": "",
        "_instruments": "|".join([*FAMILIES, *PROGRAMS]),
        "snap": "1/16",
        "metronome": False,
        "tempo_factor": 1.0,
        "follow": "page",
        "caps": {"model": "pocket", "attributes": ATTRIBUTES, "settings": SETTINGS},
        "plan": {},
        "mix": {},
        "takes": [],
        "active_take": "",
        "comp": {},
        "n_takes": 1,
        "selection": {"cells": []},
        "attributes": {"track": {}, "bar": {}},
        "realized": {"track": {}, "bar": {}},
        "sampling": {"temperature": 1.0, "top_p": 0.98, "seed": -1},
        "status": "idle",
        "progress": 0.0,
        "loop": [],
        "theme": "auto",
        "height": 420,
        "readonly": False,
        "error": None,
        "playing": False,
        "position": 0,
        "can_undo": False,
        "can_redo": False,
        **changes,
    }


class Roll:
    """The mounted page, from the test's side."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: self.errors.append(r.url) if r.url.startswith("http") else None)

    def mount(
        self,
        doc: bytes,
        host: str = "light",
        *,
        sampled: bool = False,
        desk: bool = True,
        address: str = "",
        **changes: Any,
    ) -> dict[str, float]:
        """Show the widget; `sampled`: with the packaged sound; `desk`: its second module comes at once.

        `address` is that of a page that holds the harness.
        """
        sound = {"simple": b64(SIMPLE.read_bytes())}
        if sampled:
            sound |= {"worklet": b64(WORKLET.read_bytes()), "bank": b64(BANK.read_bytes())}
            changes["_sound"] = "gm"
        self.page.goto(address or HARNESS.as_uri())
        self.page.evaluate("name => { document.body.dataset.host = name }", host)
        esm = (STATIC / "widget.js").read_text(encoding="utf-8")
        css = (STATIC / "widget.css").read_text(encoding="utf-8")
        arguments = {"esm": esm, "css": css, "state": state(**changes), "doc": b64(doc), "sound": sound}
        arguments |= {"desk": b64((STATIC / "desk.js").read_bytes()), "deskComes": desk}
        return self.page.evaluate("args => window.mount(args)", arguments)

    def call(self, expression: str, *args: Any) -> Any:
        """Evaluates `(mgnb, ...args) => expression` with the handle the page exposes for tests."""
        script = f"args => ({expression})(document.querySelector('.mgnb-root').mgnb, ...args)"
        return self.page.evaluate(script, list(args))

    def state(self) -> dict[str, Any]:
        return self.call("mgnb => mgnb.state()")

    def cell(self, track: int, bar: int) -> tuple[float, float]:
        rect = self.call("(mgnb, t, b) => mgnb.barRect(t, b)", track, bar)
        return rect["x"] + rect["w"] / 2, rect["y"] + rect["h"] / 2

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.page.mouse.move(*self.cell(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.cell(*end), steps=4)
        self.page.mouse.up()

    def event(self, n: int, ev: str, notes: Sequence[Row] = (), job: str = "j1", **fields: Any) -> None:
        """Sends event number `n` of a job, as the kernel would."""
        buffers = []
        if ev == "notes":
            fields["count"] = len(notes)
            buffers = [b64(records(notes, protocol.FLAG_PROVISIONAL).tobytes())]
        message = protocol.event_message(job, n, [protocol.job_event(ev, **fields)])
        self.page.evaluate("([m, b]) => window.host.emit(m, b)", [message, buffers])

    def set(self, name: str, value: Any) -> None:
        sent = b64(value) if isinstance(value, bytes) else value
        self.page.evaluate("([name, value]) => window.host.set(name, value)", [name, sent])

    def sent(self) -> list[dict[str, Any]]:
        """What the page asked, but for the questions it asks by itself (what would happen, and sounds)."""
        sent = self.page.evaluate("() => window.host.sent")
        return [message for message in sent if message["k"] not in ("outlook", "sound", "desk")]
