"""Attribute curves: values per bar, marks for wishes, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.inference import InferenceEngine
from midigpt_nb.plots import plot_attributes
from midigpt_nb.plots.attributes import everything, per_bar


def curve(axes, index=0):
    return axes.get_lines()[index].get_ydata()


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_values_per_bar(band):
    analyzer = everything()
    assert per_bar(analyzer, analyzer.get("bar_max_polyphony"), band, 2).tolist() == [2, 2, 0, 2, 2, 2, 2, 2]
    spans = per_bar(analyzer, analyzer.get("pitch_range"), band, 2)
    assert np.isnan(spans[2])
    assert spans[[0, 1, 3]].tolist() == [7, 7, 7]
    assert len(per_bar(analyzer, analyzer.get("pitch_range"), band, 9)) == 0


def test_a_row_per_attribute_and_a_column_per_track(band):
    figure = plot_attributes(band, ["bar_note_density", "bar_max_polyphony"])
    assert len(figure.axes) == 2 * 3
    assert curve(figure.axes[5]).tolist() == [2, 2, 0, 2, 2, 2, 2, 2]
    # Polyphony says nothing about drums.
    assert not figure.axes[4].get_lines()
    assert [text.get_text() for text in figure.axes[4].texts] == ["not for drums"]
    assert labels(figure) == ["measured"]


def test_before_and_after_share_the_height_of_their_row(band, changed):
    figure = plot_attributes({"before": band, "after": changed}, ["pitch_range"], [0, 2], targets=[(0, 4)])
    assert labels(figure) == ["before", "after", "generated"]
    left, right = figure.axes
    assert curve(left, 0)[4] == 4 and curve(left, 1)[4] == 4
    assert left.get_ylim() == right.get_ylim()
    assert curve(left, 0)[0] == curve(left, 1)[0]


def test_wishes_are_rings_and_announced_values_strokes(band):
    requested = {
        "bar": {"0": {"4": {"note_density": 6}, "5": {"bar_note_density": 7}}},
        "track": {"0": {"max_note_duration": 3}},
    }
    figure = plot_attributes(
        band,
        ["bar_note_density", "max_note_duration"],
        [0],
        requested,
        [(0, 4), (0, 5)],
        announced={"bar": {0: {4: {"bar_note_density": 5}}}},
    )
    assert labels(figure) == ["measured", "requested", "announced", "generated"]

    def rings(axes):
        return [
            c.get_offsets().tolist()
            for c in axes.collections
            if len(c.get_offsets()) > 1 or c.get_offsets().any()
        ]

    assert rings(figure.axes[0]) == [[[4.5, 6.0], [5.5, 7.0]]]
    # A wish for the track holds in each written bar.
    assert rings(figure.axes[1]) == [[[4.5, 3.0], [5.5, 3.0]]]


def test_bars_can_be_chosen(band):
    figure = plot_attributes(band, "bar_note_density", [0], bars=(2, 5))
    assert figure.axes[0].get_xlim() == (2, 5)
    assert len(curve(figure.axes[0])) == 3


def test_several_takes_differ_in_colour_marker_and_line(band):
    figure = plot_attributes(
        {"original": band, **{f"take {i}": band for i in range(3)}}, ["bar_note_density"], [0]
    )
    looks = {
        (line.get_color(), line.get_marker(), line.get_linestyle()) for line in figure.axes[0].get_lines()
    }
    assert len(looks) == 4
    assert len(set(curve(figure.axes[0]).tolist())) >= 1


def test_a_models_own_attributes_are_used_when_given(band):
    analyzer = AttributeAnalyzer.from_config(
        {"attribute_controls": [{"name": "nomml"}, {"name": "pitch_range"}]}
    )
    assert len(plot_attributes(band, tracks=[0], analyzer=analyzer).axes) == 2


def test_mistakes_are_named(band):
    with pytest.raises(ValueError, match="did you mean 'pitch_range'"):
        plot_attributes(band, ["pitch_rang"])
    with pytest.raises(ValueError, match="no score"):
        plot_attributes({})
    with pytest.raises(ValueError, match=r"wishes are .*; they look like \{'track': \{1: "):
        plot_attributes(band, requested={1: {"note_density": 3}})
    with pytest.raises(TypeError, match=r"score is \['x'\]; it must be a Score"):
        plot_attributes(["x"])
    with pytest.raises(TypeError, match=r"score\['after'\] is None; it must be a Score"):
        plot_attributes({"before": band, "after": None})


def test_every_attribute_of_the_bundled_model_has_a_curve(band):
    names = InferenceEngine.from_pretrained().attributes.attribute_sizes()
    figure = plot_attributes(band, list(names), tracks=[2])
    keys = figure.axes[list(names).index("key_signature")]
    (key,) = {
        value for value in curve(keys) if not np.isnan(value)
    }  # the key has no high and low: its name stands where the curve is
    assert keys.get_yticks().tolist() == [key]
    assert keys.get_yticklabels()[0].get_text() == everything().get("key_signature").describe(int(key))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_itself(band, theme):
    png, size = plot_attributes(band, theme=theme, title="Curves", width=640)._repr_png_()
    assert png[:4] == b"\x89PNG"
    assert size["width"] == 640
