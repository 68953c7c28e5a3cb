"""The token strip: every token has a readable box."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.patches import Rectangle

from midigpt_nb.plots import plot_tokens
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

CONFIG = {
    "resolution": 12,
    "decode_resolution": 480,
    "time_signatures": ["4/4", "3/4"],
    "num_bars_map": [4, 8],
    "supports_infill": True,
    "attribute_formulas": "exact",
    "attribute_controls": [
        {"name": "note_density_quantile", "params": {"track_type": "both"}},
        {"name": "key_signature"},
        {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}},
    ],
}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(EncoderConfig.from_dict(CONFIG))


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_token_has_a_box_with_words(band, tokenizer):
    ids = tokenizer.encode(band)
    figure = plot_tokens(ids, tokenizer, count=len(ids))
    found = texts(figure)
    boxes = [
        patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle) and patch.get_width() > 10
    ]
    assert len(boxes) == len(ids)
    assert "piece" in found and "8 bars" in found and "drum track" in found and "drum kit" in found
    assert found.count("bar") == 24
    assert found.count("track end") == 3
    assert "C4" in found and "Closed hat" in found and "len 24" in found and "at 12" in found
    assert "key signature: C major" in found
    assert "max polyphony: 3 voices" in found


def test_boxes_of_a_line_do_not_overlap_and_stay_inside(band, tokenizer):
    figure = plot_tokens(tokenizer.encode(band), tokenizer, width=500)
    boxes = [patch for patch in figure.axes[0].patches if patch.get_width() > 10]
    for left, right in pairwise(boxes):
        if left.get_y() == right.get_y():
            assert left.get_x() + left.get_width() < right.get_x()
    assert max(box.get_x() + box.get_width() for box in boxes) <= 500


def test_labels_fit_their_boxes(band, tokenizer):
    figure = plot_tokens(tokenizer.encode(band), tokenizer, count=60)
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = [patch for patch in axes.patches if patch.get_width() > 10]
    places = {(round(box.get_x() + 6.5, 3), round(box.get_y() + 9.0, 3)): box for box in boxes}
    checked = 0
    for text in axes.texts:
        box = places.get(tuple(round(v, 3) for v in text.get_position()))
        if box is not None:
            assert text.get_window_extent().x1 <= box.get_window_extent().x1
            checked += 1
    assert checked == len(boxes)


def test_a_part_of_a_long_list(band, tokenizer):
    ids = tokenizer.encode(band)
    found = texts(plot_tokens(ids, tokenizer, start=10, count=20))
    assert f"… and {len(ids) - 30:,} more tokens" in found
    assert "10" in found


def test_nothing_to_show_and_wrong_ranges(tokenizer):
    assert plot_tokens([], tokenizer)._repr_png_()[0][:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="count"):
        plot_tokens([0], tokenizer, count=0)
