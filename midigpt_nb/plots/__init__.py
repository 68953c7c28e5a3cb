"""Pictures of music: static piano rolls, before and after, attribute curves, token strips.

>>> import midigpt_nb as mg
>>> from midigpt_nb.plots import plot_roll
>>> figure = plot_roll(mg.Score.example(), bars=(0, 4))

Every function returns a `matplotlib.figure.Figure` that shows itself as the result of a notebook cell and
never touches pyplot, so drawing is safe in any thread. Importing this package loads matplotlib; importing
`midigpt_nb` does not.
"""

from __future__ import annotations

from midigpt_nb.plots.attributes import plot_attributes
from midigpt_nb.plots.piano_roll import plot_diff, plot_roll, roll_png
from midigpt_nb.plots.tokens import plot_tokens

__all__ = ["plot_attributes", "plot_diff", "plot_roll", "plot_tokens", "roll_png"]
