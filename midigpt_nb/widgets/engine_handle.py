"""A model that may not be loaded yet, and the one worker that uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from midigpt_nb.widgets.worker import Worker

if TYPE_CHECKING:
    from midigpt_nb.inference import InferenceEngine

__all__ = ["EngineHandle"]


class EngineHandle:
    """An engine with its queue. All widgets that use the same engine, or the same name, share one handle."""

    _by_name: ClassVar[dict[str, EngineHandle]] = {}
    _by_engine: ClassVar[WeakKeyDictionary[Any, EngineHandle]] = WeakKeyDictionary()
    _registry_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str, load: Callable[[], InferenceEngine]) -> None:
        self.name = name
        self.worker = Worker(f"midigpt-nb {name}")
        self._load = load
        self._loading = threading.Lock()
        self._engine: InferenceEngine | None = None

    @classmethod
    def for_name(cls, name: str, load: Callable[[str], InferenceEngine]) -> EngineHandle:
        """The handle of a model by name; `load` is called on the worker, on first use."""
        with cls._registry_lock:
            if name not in cls._by_name:
                cls._by_name[name] = cls(name, lambda: load(name))
            return cls._by_name[name]

    @classmethod
    def for_engine(cls, engine: InferenceEngine) -> EngineHandle:
        """The handle of an engine that is loaded already."""
        with cls._registry_lock:
            for known in cls._by_name.values():
                if known._engine is engine:
                    return known
            if engine not in cls._by_engine:
                handle = cls(str(getattr(engine, "name", "engine")), lambda: engine)
                handle._engine = engine
                cls._by_engine[engine] = handle
            return cls._by_engine[engine]

    @property
    def loaded(self) -> InferenceEngine | None:
        """The engine if it is loaded."""
        return self._engine

    def engine(self) -> InferenceEngine:
        """The engine; loads it first when needed. A failed load is tried again next time."""
        with self._loading:
            if self._engine is None:
                self._engine = self._load()
            return self._engine
