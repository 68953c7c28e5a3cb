"""The part of a roll that reads and writes files: projects, pages, MIDI that comes and goes by the page."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import traitlets as t

from midigpt_nb.errors import ProjectError, ScoreError
from midigpt_nb.score.model import Score
from midigpt_nb.widgets.autosave import MOST_BYTES, Autosave, read_kept, set_traits
from midigpt_nb.widgets.parts import part_of
from midigpt_nb.widgets.project import SAVED_TRAITS, Project
from midigpt_nb.widgets.protocol import ProtocolError
from midigpt_nb.widgets.track_numbers import mix_by_place
from midigpt_nb.widgets.writing import readable, write_whole

if TYPE_CHECKING:
    from typing_extensions import Self

    from midigpt_nb.widgets.action_log import ActionLog
    from midigpt_nb.widgets.beside import Beside
    from midigpt_nb.widgets.document import Document

__all__ = ["MOST_UPLOAD_BYTES", "RollFiles"]

PART_BYTES = 512 << 10
"""Largest part of an uploaded file."""
MOST_UPLOAD_BYTES = 32 << 20
_MOST_SENDING = 4
"""Files that pages fetch at a time; older ones are forgotten."""
_FILES: dict[str, tuple[str, str, Callable[[Any], bytes]]] = {
    "midi": ("score", ".mid", lambda roll: roll.to_midi()),
    "project": ("roll", ".mgnb", lambda roll: roll._project().pack()),
    "html": ("roll", ".html", lambda roll: roll.to_html().encode("utf-8")),
    "code": ("roll", ".py", lambda roll: roll.code().encode("utf-8")),
}
"""What a page can fetch: the file's name without a title, its ending, how it is made."""
_OTHER_KINDS = {".mid": "to_midi", ".midi": "to_midi", ".html": "to_html", ".wav": "render_audio"}
"""Endings that no project has, and the method that is likely meant."""
_OF_THE_VIEW = ("theme", "height")
"""Traits of a project that a roll in use does not take over."""


class RollFiles:
    """Methods of `PianoRoll` that have to do with files."""

    _beside: Beside
    _document: Document
    _log: ActionLog
    _title: str
    _kept: Autosave
    _autosave: dict[str, Any]
    _upload: tuple[str, bytearray] | None = None
    _return: bytearray | None = None
    _sending: dict[str, bytes] | None = None

    # ------------------------------------------------------------------------------------------ projects

    def save(self, path: str | Path) -> Path:
        """Keep everything in a file (``song.mgnb``) and return its path.

        Everything: score, roles, wishes, settings, loop, open takes.

        `from_file` opens it again. Any program that reads zip files finds the piece in it as ``score.mid``.
        Raises `ProjectError` when the file cannot be written, or when its name is that of another kind of
        file; what was there before is untouched then.
        """
        other = _OTHER_KINDS.get(Path(str(path)).suffix.lower())
        if other:
            raise ProjectError(
                f"save would make {str(path)!r} a project: name it song.mgnb, or call {other}() instead"
            )
        self._project().save(path)
        self._autosave = self._kept.saved()
        return readable(path)

    def _project(self) -> Project:
        with self._document.lock:
            traits = {name: getattr(self, name) for name in SAVED_TRAITS if self.has_trait(name)}  # type: ignore[attr-defined]
            traits["selection"] = {"cells": self.selection["cells"]}  # type: ignore[attr-defined]  # notes get other ids
            traits["mix"] = mix_by_place(self.mix, self._document.state.track_numbers)  # type: ignore[attr-defined]
            return Project(self._document.score, self._title, traits, *self._plain_takes())

    def _plain_takes(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The open takes, and what is chosen of them: a roll without a model has none."""
        return [], {}

    def _reopen(self, takes: list[dict[str, Any]], choice: dict[str, Any]) -> None:
        """Open the takes of a file again."""

    @classmethod
    def from_file(cls, path: str | Path, *args: Any, **kwargs: Any) -> Self:
        """A roll of a file: one that `save` wrote, or a MIDI file.

        Further arguments go to the class (``InfillEditor.from_file("song.mgnb", engine)``) and win over what
        the file says. (`open` is a method of every widget: it opens the connection to the page.)
        Raises `ProjectError` for a .mgnb file that is damaged or too new, `ScoreError` for MIDI.

        >>> path = roll.save("song.mgnb")
        >>> InfillEditor.from_file(path).score == roll.score
        True
        """
        path = readable(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ProjectError(f"{str(path)!r} is no file")
        if not _is_zip(path):
            kwargs.setdefault("title", path.name)
            roll = cls(Score.from_midi(path), *args, **kwargs)  # type: ignore[call-arg]
            roll._log.path = path
            return roll
        project = Project.load(path)
        known = set(cls.class_trait_names())  # type: ignore[attr-defined]
        traits = {name: value for name, value in project.traits.items() if name in known}
        try:
            roll = cls(project.score, *args, **{"title": project.title, **traits, **kwargs})  # type: ignore[call-arg]
        except t.TraitError as problem:
            raise ProjectError(f"{path.name} says something impossible: {problem}") from problem
        roll._reopen(project.takes, project.choice)
        roll._kept.begin()
        return roll

    # ------------------------------------------------------------------------------------------- exports

    @overload
    def to_html(self, path: None = None) -> str: ...

    @overload
    def to_html(self, path: str | Path) -> Path: ...

    def to_html(self, path: str | Path | None = None) -> str | Path:
        """Write one self-contained page and return its path, or return it as text when `path` is None.

        It opens from disk without any network: plays the sampled sounds of its instruments, zooms, edits with
        undo and saves MIDI. Bars cannot be written anew there, and the page says so. Raises `ProjectError`
        when the file cannot be written.
        """
        from midigpt_nb.widgets.export import export_html

        text = export_html(self)  # type: ignore[arg-type]
        if path is None:
            return text
        write_whole(path, text.encode("utf-8"))
        return readable(path)

    def render_audio(
        self,
        path: str | Path | None = None,
        *,
        bars: range | tuple[int, int] | None = None,
        sample_rate: int | None = None,
    ) -> Any:
        """The music as sound that Python makes, for hosts whose pages are silent, and for files.

        As the last line of a cell it is a player; with `path` it is written as a WAV file, and the path is
        returned. Muted tracks are silent; where some play solo, all others are. `bars` is a range or
        ``(first, end)``, from 0 (None: all). `sample_rate` None: 22050 for a player, 44100 for a file.

        Raises ValueError for bars or a rate that cannot be, `ProjectError` when the file cannot be written.

        >>> roll.render_audio()                                        # doctest: +SKIP
        >>> roll.render_audio("song.wav", bars=range(4, 8))            # doctest: +SKIP
        """
        from midigpt_nb.audio import SAMPLE_RATE, render, write_wav

        with self._document.lock:
            score = self._document.score
            mix = mix_by_place(self.mix, self._document.state.track_numbers)  # type: ignore[attr-defined]
        alone = [int(track) for track, own in mix.items() if own.get("soloed")]
        silent = {int(track) for track, own in mix.items() if own.get("muted")}
        heard = alone or [track for track in range(score.n_tracks) if track not in silent]
        span = (bars.start, bars.stop) if isinstance(bars, range) else bars
        rate = sample_rate or (SAMPLE_RATE // 2 if path is None else SAMPLE_RATE)
        file = io.BytesIO()
        write_wav(file, render(score, sample_rate=rate, bars=span, tracks=sorted(heard)), sample_rate=rate)
        if path is None:
            from IPython.display import Audio

            return Audio(file.getvalue())
        write_whole(path, file.getvalue())
        return readable(path)

    def _measures(self) -> dict[str, Any]:
        """Traits that say what is measured in the score as it is now; a roll without a model has none."""
        return {}

    def code(self) -> str:
        """A Python program that comes to the same score: every gesture and every generation as a line.

        What was undone is not in it; the settings as they are now stand at its end.

        >>> print(roll.code())
        import midigpt_nb as mg
        ...
        """
        with self._document.lock:
            defaults = {"selection": {"cells": []}, "attributes": {"track": {}, "bar": {}}, "snap": "1/16"}
            defaults["chord_mode"] = "soft"
            names = ("selection", "attributes", "sampling", "show_lanes", "loop", "snap", "plan",
                     "chords", "chord_mode", "piece")  # fmt: skip
            now = {name: getattr(self, name) for name in names if self.has_trait(name)}  # type: ignore[attr-defined]
            now["selection"] = {"cells": now["selection"]["cells"]}  # ids of notes mean nothing in a program
            settings = {name: value for name, value in now.items() if value and value != defaults.get(name)}
            return self._log.program(self._constructor, settings)

    def _constructor(self, score: str) -> str:
        return f"roll = mg.PianoRoll({score})"

    # ------------------------------------------------------------------------------------------ the page

    def _request_file(self, what: str, part: int, key: str = "") -> tuple[dict[str, Any], list[bytes]]:
        """A part of a file that is made of the roll; the first request makes the file."""
        if what not in _FILES:
            raise ProtocolError(f"there is no file {what!r}; choose from {', '.join(map(repr, _FILES))}")
        stem, suffix, make = _FILES[what]
        made = make(self) if part == 0 else b""
        with self._document.lock:
            sending = self._sending = self._sending or {}
            if made:
                key = uuid.uuid4().hex[:8]
                sending[key] = made
                for old in list(sending)[:-_MOST_SENDING]:
                    del sending[old]
            whole = sending.get(str(key), b"")
            try:
                place, parts = part_of(len(whole), part)
            except ValueError:
                place, parts = slice(0), 0
            if not whole or not parts:
                raise ProtocolError("the parts of the file come in order, from the first on; try again")
            if part == parts - 1:
                del sending[str(key)]
        name = f"{Path(self._title).stem or stem}{suffix}"
        return {"parts": parts, "key": str(key), "name": name}, [whole[place]]

    def _request_example(self) -> tuple[dict[str, Any], None]:
        if self.readonly:  # type: ignore[attr-defined]
            raise ProtocolError("this roll is read-only", "readonly")
        with self._document.lock:
            self._title = ""
            self._assign(Score.example(), "Load the example")  # type: ignore[attr-defined]
            return {"rev": self._document.rev}, None

    def _request_upload(
        self, name: str, part: int, parts: int, data: bytes | memoryview = b""
    ) -> tuple[dict[str, Any], None]:
        """Gather the parts of a MIDI file or a project; the last one makes it the document: one undo step."""
        if self.readonly:  # type: ignore[attr-defined]
            raise ProtocolError("this roll is read-only", "readonly")
        if len(data) > PART_BYTES or not isinstance(parts, int) or parts * PART_BYTES > MOST_UPLOAD_BYTES:
            raise ProtocolError(f"files come in parts of {PART_BYTES} bytes, {MOST_UPLOAD_BYTES} in all")
        with self._document.lock:
            if part == 0:
                self._upload = (str(name), bytearray())
            if self._upload is None or self._upload[0] != name or part * PART_BYTES != len(self._upload[1]):
                self._upload = None
                raise ProtocolError("the parts of the file came in another order; drop it again")
            self._upload[1].extend(data)
            if part < parts - 1:
                return {}, None
            whole, self._upload = bytes(self._upload[1]), None
        file = Path(str(name)).name
        try:
            opened = Project.unpack(whole) if _says_zip(file, whole) else Score.from_bytes(whole)
        except (ProjectError, ScoreError) as error:
            raise type(error)(f"cannot read {file!r}: {error}") from error
        with self._document.lock:
            self._title = file
            if isinstance(opened, Project):
                self._take_over(opened, f"Open {file}")
            else:
                self._log.say_file(file)
                self._assign(opened, f"Open {file}")  # type: ignore[attr-defined]
                self._log.say_file("")
            return {"rev": self._document.rev}, None

    def _request_keep(self) -> tuple[dict[str, Any], list[bytes] | None]:
        """The project for the page's autosave; nothing comes when nothing is worth keeping, or too much."""
        if not self._kept.changed:
            return {"rev": self._document.rev, "changed": False}, None
        rev, data = self._kept.pack()
        return {"rev": rev, "changed": True}, [data] if len(data) <= MOST_BYTES else None

    def _request_restore(
        self, part: int, parts: int, file: bool = False, data: bytes | memoryview = b""
    ) -> tuple[dict[str, Any], list[bytes] | None]:
        """What a page kept comes back, in parts: as one undo step, or, with `file`, as a project file."""
        if self.readonly and not file:  # type: ignore[attr-defined]
            raise ProtocolError("this roll is read-only", "readonly")
        whole = not isinstance(part, bool) and isinstance(part, int) and isinstance(parts, int)
        if not whole or len(data) > PART_BYTES or not 0 <= part < parts <= MOST_UPLOAD_BYTES // PART_BYTES:
            raise ProtocolError(f"it comes in parts of {PART_BYTES} bytes, {MOST_UPLOAD_BYTES} in all")
        with self._document.lock:
            if part == 0:
                self._return = bytearray()
            if self._return is None or part * PART_BYTES != len(self._return):
                self._return = None
                raise ProtocolError("the parts came in another order; try again")
            self._return.extend(data)
            if part < parts - 1:
                return {}, None
            frame, self._return = bytes(self._return), None
            kept = read_kept(frame, self._kept.start)
            answer = {"rev": self._document.rev, "count": kept.done, "lost": kept.lost}
            if file:
                return answer, [kept.project.pack()]
            self._take_over(kept.project, "Restore unsaved changes")
            return {**answer, "rev": self._document.rev}, None

    def _take_over(self, project: Project, label: str) -> None:
        """Make it the document, as one undo step, with everything that was decided beside it."""
        document, before = self._document, self._document.state
        names = [n for n in project.traits if n not in _OF_THE_VIEW and self.has_trait(n)]  # type: ignore[attr-defined]
        traits, whole = {n: project.traits[n] for n in names}, {n: getattr(self, n) for n in names}
        with self.hold_sync():  # type: ignore[attr-defined]
            self._title = project.title or self._title
            self._assign(project.score, label)  # type: ignore[attr-defined]
            places = {str(i): str(number) for i, number in enumerate(document.state.track_numbers)}
            mix = traits.get("mix")
            if isinstance(mix, dict):
                traits["mix"] = {places[key]: own for key, own in mix.items() if key in places}
            if document.state.music is before.music:  # other wishes for it are steps of their own
                set_traits(self, traits)
            else:
                with self._following():  # type: ignore[attr-defined]
                    set_traits(self, traits)
                self._beside.opened(before, whole, document.state, {n: getattr(self, n) for n in names})
            self._reopen(project.takes, project.choice)


def _is_zip(path: Path) -> bool:
    if path.suffix.lower() == ".mgnb":
        return True
    try:
        if not path.is_file():  # a pipe would wait for ever
            return False
        with path.open("rb") as stream:
            return _says_zip("", stream.read(4))
    except OSError:
        return False


def _says_zip(name: str, beginning: bytes) -> bool:
    return Path(name).suffix.lower() == ".mgnb" or beginning.startswith(b"PK\x03\x04")
