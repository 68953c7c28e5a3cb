"""`PianoRoll(score)`: the interactive roll. It shows, plays and selects; it needs no model."""

from __future__ import annotations

import base64
import difflib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import anywidget
import traitlets as t

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.general_midi import FAMILIES, PROGRAMS
from midigpt_nb.score.model import Score
from midigpt_nb.widgets.action_log import ActionLog, op_calls
from midigpt_nb.widgets.autosave import Autosave
from midigpt_nb.widgets.beside import FITTED, Beside
from midigpt_nb.widgets.caps import first_caps, in_rows, later_caps
from midigpt_nb.widgets.chosen_notes import PlacedNote, notes_of
from midigpt_nb.widgets.decisions import DECIDED, Decisions
from midigpt_nb.widgets.desk import desk_module
from midigpt_nb.widgets.document import Cell, Document
from midigpt_nb.widgets.failures import UserError, describe, details_of, next_step
from midigpt_nb.widgets.files import RollFiles
from midigpt_nb.widgets.inbox import Inbox
from midigpt_nb.widgets.later import Later
from midigpt_nb.widgets.pages import Pages, is_shared
from midigpt_nb.widgets.protocol import (
    ProtocolError,
    error_message,
    gap_message,
    ok_message,
    parse_request,
    place_of,
    unpack_notes,
)
from midigpt_nb.widgets.saved_picture import SavedPicture
from midigpt_nb.widgets.sound import SoundFiles, packaged_sound
from midigpt_nb.widgets.targets import PlanTrait
from midigpt_nb.widgets.track_numbers import MixTrait
from midigpt_nb.widgets.traits import (
    AttributesTrait,
    LoopTrait,
    PathTrait,
    SamplingTrait,
    ScoreTrait,
    SelectionTrait,
    as_indices,
    check_plain,
    track_names,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midigpt_nb.score.model import Note

__all__ = ["PREVIEW_BYTES", "PianoRoll", "UserError", "describe"]

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
PREVIEW_BYTES = 30_000
"""Largest picture that goes into a saved notebook."""
SNAPS = ("1/1", "1/2", "1/4", "1/8", "1/16", "1/32", "1/4T", "1/8T", "1/16T", "off")
_WITH_BUFFER = {"ops": "records", "upload": "data", "restore": "data"}
"""Requests that bring a buffer, and the name it has in the method."""
SNAPSHOT_SECONDS = 0.25
"""While the page edits, it gets the document at most this often."""


def page_files() -> tuple[str, str]:
    """Script and style sheet of the page, as every widget carries them."""
    script, style = ((_STATIC / name).read_text(encoding="utf-8") for name in ("widget.js", "widget.css"))
    return script, style


class PianoRoll(Decisions, RollFiles, anywidget.AnyWidget):
    """An interactive piano roll of a score.

    It is an ordinary widget: it fits into boxes, and its traits can be linked and observed. `score` and
    `selection` work in both directions. Methods and traits may be used from any thread.

    Without a score it begins empty, and offers an example, a file or drawing in the page.

    Assign a changed *copy* of the score to change what is shown; each assignment is one step of `undo`.

    >>> roll = PianoRoll(Score.example(), height=420)
    >>> roll
    PianoRoll(4 tracks, 16 bars, ...)
    >>> roll.select(tracks=1, bars=range(4, 8))
    >>> roll.selected_cells
    [(1, 4), (1, 5), (1, 6), (1, 7)]
    """

    # Read per widget and not given as paths: anywidget's file watcher would keep every widget alive.
    _esm = t.Unicode().tag(sync=True)
    _css = t.Unicode().tag(sync=True)

    _doc = t.Bytes(b"").tag(sync=True, echo_update=False)
    _rev = t.Int(0).tag(sync=True)
    score = ScoreTrait(help="the music; assign a Score to replace it")

    caps = t.Dict(help="what the model can do; empty without one").tag(sync=True, to_json=first_caps)
    plan = PlanTrait(help="roles of tracks and bars").tag(sync=True)
    selection = SelectionTrait(default_value={"cells": []}, help="selected bars and notes").tag(sync=True)
    attributes = AttributesTrait(default_value={"track": {}, "bar": {}}, help="wishes").tag(sync=True)
    realized = t.Dict(help="measured attribute values").tag(sync=True, to_json=in_rows)
    sampling = SamplingTrait(help="settings of the next generation").tag(sync=True)

    status = t.Enum(["idle", "queued", "running", "cancelling", "done", "error"], "idle").tag(sync=True)
    progress = t.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    error = t.Instance(dict, allow_none=True, help="code, message, hint, field, details").tag(sync=True)
    can_undo = t.Bool(False).tag(sync=True)
    can_redo = t.Bool(False).tag(sync=True)

    mix = MixTrait(help="mute, solo, volume and colour of tracks").tag(sync=True)
    loop = LoopTrait(help="[start_bar, end_bar] or []").tag(sync=True)
    snap = t.Enum(SNAPS, "1/16", help="grid that notes snap to in the page").tag(sync=True)
    metronome = t.Bool(False, help="a click on every beat while the page plays").tag(sync=True)
    tempo_factor = t.Float(1.0, min=0.25, max=2.0, help="2 plays twice as fast").tag(sync=True)
    follow = t.Enum(["page", "centre", "off"], "page", help="how the page keeps up").tag(sync=True)
    theme = t.Enum(["auto", "light", "dark"], "auto").tag(sync=True)
    height = t.Int(420, min=160, max=4000, help="pixels").tag(sync=True)
    readonly = t.Bool(False).tag(sync=True)
    playing = t.Bool(False).tag(sync=True)
    position = t.Float(0.0, help="playback position as the page reports it").tag(sync=True)
    soundfont = PathTrait("", help="a SoundFont file (.sf2, .sf3) to play with; empty: the packaged sound")
    # Read by the page's menus; not in its bundle, where they would be a second copy.
    _instruments = t.Unicode("|".join([*FAMILIES, *PROGRAMS])).tag(sync=True)
    _sound = t.Unicode("", help="name of the bank that the page plays with").tag(sync=True)
    _autosave = t.Dict(help="by what the page knows this roll again; see autosave").tag(sync=True)
    _from = t.Unicode("", help="which page set traits, see pages").tag(sync=True)
    _seen = t.Dict(help="what was seen of each page").tag(
        sync=True, to_json=lambda _value, roll: roll._pages.seen
    )

    events: tuple[str, ...] = ("score", "selection")
    """Names that `on` knows."""

    def __init__(self, score: Score | None = None, *, title: str = "", **kwargs: Any) -> None:
        score = Score() if score is None else score
        if not isinstance(score, Score):
            raise TypeError(
                f"{type(self).__name__}(score) needs a Score, not {type(score).__name__}; try show(...)"
            )
        self._refuse_unknown(kwargs)
        self._document = Document(score)
        self._log, self._beside = ActionLog(self._document.state), Beside(self._document.state)
        self._kept, self._inbox, self._pages = Autosave(self), Inbox(), Pages()
        self._title = str(title)
        self._handlers: dict[str, list[Callable[[dict[str, Any]], object]]] = {}
        self._preview: tuple[int, bytes] | None = None
        self._saved_picture = SavedPicture(self.preview_png)
        self._sound_files: SoundFiles | None = None
        self._sent_at = 0.0
        self._snapshot = Later(self._send_late)
        self.errors: list[Exception] = []
        super().__init__(_doc=self._document.pack(self._title), _autosave=self._kept.facts, **kwargs)
        self._kept.begin()
        self.on_msg(self._on_page_message)

    def _refuse_unknown(self, kwargs: Mapping[str, Any]) -> None:
        known = [
            name for name in self.trait_names() if not name.startswith("_") and name not in ("comm", "keys")
        ]
        for name in kwargs:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise TypeError(f"{type(self).__name__}() has no argument {name!r}{hint}")

    @t.default("_esm")
    def _page_script(self) -> str:
        return page_files()[0]

    @t.default("_css")
    def _page_style(self) -> str:
        return page_files()[1]

    # ------------------------------------------------------------------------------------ music and undo

    @overload
    def to_midi(self, path: None = None) -> bytes: ...

    @overload
    def to_midi(self, path: str | Path) -> Path: ...

    def to_midi(self, path: str | Path | None = None) -> bytes | Path:
        """Write the piece as a MIDI file and return its path, or return its bytes when `path` is None."""
        data = self._document.score.to_midi(path)
        return data or b"" if path is None else Path(path)

    def undo(self) -> bool:
        """Take back the last change of the score, of wishes or of roles; False when there is none."""
        return self._travel(self._document.undo)

    def redo(self) -> bool:
        """Bring back what `undo` took; False when there is nothing."""
        return self._travel(self._document.redo)

    def _travel(self, move: Callable[[], bool]) -> bool:
        with self._locked():
            old, before = self._document.score, self._document.state
            moved = move()
            if moved:
                self._decide_again(before)
                self._document_changed(old)
        return moved

    def _assign(self, score: Score, label: str = "Edit") -> None:
        with self._locked():
            old = self._document.score
            if self._document.assign(score, label):
                self._document_changed(old)

    def _document_changed(self, old: Score, *, soon: bool = False) -> None:
        """Tell page and observers; call with the lock held, after the document changed.

        `soon`: the page has shown the change already, so the snapshot may wait until a quarter of a second
        has passed since the last one.
        """
        self._log.changed(self._document.state)
        beside = {name: getattr(self, name) for name in FITTED if self.has_trait(name)}
        over = self._beside.over_there(self._document.state)
        there = {name: own for name, (here, own) in over.items() if getattr(self, name) == here}
        fitting = {**self._beside.changed(self._document.state, beside), **there}
        with self.hold_sync():
            with self._following():
                for name, value in fitting.items():
                    setattr(self, name, value)
            self._send_document(soon=soon)
            self.can_undo, self.can_redo = self._document.can_undo, self._document.can_redo
        self._saved_picture.changed()
        self._notify_trait("score", old, self._document.score)
        self._fire("score", score=self._document.score)

    def _send_document(self, *, soon: bool = False) -> None:
        """Put the document into the synced traits, at once or when a quarter of a second has passed."""
        wait = self._sent_at + SNAPSHOT_SECONDS - time.monotonic()
        if soon and wait > 0 and self._snapshot.ask(wait):
            return
        self._snapshot.cancel()
        self._sent_at = time.monotonic()
        self._doc = self._document.pack(self._title)
        self._rev = self._document.rev

    def _send_late(self) -> None:
        with self._locked():
            if self.comm is not None:
                self._send_document()

    # ------------------------------------------------------------------------------------------ selection

    @property
    def selected_cells(self) -> list[Cell]:
        """The selected bars as (track, bar), both from 0."""
        return [(track, bar) for track, bar in self.selection["cells"]]

    def select(self, tracks: Any = None, bars: Any = None) -> None:
        """Select bars of tracks, both from 0: a number, a list, a range or a slice; None means all.

        Tracks may be named, too: ``select("Bass")``, ``select(["Bass", 2])``.
        ``select([], [])`` clears the selection. Raises ValueError for a track or bar that does not exist, and
        for a name that several tracks have.
        """
        self.selection = {**self.selection, "cells": self._cells_named(tracks, bars)}

    def _cells_named(self, tracks: Any, bars: Any) -> list[Cell]:
        state = self._document.state
        table, names = state.table, track_names(state)
        longest = max((table.n_bars(i) for i in range(table.n_tracks)), default=0)
        wanted = as_indices(bars, longest, "bar")
        chosen = as_indices(tracks, table.n_tracks, "track", names)
        return [(track, bar) for track in chosen for bar in wanted if bar < table.n_bars(track)]

    @property
    def selected_notes(self) -> list[PlacedNote]:
        """The selected notes as (track, bar, note), both from 0, in the order of the piece."""
        chosen = set(self.selection.get("notes", ()))
        return [placed for _, placed in notes_of(self._document.state, ids=chosen)] if chosen else []

    def select_notes(
        self, tracks: Any = None, bars: Any = None, where: Callable[[Note], bool] | None = None
    ) -> None:
        """Select notes of bars that are named as in `select`; `where` says of a note whether it is meant.

        ``roll.select_notes("Bass", where=lambda note: note.velocity < 40)``. The selected bars stay.
        ``select_notes([])`` clears. Raises what `select` raises.
        """
        cells = set(self._cells_named(tracks, bars))
        found = notes_of(self._document.state, cells=cells)
        wanted = [number for number, (_, _, note) in found if where is None or where(note)]
        self.selection = {"cells": self.selection["cells"], "notes": wanted}

    @t.observe("selection")
    def _selection_changed(self, _change: object) -> None:
        self._fire("selection", cells=self.selected_cells)

    # ------------------------------------------------------------------------------------------ callbacks

    def on(self, event: str, callback: Callable[[dict[str, Any]], object] | None = None) -> Any:
        """Call ``callback({"event": name, ...})`` when something happens; also usable as a decorator.

        `events` lists the names. Callbacks run on the thread that caused the event. What they raise is kept
        in `errors` and shown in the widget; it never stops the music.
        """
        if event not in self.events:
            raise ValueError(f"there is no event {event!r}; choose from {', '.join(self.events)}")
        if callback is None:
            return lambda function: self.on(event, function)
        self._handlers.setdefault(event, []).append(callback)
        return callback

    def off(self, event: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Stop calling `callback`."""
        if callback in self._handlers.get(event, []):
            self._handlers[event].remove(callback)

    def _fire(self, event: str, **facts: Any) -> None:
        for callback in list(self._handlers.get(event, [])):
            try:
                callback({"event": event, **facts})
            except Exception as problem:  # somebody else's code: report it where the person looks
                log.debug("callback for %r failed", event, exc_info=True)
                self.errors.append(problem)
                name = getattr(callback, "__name__", "callback")
                message = f"{name} (on {event!r}) raised {type(problem).__name__}: {problem}"
                self._report("callback", message, details=details_of(problem))

    def _report(self, code: str, message: str, hint: str = "", field: str = "", details: str = "") -> None:
        told = {"code": code, "message": message, "hint": next_step(code, hint), "field": field}
        self.error = {**told, "details": details} if details else told

    # ------------------------------------------------------------------------------------ page and threads

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._document.lock:
            yield

    def open(self) -> None:
        """Open the connection to the page (as in ipywidgets)."""
        super().open()
        # ipykernel 7.4 hands a page's message to the shell that last sent something on the comm, mostly the
        # main one, which is deaf while a cell runs. Let it go where the page sent it: to a helper thread.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _data, asked: asked

    def __setattr__(self, name: str, value: Any) -> None:
        # traitlets and ipywidgets keep state while a trait is set; hosts set traits from several threads
        document = self.__dict__.get("_document")
        if document is None or not self.has_trait(name):
            super().__setattr__(name, value)
            return
        with document.lock:
            super().__setattr__(name, value)

    def close(self) -> None:
        """Take the widget away (as in ipywidgets)."""
        if "_saved_picture" in self.__dict__:
            self._saved_picture.close()
        super().close()

    def trait_metadata(self, traitname: str, key: str, default: Any = None) -> Any:
        """Metadata of a trait (as in traitlets); the host's own echo is off: `set_state` tells other pages,
        and says which page's values it has seen.
        """
        return False if key == "echo_update" else super().trait_metadata(traitname, key, default)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send several trait changes in one message (as in ipywidgets)."""
        with self._locked(), super().hold_sync():
            yield

    def send_state(self, key: Any = None) -> None:
        """Send traits to the pages (as in ipywidgets), with what was seen of each page."""
        with self._locked():
            if key is not None:
                names = [key] if isinstance(key, str) else list(key)
                key = {*names, "_seen"} if self._pages.seen and is_shared(names) else key
            super().send_state(key)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what a page changed, and tell the others. A refused value is reported and the valid one
        sent back.
        """
        with self._locked(), self._drawn_by(sync_data.get("_stroke")):
            late = self._pages.brought(sync_data.get("_from"))
            others = self._pages.set_by(sync_data.get("_from"), [n for n in sync_data if n in self.keys])
            for name, value in sync_data.items():
                if name in ("_from", "_seen") or (late and name in DECIDED):
                    continue
                try:
                    check_plain(name, value)
                    super().set_state({name: value})
                except t.TraitError as problem:
                    self._report("invalid_value", str(problem), field=name)
                    self.send_state(name)
            if others:
                self.send_state(others)

    def _on_page_message(self, _widget: object, content: Any, buffers: list[memoryview] | None) -> None:
        """Answer every message of the page exactly once, whatever happens; those that change something in
        the order in which the page sent them.
        """
        place = place_of(content)
        if place is None:
            self._answer(content, buffers)
            return
        page, seq = place
        with self._locked():
            if not self._inbox.put(page, seq, (content, buffers)):
                known = self._inbox.answer(page, seq)
                if known is not None:
                    self.send(*known)
                return
            while (due := self._inbox.next(page)) is not None:
                self._inbox.answered(page, int(due[0]["seq"]), self._answer(*due))
            missing = self._inbox.missing(page)
            if missing is not None:
                self.send(gap_message(content["id"], missing))

    def _answer(
        self, content: Any, buffers: list[memoryview] | None
    ) -> tuple[dict[str, Any], list[bytes] | None]:
        """Carry out a request; the answer, which is sent."""
        request_id = content.get("id") if isinstance(content, dict) else None
        try:
            kind, request_id, fields = parse_request(content)
            if kind in _WITH_BUFFER:
                fields[_WITH_BUFFER[kind]] = buffers[0] if buffers else b""
            answer, attached = getattr(self, f"_request_{kind}")(**fields)
            message = ok_message(request_id, **answer)
        except ProtocolError as problem:
            if problem.code == "version":
                self._report("version", str(problem))
            hint = next_step(problem.code)
            message, attached = error_message(request_id, problem.code, str(problem), hint), None
        except UserError as problem:
            message, attached = error_message(request_id, *describe(problem)), None
        except Exception as problem:  # the rim between page and kernel: the page must get its answer
            log.debug("request failed", exc_info=True)
            message, attached = error_message(request_id, *describe(problem), details_of(problem)), None
        self.send(message, buffers=attached)
        return message, attached

    def _request_undo(self, drawn: Any = None) -> tuple[dict[str, Any], None]:
        return self._travelled(self.undo, drawn)

    def _request_redo(self, drawn: Any = None) -> tuple[dict[str, Any], None]:
        return self._travelled(self.redo, drawn)

    def _travelled(self, move: Callable[[], bool], drawn: Any) -> tuple[dict[str, Any], None]:
        with self._locked():
            if drawn is not None:
                self._take_drawn(drawn)
            before = self._document.state
            move()
            now = self._document.state
            return {"rev": self._document.rev, "changed": now.music is not before.music}, None

    def _request_doc(self) -> tuple[dict[str, Any], None]:
        with self._locked():
            self._send_document()
            self.send_state(["_doc", "_rev"])
            return {"rev": self._document.rev}, None

    def _request_ops(
        self, label: str, ops: Any, records: bytes | memoryview, merge: str = ""
    ) -> tuple[dict[str, Any], None]:
        if self.readonly:
            raise UserError("this roll is read-only", "readonly")
        with self._locked():
            old = self._document.score
            try:
                self._document.edit(ops, unpack_notes(records), str(label), str(merge))
            except (ProtocolError, ScoreError):
                self._send_document()  # the page showed its edit already: it gets the truth back
                raise
            calls = op_calls(ops, old.n_tracks)
            if calls is not None:
                self._log.say(f"roll.score = roll.score{calls}")
            # of tracks and bars the page has shown nothing yet, and what is beside them moves with them
            self._document_changed(old, soon=calls is None)
            return {"rev": self._document.rev}, None

    def _request_sync(self, job: str | None, have: int) -> tuple[dict[str, Any], list[bytes] | None]:
        return {"job": None}, None

    @t.default("_sound")
    def _packaged_sound(self) -> str:
        self._sound_files = packaged_sound()
        return self._sound_files.name if self._sound_files else ""

    @t.validate("soundfont")
    def _check_soundfont(self, proposal: Any) -> str:
        path = str(Path(proposal["value"]).expanduser()) if proposal["value"] else ""
        try:
            self._sound_files = SoundFiles(path) if path else packaged_sound()
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise t.TraitError(f"soundfont {path[-80:]!r}: {reason}") from problem
        self._sound = self._sound_files.name if self._sound_files else ""
        return str(path)

    def _request_desk(self) -> tuple[dict[str, Any], list[bytes]]:
        try:
            return {}, [desk_module()]
        except OSError as problem:
            hint = "install midigpt-nb again, or build the page with npm run build in js/"
            raise UserError("this installation lacks a part of the page", "no_desk", hint) from problem

    def _request_caps(self) -> tuple[dict[str, Any], None]:
        return {"caps": later_caps(self.caps)}, None

    def _request_sound(self, file: str, part: int) -> tuple[dict[str, Any], list[bytes]]:
        if file != "simple" and (not self._sound or self._sound_files is None):
            raise UserError("this installation has no sampled sound", "no_sound")
        try:
            data, parts = (self._sound_files or SoundFiles(None)).part(file, part)
        except ValueError as problem:
            raise UserError(str(problem), "no_sound") from problem
        return {"parts": parts}, [data]

    def _needs_a_model(self, **_fields: Any) -> Any:
        raise UserError("this roll has no model", "no_engine", "use InfillEditor(score) to generate")

    _request_generate: Callable[..., Any] = _needs_a_model
    _request_accept: Callable[..., Any] = _needs_a_model
    _request_discard: Callable[..., Any] = _needs_a_model
    _request_take_notes: Callable[..., Any] = _needs_a_model
    _request_outlook: Callable[..., Any] = _needs_a_model
    _request_uncertainty: Callable[..., Any] = _needs_a_model
    _request_chords: Callable[..., Any] = _needs_a_model

    def _request_cancel(self, job: str | None = None) -> tuple[dict[str, Any], None]:
        raise UserError("no generation is running", "no_job")

    def _check_sampling(self, settings: Mapping[str, Any]) -> None:
        """Raise TraitError for settings that do not exist; a roll without a model keeps any."""

    def _check_wishes(self, wishes: Mapping[str, Any]) -> None:
        """Raise TraitError for attributes that do not exist; a roll without a model keeps any."""

    # -------------------------------------------------------------------------------------------- display

    def __repr__(self) -> str:
        table = self._document.state.table
        longest = max((table.n_bars(i) for i in range(table.n_tracks)), default=0)
        counts = ((table.n_tracks, "track"), (longest, "bar"), (table.n_notes, "note"))
        words = ", ".join(f"{n:,} {word}{'' if n == 1 else 's'}" for n, word in counts)
        return f"{type(self).__name__}({words})"

    def preview_png(self) -> bytes:
        """A picture of the piece, at most 30 kB: what a saved notebook shows without a kernel."""
        from midigpt_nb.plots import roll_png

        with self._locked():
            rev, score = self._document.rev, self._document.score
        if self._preview is None or self._preview[0] != rev:
            self._preview = (rev, roll_png(score))
        return self._preview[1]

    _ipython_display_ = None  # ipywidgets 7 would display without the bundle

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data["text/plain"] = repr(self)
        try:
            picture = self.preview_png()
        except Exception:  # a picture that fails must not hide the widget
            log.debug("no preview", exc_info=True)
        else:
            if len(picture) <= PREVIEW_BYTES and not self._saved_picture.show():
                data["image/png"] = base64.b64encode(picture).decode("ascii")
        return data, metadata
