"""The picture beside a roll for notebooks that are read without a kernel (the page's part: test_story.py)."""

from __future__ import annotations

import base64

import pytest
from fakes import eventually

from midigpt_nb import PianoRoll
from midigpt_nb.widgets import saved_picture


@pytest.fixture
def published(monkeypatch):
    """What is published, as (display id, picture bytes, whether it is an update)."""
    sent = []

    def publish(data, metadata=None, *, transient=None, update=False):
        sent.append((transient["display_id"], base64.b64decode(data["image/png"]), update))

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    monkeypatch.setattr(saved_picture, "FOLLOW_SECONDS", 0.05)
    return sent


def test_p5_it_is_there_with_the_roll_and_follows_the_music(connect, example, published, monkeypatch):
    monkeypatch.setattr(saved_picture, "host_needs_it", lambda: True)
    roll, _ = connect(PianoRoll, example)
    roll.score = example.transpose(2)
    assert published == []  # nobody sees it yet
    bundle = roll._repr_mimebundle_()
    assert "image/png" not in (bundle[0] if isinstance(bundle, tuple) else bundle)  # not twice
    ((shown, picture, update),) = published
    assert picture[:4] == b"\x89PNG" and len(picture) < 30_000 and not update
    roll.score = roll.score.clear_bars(range(8))
    roll.score = roll.score.transpose(3)
    eventually(lambda: len(published), 2)
    assert published[1][0] == shown and published[1][1] != picture and published[1][2]
    roll.close()
    roll.score = example
    assert len(published) == 2


def test_p5_other_hosts_get_none(connect, example, published):
    roll, _ = connect(PianoRoll, example)  # this is no kernel
    bundle = roll._repr_mimebundle_()
    assert "image/png" in (bundle[0] if isinstance(bundle, tuple) else bundle)
    roll.score = example.transpose(2)
    assert published == []
