"""Calls everything in `_core` with values of all kinds, seeded: `core_boundary.py SEED CALLS`.

A call answers or raises one of the errors below. Anything else ends the program with the call that did it:
another error by its exit status, a crash by faulthandler's traceback and the last line of the log (`--log FILE`).
"""
# ruff: noqa: E501

from __future__ import annotations

import argparse
import copy
import faulthandler
import gc
import pickle
import random
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import MidiGPTError

ANSWERS = (TypeError, ValueError, IndexError, KeyError, OverflowError, AttributeError, MidiGPTError)
TOO_MUCH = (
    4 * 2**30
)  # bytes of address space; a call that wants more than the machine should spare is an error here

Make = Callable[["Player"], Any]

ODD: list[Make] = [
    lambda p: None,
    lambda p: p.rng.choice([True, False]),
    lambda p: p.rng.choice([0, -1, 1, 2, 127, 128, 255, 32767, 32768, 65536]),
    lambda p: p.rng.choice(
        [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30]
    ),
    lambda p: p.rng.choice([0.0, 0.5, -1.5, float("nan"), float("inf"), 1e300]),
    lambda p: p.rng.choice(["", "Bar", "x" * 1000, "\ud800", "\0", "é", "error"]),
    lambda p: p.rng.choice([b"", b"MThd", b"\xff" * 100, bytearray(b"MThd"), memoryview(b"MThd")]),
    lambda p: p.rng.choice(
        [[], (), {}, set(), [[]], [None], [1, 2, 3], [[1, 2], [3]], [(1, 2)], {0: [1]}, {"a": 1}]
    ),
    lambda p: p.rng.choice([object(), object, len, p.rng, iter([1]), range(5), 1j, np, Ellipsis, _Liar()]),
    lambda p: p.rng.choice(p.pool),
    lambda p: p.array(),
    lambda p: [p.array() for _ in range(p.rng.randrange(3))],
    lambda p: p.rng.choice(
        [np.int32(3), np.int64(2**40), np.float32(1.5), np.bool_(True), np.str_("Bar"), np.datetime64("2020")]
    ),
    lambda p: [p.rng.choice(ODD[:8])(p) for _ in range(p.rng.randrange(4))],
    lambda p: _without_value(p.rng),
]


def _without_value(rng: random.Random) -> Any:
    """An object of the core that `__init__` was never called for."""
    kind = rng.choice(_KINDS)
    return kind.__new__(kind)


_KINDS = [kind for kind in vars(_core).values() if isinstance(kind, type) and kind is not _core.TokenType]


class _Liar:
    """Says it is a number, a sequence and an array, and is none."""

    def __index__(self) -> int:
        return 2**70

    def __len__(self) -> int:
        return 5

    def __getitem__(self, key: Any) -> Any:
        raise ValueError("no")

    @property
    def __array_interface__(self) -> Any:
        return {"shape": (3,), "typestr": "<i4", "version": 3, "data": None}


def _rows(columns: int, high: list[int]) -> Make:
    return lambda p: p.dressed(
        np.array([[p.rng.randrange(h) for h in high] for _ in range(p.rng.randrange(4))], np.int32).reshape(
            -1, columns
        )
    )


def _int(low: int, high: int) -> Make:
    return lambda p: p.rng.randint(low, high)


def _some(make: Make, most: int = 3) -> Make:
    return lambda p: [make(p) for _ in range(p.rng.randrange(most + 1))]


def _pair(*makes: Make) -> Make:
    return lambda p: tuple(make(p) for make in makes)


def _by_block(make: Make) -> Make:
    return lambda p: {p.rng.randrange(4): make(p) for _ in range(p.rng.randrange(3))}


def _of(kind: type) -> Make:
    return lambda p: p.rng.choice([x for x in p.pool if type(x) is kind])


def _one_of(*values: Any) -> Make:
    return lambda p: p.rng.choice(values)


TABLE, FILE, VOCAB = _of(_core.ScoreTable), _of(_core.MidiFile), _of(_core.Vocabulary)
MATCHER, WISH, CONFIG = _of(_core.Matcher), _of(_core.Constraint), _of(_core.EncoderConfig)
ENCODE, OPTIONS = _of(_core.EncodeOptions), _of(_core.MatcherOptions)
TYPE: Make = lambda p: p.rng.choice(list(_core.TokenType))  # noqa: E731
NAME: Make = lambda p: p.rng.choice(list(_core.TokenType)).name  # noqa: E731
CELLS = _some(_pair(_int(0, 2), _int(0, 3)))
TOKENS: Make = lambda p: p.dressed(p.tokens())  # noqa: E731
LIMIT: Make = lambda p: p.rng.choice([0, 1, 3, [1, 2], [0]])  # noqa: E731
FLAG = _one_of(True, False)
NOTES = _rows(5, [50, 50, 128, 128, 3])
METRES = _some(_pair(_int(1, 8), _one_of(1, 2, 4, 8)))
BYTES: Make = lambda p: p.rng.choice(p.files)  # noqa: E731

# What a call looks like when nothing is wrong with it. Methods take their object first.
CALLS: dict[str, list[Make]] = {
    "ScoreTable": [NOTES, _rows(4, [1, 5, 5, 2]), _rows(3, [1, 128, 2]), _int(1, 480), _int(0, 10**6)],
    "ScoreTable.n_bars": [TABLE, _int(0, 3)],
    "ScoreTable.bar_rows": [TABLE, _int(0, 3)],
    "ScoreTable.note_rows": [TABLE, _int(0, 3), _int(0, 5)],
    "ScoreTable.window": [TABLE, _some(_int(0, 2)), _int(0, 4), _int(0, 9)],
    "ScoreTable.replaced": [TABLE, _some(_pair(_int(0, 1), _int(0, 2)), 1), _some(NOTES, 1)],
    "ScoreTable.with_bars": [TABLE, _int(0, 2), METRES],
    "ScoreTable.with_track": [TABLE, _int(0, 127), FLAG],
    "ScoreTable.resampled": [TABLE, _int(1, 960)],
    "ScoreTable.same_as": [TABLE, TABLE],
    "MidiFile.event": [FILE, _int(0, 30)],
    "MidiFile.can_hold": [FILE, TABLE],
    "MidiFile.to_bytes": [FILE],
    "bar_ticks": [_int(0, 9), _int(0, 9), _int(1, 480)],
    "read_midi": [BYTES, _int(1, 960)],
    "write_midi": [TABLE, _some(_one_of("", "one", "é"))],
    "rewrite_midi": [FILE, TABLE, TABLE, _some(_one_of("", "one")), FLAG],
    "assemble_midi": [
        _some(_pair(FILE, _some(_int(0, 2)), _some(_some(_int(0, 15), 16)), _some(_int(0, 2))), 2),
        _some(_pair(_int(0, 1), _int(0, 4000), _int(0, 8000), _int(0, 100), FLAG)),
        _some(_pair(_int(0, 4000), _int(1, 2000), _int(1, 7), _one_of(2, 4, 8))),
        _int(0, 9000),
        _int(1, 960),
        _one_of(None, [(0, 500_000)], []),
    ],
    "parse_token_type": [NAME],
    "token_types": [],
    "attribute_slots": [],
    "grammar_states": [],
    "grammar_rows": [],
    "EncoderConfig": [],
    "EncoderConfig.validate": [CONFIG],
    "EncoderConfig.derived_domains": [CONFIG],
    "EncoderConfig.to_json": [CONFIG],
    "EncoderConfig.fields": [],
    "Vocabulary": [CONFIG, _some(_pair(NAME, _int(1, 12))), _some(_pair(_one_of("track", "bar"), NAME))],
    "Vocabulary.has": [VOCAB, TYPE],
    "Vocabulary.domain_size": [VOCAB, TYPE],
    "Vocabulary.range": [VOCAB, TYPE],
    "Vocabulary.encode": [VOCAB, TYPE, _int(0, 30)],
    "Vocabulary.decode": [VOCAB, _int(0, 500)],
    "Vocabulary.velocity_level": [VOCAB, _int(0, 127)],
    "Vocabulary.velocity_of_level": [VOCAB, _int(0, 31)],
    "Vocabulary.instrument_value": [VOCAB, _int(0, 127)],
    "Vocabulary.instrument_program": [VOCAB, _int(0, 127)],
    "Vocabulary.time_signature_value": [VOCAB, _int(1, 8), _int(1, 8)],
    "Vocabulary.time_signature": [VOCAB, _int(0, 3)],
    "Vocabulary.num_bars_value": [VOCAB, _int(0, 8)],
    "Vocabulary.num_bars": [VOCAB, _int(0, 3)],
    "Vocabulary.genre_value": [VOCAB, _one_of("rock", "jazz")],
    "Vocabulary.has_genre": [VOCAB, _one_of("rock", "jazz")],
    "EncodeOptions": [_int(0, 8), CELLS, _int(-1, 2), _int(-1, 3), _int(-1, 1), _int(-1, 1), _int(-1, 2), FLAG, FLAG, CELLS, FLAG],
    "encode": [VOCAB, TABLE, _one_of(None), _one_of(None), ENCODE],
    "decode": [VOCAB, TOKENS, FLAG],
    "grid_table": [TABLE, _int(1, 48), FLAG],
    "Constraint.pitch_set": [VOCAB, _by_block(_some(_int(0, 127)))],
    "Constraint.position_set": [VOCAB, _by_block(_some(_int(0, 47)))],
    "Constraint.rhythm_schedule": [_by_block(lambda p: [(t, p.rng.randint(1, 3)) for t in sorted(p.rng.sample(range(24), 2))])],
    "Constraint.remix": [_by_block(lambda p: [(t, p.rng.randint(-1, 127), p.rng.randint(-1, 40)) for t in sorted(p.rng.sample(range(24), 3))])],
    "MatcherOptions": [_one_of(False), _int(0, 6), _one_of([], [0, 0]), _one_of({}), _one_of({}), LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, _int(0, 1)],
    "Matcher.for_prompt": [VOCAB, TOKENS, OPTIONS],
    "Matcher.add": [MATCHER, WISH],
    "Matcher.replace": [MATCHER, WISH],
    "Matcher.accept": [MATCHER, _int(0, 700)],
    "Matcher.fill_mask": [MATCHER, lambda p: p.dressed(np.zeros(p.rng.choice([*p.sizes, 5]), p.rng.choice([np.uint8, np.bool_])))],
    "Matcher.forced": [MATCHER],
    "Matcher.is_legal": [MATCHER, _int(0, 700)],
    "Matcher.fork": [MATCHER],
    "Matcher.reset": [MATCHER],
    "plan": [
        _int(1, 32),
        _some(_pair(_int(0, 5), _some(_int(0, 15), 6), FLAG)),
        _int(1, 8),
        _int(0, 4),
        _int(0, 3),
        _int(0, 4),
        _one_of(0.0, 0.5, 0.9),
    ],
}  # fmt: skip


class Player:
    """Holds objects of every kind and makes calls with them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.pool: list[Any] = []
        self.fixed: list[Any] = []
        self.files = [_file(0x2000), _file(48), b"MThd", _file(1)]
        self._fill()

    def _fill(self) -> None:
        bars = np.array([[0, 4, 4, 0], [1, 3, 4, 0], [1, 4, 4, 1]], np.int32)
        tables = [
            _core.ScoreTable([[0, 12, 60, 90, 0]], bars, [[0, 33, 0], [2, 0, 1]], 12),
            _core.ScoreTable([], [], []),
        ]
        config = _core.EncoderConfig()
        config.resolution = 12
        config.supports_infill = config.supports_mask_bar_token = config.emit_delta_tokens = True
        config.time_signatures = [(4, 4), (3, 4)]
        config.num_bars_map = [2, 3, 4]
        config.genre_groups = [("rock", ["punk"])]
        bare = _core.EncoderConfig(config)
        bare.time_signatures = []
        vocabularies = [
            _core.Vocabulary(config, [("KeySignature", 25), ("BarLevelOnsetDensity", 10)]),
            _core.Vocabulary(bare),
        ]
        self.sizes = [len(v) for v in vocabularies]
        fill = _core.EncodeOptions(multi_fill=[(0, 1)], fill_sections=False)
        self.prompts = [_core.encode(v, tables[0], options=fill)[0] for v in vocabularies]
        self.prompts.append(
            _core.encode(
                vocabularies[0], tables[0], options=_core.EncodeOptions(partial_track=1, partial_bars=0)
            )[0]
        )
        matchers = [_core.Matcher.for_prompt(v, p) for v, p in zip(vocabularies, self.prompts, strict=False)]
        files = [_core.read_midi(data)[0] for data in self.files if len(data) > 20]
        wishes = [
            _core.Constraint.pitch_set(vocabularies[0], {0: [60, 62]}),
            _core.Constraint.rhythm_schedule({0: [(0, 1), (6, 2)]}),
        ]
        others = [
            config,
            bare,
            fill,
            _core.EncodeOptions(),
            _core.MatcherOptions(),
            _core.MatcherOptions(n_bars=2, sounding_limit=2),
        ]
        steps = _core.plan(8, [(0, [1, 2], False)], 4)
        self.fixed = [*tables, *vocabularies, *matchers, *files, *wishes, *others, *steps]
        self.pool = list(self.fixed)

    def tokens(self) -> np.ndarray:
        tokens = np.array(self.rng.choice(self.prompts))
        for _ in range(self.rng.randrange(4)):
            tokens[self.rng.randrange(len(tokens))] = self.rng.randrange(-2, 700)
        return tokens

    def dressed(self, values: np.ndarray) -> Any:
        """The same numbers in another form: strides, byte order, list, read-only, another type."""
        match self.rng.randrange(12):
            case 0:
                return np.repeat(values, 2, axis=0)[::2]
            case 1:
                return values[::-1]
            case 2:
                return np.asfortranarray(values)
            case 3:
                return values.astype(values.dtype.newbyteorder())
            case 4:
                return values.tolist()
            case 5:
                values.flags.writeable = False
            case 6:
                return values.astype(
                    self.rng.choice([np.int64, np.uint8, np.float64, object, np.int16, "U8"])
                )
            case 7:
                return memoryview(np.ascontiguousarray(values))
            case _:
                pass
        return values

    def array(self) -> Any:
        shape = self.rng.choice([(), (0,), (3,), (2, 5), (2, 4), (0, 5), (3, 0), (1, 2, 3), (700,)])
        kind = self.rng.choice(
            [
                "i1",
                "i4",
                ">i4",
                "i8",
                "u8",
                "f4",
                "f8",
                "?",
                "O",
                "U3",
                "S3",
                "M8[s]",
                "m8[s]",
                "c8",
                "f2",
                [("a", "i4"), ("b", "f8")],
            ]
        )
        values = np.zeros(shape, kind)
        if self.rng.random() < 0.2:
            return np.broadcast_to(values, (2, *shape))
        if self.rng.random() < 0.1:
            return np.ma.masked_array(values, mask=True)
        return values

    def arguments(self, makes: list[Make]) -> list[Any]:
        arguments = [make(self) for make in makes]
        for _ in range(self.rng.choice([0, 0, 0, 1, 1, 2])):
            match self.rng.randrange(8):
                case 0 if arguments:
                    arguments.pop(self.rng.randrange(len(arguments)))
                case 1:
                    arguments.insert(self.rng.randrange(len(arguments) + 1), self.odd())
                case _ if arguments:
                    arguments[self.rng.randrange(len(arguments))] = self.odd()
        return arguments

    def odd(self) -> Any:
        return self.rng.choice(ODD)(self)

    def keep(self, answer: Any) -> None:
        for value in answer if isinstance(answer, tuple) else (answer,):
            if type(value).__module__ == _core.__name__ and not isinstance(value, _core.TokenType):
                self.pool.append(value)
        if len(self.pool) > 80:  # in any order; views and forks may outlive what they came from
            self.rng.shuffle(self.pool)
            self.pool = [*self.fixed, *self.pool[:20]]

    def play(self) -> tuple[str, Callable[[], Any]]:
        """A call, and its words."""
        kind = self.rng.random()
        if kind < 0.15:
            return self.play_attribute()
        if kind < 0.2:
            value = self.rng.choice(self.pool)
            act = self.rng.choice(
                [repr, copy.copy, copy.deepcopy, _pickled, hash, str, bool, dir, lambda x: x == self.odd()]
            )
            return f"{act} of {type(value).__name__}", lambda: act(value)
        if kind < 0.22:
            value, state = self.rng.choice(self.pool), self.odd()
            state = self.rng.choice([state, (state,), (state,) * 6])
            return (
                f"{type(value).__name__}.__setstate__{_words(state)}",
                lambda: type(value).__new__(type(value)).__setstate__(state),
            )
        name = self.rng.choice(list(CALLS))
        arguments = self.arguments(CALLS[name])
        target: Any = _core
        for part in name.split("."):
            target = getattr(target, part)
        return f"{name}{_words(tuple(arguments))}", lambda: target(*arguments)

    def play_attribute(self) -> tuple[str, Callable[[], Any]]:
        value = self.rng.choice(self.pool)
        name = self.rng.choice([n for n in dir(value) if not n.startswith("_")])
        if self.rng.random() < 0.5:
            return f"{type(value).__name__}.{name}", lambda: _looked_at(getattr(value, name))
        odd = self.rng.choice([self.odd, lambda: getattr(value, name)])()
        return f"{type(value).__name__}.{name} = {_words(odd)}", lambda: setattr(value, name, odd)

    def run(self, calls: int, log: Callable[[str], None]) -> None:
        for number in range(calls):
            words, call = self.play()
            log(f"{number} {words}\n")
            try:
                self.keep(call())
                self.counts["answers"] += 1
            except ANSWERS as error:
                self.counts[type(error).__name__] += 1
            except BaseException as error:
                raise SystemExit(f"call {number}: {words}\n  {type(error).__name__}: {error}") from error
            if number % 500 == 0:
                gc.collect()


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _looked_at(value: Any) -> Any:
    """Every number of an array, and an attempt to write into it."""
    if isinstance(value, np.ndarray):
        value.sum()
        try:
            value.setflags(write=True)
        except ValueError:
            return value
        value += 0
    return value


def _words(value: Any) -> str:
    try:
        return repr(value)[:600]
    except Exception as error:
        return f"<{type(value).__name__}: {error}>"


def _file(ticks: int) -> bytes:
    events = b"\x00\xff\x58\x04\x03\x02\x18\x08\x00\x90\x3c\x40\x30\x80\x3c\x00\x00\xb0\x07\x64\x18\x91\x3e\x40\x18\x81\x3e\x00\x00\xff\x2f\x00"
    return (
        b"MThd\0\0\0\6\0\1\0\1" + ticks.to_bytes(2, "big") + b"MTrk" + len(events).to_bytes(4, "big") + events
    )


def main() -> None:
    faulthandler.enable()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("calls", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log", default=None)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (TOO_MUCH, TOO_MUCH))
    sys.setswitchinterval(1e-4)
    log: Callable[[str], None] = lambda line: None  # noqa: E731
    if options.log:
        log = Path(options.log).open("w", buffering=1, encoding="utf-8", errors="backslashreplace").write  # noqa: SIM115
    players = [Player(options.seed + i) for i in range(options.threads)]
    for player in players[1:]:  # all share the same objects
        player.pool = player.fixed = players[0].fixed
    failures: list[BaseException] = []

    def work(player: Player) -> None:
        try:
            player.run(options.calls, log)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(player,)) for player in players]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(str(failures[0]))
    total: Counter[str] = sum((player.counts for player in players), Counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{total.total()} calls, peak memory {peak} MiB:", dict(total.most_common()))


if __name__ == "__main__":
    main()
