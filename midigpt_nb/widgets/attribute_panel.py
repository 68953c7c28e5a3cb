"""`AttributePanel(editor)`: the wishes and curves of an editor, without its roll."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets
import traitlets as t

from midigpt_nb.widgets.infill_editor import InfillEditor
from midigpt_nb.widgets.piano_roll import page_files

__all__ = ["AttributePanel"]


class AttributePanel(anywidget.AnyWidget):
    """What is asked of the model, in a place of its own: bars to choose, curves, wishes and settings.

    It shows the same state as the editor's roll, wherever that is shown, or not at all: what is set in one of
    them is set in the other, and Python reads it from the editor (``panel.editor.attributes``).

    >>> editor = InfillEditor(Score.example())
    >>> AttributePanel(editor)
    AttributePanel(InfillEditor(4 tracks, 16 bars, ...))

    Raises TypeError for anything that is no `InfillEditor`.
    """

    _esm = t.Unicode().tag(sync=True)
    _css = t.Unicode().tag(sync=True)
    _roll = t.Instance(InfillEditor).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, editor: InfillEditor, **kwargs: Any) -> None:
        if not isinstance(editor, InfillEditor):
            raise TypeError(f"AttributePanel(editor) needs an InfillEditor, not {type(editor).__name__}")
        known = set(ipywidgets.DOMWidget.class_trait_names())
        for name in kwargs:
            if name.startswith("_") or name not in known:
                raise TypeError(f"AttributePanel() has no argument {name!r}")
        script, style = page_files()
        super().__init__(_esm=script, _css=style, _roll=editor, **kwargs)

    @property
    def editor(self) -> InfillEditor:
        """The editor whose wishes it shows."""
        return self._roll

    def __repr__(self) -> str:
        return f"AttributePanel({self._roll!r})"

    _ipython_display_ = None  # ipywidgets 7 would display without the bundle

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        self._roll.prepare()
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": repr(self)}, metadata
