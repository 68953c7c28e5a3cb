"""Pickles read as data: lists, dicts, texts, numbers, and what the caller has a reader for.

A pickle is a small program that may import and call anything. This reader runs its own list of instructions:
a name stays a name, and a call is made only if the caller listed it. Anything else is refused, with the name
of what the file wanted to call. Nothing is ever imported.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from midigpt_nb.errors import CheckpointError

__all__ = ["Name", "Record", "read_pickle"]

MAX_BYTES = 4 << 20  # a value needs a byte of pickle and some hundred bytes of memory


@dataclass(frozen=True)
class Name:
    """Something the file wants to import. It is not imported."""

    text: str


@dataclass
class Record:
    """An object whose class is not loaded: the name of the class and its attributes."""

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)


class _Mark:
    pass


_MARK = _Mark()

_DAMAGE = (
    ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RecursionError, TypeError, ValueError,
)  # fmt: skip

Calls = Mapping[str, Callable[..., Any]]


def read_pickle(
    data: bytes,
    what: str,
    *,
    calls: Calls,
    names: tuple[str, ...] = (),
    classes: str | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The value of a pickle. Raises `CheckpointError`, naming `what`.

    `calls`: name -> our function that is called in its place. `names`: beginnings of names that may be
    mentioned. `classes`: beginning of class names whose objects become a `Record`. `persistent`: reads what
    the file refers to by a persistent id.
    """
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"{what} has {len(data)} bytes of structure; at most {MAX_BYTES} are read")
    try:
        return _Reader(what, calls, names, classes, persistent).run(data)
    except CheckpointError:
        raise
    except _DAMAGE as error:
        raise CheckpointError(f"{what} is damaged ({type(error).__name__}: {str(error)[:120]})") from error


class _Reader:
    def __init__(
        self,
        what: str,
        calls: Calls,
        names: tuple[str, ...],
        classes: str | None,
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.what, self.calls, self.names, self.classes = what, calls, names, classes
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _position in pickletools.genops(data):
            if opcode.name == "STOP":
                return self.pop()
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise CheckpointError(f"{self.what}: refused: it uses the pickle instruction {opcode.name}")
            action(self, argument)
        raise ValueError("no end")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a value is missing")
        return value

    def top(self, kind: type) -> Any:
        """The value on top, which has to be of a kind."""
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"a {kind.__name__} is missing")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise ValueError("a mark is missing")

    def tuple_of(self, n: int) -> None:
        items = [self.pop() for _ in range(n)]
        self.push(tuple(reversed(items)))

    def remember(self, slot: int | None) -> None:
        self.memo[len(self.memo) if slot is None else slot] = self.stack[-1]

    def recall(self, slot: int) -> None:
        self.push(self.memo[slot])

    def name(self, text: str) -> None:
        allowed = text in self.calls or text.startswith(self.names)
        if not allowed and not (self.classes and text.startswith(self.classes)):
            raise self.refusal(text)
        self.push(Name(text))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name is no text")
        self.name(f"{module}.{name}")

    def refusal(self, text: str) -> CheckpointError:
        return CheckpointError(
            f"{self.what}: refused: it asks to run {text[:100]!r}, and a model needs nothing run. "
            "Nothing of it was run. Only arrays, dicts, lists, texts and numbers are read"
        )

    def call(self) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, Name) or name.text not in self.calls:
            raise self.refusal(name.text if isinstance(name, Name) else type(name).__name__)
        if not isinstance(arguments, tuple):
            raise TypeError("arguments are no tuple")
        self.push(self.calls[name.text](*arguments))

    def new(self) -> None:
        arguments, name = self.pop(), self.pop()
        wanted = isinstance(name, Name) and self.classes is not None and name.text.startswith(self.classes)
        if not wanted or arguments != ():
            raise self.refusal(name.text if isinstance(name, Name) else type(name).__name__)
        self.push(Record(name.text))

    def build(self) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, Record) and isinstance(state, dict):
            target.attributes.update(state)
        elif not isinstance(target, dict):  # an ordered dict's own attributes say nothing here
            raise TypeError("attributes without an object")

    def append(self) -> None:
        value = self.pop()
        self.top(list).append(value)

    def extend(self) -> None:
        items = self.pop_to_mark()
        self.top(list).extend(items)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.top(dict)[_key(key)] = value

    def set_items(self) -> None:
        items = self.pop_to_mark()
        if len(items) % 2:
            raise ValueError("a key without a value")
        self.top(dict).update(zip(map(_key, items[::2]), items[1::2], strict=True))

    def persistent_id(self) -> None:
        if self.persistent is None:
            raise self.refusal("a persistent id")
        self.push(self.persistent(self.pop()))


def _key(key: Any) -> str | int:
    """A key of a dict. Only simple ones: hashing a tuple nested a million deep would end the process."""
    if not isinstance(key, (str, int)):
        raise TypeError(f"a {type(key).__name__} as a key")
    return key


def _push(reader: _Reader, value: Any) -> None:
    reader.push(value)


# TABLE: pickle instruction -> what is done. Instructions that are not here are refused.
_ACTIONS: dict[str, Callable[[_Reader, Any], Any]] = {
    "PROTO": lambda r, a: None,
    "FRAME": lambda r, a: None,
    "MARK": lambda r, a: r.push(_MARK),
    "POP": lambda r, a: r.stack.pop(),
    "POP_MARK": lambda r, a: r.pop_to_mark(),
    "NONE": lambda r, a: r.push(None),
    "NEWTRUE": lambda r, a: r.push(True),
    "NEWFALSE": lambda r, a: r.push(False),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
         "SHORT_BINBYTES", "BINBYTES"),
        _push,
    ),
    "EMPTY_LIST": lambda r, a: r.push([]),
    "EMPTY_TUPLE": lambda r, a: r.push(()),
    "EMPTY_DICT": lambda r, a: r.push({}),
    "TUPLE1": lambda r, a: r.tuple_of(1),
    "TUPLE2": lambda r, a: r.tuple_of(2),
    "TUPLE3": lambda r, a: r.tuple_of(3),
    "TUPLE": lambda r, a: r.push(tuple(r.pop_to_mark())),
    "APPEND": lambda r, a: r.append(),
    "APPENDS": lambda r, a: r.extend(),
    "SETITEM": lambda r, a: r.set_item(),
    "SETITEMS": lambda r, a: r.set_items(),
    "BINPUT": lambda r, a: r.remember(a),
    "LONG_BINPUT": lambda r, a: r.remember(a),
    "MEMOIZE": lambda r, a: r.remember(None),
    "BINGET": lambda r, a: r.recall(a),
    "LONG_BINGET": lambda r, a: r.recall(a),
    "GLOBAL": lambda r, a: r.name(a.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda r, a: r.stack_name(),
    "REDUCE": lambda r, a: r.call(),
    "NEWOBJ": lambda r, a: r.new(),
    "BUILD": lambda r, a: r.build(),
    "BINPERSID": lambda r, a: r.persistent_id(),
}  # fmt: skip
