"""The picture that a saved notebook shows where no kernel is.

In most hosts the picture lies in the widget's own output. JupyterLab and Notebook prefer the widget there,
even when it cannot be had any more, and show an error instead. So in them an output of its own, right above
the roll, holds the picture; the page's style sheet hides it as long as the roll below it is alive. It follows
the music, so that what is saved is what was there last.
"""

from __future__ import annotations

import base64
import logging
import os
import sys
import threading
import uuid
from collections.abc import Callable

from midigpt_nb.widgets.later import Later

__all__ = ["FOLLOW_SECONDS", "SavedPicture", "host_needs_it"]

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 1.5
"""The picture is drawn anew so long after the last change."""


def host_needs_it() -> bool:
    """Whether this kernel was started by a Jupyter server (other hosts fall back by themselves)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None and "JPY_SESSION_NAME" in os.environ


class SavedPicture:
    """Publishes the picture that `draw` gives (PNG bytes) and keeps it up to date. Usable from any thread."""

    def __init__(self, draw: Callable[[], bytes]) -> None:
        self._draw = draw
        self._ids: list[str] = []
        self._later = Later(self._again)
        self._lock = threading.Lock()

    def show(self) -> bool:
        """Publish it into the cell that runs now; False where the widget's own output has to have it."""
        if not host_needs_it():
            return False
        shown = uuid.uuid4().hex
        try:
            _publish(shown, self._draw(), update=False)
        except Exception:  # a picture that fails must not hide the widget
            log.debug("no picture for the saved notebook", exc_info=True)
            return False
        with self._lock:
            self._ids.append(shown)
        return True

    def changed(self) -> None:
        """The music is another: draw again when it has been quiet for a moment."""
        with self._lock:
            if not self._ids:
                return
            self._later.ask(FOLLOW_SECONDS, again=True)

    def close(self) -> None:
        """Follow no longer; what was published stays."""
        with self._lock:
            self._ids.clear()
        self._later.cancel()

    def _again(self) -> None:
        with self._lock:
            ids = list(self._ids)
        try:
            picture = self._draw()
            for shown in ids:
                _publish(shown, picture, update=True)
        except Exception:  # nobody waits for it
            log.debug("the picture for the saved notebook is not up to date", exc_info=True)


def _publish(display_id: str, png: bytes, *, update: bool) -> None:
    from IPython.display import publish_display_data

    data = {"image/png": base64.b64encode(png).decode("ascii"), "text/plain": ""}
    publish_display_data(data, transient={"display_id": display_id}, update=update)
