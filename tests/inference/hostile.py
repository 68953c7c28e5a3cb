"""Input nobody writes on purpose: good data, changed at random places, for every door of the Python surface.

`cases(seed, n)` gives `n` of them from a seed, the same ones every time. Each is either accepted, or refused
with an error of this package; what else happens is a defect.
"""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midigpt_nb import Score
from midigpt_nb.errors import MidiGPTError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine
from midigpt_nb.inference.checkpoint import GPT2Shape, read_checkpoint, write_checkpoint
from midigpt_nb.inference.containers.plain_pickle import read_pickle
from midigpt_nb.inference.request import TrackPrompt
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

from .conftest import make_score, random_arrays
from .weights import published_config

# Values that break assumptions: kinds, signs, sizes, and texts that look like other things.
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7, 127, 128, 255, 2**15, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64,
    10**400, range(10**12), 0.5, -0.0, 1e308, float("nan"), float("inf"), -float("inf"), "", "0", "-1",
    "auto", "4/4", "4/0", "0/0", "1e9", "note_density",
    "\0", "\ud800", "ü" * 300, "9" * 5000, [], {}, [None], [[]], {"": {}}, [0] * 1000,
    {"0": 1}, {0: 1}, {None: None}, {"a": {"a": {"a": 1}}}, b"x", (1, 2), {1, 2}, object(), 3 + 4j,
]  # fmt: skip


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in nested data."""
    found, todo = [], [data]
    while todo and len(found) < 20_000:
        here = todo.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else []
        for key in keys:
            found.append((here, key))
            todo.append(here[key])
    return found


def changed(data: Any, rng: random.Random) -> Any:
    """A copy of nested data with one to four random changes."""
    if rng.random() < 0.01:  # nested deep, at one place
        data = copy.deepcopy(data)
        here, key = rng.choice(places(data))
        here[key] = nested(rng.choice((50, 3000)))
        return data
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        spots = places(data)
        if not spots or len(spots) > 5000:
            break
        here, key = rng.choice(spots)
        how = rng.randrange(8)
        if how < 4:
            here[key] = copy.deepcopy(rng.choice(ODD))
        elif how == 4:
            del here[key]
        elif how == 5 and isinstance(here, dict):
            here[rng.choice(["", "x", "id", "bars", "seed", 7, None, str(key) + "s"])] = here.pop(key)
        elif how == 6 and isinstance(here, list):
            here[key:key] = [here[key]] * rng.choice((1, 3, 500))
        else:
            there, other = rng.choice(spots)
            value = copy.deepcopy(there[other]) if _has(there, other) else None
            if _has(here, key):
                here[key] = value
    return data if rng.random() < 0.99 else copy.deepcopy(rng.choice(ODD))


def _has(here: Any, key: Any) -> bool:
    return key in here if isinstance(here, dict) else isinstance(key, int) and key < len(here)


def spoiled(data: bytes, rng: random.Random, *, start: int = 0, end: int | None = None) -> bytes:
    """A copy of bytes with one to eight random changes between `start` and `end`."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if not out:
            break
        at = min(rng.randrange(start, max(start + 1, end or len(out))), len(out) - 1)
        how = rng.randrange(7)
        if how == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            out[at] = rng.randrange(256)
        elif how == 2:
            del out[at : at + rng.choice((1, 2, 8, 100))]
        elif how == 3:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 8)))
        elif how == 4:
            out[at : at + 8] = struct.pack(
                "<Q", rng.choice((0, 1, 2**16, 2**31, 2**32 - 1, 2**62, 2**64 - 1))
            )
        elif how == 5:
            from_ = rng.randrange(len(out))
            out[at:at] = out[from_ : from_ + rng.randrange(1, 60)]
        elif rng.random() < 0.2:
            del out[at:]
        else:
            out[at] = rng.choice(b"{}[]\"':,.0123456789-eE(}]tuRbcQ\\")
    return bytes(out)


@dataclass(frozen=True)
class Case:
    """One hostile input: which door it goes through, and the door."""

    kind: str
    number: int
    run: Callable[[], object]


class Doors:
    """Good inputs to begin with, and what is done with them. Files are written into `folder`."""

    def __init__(self, folder: Path, engine: InferenceEngine) -> None:
        self.folder, self.engine = folder, engine
        self.score = make_score(3, 8, notes_per_bar=3)
        self.score_dict = make_score(2, 2, notes_per_bar=2).to_dict()
        self.configs = [published_config(name) for name in ("yellow", "expressive", "ghost")]
        self.request = REQUEST
        shape = GPT2Shape(7, 8, 4, 1, 2)
        write_checkpoint(folder / "good.safetensors", random_arrays(shape), shape, published_config("yellow"))
        self.tensors = (folder / "good.safetensors").read_bytes()
        self.header = 8 + int.from_bytes(self.tensors[:8], "little")
        self.bundle, self.module, self.pickles = _torch_files(folder, shape)

    def request_(self, rng: random.Random) -> object:
        data = changed(self.request, rng)
        if rng.random() < 0.5:  # over the wire
            with suppress(RecursionError):
                data = json.loads(json.dumps(data, default=str, skipkeys=True))
        return self.engine.session(self.score, GenerationRequest.from_dict(data))

    def request_objects(self, rng: random.Random) -> object:
        """The same through the constructors, which check nothing."""
        data = changed(self.request, rng)
        fields = TrackPrompt.__dataclass_fields__
        tracks = data.get("tracks") if isinstance(data, dict) else data
        if isinstance(tracks, list):
            tracks = [
                TrackPrompt(**{"id": 0, **{k: v for k, v in t.items() if k in fields}})
                if isinstance(t, dict)
                else t
                for t in tracks
            ]
        controls = data.get("controls", {}) if isinstance(data, dict) else {}
        return self.engine.session(self.score, GenerationRequest(tracks, InferenceConfig(), controls))

    def settings(self, rng: random.Random) -> object:
        return InferenceConfig.from_dict(changed(self.request["config"], rng))

    def score_(self, rng: random.Random) -> object:
        score = Score.from_dict(changed(self.score_dict, rng))
        return score.table.n_tracks, score.to_dict()

    def encoder(self, rng: random.Random) -> object:
        data = changed(rng.choice(self.configs), rng)
        return Tokenizer(EncoderConfig.from_dict(data)).vocab.size

    def encoder_text(self, rng: random.Random) -> object:
        text = json.dumps(rng.choice(self.configs)).encode()
        return Tokenizer(EncoderConfig.from_json(spoiled(text, rng))).vocab.size

    def safetensors(self, rng: random.Random) -> object:
        end = self.header + 64 if rng.random() < 0.9 else None
        return self._file("a.safetensors", spoiled(self.tensors, rng, end=end))

    def safetensors_header(self, rng: random.Random) -> object:
        """The JSON of the header changed as data, and put back with the right length."""
        head = changed(json.loads(self.tensors[8 : self.header]), rng)
        try:
            text = json.dumps(head, default=str, skipkeys=True).encode()
        except RecursionError:
            text = b"[" * 3000
        return self._file(
            "b.safetensors", len(text).to_bytes(8, "little") + text + self.tensors[self.header :]
        )

    def bundle_(self, rng: random.Random) -> object:
        return self._file("a.pt", spoiled(self.bundle, rng))

    def bundle_pickle(self, rng: random.Random) -> object:
        """Only the structure is changed, and the archive around it is in order."""
        return self._file("b.pt", _repacked(self.bundle, lambda data: spoiled(data, rng, start=2)))

    def module_(self, rng: random.Random) -> object:
        folder = self.folder / "scripted"
        folder.mkdir(exist_ok=True)
        if rng.random() < 0.5:
            data = spoiled(self.module, rng)
        else:
            data = _repacked(self.module, lambda data: spoiled(data, rng, start=2))
        (folder / "model.pt").write_bytes(data)
        (folder / "config.json").write_text("{}")
        return dict(read_checkpoint(folder).arrays)

    def pickle(self, rng: random.Random) -> object:
        data = spoiled(rng.choice(self.pickles), rng, start=2)
        return read_pickle(data, "it", calls={"collections.OrderedDict": dict}, names=("torch.",))

    def _file(self, name: str, data: bytes) -> object:
        path = self.folder / name
        path.write_bytes(data)
        return dict(read_checkpoint(path).arrays)


REQUEST: dict[str, Any] = {
    "tracks": [
        {
            "id": 0, "bars": [4, 5], "mask_bars": [6], "attributes": {"min_polyphony": 2},
            "bar_attributes": {"4": {"note_density": 3}}, "controls": {"time_signature": 0},
            "bar_controls": {"5": {"time_signature": 1}},
        },
        {"id": 1, "bars": [], "autoregressive": True, "ignore": False},
        {"id": 2, "bars": [], "ignore": True},
    ],
    "config": {
        "temperature": 0.9, "seed": 3, "top_k": 5, "top_p": 0.9, "mask_k": 1, "mask_p": 0.1, "model_dim": 4,
        "bars_per_step": "auto", "tracks_per_step": 1, "mask_mode": "attention", "context_drop": [2],
        "polyphony_hard_limit": 3, "max_attempts": 2, "silence_check": True,
    },
    "controls": {},
}  # fmt: skip


def _torch_files(folder: Path, shape: GPT2Shape) -> tuple[bytes, bytes, list[bytes]]:
    import pickle

    import torch

    from .scripted_module import LanguageModel

    state = {n: torch.from_numpy(a) for n, a in random_arrays(shape).items()}
    bundle = {
        "format_version": 1,
        "arch": None,
        "config": dict(shape.__dict__),
        "encoder_config": {"a": [1, 2.5]},
    }
    torch.save({**bundle, "state_dict": state}, folder / "good.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(LanguageModel(7, 8, 4, 1, 2)).save(str(folder / "good_module.pt"))
    pickles = [
        pickle.dumps({"a": [1, "b", (2.5, None)], "c": {"d": [[]] * 2}}, protocol) for protocol in (2, 3, 4)
    ]
    return (folder / "good.pt").read_bytes(), (folder / "good_module.pt").read_bytes(), pickles


def _repacked(archive: bytes, change: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            new.writestr(entry.filename, change(data) if entry.filename.endswith("data.pkl") else data)
    return out.getvalue()


KINDS: dict[str, Callable[[Doors, random.Random], object]] = {
    "request": Doors.request_,
    "request objects": Doors.request_objects,
    "settings": Doors.settings,
    "score": Doors.score_,
    "encoder": Doors.encoder,
    "encoder text": Doors.encoder_text,
    "safetensors": Doors.safetensors,
    "safetensors header": Doors.safetensors_header,
    "bundle": Doors.bundle_,
    "bundle pickle": Doors.bundle_pickle,
    "scripted module": Doors.module_,
    "pickle": Doors.pickle,
}


def cases(seed: int, n: int, engine: InferenceEngine, folder: Path | None = None) -> Iterator[Case]:
    """`n` cases, going round the doors."""
    doors = Doors(folder or Path(tempfile.mkdtemp()), engine)
    kinds = list(KINDS)
    for number in range(n):
        kind = kinds[number % len(kinds)]
        rng = random.Random(f"{seed} {number}")
        yield Case(kind, number, lambda kind=kind, rng=rng: KINDS[kind](doors, rng))


def outcome(case: Case) -> str:
    """ "accepted", or the class of the error of this package; any other exception comes out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case.run()
        except MidiGPTError as error:
            text = str(error)
            assert text.strip() and len(text) < 20_000, f"{case}: an error of {len(text)} characters"
            return type(error).__name__
    return "accepted"
