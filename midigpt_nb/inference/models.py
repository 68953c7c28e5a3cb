"""TABLE: models that can be asked for by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.suggest import suggestion_or_names

__all__ = ["BUNDLED", "PUBLISHED_REPO", "Known", "known_model", "model_names"]

_DATA = Path(__file__).resolve().parent.parent / "data"
PUBLISHED_REPO = "Metacreation/MIDI-GPT"


@dataclass(frozen=True)
class Known:
    """What a name stands for: a file of this package, or the beginning of file names in the published
    repository. `notice` is said once when the name is used.
    """

    name: str
    file: Path | None = None
    notice: str = ""


# Models that are part of this package.
BUNDLED: dict[str, Path] = {"pocket": _DATA / "pocket" / "pocket.safetensors"}
# Published by others, under their own licence.
_PUBLISHED = ("yellow_small", "yellow_medium", "prism_medium", "expressive_medium")
# Other names for them.
_ALIASES = {
    "ghost": "pocket",
    "yellow": "yellow_medium",
    "prism": "prism_medium",
    "expressive": "expressive_medium",
}
_NOTICES = {"ghost": "no weights named 'ghost' were ever published; this is the bundled model 'pocket'"}


def model_names() -> list[str]:
    """Every name there is, the bundled ones first."""
    return [*BUNDLED, *_PUBLISHED, *_ALIASES]


def known_model(name: str) -> Known:
    """What `name` stands for. `yellow_medium-final` and `yellow_medium-step9000` mean exactly that file.

    Raises `CheckpointError` with a suggestion for a name that is not in the tables.
    """
    if not isinstance(name, str):
        raise CheckpointError(
            f"a model's name is a text, not {name!r:.60}; known names: {', '.join(model_names())}"
        )
    stem, dash, version = name.partition("-")
    full = _ALIASES.get(stem, stem) + dash + version
    if full in BUNDLED:
        return Known(full, BUNDLED[full], _NOTICES.get(name, ""))
    if _ALIASES.get(stem, stem) in _PUBLISHED:
        return Known(full)
    raise CheckpointError(
        f"there is no model named {name!r:.80} (a file: InferenceEngine.from_checkpoint(path); another "
        "repository: from_pretrained(name, hf_repo='owner/name')); "
        f"{suggestion_or_names(name, model_names())}"
    )
