"""Static rolls: geometry, what is shown, and the small picture of saved notebooks."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from io import BytesIO

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from midigpt_nb.plots import plot_diff, plot_roll, roll_png
from midigpt_nb.plots.lanes import (
    lane_rows,
    pitch_name,
    placed_notes,
    short_drum_name,
    stack_lanes,
)
from midigpt_nb.plots.style import THEMES
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.score.places import bar_range


def boxes(figure):
    """Every drawn note box as (left, top, right, bottom), in quarters and pixels."""
    found = []
    for collection in figure.axes[0].collections:
        if isinstance(collection, PolyCollection):
            for path in collection.get_paths():
                low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
                found.append((low[0], low[1], high[0], high[1]))
    return np.array(found).reshape(-1, 4)


def texts(figure):
    return [text.get_text() for text in [*figure.texts, *figure.axes[0].texts]]


def test_every_note_has_a_box_at_its_time(band):
    drawn = boxes(plot_roll(band))
    assert len(drawn) == band.n_notes
    expected = np.concatenate([placed_notes(band, track, (0, 8)).start for track in range(3)])
    assert np.allclose(np.sort(drawn[:, 0]), np.sort(expected))


def test_bars_and_tracks_can_be_chosen(band):
    figure = plot_roll(band, bars=(6, 8), tracks=[2])
    drawn = boxes(figure)
    assert len(drawn) == 6
    # Two bars of 3/4 after six of 4/4.
    assert figure.axes[0].get_xlim() == (24.0, 30.0)
    assert "Bass" not in texts(figure)
    assert "7" in texts(figure) and "3/4" in texts(figure)


def test_the_metre_is_told_where_it_changes(band):
    found = texts(plot_roll(band))
    assert found.count("4/4") == 1
    assert found.count("3/4") == 1


def test_drums_are_rows_with_names(band):
    found = texts(plot_roll(band, tracks=[1]))
    assert "Closed hat" in found
    assert "Kick" in found


def test_odd_names_do_not_break_the_picture(band):
    figure = plot_roll(band, title="100 $ and $5_a$")
    figure._repr_png_()
    assert any("Piano $1_2$" in text for text in texts(figure))
    assert not any("雅" in text for text in texts(figure))


def test_highlight_shades_the_cells_shown(band):
    plain, shaded = plot_roll(band), plot_roll(band, highlight=[(0, 1), (2, 3), (0, 99), (7, 0)])
    assert len(shaded.axes[0].patches) == len(plain.axes[0].patches) + 2


@pytest.mark.parametrize("bars", [(3, 3), (0, 9), (-1, 2), []])
def test_impossible_bars_are_refused(band, bars):
    with pytest.raises(ValueError, match="bars"):
        plot_roll(band, bars=bars)


def test_bars_and_tracks_are_named_as_elsewhere(band):
    def png(**chosen):
        return plot_roll(band, **chosen)._repr_png_()[0]

    names = band.track_names
    assert png(tracks=[1], bars=(2, 3)) == png(tracks=1, bars=2) == png(tracks=names[1], bars=range(2, 3))
    with pytest.raises(ValueError, match="no track is named 'Nobody'; there are 0 '"):
        plot_roll(band, tracks=["Nobody"])


def test_what_is_no_score_is_named(band):
    with pytest.raises(TypeError, match=r"score is 'song.mid'; it must be a Score"):
        plot_roll("song.mid")
    with pytest.raises(TypeError, match="after is None; it must be a Score"):
        plot_diff(band, None)


def test_an_impossible_track_and_theme_are_refused(band):
    with pytest.raises(ValueError, match="track 3 does not exist"):
        plot_roll(band, tracks=[3])
    with pytest.raises(ValueError, match="'sepia'"):
        plot_roll(band, theme="sepia")


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(Score(), id="no tracks"),
        pytest.param(Score([Track([])]), id="no bars"),
        pytest.param(Score([Track([Bar([])])]), id="no notes"),
        pytest.param(
            Score([Track([Bar([Note(127, 1, 0, 1), Note(0, 127, 1900, 9999)])])]), id="extreme notes"
        ),
        pytest.param(
            Score([Track([Bar([])] * 300), Track([Bar([Note(60, 9, 0, 9)])] * 300)]), id="many bars"
        ),
    ],
)
def test_unusual_scores_can_be_drawn(score):
    assert plot_roll(score)._repr_png_()[0][:4] == b"\x89PNG"
    assert plot_diff(score, score)._repr_png_()[0][:4] == b"\x89PNG"
    assert len(roll_png(score)) <= 30_000


def test_bar_range():
    assert bar_range(None, 8) == (0, 8)
    assert bar_range(range(2, 5), 8) == (2, 5)
    assert bar_range([4, 2, 3], 8) == (2, 5)
    assert bar_range((2, 5), 8) == (2, 5)


def test_lanes_fill_the_height_and_hold_every_pitch():
    pitches = np.array([40, 70])
    lanes = stack_lanes([(0, "a", False, pitches), (1, "b", True, np.array([36, 42, 42]))], 200, gap=10)
    assert lanes[-1].bottom == pytest.approx(200)
    assert lanes[1].top - lanes[0].bottom == pytest.approx(10)
    assert lanes[1].rows == (42, 36)
    assert set(pitches.tolist()) < set(lanes[0].rows)
    top = lanes[0].row_top(np.array([70, 40]))
    assert lanes[0].top <= top[0] < top[1] < lanes[0].bottom
    assert len(lane_rows(np.array([60]), False)) >= 12


def test_names():
    assert [pitch_name(p) for p in (60, 61, 0)] == ["C4", "C♯4", "C-1"]
    assert all(len(short_drum_name(pitch)) <= 14 for pitch in range(128))


def test_a_difference_shows_kept_new_and_removed_notes(band, changed):
    figure = plot_diff(band, changed)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["kept", "new (2)", "removed (4)"]
    assert len(boxes(figure)) == band.n_notes + 2
    hollow = [
        c for c in figure.axes[0].collections if isinstance(c, PolyCollection) and not len(c.get_facecolor())
    ]
    assert sum(len(c.get_paths()) for c in hollow) == 4


def test_a_difference_across_resolutions(band, changed):
    labels = [t.get_text() for t in plot_diff(band, changed.resample(960)).legends[0].get_texts()]
    assert labels[1:] == ["new (2)", "removed (4)"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_small_picture_is_small_and_always_the_same(band, theme):
    first, second = roll_png(band, theme=theme), roll_png(band.copy(), theme=theme)
    assert first == second
    assert len(first) <= 30_000
    assert Image.open(BytesIO(first)).size == (800, 260)
    assert roll_png(band, bars=(0, 4), theme=theme) != first


def test_a_crowded_picture_stays_below_its_limit():
    rng = np.random.default_rng(0)

    def bar():
        return Bar(
            [
                Note(int(p), int(v), int(o), 60)
                for p, v, o in rng.integers([30, 1, 0], [90, 127, 1900], (40, 3))
            ]
        )

    crowd = Score([Track([bar() for _ in range(16)]) for _ in range(4)])
    picture = roll_png(crowd)
    assert len(picture) <= 30_000
    assert len(roll_png(crowd, most_bytes=6_000)) <= 6_000
    assert struct.unpack(">II", picture[16:24]) == (800, 260)


def test_the_figure_shows_itself_in_a_notebook(band):
    from IPython.core.formatters import DisplayFormatter

    data, metadata = DisplayFormatter().format(plot_roll(band, width=700, height=200), include=["image/png"])
    size = metadata["image/png"]
    assert (size["width"], size["height"]) == (700, 200)
    assert Image.open(BytesIO(data["image/png"])).size == (1400, 400)


def test_drawing_in_threads_gives_the_same_pictures(band, changed):
    expected = [roll_png(band), roll_png(changed)]
    results: list[tuple[int, bytes]] = []

    def work(index: int) -> None:
        results.append((index, roll_png((band, changed)[index])))

    threads = [threading.Thread(target=work, args=(i % 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(picture == expected[index] for index, picture in results)


def test_no_pyplot_and_no_change_of_global_settings(tmp_path):
    script = """
import sys
import midigpt_nb
assert "matplotlib" not in sys.modules, "importing midigpt_nb loads matplotlib"
import midigpt_nb.plots
assert "matplotlib" in sys.modules
from matplotlib import rcParams
# Reading the backend would load pyplot.
settings = lambda: {key: rcParams[key] for key in rcParams if key != "backend"}
before = settings()
from midigpt_nb import Bar, Note, Score, Track
score = Score([Track([Bar([Note(60, 90, 0, 480)])])])
midigpt_nb.plots.plot_roll(score)._repr_png_()
midigpt_nb.plots.plot_diff(score, score)
midigpt_nb.plots.plot_attributes(score)
midigpt_nb.plots.roll_png(score)
assert "matplotlib.pyplot" not in sys.modules, "pyplot was imported"
assert settings() == before
"""
    # from elsewhere: in a clone the sources would be found before the installed package
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_colours_have_enough_contrast(name):
    theme = THEMES[name]
    for ground in (theme.page, theme.lane, theme.generated):
        assert contrast(theme.text, ground) >= 4.5
    for ground in (theme.page, theme.lane):
        assert contrast(theme.muted, ground) >= 4.5
    for colour in (*theme.tracks, theme.added, theme.removed):
        for ground in (theme.lane, theme.generated):
            assert contrast(colour, ground) >= 3, (colour, ground)
