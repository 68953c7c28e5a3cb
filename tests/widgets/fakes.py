"""A comm that records, and an engine that plays a script for tests where the order of events is the point."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import comm
import numpy as np
from comm.base_comm import BaseComm

from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.inference import events as ev
from midigpt_nb.inference.report import Report
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer
from midigpt_nb.widgets.protocol import events_of


class RecordingComm(BaseComm):
    """Keeps what the kernel sent instead of sending it. Each entry: (data, buffers, thread name)."""

    def __init__(self, *args, **kwargs):
        self.sent = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if msg_type == "comm_msg":
            self.sent.append((data, buffers or [], threading.current_thread().name))


def events_in(data, buffers=()):
    """The events of a job that one message of a comm carries, each with its buffers; mostly none."""
    content = data.get("content", {})
    return events_of(content, buffers) if content.get("k") == "ev" else []


class Page:
    """The browser's end of a widget: sends what the page would send, reads what it would get."""

    def __init__(self, widget):
        self.widget, self.comm = widget, widget.comm
        self._count = 0

    def custom(self):
        return [(d["content"], b) for d, b, _ in list(self.comm.sent) if d.get("method") == "custom"]

    def updates(self, name):
        """Every value of a trait that was sent, in order."""
        values = []
        for data, buffers, _ in list(self.comm.sent):
            if data.get("method") == "update":
                binary = {path[0]: buffer for path, buffer in zip(data["buffer_paths"], buffers, strict=True)}
                state = {**data["state"], **binary}
                values += [state[name]] if name in state else []
        return values

    def events(self, job=None):
        messages = [(m, b) for m, b in self.custom() if m["k"] == "ev" and job in (None, m["job"])]
        return [event for m, b in messages for event in events_of(m, b)]

    def kinds(self, job=None):
        return [m["ev"] for m, _ in self.events(job)]

    def raw(self, content, buffers=()):
        data = {"method": "custom", "content": content}
        self.comm.handle_msg({"content": {"data": data}, "buffers": list(buffers)})

    def request(self, k, **fields):
        """Send a request; return (answer, buffers). Exactly one answer must have come."""
        self._count += 1
        request_id = f"p-{self._count}"
        self.raw({"v": 1, "k": k, "id": request_id, **fields})
        answers = [(m, b) for m, b in self.custom() if m["k"] in ("ok", "error") and m["id"] == request_id]
        assert len(answers) == 1, answers
        return answers[0]

    def set(self, **state):
        data = {"method": "update", "state": state, "buffer_paths": []}
        self.comm.handle_msg({"content": {"data": data}, "buffers": []})


def install_comm(monkeypatch):
    monkeypatch.setattr(comm, "create_comm", RecordingComm)


def _config():
    config = EncoderConfig()
    config.num_bars_map = [4, 8]
    config.resolution = 12
    config.time_signatures = [(4, 4)]
    config.supports_infill = config.supports_mask_bar_token = True
    return config


class FakeEngine:
    """Writes one whole-bar note per cell, `pause` seconds apart. `script` replaces the list of events.

    Its attributes are real: note density of tracks and of bars.
    """

    name = "fake"
    limits = SimpleNamespace(window_bars=(4, 8), max_context=1024, mask_modes=("token",))
    attributes = AttributeAnalyzer.from_config(
        {
            "attribute_formulas": "exact",
            "attribute_controls": [
                {"name": "note_density_quantile", "params": {"track_type": "both"}},
                {"name": "note_density_quantile", "params": {"track_type": "both", "level": "bar"}},
            ],
        }
    )
    tokenizer = Tokenizer(_config(), attributes)

    def __init__(self, pause=0.0, script=None, fail_session=None):
        self.pause, self.script, self.fail_session = pause, script, fail_session
        self.sessions = []

    def session(self, score, request):
        if self.fail_session is not None:
            raise self.fail_session
        session = FakeSession(self, score, request)
        self.sessions.append(session)
        return session


class FakeSession:
    resolved_seed = 7
    uncertainty = None

    def __init__(self, engine, score, request):
        self.engine, self.score, self.request = engine, score, request
        self.cancel_event = threading.Event()
        self.thread = None

    @property
    def cells(self):
        return [(track.id, bar) for track in self.request.tracks for bar in track.bars]

    def report(self):
        return Report()

    def written(self, cells):
        rows = [np.array([[0, 480, 60 + bar % 12, 90, 0]]) for _, bar in cells]
        return self.score.with_table(self.score.table.replaced(cells, rows)) if cells else self.score

    def stream(self):
        self.thread = threading.current_thread()
        yield from (self.engine.script or FakeSession.play)(self)

    def play(self):
        bars = sorted({bar for _, bar in self.cells})
        yield ev.StepStarted(0, 1, (bars[0], bars[-1] + 1), {t.id: t.bars for t in self.request.tracks}, [])
        tokens = 0
        for i, (track, bar) in enumerate(self.cells):
            if self.cancel_event.wait(self.engine.pause):
                yield ev.Finished("cancelled", self.written(self.cells[:i]), seconds=0.1, tokens=tokens)
                return
            tokens += 4
            yield ev.TokenProgress(0, 0, tokens)
            yield ev.NotesArrived(0, 0, track, bar, ((60 + bar % 12, 90, 0, 480),))
            yield ev.BarFinished(0, 0, track, bar)
        result = self.written(self.cells)
        yield ev.StepFinished(0, 0, result)
        yield ev.Finished("done", result, seconds=0.1, tokens=tokens)


def eventually(get, want=True, timeout=15.0):
    """Wait until ``get()`` equals `want`."""
    deadline = time.monotonic() + timeout
    while (got := get()) != want:
        assert time.monotonic() < deadline, f"{got!r} != {want!r}"
        time.sleep(0.02)
