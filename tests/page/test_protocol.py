"""The one table of messages and note layout: packing, checking, and the generated TypeScript."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.widgets import protocol
from midigpt_nb.widgets.protocol import ProtocolError

HEADER = {
    "rev": 3,
    "resolution": 480,
    "bars": [[4, 4, 0, 1920], [7, 8, 1920, 1680]],
    "tempo_map": [[0, 500_000]],
    "tracks": [{"name": "Flöte", "program": 73, "drum": False, "family": "Pipe"}],
}


def notes(n: int) -> np.ndarray:
    records = protocol.empty_notes(n)
    records["id"] = np.arange(n)
    records["onset"] = 2**32 - 1 - np.arange(n)
    records["micro"] = -7
    records["flags"] = protocol.FLAG_GENERATED
    return records


def test_a_note_takes_20_bytes_little_endian() -> None:
    record = protocol.empty_notes(1)
    record[0] = (1, 0x01020304, 5, 60, 90, 2, 1, -2, 0)
    assert protocol.NOTE_BYTES == 20
    assert record.tobytes().hex(" ") == "01 00 00 00 04 03 02 01 05 00 00 00 3c 5a 02 01 fe ff 00 00"


@pytest.mark.parametrize("title", ["", "a", "ab", "abc", "Präludium"], ids="padding {}".format)
def test_document_round_trip_at_any_header_length(title: str) -> None:
    data = protocol.pack_document({**HEADER, "title": title}, notes(3), notes(2))
    header, current, removed = protocol.unpack_document(memoryview(b"x" + data)[1:])
    assert header == {**HEADER, "title": title, "n_notes": 3, "before": 2}
    assert (current == notes(3)).all()
    assert (removed["flags"] == protocol.FLAG_GENERATED | protocol.FLAG_REMOVED).all()
    assert (len(data) - 5 * protocol.NOTE_BYTES) % 4 == 0


def test_document_of_nothing() -> None:
    empty = {**HEADER, "bars": [], "tracks": []}
    header, current, removed = protocol.unpack_document(protocol.pack_document(empty, protocol.empty_notes()))
    assert (header["n_notes"], len(current), len(removed)) == (0, 0, 0)


def test_unknown_or_missing_header_fields_are_refused() -> None:
    with pytest.raises(ProtocolError, match="no field 'tempo'"):
        protocol.pack_document({**HEADER, "tempo": 120}, notes(1))
    with pytest.raises(ProtocolError, match="needs 'bars'"):
        protocol.pack_document({k: v for k, v in HEADER.items() if k != "bars"}, notes(1))


def test_cut_off_notes_are_refused() -> None:
    data = protocol.pack_document(HEADER, notes(2))
    with pytest.raises(ProtocolError, match="not a whole number"):
        protocol.unpack_document(data[:-1])
    with pytest.raises(ProtocolError, match="announces 2 \\+ 0 notes and holds 1"):
        protocol.unpack_document(data[: -protocol.NOTE_BYTES])


def test_requests_are_checked_against_the_table() -> None:
    good = {"v": 1, "k": "generate", "id": "p-0", "selection": {"cells": [[0, 1]]}}
    assert protocol.parse_request(good) == ("generate", "p-0", {"selection": {"cells": [[0, 1]]}})


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        pytest.param(None, "bad_message", "mapping", id="nothing"),
        pytest.param({"v": 2, "k": "undo"}, "version", "reload the page", id="other version"),
        pytest.param({"v": 1, "k": "dance"}, "unknown_kind", "'dance'", id="unknown kind"),
        pytest.param({"v": 1, "k": ["undo"]}, "unknown_kind", "undo", id="kind of a wrong type"),
        pytest.param({"v": 1, "k": "generate"}, "bad_message", "needs 'selection'", id="missing field"),
        pytest.param({"v": 1, "k": "undo", "x": 1}, "bad_message", "no field 'x'", id="unknown field"),
        pytest.param({"v": 1, "k": "ok", "id": 1}, "unknown_kind", "'ok'", id="an answer is no request"),
    ],
)
def test_bad_requests_say_what_is_wrong(content: object, code: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says) as caught:
        protocol.parse_request(content)
    assert caught.value.code == code


def test_answers_and_events_have_one_form() -> None:
    assert protocol.ok_message("a", job="j") == {"v": 1, "k": "ok", "id": "a", "job": "j"}
    assert protocol.error_message("a", "code", "text")["hint"] == ""
    with pytest.raises(ProtocolError, match="needs 'bar'"):
        protocol.job_event("bar", track=1)
    with pytest.raises(ProtocolError, match="unknown event"):
        protocol.job_event("dance")


def test_m8_several_events_travel_in_one_message() -> None:
    bar = protocol.job_event("bar", track=1, bar=2)
    notes = [protocol.job_event("notes", track=1, bar=bar, count=1) for bar in (2, 3)]
    assert protocol.event_message("j", 5, [bar]) == {"v": 1, "k": "ev", "job": "j", "n": 5, **bar}
    message = protocol.event_message("j", 5, [notes[0], bar, notes[1]])
    head = {"v": 1, "k": "ev", "job": "j"}
    assert protocol.events_of(message, [b"one", b"two"]) == [
        ({**head, "n": 5, **notes[0]}, [b"one"]),
        ({**head, "n": 6, **bar}, []),
        ({**head, "n": 7, **notes[1]}, [b"two"]),
    ]


def test_kinds_are_unique_within_their_direction() -> None:
    kinds = [(m.direction, m.kind) for m in protocol.MESSAGES]
    assert len(set(kinds)) == len(kinds)


def test_generated_typescript_is_current() -> None:
    path = protocol.generated_path()
    if path is None:
        pytest.skip("installed package without the js folder")
    assert path.read_text(encoding="utf-8") == protocol.typescript(), (
        "run python -m midigpt_nb.widgets.protocol --write"
    )


def test_bundle_speaks_the_same_version(tmp_path: object) -> None:
    from pathlib import Path

    static = Path(protocol.__file__).parent / "static"
    bundle = (static / "widget.js").read_text(encoding="utf-8")
    assert len(bundle.encode()) <= 160_000
    assert len((static / "widget.css").read_bytes()) <= 20_000
    assert all(f'"{m.kind}"' in bundle for m in protocol.MESSAGES if m.direction == "event")
    assert "http://" not in bundle.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in bundle
    assert "document.querySelector" not in bundle
