"""`.pt`, format version 1: a dict with sizes, encoder configuration and arrays, as torch saves it.

The reference unpickles such a file with full trust. Here it is read as data (see `plain_pickle`): a file that
would run code is refused, and the message says what it wanted to run.
"""

from __future__ import annotations

from pathlib import Path

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.containers.contents import Contents, Stored, parse_json, plain_data
from midigpt_nb.inference.containers.torch_archive import TorchArchive, TorchArray

__all__ = ["read_bundle"]

_MAX_NAME = 200


def read_bundle(path: Path) -> Contents:
    """The contents of a `.pt` bundle. Raises `CheckpointError`."""
    archive = TorchArchive(path)
    bundle = archive.structure()
    if isinstance(bundle, dict) and "format_version" not in bundle and _looks_like_weights(bundle):
        raise CheckpointError(
            f"{path.name}: these are bare weights, without the encoder configuration that says what the "
            "tokens mean"
        )
    if not isinstance(bundle, dict) or bundle.get("format_version") != 1:
        version = bundle.get("format_version") if isinstance(bundle, dict) else None
        raise CheckpointError(
            f"{path.name}: format version {_short(version)} is not supported in a .pt file; allowed: 1"
        )
    state = bundle.get("state_dict")
    if not isinstance(state, dict):
        raise CheckpointError(f"{path.name}: there is no 'state_dict', so there are no weights")
    encoder = bundle.get("encoder_config")
    if isinstance(encoder, str):
        encoder = parse_json(encoder, f"{path.name}: its encoder configuration")
    encoder = plain_data(encoder, f"{path.name}: its encoder configuration")
    config = plain_data(bundle.get("config"), f"{path.name}: 'config'")
    arrays: dict[str, Stored] = {}
    for name, array in state.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME:
            raise CheckpointError(f"{path.name}: an array has the name {_short(name)}")
        stored = archive.stored(name, array) if isinstance(array, TorchArray) else None
        if stored is not None:
            arrays[name] = stored
    return Contents(plain_data(bundle.get("arch"), f"{path.name}: 'arch'"), config, encoder, arrays)


def _looks_like_weights(bundle: dict[object, object]) -> bool:
    return any(isinstance(value, TorchArray) for value in bundle.values())


def _short(value: object) -> str:
    return (
        repr(value)[:60] if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    )
