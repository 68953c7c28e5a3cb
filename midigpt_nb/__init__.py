"""Write music with a transformer inside a notebook.

>>> import midigpt_nb as mg
>>> score = mg.Score.example()
>>> score
Score(4 tracks, 16 bars, ...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midigpt_nb.lazy import lazy_names
from midigpt_nb.score.model import Bar, Note, Score, Track

if TYPE_CHECKING:
    from midigpt_nb.widgets.attribute_panel import AttributePanel
    from midigpt_nb.widgets.infill_editor import InfillEditor
    from midigpt_nb.widgets.live_file import write_midi
    from midigpt_nb.widgets.piano_roll import PianoRoll
    from midigpt_nb.widgets.show import show

__version__ = "0.1.0"

__all__ = [
    "AttributePanel",
    "Bar",
    "InfillEditor",
    "Note",
    "PianoRoll",
    "Score",
    "Track",
    "__version__",
    "show",
    "write_midi",
]

# Heavy names are imported on first use: `import midigpt_nb` loads neither torch, matplotlib nor anywidget.
__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        "AttributePanel": "midigpt_nb.widgets.attribute_panel",
        "InfillEditor": "midigpt_nb.widgets.infill_editor",
        "PianoRoll": "midigpt_nb.widgets.piano_roll",
        "show": "midigpt_nb.widgets.show",
        "write_midi": "midigpt_nb.widgets.live_file",
    },
)


def _draw(score: Score) -> bytes | None:
    from midigpt_nb.widgets.picture import score_png

    return score_png(score)


Score._picture = staticmethod(_draw)
