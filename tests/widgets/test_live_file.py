"""`on_accept`: what is accepted goes into a watched MIDI file (S6)."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import traitlets as t

from midigpt_nb import Score, write_midi
from midigpt_nb.errors import ProjectError, ScoreError
from midigpt_nb.widgets.infill_editor import InfillEditor
from midigpt_nb.widgets.live_file import selection_of

CELLS = [(1, 4), (1, 5), (3, 6)]


def bars(score: Score, track: int, first: int, last: int) -> list[list[list[int]]]:
    return [
        score.table.notes[slice(*score.table.note_rows(track, bar))].tolist() for bar in range(first, last)
    ]


def test_s6_the_selection_is_the_bars_and_tracks_that_were_accepted(example: Score, tmp_path: Path) -> None:
    assert write_midi(tmp_path / "live.mid")({"score": example, "cells": CELLS}) == [tmp_path / "live.mid"]
    written = Score.from_midi(tmp_path / "live.mid")
    part, tracks = selection_of(example, CELLS)
    assert tracks == [1, 3] and part.n_bars == 3
    assert written.n_tracks == 2
    for place, track in enumerate(tracks):
        assert [len(b) for b in bars(written, place, 0, 3)] == [len(b) for b in bars(example, track, 4, 7)]
    assert written.tempo == example.tempo


def test_s6_stems_are_a_file_for_each_track(example: Score, tmp_path: Path) -> None:
    paths = write_midi(tmp_path / "live.mid", stems=True)({"score": example, "cells": CELLS})
    assert [path.name.split("-")[1] for path in paths] == ["2", "4"]
    for path, track in zip(paths, (1, 3), strict=True):
        stem = Score.from_midi(path)
        assert stem.n_tracks == 1 and example.track_names[track].split()[0] in path.name
        assert stem.n_notes == sum(len(bar) for bar in bars(example, track, 4, 7))
    everything = write_midi(tmp_path / "all.mid", stems=True, piece=True)({"score": example, "cells": []})
    assert len(everything) == example.n_tracks
    with pytest.raises(ScoreError, match="nothing to write"):
        write_midi(tmp_path / "none.mid")({"score": example, "cells": []})


def test_s6_a_watcher_never_reads_half_a_file(example: Score, tmp_path: Path) -> None:
    target, write = tmp_path / "live.mid", write_midi(tmp_path / "live.mid", piece=True)
    write({"score": example, "cells": []})
    small, done, seen = example[:2], threading.Event(), set()

    def watch() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for i in range(40):
        write({"score": (small, example)[i % 2], "cells": []})
    done.set()
    watcher.join()
    assert seen <= {example.to_midi(), small.to_midi()}
    assert [path.name for path in tmp_path.iterdir()] == ["live.mid"]  # nothing is left over


def test_s6_generating_and_accepting_write_the_file(connect, engine, example, tmp_path: Path) -> None:
    editor, _ = connect(InfillEditor, example, engine)
    editor.on_accept = write_midi(tmp_path / "live.mid")
    editor.select(tracks=1, bars=[4])
    result = editor.generate(seed=3).result(timeout=60)
    written = Score.from_midi(tmp_path / "live.mid")
    assert written.n_notes == len(bars(result, 1, 4, 5)[0])
    editor.generate(takes=2, seed=5, hold=True).result(timeout=60)
    before = (tmp_path / "live.mid").read_bytes()
    editor.accept(1)
    assert (tmp_path / "live.mid").read_bytes() != before
    assert editor.errors == [] and editor.error is None


def test_s6_a_file_that_cannot_be_written_is_said_and_the_music_stays(
    connect, engine, example, tmp_path
) -> None:
    editor, page = connect(InfillEditor, example, engine)
    editor.on_accept = write_midi(tmp_path / "nowhere" / "live.mid")
    editor.select(tracks=1, bars=[4])
    result = editor.generate(seed=3).result(timeout=60)
    assert editor.score.hash() == result.hash() and editor.can_undo
    assert isinstance(editor.errors[-1], ProjectError)
    assert "nowhere" in editor.error["message"] and editor.error["code"] == "on_accept"
    assert page.updates("error")[-1]["code"] == "on_accept"
    with pytest.raises(t.TraitError):
        editor.on_accept = "live.mid"


def test_s6_a_track_with_an_endless_name_is_written_too(example: Score, tmp_path: Path) -> None:
    score = example.rename_track(1, "Zwölf/../" + "ä" * 1000)
    (path,) = write_midi(tmp_path / "live.mid", stems=True)({"score": score, "cells": [(1, 4)]})
    assert path.parent == tmp_path and Score.from_midi(path).n_notes > 0
