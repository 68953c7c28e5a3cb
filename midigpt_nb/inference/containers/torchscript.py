"""A folder with `config.json` and a scripted module `model.pt`: its weights, without running the script.

A scripted module is an archive of arrays plus program text. The arrays are read by name, as from any other
container; the program is never loaded. What it does is known: the published modules are the same network that
`.safetensors` files describe. Sizes follow from the shapes of the arrays, except the number of heads, which
no shape shows. It is taken from what the module says about itself:

1. the numbers stored in its attention modules (`num_heads`, `n_head`, ...);
2. the same names as constants in the program text;
3. the constant third size in the text's reshapes to four dimensions (batch, time, heads, width of a head).

Sources that disagree, and a module that says nothing, are refused: a wrong number of heads would load and
write nonsense. `from_checkpoint(folder, n_head=8)` says it then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from midigpt_nb.errors import CheckpointError, CheckpointNotFound
from midigpt_nb.inference.containers.contents import Contents, Stored, read_json_file
from midigpt_nb.inference.containers.plain_pickle import Record
from midigpt_nb.inference.containers.torch_archive import TorchArchive, TorchArray

__all__ = ["CONFIG", "MODULE", "read_torchscript"]

CONFIG, MODULE = "config.json", "model.pt"

_HEAD_NAMES = ("num_heads", "n_head", "n_heads", "num_attention_heads", "nhead")
_CONSTANT = re.compile(rf"\b({'|'.join(_HEAD_NAMES)})\s*:\s*Final\[int\]\s*=\s*(\d{{1,4}})\b")
_RESHAPE = re.compile(
    r"(?:view|reshape)\([^\[\]\n]{0,200}\[[^\[\],]{1,80}, [^\[\],]{1,80}, (\d{1,4}), ([^\[\],]{1,80})\]\)"
)
_MAX_CODE_BYTES = 4 << 20
_MAX_NODES = 200_000


def read_torchscript(folder: Path, n_head: int | None = None) -> Contents:
    """The contents of a folder. `n_head` is needed only when the module does not say it."""
    for name in (CONFIG, MODULE):
        if not (folder / name).is_file():
            raise CheckpointNotFound(
                f"{str(folder)!r} is a folder without {name!r}; a scripted model is a folder with {CONFIG!r} "
                f"and {MODULE!r}"
            )
    encoder_config = read_json_file(folder / CONFIG)
    archive = TorchArchive(folder / MODULE)
    attributes = dict(_attributes(archive.structure(classes="__torch__."), MODULE))
    arrays = _arrays(archive, attributes)
    config = _sizes(arrays)
    config["n_head"] = n_head if n_head is not None else _heads(archive, attributes, config["n_embd"])
    return Contents("gpt2", config, encoder_config, arrays)


def _attributes(root: Any, what: str) -> Iterator[tuple[str, Any]]:
    """Every attribute of a module and of the modules in it, with its dotted name."""
    if not isinstance(root, Record):
        raise CheckpointError(f"{what}: not a scripted module")
    todo: list[tuple[str, Record]] = [("", root)]
    seen = 0
    while todo:
        prefix, module = todo.pop()
        for name, value in module.attributes.items():
            seen += 1
            if seen > _MAX_NODES or len(prefix) > 200:
                raise CheckpointError(f"{what}: its modules are nested too deep or too many")
            full = f"{prefix}{str(name)[:100]}"
            yield full, value
            if isinstance(value, Record):
                todo.append((f"{full}.", value))


def _arrays(archive: TorchArchive, attributes: dict[str, Any]) -> dict[str, Stored]:
    """The arrays under the names of the network; a module around it is stepped into."""
    root = [n[: -len("transformer.wte.weight")] for n in attributes if n.endswith("transformer.wte.weight")]
    if len(root) != 1:
        raise CheckpointError(f"{MODULE}: there is no 'transformer.wte.weight' in it; it is not a GPT-2")
    arrays = {}
    for name, value in attributes.items():
        if isinstance(value, TorchArray) and name.startswith(root[0]):
            short = name[len(root[0]) :]
            stored = archive.stored(short, value)
            if stored is not None:
                arrays[short] = stored
    return arrays


def _sizes(arrays: dict[str, Stored]) -> dict[str, int]:
    """The network's sizes, as far as shapes show them."""
    shapes = {name: stored.shape for name, stored in arrays.items()}
    tables = [shapes.get(f"transformer.{name}.weight", ()) for name in ("wte", "wpe")]
    if any(len(shape) != 2 for shape in tables):
        raise CheckpointError(f"{MODULE}: it has no tables of tokens and positions; it is not a GPT-2")
    blocks = {m[1] for name in shapes if (m := re.match(r"transformer\.h\.(\d{1,6})\.", name))}
    if not blocks:
        raise CheckpointError(f"{MODULE}: there are no blocks 'transformer.h.0', ... in it")
    (vocab_size, n_embd), (n_positions, _) = tables
    return {"vocab_size": vocab_size, "n_positions": n_positions, "n_embd": n_embd, "n_layer": len(blocks)}


def _heads(archive: TorchArchive, attributes: dict[str, Any], width: int) -> int:
    said = _said(attributes, width) or _written(archive, width)
    if len(said) == 1:
        return said.pop()
    found = f"says {', '.join(map(str, sorted(said)))}" if said else "does not say"
    raise CheckpointError(
        f"{MODULE} {found} how many attention heads it has, and no array shows it. "
        "Say it: InferenceEngine.from_checkpoint(folder, n_head=8)"
    )


def _said(attributes: dict[str, Any], width: int) -> set[int]:
    return {
        value
        for name, value in attributes.items()
        if name.rpartition(".")[2] in _HEAD_NAMES and type(value) is int and value > 0 and width % value == 0
    }


def _written(archive: TorchArchive, width: int) -> set[int]:
    """What the program text says. It is looked at, not run."""
    constants: set[int] = set()
    reshapes: set[int] = set()
    total = 0  # an archive may name one text a hundred thousand times
    for name in archive.names():
        if not (name.startswith("code/") and name.endswith(".py")):
            continue
        text = archive.text(name, _MAX_CODE_BYTES)
        total += len(text)
        if total > _MAX_CODE_BYTES:
            raise CheckpointError(f"{MODULE}: its program text is longer than {_MAX_CODE_BYTES >> 20} MiB")
        constants.update(int(n) for _, n in _CONSTANT.findall(text))
        for heads, head in _RESHAPE.findall(text):
            if not head.isdecimal() or int(heads) * int(head) == width:
                reshapes.add(int(heads))
    return {n for n in constants or reshapes if n > 0 and width % n == 0}
