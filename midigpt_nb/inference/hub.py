"""Published weights: a name -> a file on this machine, from the hub's cache or from the hub itself.

The network is used for nothing else, and only when such a name is asked for. What was downloaded once is
found again without network, and without the hub's client: the cache is only folders.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from midigpt_nb.errors import CheckpointError, HubAccessError, HubError, MidiGPTError, MissingExtraError
from midigpt_nb.inference.models import PUBLISHED_REPO

__all__ = ["HubFile", "best_name", "cache_folder", "cached_file", "fetch"]

SECONDS_TO_ANSWER = 4.0  # how long the hub may take to say which files it has
_SUFFIX = ".safetensors"
_REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_VERSION = re.compile(r"final|step(\d{1,18})")
_SHA256 = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on this machine. `revision` is the commit it belongs to."""

    path: Path
    repo: str
    revision: str


# --- which file of several -------------------------------------------------------------------------


def _rank(name: str, file: str) -> float:
    """How good a file is for a name: final, then the most steps, then anything else."""
    found = _VERSION.fullmatch(file[len(name) + 1 : -len(_SUFFIX)])
    if not found:
        return -1
    return int(found[1]) if found[1] else float("inf")


def best_name(name: str, files: Iterable[str]) -> str | None:
    """The file for a model's name: `name-final`, else the highest `name-step<N>`; None when there is none.

    >>> best_name("yellow_small", ["yellow_small-step900.safetensors", "yellow_small-step1000.safetensors"])
    'yellow_small-step1000.safetensors'
    """
    files = [file for file in files if file.endswith(_SUFFIX)]
    if f"{name}{_SUFFIX}" in files and _VERSION.fullmatch(name.rpartition("-")[2]):
        return f"{name}{_SUFFIX}"  # asked for by its whole name
    candidates = [file for file in files if file.startswith(f"{name}-") and "/" not in file]
    return max(candidates, key=lambda file: (_rank(name, file), file), default=None)


# --- the cache -------------------------------------------------------------------------------------


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where the hub's client keeps what it downloads: `cache_dir`, else as its environment variables say."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    env = os.environ
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if env.get(variable):
            return Path(os.path.expandvars(env[variable])).expanduser()
    home = env.get("HF_HOME") or str(Path(env.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def cached_file(name: str, repo: str, cache_dir: str | Path | None = None) -> HubFile | None:
    """The best file for a name over all revisions in the cache; of several copies of that file the one that
    `main` points to, else the newest.
    """
    folder = cache_folder(cache_dir) / f"models--{repo.replace('/', '--')}"
    if not (folder / "snapshots").is_dir():
        return None
    # A link whose file is gone does not count.
    copies = [path for path in (folder / "snapshots").glob(f"*/*{_SUFFIX}") if path.is_file()]
    best = best_name(name, {path.name for path in copies})
    if best is None:
        return None
    main = folder / "refs" / "main"
    current = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    path = max(
        (path for path in copies if path.name == best),
        key=lambda path: (path.parent.name == current, path.parent.stat().st_mtime_ns),
    )
    return HubFile(path, repo, path.parent.name)


def _refuse_damaged(file: HubFile) -> HubFile:
    """A file in the cache is named after its checksum; a download that was cut short does not match it."""
    blob = file.path.resolve()
    if _SHA256.fullmatch(blob.name):
        digest = hashlib.sha256()
        with blob.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != blob.name:
            raise CheckpointError(
                f"{str(blob)!r} is damaged: it does not have the checksum it is named after. "
                "Delete it and load again"
            )
    return file


# --- the hub ---------------------------------------------------------------------------------------


def fetch(
    name: str,
    repo: str | None = None,
    *,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
) -> HubFile:
    """The file for a model's name, downloaded if need be.

    Without network, and when the hub refuses, the best file in the cache is used, with a warning. Raises
    `HubAccessError` when the licence has to be accepted first, `HubError` when nothing can be had,
    `MissingExtraError` without the hub's client, `CheckpointError` when the repository has no such model.
    """
    repo = PUBLISHED_REPO if repo is None else repo
    if not isinstance(repo, str) or not _REPO.fullmatch(repo) or ".." in repo:
        raise CheckpointError(f"hf_repo is {repo!r:.80}; it must be 'owner/name', as in {PUBLISHED_REPO!r}")
    try:
        return _refuse_damaged(_download(name, repo, token, cache_dir))
    except _NotFetched as problem:
        found = cached_file(name, repo, cache_dir)
        if found is None:
            raise problem.error from problem.__cause__
        text = f"{problem.why}; using {found.path.name} from the cache, revision {found.revision:.8}"
        warnings.warn(text, UserWarning, stacklevel=3)
        return _refuse_damaged(found)


class _NotFetched(Exception):
    """The hub gave no file: why, and the error to raise when the cache has none either."""

    def __init__(self, why: str, error: MidiGPTError) -> None:
        super().__init__(why)
        self.why, self.error = why, error


def _download(name: str, repo: str, token: str | bool | None, cache_dir: str | Path | None) -> HubFile:
    began = time.monotonic()  # loading the client takes a while, too
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        why = "HF_HUB_OFFLINE is set, so nothing is downloaded"
        raise _NotFetched(why, HubError(_nothing_here(name, repo, cache_dir, why)))
    try:
        import huggingface_hub
    except ImportError as error:
        why = "the package huggingface_hub is not installed"
        text = (
            f"downloading {name!r} needs the package huggingface_hub. Install it with "
            'pip install "midigpt-nb[inference]", or use the bundled model: from_pretrained("pocket")'
        )
        raise _NotFetched(why, MissingExtraError(text)) from error
    # The client reads this variable once, when it is imported; here it counts whenever it is set.
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    client = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    seconds = max(1.0, _seconds_to_answer() - (time.monotonic() - began))
    info = _asked(
        lambda: _within(seconds, lambda: client.model_info(repo, timeout=seconds)),
        name,
        repo,
        cache_dir,
        seconds,
    )
    files = [str(sibling.rfilename) for sibling in info.siblings or ()]
    best = best_name(name, files)
    if best is None:
        raise CheckpointError(_no_such_file(name, repo, files))
    path = _asked(
        lambda: huggingface_hub.hf_hub_download(
            repo, best, revision=info.sha, cache_dir=cache_folder(cache_dir), token=token, endpoint=endpoint,
            etag_timeout=seconds,
        ),
        name, repo, cache_dir, seconds,
    )  # fmt: skip
    return HubFile(Path(path), repo, str(info.sha))


def _seconds_to_answer() -> float:
    given = os.environ.get("HF_HUB_ETAG_TIMEOUT", "")
    return float(given) if given.isdecimal() and int(given) > 0 else SECONDS_TO_ANSWER


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """The answer, or TimeoutError. Looking up a host name knows no limit of its own, so it is waited for from
    outside; the thread ends when the look-up does.
    """
    answer: list[T] = []
    problem: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(ask())
        except BaseException as error:  # handed to the caller below
            problem.append(error)

    thread = threading.Thread(target=run, name="midigpt-hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if problem:
        raise problem[0]
    if not answer:
        raise TimeoutError
    return answer[0]


def _asked(ask: Callable[[], T], name: str, repo: str, cache_dir: Any, seconds: float) -> T:
    """What the hub answers, or one of this package's errors."""
    try:
        return ask()
    except Exception as error:  # the client's exceptions differ between its versions; the status says enough
        status = getattr(getattr(error, "response", None), "status_code", None)
        gated = "gated" in type(error).__name__.lower()
        problem: HubError
        if status in (401, 403) or gated:
            why, problem = "the hub refused access", HubAccessError(_no_access(name, repo, status))
        elif status == 404:
            why = f"there is no repository {repo!r} on the hub, or it is private and the token is missing"
            problem = HubError(why)
        else:
            why = _reason(error, status, seconds)
            problem = HubError(_nothing_here(name, repo, cache_dir, why))
        raise _NotFetched(why, problem) from error


def _reason(error: Exception, status: int | None, seconds: float) -> str:
    if status is not None:
        return f"the hub answered with status {status}"
    if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
        return f"the hub did not answer within {seconds:.0f} s (HF_HUB_ETAG_TIMEOUT=30 waits longer)"
    words = next(iter(str(error).splitlines()), "")[:120]
    return f"the hub cannot be reached ({type(error).__name__}: {words})"


def _nothing_here(name: str, repo: str, cache_dir: Any, why: str) -> str:
    return (
        f"{name!r} is not on this machine: {why}. It was looked for in {str(cache_folder(cache_dir))!r}. "
        "What you can do: use the bundled model, which needs no network: "
        "InferenceEngine.from_pretrained('pocket'); "
        "connect to the network and try again; "
        f"or fetch a file {name}-....safetensors from the repository {repo} on another machine and load it "
        "with InferenceEngine.from_checkpoint(path)"
    )


def _no_access(name: str, repo: str, status: int | None) -> str:
    said = f" (status {status})" if status else ""
    return (
        f"the hub refused {name!r} of {repo}{said}. These weights have their own, non-commercial licence: "
        f"log in, read and accept it on the page https://huggingface.co/{repo}, then give a token: "
        f"from_pretrained({name!r}, token='hf_...'), or run `hf auth login` once. "
        "The bundled model needs neither: from_pretrained('pocket')"
    )


def _no_such_file(name: str, repo: str, files: list[str]) -> str:
    models = sorted(file for file in files if file.endswith(_SUFFIX))
    there = f"it has {', '.join(models[:8])}" if models else "it has no .safetensors files"
    return f"{repo} has no file {name}-final{_SUFFIX} or {name}-step<N>{_SUFFIX}; {there}"
