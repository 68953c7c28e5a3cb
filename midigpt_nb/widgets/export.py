"""`roll.to_html(path)`: the roll as one file that plays, zooms and edits without a notebook or a network.

The file carries the bundle of the page, the document, the sound of the instruments in it and a small stand-in
for the kernel (`static/export.js`), compressed and unpacked by the browser itself.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.score.model import Score
from midigpt_nb.widgets.desk import desk_module
from midigpt_nb.widgets.sound import SIMPLE, WORKLET, packaged_sound
from midigpt_nb.widgets.soundfont import SoundFontError, subset

if TYPE_CHECKING:
    from midigpt_nb.widgets.piano_roll import PianoRoll

__all__ = ["export_html", "used_presets"]

_STATIC = Path(__file__).parent / "static"
LICENCES = WORKLET.parent / "licences"
UNAVAILABLE = (
    "This is an exported page: it plays, zooms, edits and saves MIDI. "
    "Open the notebook it came from to write new bars."
)
_LEFT_OUT = {
    "_esm", "_css", "_doc", "_rev", "_sound", "layout", "tabbable", "tooltip", "tooltips", "takes", "error"
}  # fmt: skip
_RESET = {"status": "idle", "progress": 0.0, "playing": False, "position": 0, "error": None,
          "can_undo": False, "can_redo": False, "takes": [], "active_take": "", "comp": {}}  # fmt: skip

# No address but the page's own data can be fetched: nothing is asked of any network.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline'; img-src data: blob:; worker-src blob: data:; connect-src blob: data:"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="midigpt-nb">
<title>{title}</title>
<style>
:root {{ color-scheme: {scheme}; --jp-layout-color0: Canvas; --jp-ui-font-color1: CanvasText }}
body {{ margin: 16px; font: 14px/1.4 system-ui, sans-serif; background: Canvas; color: CanvasText }}
h1 {{ font-size: 17px; font-weight: 600; margin: 0 0 10px }}
footer {{ margin-top: 10px; font-size: 12px; opacity: .75 }}
pre {{ white-space: pre-wrap; max-height: 20em; overflow: auto }}
</style>
<style>{css}</style>
</head>
<body>
{heading}<div id="mgnb"></div>
<noscript><img alt="{alt}" src="data:image/png;base64,{picture}" style="max-width: 100%"></noscript>
<footer>{credit}{licences}</footer>
<script type="application/octet-stream" id="mgnb-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""
_CREDIT = "Made with midigpt-nb."
_SOUND_CREDIT = (
    " Sounds: FluidR3 Mono GM, © 2014-2017 Michael Cowgill, from FluidR3 GM, © 2000-2002, 2008 Frank Wen, "
    "MIT licence."
)


def used_presets(roll: PianoRoll) -> list[tuple[bool, int]]:
    """(drum kit, program) of the tracks, each once."""
    tracks = np.asarray(roll._document.state.table.tracks)
    return sorted({(bool(drum), int(program)) for _, program, drum in tracks.tolist()})


def file_facts(score: Score, midi: bytes) -> tuple[list[tuple[int, int] | None], list[int]]:
    """How the score stands in its MIDI file: (chunk, channel) of each track (None for one without notes), and
    the length of each bar in ticks of the file.
    """
    written = Score.from_bytes(midi) if midi else None
    if written is None or written.source is None:
        return [], []
    bars = written.source.file.bars
    lengths = [*np.diff(bars[:, 0]).tolist(), *bars[-1:, 1].tolist()]
    seats = [(chunk, channel) for chunk, channel, _ in written.source.file.track_sources]
    free = dict(enumerate(_music_of(written)))
    found: list[tuple[int, int] | None] = []
    for music in _music_of(score.resample(written.resolution)):
        same = next((place for place, own in free.items() if own == music), None)
        found.append(None if same is None else seats[same])
        free.pop(-1 if same is None else same, None)
    return found, lengths


def _music_of(score: Score) -> list[tuple[Any, ...]]:
    """What a track is told by: kind, program and the beginnings of its notes."""
    table = score.table
    rows = np.asarray(table.notes)
    music = []
    for track, (_, program, drum) in enumerate(np.asarray(table.tracks).tolist()):
        bars = range(table.n_bars(track))
        notes = [rows[slice(*table.note_rows(track, bar))][:, [0, 2]] for bar in bars]
        music.append(
            (program, drum, tuple(tuple(sorted(map(tuple, bar.tolist()))) for bar in notes if len(bar)))
        )
    return music


def export_html(roll: PianoRoll) -> str:
    """The page as text. Raises `FileNotFoundError` in an installation without the built front end."""
    with roll._locked():
        roll._send_document()
        state = {
            name: value
            for name, value in roll.get_state().items()
            if name not in _LEFT_OUT and (name == "_instruments" or not name.startswith("_"))
        }
        document, midi, title = roll._doc, roll._document.score.to_midi() or b"", roll._title
        seats, bars = file_facts(roll._document.score, midi)
        presets = used_presets(roll)
        caps = dict(roll.caps)
        measured = roll._measures()  # of the score: the roll may show a take, or not have measured yet
    state |= {name: value for name, value in _RESET.items() if name in state or name == "error"} | measured
    state["caps"] = {**caps, "unavailable": UNAVAILABLE, "exported": True}
    files = {
        "widget.js": (_STATIC / "widget.js").read_bytes(),
        "desk": desk_module(),
        "document": bytes(document),
        "midi": midi,
        "simple": SIMPLE.read_bytes(),
    }
    bank = _bank(roll, presets)
    if bank:
        files |= {"worklet": WORKLET.read_bytes(), "bank": bank}
        state["_sound"] = f"export-{hashlib.sha256(bank).hexdigest()[:12]}"
    else:
        state["_sound"] = ""
    name = f"{Path(title).stem or 'score'}.mid"
    packaged = roll.soundfont == ""
    return _PAGE.format(
        policy=html.escape(_POLICY, quote=True),
        title=html.escape(title or "Piano roll"),
        scheme={"light": "light", "dark": "dark"}.get(roll.theme, "light dark"),
        css=(_STATIC / "widget.css").read_text(encoding="utf-8"),
        heading=f"<h1>{html.escape(title)}</h1>\n" if title else "",
        alt=html.escape(repr(roll), quote=True),
        picture=base64.b64encode(roll.preview_png()).decode("ascii"),
        credit=html.escape(_CREDIT + (_SOUND_CREDIT if bank and packaged else "")),
        licences=_licences() if bank else "",
        data=_packed({"state": state, "name": name, "seats": seats, "bars": bars}, files),
        script=(_STATIC / "export.js").read_text(encoding="utf-8").replace("</script", "<\\/script"),
    )


def _bank(roll: PianoRoll, presets: list[tuple[bool, int]]) -> bytes:
    """The sounds of these tracks; none in an installation without sampled sound."""
    packaged = packaged_sound()
    for sound in (roll._sound_files, packaged):
        if sound is not None and WORKLET.exists():
            try:
                return subset(sound.path.read_bytes(), presets)
            except (OSError, SoundFontError):
                continue  # a font of the user's that cannot be cut: the packaged one sounds instead
    return b""


def _licences() -> str:
    """The texts that have to go wherever the sounds and their player go."""
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted(LICENCES.glob("*"))]
    body = html.escape("\n\n----\n\n".join(texts))
    return f"<details><summary>Licences of the sounds and their player</summary><pre>{body}</pre></details>"


def _packed(facts: dict[str, Any], files: dict[str, bytes]) -> str:
    """Base 64 of gzip of: u32 length, JSON header with the sizes of the files, the files."""
    header = {**facts, "files": {name: len(data) for name, data in files.items()}}
    text = json.dumps(header, separators=(",", ":"), default=_plain).encode("utf-8")
    body = len(text).to_bytes(4, "little") + text + b"".join(files.values())
    return base64.b64encode(gzip.compress(body, 9, mtime=0)).decode("ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot go into a page")
