"""What the canvases paint, compared with kept pictures: light, dark and forced colours (V4, Y2).

Only what does not depend on the fonts of a machine is compared: the canvases, without their text. After a
change that is meant to be seen, make the pictures anew and look at them:

    MIDIGPT_NB_NEW_PICTURES=1 pytest tests/page/test_pictures.py
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import Roll
from PIL import Image
from states import STATES

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parent / "pictures"
NEW = bool(os.environ.get("MIDIGPT_NB_NEW_PICTURES"))
MOST_DIFFERENT = 0.005
"""Share of pixels that may differ."""
SAME = 24
"""Values of a colour (0..255) that are no difference: edges are smoothed a little differently everywhere."""
MOST_BYTES = 200_000
THEMES = ("light", "dark", "forced-light", "forced-dark")
SHOWN = ("selected", "compared", "roles", "lanes")

WITHOUT_TEXT = """
CanvasRenderingContext2D.prototype.fillText = () => {};
CanvasRenderingContext2D.prototype.strokeText = () => {};
"""
PAINTED = """() => {
  const root = document.querySelector('.mgnb-root');
  const canvases = [...root.querySelectorAll('.mgnb-surface canvas, [data-testid="mgnb-lane-canvas"]')];
  const boxes = canvases.map((canvas) => canvas.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left)), top = Math.min(...boxes.map((box) => box.top));
  const page = document.createElement('canvas');
  page.width = Math.max(...boxes.map((box) => box.right)) - left;
  page.height = Math.max(...boxes.map((box) => box.bottom)) - top;
  const ctx = page.getContext('2d');
  ctx.fillStyle = getComputedStyle(root).backgroundColor;
  ctx.fillRect(0, 0, page.width, page.height);
  canvases.forEach((canvas, i) => {
    if (canvas.width && canvas.height) ctx.drawImage(canvas, boxes[i].left - left, boxes[i].top - top);
  });
  return page.toDataURL('image/png').split(',')[1];
}"""


def show(roll: Roll, state: str, theme: str) -> str:
    """Brings the roll there; returns the theme of the host."""
    forced, _, scheme = theme.rpartition("-")
    roll.page.emulate_media(
        color_scheme=scheme, forced_colors="active" if forced else "none", reduced_motion="reduce"
    )
    STATES[state](roll, scheme)
    roll.page.mouse.move(2, 2)
    roll.page.wait_for_timeout(250)
    return scheme


def painted(roll: Roll) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(roll.page.evaluate(PAINTED)))).convert("RGB")


def different(one: Image.Image, other: Image.Image) -> float:
    """Share of pixels that differ."""
    assert one.size == other.size, (one.size, other.size)
    apart = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max(axis=2)
    return float((apart > SAME).mean())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("state", SHOWN)
def test_v4_canvases_look_as_they_did(roll: Roll, tmp_path: Path, state: str, theme: str) -> None:
    if theme.startswith("forced") and state in ("roles", "compared"):
        pytest.skip("the other states show the forced colours")
    roll.page.add_init_script(WITHOUT_TEXT)
    show(roll, state, theme)
    now, kept = painted(roll), PICTURES / f"{state}-{theme}.png"
    if NEW:
        PICTURES.mkdir(exist_ok=True)
        now.quantize(128, dither=Image.Dither.NONE).save(kept, optimize=True)
        return
    now.save(tmp_path / kept.name)
    share = different(now, Image.open(kept).convert("RGB"))
    assert share <= MOST_DIFFERENT, f"{share:.2%} of the pixels differ: {tmp_path / kept.name}"


def test_v4_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in PICTURES.glob("*.png")) <= MOST_BYTES


def test_v4_a_moved_note_would_be_seen() -> None:
    """The comparison can fail: a bar's worth of notes is more than it lets pass."""
    picture = Image.open(PICTURES / "selected-light.png").convert("RGB")
    width, height = picture.size
    box = (width // 4, 0, width // 4 + width // 8, height)
    other = picture.copy()
    other.paste(picture.crop((width // 2 + 7, 0, width // 2 + 7 + box[2] - box[0], height)), box)
    assert different(picture, other) > MOST_DIFFERENT


@pytest.mark.parametrize("theme", THEMES)
def test_v4_the_whole_roll_looks_the_same_twice(roll: Roll, shots: Any, theme: str) -> None:
    """Text and controls, too, within one machine; the picture is for people to look at."""
    pictures = []
    for _ in range(2):
        show(roll, "takes", theme)
        pictures.append(Image.open(shots(roll.page, f"whole-{theme}")).convert("RGB"))
    assert different(*pictures) <= MOST_DIFFERENT


def test_y2_forced_colours_are_used(roll: Roll) -> None:
    """Text and grounds are the person's own, on canvases as well; lines keep 3:1; what is on is outlined."""
    show(roll, "selected", "forced-dark")
    style = roll.page.evaluate(
        """() => {
            const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
            return { ground: of('.mgnb-root', 'backgroundColor'), ink: of('.mgnb-root', 'color'),
                     pressed: of('.mgnb-button[aria-pressed="true"]', 'outlineStyle'),
                     selected: of('.mgnb-track.mgnb-selected', 'outlineStyle') } }"""
    )
    system = roll.page.evaluate(
        """() => { const e = document.createElement('i'); document.body.append(e);
            e.style.cssText = 'color: CanvasText; background: Canvas';
            const s = getComputedStyle(e); return [s.backgroundColor, s.color] }"""
    )
    assert [style["ground"], style["ink"]] == system
    assert style["pressed"] == "solid" and style["selected"] == "solid"
    corner = painted(roll).getpixel((3, 200))
    assert max(corner) < 40  # the lane is the dark ground, not a colour of ours


def test_y2_reduced_motion_is_respected(roll: Roll) -> None:
    roll.page.emulate_media(reduced_motion="reduce")
    STATES["running"](roll, "light")
    moving = roll.page.evaluate(
        """() => [...document.querySelectorAll('.mgnb-root *')].filter((e) => {
            const s = getComputedStyle(e);
            return !e.classList.contains('mgnb-probe') &&
                (s.animationName !== 'none' || s.transitionDuration.split(', ').some((t) => t !== '0s'));
        }).map((e) => e.className)"""
    )
    assert moving == []
    frames = roll.state()["frames"]
    roll.page.wait_for_timeout(300)
    assert roll.state()["frames"] - frames <= 2  # arriving notes appear at once
    roll.page.emulate_media(reduced_motion="no-preference")
