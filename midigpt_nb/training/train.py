"""The training loop: prepared arrays in, checkpoints and a log out. Needs numpy and torch only.

Everything is scheduled by the clock: the learning rate, the mix of windows and the end of the run are
functions of the share of ``minutes`` used so far, so a busy machine shortens the run without spoiling its
last phase.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from .checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from .corpus import Corpus
from .measure import HoldOut
from .mixes import BAND_SOURCES, LONG_MIX, SHORT_MIX, SOURCE_WEIGHTS, Mix
from .model import HintReader, ModelConfig, Transformer, link_losses
from .optimizer import make_optimizers
from .vocabulary import FILL_START, encoder_config
from .window import FILL, FIRST_NOTE, HINT_SIZES, LINKS, ORDINALS, Batch, Window, batches
from .windows import WindowSampler


@dataclass(frozen=True)
class Plan:
    """A training run: network, optimiser, schedule. Times are minutes."""

    width: int = 128
    layers: int = 6
    heads: int = 4
    dropout: float = 0.0
    sinusoids: float = 0.07
    learning_rate: float = 4e-3
    warm_up: float = 0.02  # share of the run
    decay_from: float = 0.55  # share of the run at which the linear decay begins
    final_rate: float = 0.03  # of the peak
    batch_tokens: int = 2048
    padding: int = 32
    short_until: float = 0.33  # share of the run with mostly short windows
    finish_from: float = 0.75  # share of the run at which the real-band weight is raised
    band_weight: float = 1.0  # factor on the band sources before that
    final_band_weight: float = 1.6  # and after
    fill_weight: float = 2.0
    first_note_weight: float = 3.0
    hint_weight: float = (
        0.15  # of each hint's loss in fill blocks, against the token loss; half of it in bars
    )
    link_weight: float = 0.2  # of each guided head's loss
    guide_until: float = 0.7  # share of the run over which both weights fade to a fifth
    weights_below: float = 2.5  # the fill weights begin when the mean loss has fallen below this
    evaluate_every: float = 5.0
    save_every: float = 5.0
    evaluation_windows: int = 40
    transpose: float = 0.5
    transpose_range: tuple[int, int] = (-5, 6)
    workers: int = 0  # processes that make windows; 0: this one
    compile: bool = False
    slim: bool = False  # checkpoints hold float16 weights and no optimiser state
    rewarm_steps: int = 100  # warm-up after a resume without optimiser state


PRESETS = {
    "cpu": Plan(),
    "gpu": Plan(
        width=384,
        layers=8,
        heads=12,
        dropout=0.1,
        learning_rate=3e-3,
        batch_tokens=65_536,
        padding=256,
        decay_from=0.72,
        short_until=0.15,
        finish_from=0.8,
        band_weight=0.45,
        final_band_weight=1.2,
        evaluate_every=1.5,
        save_every=1.0,
        evaluation_windows=100,
        transpose=1.0,
        transpose_range=(-6, 5),
        workers=8,
        compile=True,
        slim=True,
    ),
}


def mixes(plan: Plan, progress: float) -> list[tuple[float, Mix]]:
    """The window mixes of a stage of the run, with their shares."""
    factor = plan.final_band_weight if progress >= plan.finish_from else plan.band_weight
    sources = {name: w * factor if name in BAND_SOURCES else w for name, w in SOURCE_WEIGHTS.items()}
    short, long = (
        replace(mix, sources=sources, transpose=plan.transpose, transpose_range=plan.transpose_range)
        for mix in (SHORT_MIX, LONG_MIX)
    )
    if progress < plan.short_until:
        return [(0.85, short), (0.15, long)]
    return [(0.3, short), (0.7, long)]


class PoolSource:
    """Pools of windows by number; a pool depends on seed, number and stage of the run alone."""

    def __init__(self, corpus: Corpus, plan: Plan, seed: int, size: int):
        self.corpus, self.plan, self.seed, self.size = corpus, plan, seed, size

    def pool(self, number: int, progress: float) -> list[Window]:
        """Pool ``number`` as it is drawn at this stage of the run."""
        options = mixes(self.plan, progress)
        rng = np.random.default_rng((self.seed, number, 1))
        windows: list[Window] = []
        for (_, mix), count in zip(
            options, rng.multinomial(self.size, [share for share, _ in options]), strict=True
        ):
            sampler = WindowSampler(self.corpus, "train", mix)
            windows += sampler.pool(self.seed, number, int(count))
        return windows


_SOURCE: PoolSource | None = None


def _start_worker(path: Path, plan: Plan, seed: int, size: int) -> None:
    global _SOURCE
    torch.set_num_threads(1)
    _SOURCE = PoolSource(Corpus.load(path), plan, seed, size)


def _make_pool(job: tuple[int, float]) -> list[Batch]:
    assert _SOURCE is not None
    number, progress = job
    plan = _SOURCE.plan
    return batches(
        _SOURCE.pool(number, progress), plan.batch_tokens, np.random.default_rng(number), plan.padding
    )


# Numbers that belong to a checkpoint; "pool" is all that the order of windows depends on.
COUNTERS = ("step", "pool", "tokens", "blocks", "seconds", "mean_loss")


class Training:
    """State of a run, and the loop."""

    def __init__(self, corpus_path: Path, folder: Path, plan: Plan, minutes: float, seed: int, device: str):
        self.corpus_path, self.folder, self.plan, self.seed = corpus_path, folder, plan, seed
        self.minutes = minutes
        self.device = torch.device(device)
        self.corpus = Corpus.load(corpus_path)
        torch.manual_seed(seed)
        config = ModelConfig(n_embd=plan.width, n_layer=plan.layers, n_head=plan.heads)
        self.model = Transformer(config, plan.dropout, plan.sinusoids).to(self.device)
        readers = (list(HINT_SIZES.values()), [ORDINALS])
        self.readers = torch.nn.ModuleList(HintReader(plan.width, sizes) for sizes in readers).to(self.device)
        self.optimizers = make_optimizers(self.model, plan.learning_rate, list(self.readers.parameters()))
        self.guided = self.model.guided
        if plan.compile:
            torch._dynamo.config.suppress_errors = True  # where compiling fails, go on without
            self.guided = torch.compile(self.guided)
        self.step = self.pool = self.tokens = self.blocks = 0
        self.seconds = 0.0
        self.mean_loss = 10.0
        self.cold_from = -plan.rewarm_steps  # step at which the optimisers started without state
        self.cooling: tuple[float, float] | None = None  # begin and length, in seconds, of a final decay
        self.pool_size = max(256, plan.batch_tokens // 100)
        if has_checkpoint(folder):
            self._restore(load_checkpoint(folder))

    def _restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.readers.load_state_dict(state["readers"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=False):
            optimizer.load_state_dict(saved)
        for name in COUNTERS:
            setattr(self, name, state[name])
        if not state["optimizers"]:
            self.cold_from = self.step

    def save(self, name: str = "state") -> None:
        """Write a checkpoint from which the run can go on."""
        slim = self.plan.slim
        weights = self.model.state_dict()
        state = {
            "model": {key: value.half() for key, value in weights.items()} if slim else weights,
            "readers": self.readers.state_dict(),
            "optimizers": [] if slim else [optimizer.state_dict() for optimizer in self.optimizers],
            **{counter: getattr(self, counter) for counter in COUNTERS},
            "config": self.model.config.as_dict(),
            "encoder_config": encoder_config(),
            "held_out": [str(file) for file in self.corpus.piece_file[self.corpus.piece_split != 0]],
        }
        save_checkpoint(state, self.folder, name)

    @property
    def progress(self) -> float:
        """Share of the planned time used."""
        return self.seconds / (60 * self.minutes)

    def rate(self) -> float:
        """Learning rate at this point of the run: warm-up, constant, linear decay."""
        plan, progress = self.plan, self.progress
        if progress < plan.warm_up:
            factor = max(0.02, progress / plan.warm_up)
        else:
            left = min(1.0, max(0.0, 1 - progress) / max(1e-9, 1 - plan.decay_from))
            factor = plan.final_rate + (1 - plan.final_rate) * left
        factor *= min(1.0, (self.step - self.cold_from + 1) / plan.rewarm_steps)
        if self.cooling is not None:
            begin, length = self.cooling
            factor *= max(plan.final_rate, 1 - (time.monotonic() - begin) / length)
        return plan.learning_rate * factor

    def pools(self) -> Iterator[list[Batch]]:
        """Batches of pool after pool, from the current pool number on."""
        plan = self.plan
        if not plan.workers:
            source = PoolSource(self.corpus, plan, self.seed, self.pool_size)
            while True:
                windows = source.pool(self.pool, self.progress)
                yield batches(windows, plan.batch_tokens, np.random.default_rng(self.pool), plan.padding)
                self.pool += 1
        context = multiprocessing.get_context("spawn")
        with context.Pool(
            plan.workers, _start_worker, (self.corpus_path, plan, self.seed, self.pool_size)
        ) as workers:
            ahead = [
                workers.apply_async(_make_pool, ((self.pool + i, self.progress),))
                for i in range(2 * plan.workers)
            ]
            while True:
                yield ahead.pop(0).get()
                self.pool += 1
                job = (self.pool + len(ahead), self.progress)
                ahead.append(workers.apply_async(_make_pool, (job,)))

    def update(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One optimiser step; returns the plain mean loss, the gradient norm, and the losses of
        hints in fill blocks and of links."""
        plan = self.plan
        ids, kinds, hints, ordinals, links = (
            torch.from_numpy(part).to(self.device, non_blocking=True) for part in batch
        )
        ids = ids.long()
        middle = self.model.config.n_layer // 2
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            last, stream, scores = self.guided(ids)
            logits = self.model.lm_head(last[:, :-1].flatten(0, 1))
            inside = (ids == FILL_START).cumsum(1).flatten() > 0
            said, counted = (
                reader(stream[depth].flatten(0, 1), classes.flatten(0, 1).long(), inside)
                for reader, depth, classes in zip(
                    self.readers, (middle + 1, max(1, middle)), (hints, ordinals[:, :, None]), strict=True
                )
            )
            found = link_losses(scores, links)
        kind = kinds[:, 1:].flatten()
        loss = functional.cross_entropy(logits.float(), ids[:, 1:].flatten(), reduction="none")
        real = (kind >= 0).float()
        weight = real
        if self.mean_loss < plan.weights_below:
            weight = real + (kind == FILL) * (plan.fill_weight - 1)
            weight = weight + (kind == FIRST_NOTE) * (plan.first_note_weight - 1)
        hint_losses = torch.cat([said, counted], dim=1)
        guide = max(0.2, 1 - self.progress / plan.guide_until)
        total = (loss * weight).sum() / weight.sum()
        total = total + guide * plan.hint_weight * (0.5 * hint_losses[0] + hint_losses[1]).sum()
        total = total + guide * plan.link_weight * found.sum()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = self.rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        plain = (loss.detach() * real).sum() / real.sum()
        return plain, norm, torch.cat([hint_losses[1], found]).detach()

    def run(self, deadline: float = float("inf"), insurance: float = 0.0) -> None:
        """Train until the planned minutes are used or this call has taken ``deadline`` minutes.

        With ``insurance``, a call that stops before the end of the run saves its state that many minutes
        early, spends the rest on a short decay and saves the result as ``cooled``: a usable model if nothing
        follows.
        """
        plan = self.plan
        self.folder.mkdir(parents=True, exist_ok=True)
        holdout = HoldOut(self.corpus, plan.evaluation_windows)
        meter = _Meter(self.device)
        begin = last = time.monotonic()
        stop = begin + 60 * (deadline - insurance)
        next_save, next_evaluation = begin + 60 * plan.save_every, begin + 60 * plan.evaluate_every
        self.model.train()
        for batch in self._batches(meter):
            meter.add(*self.update(batch), tokens=int((batch.kinds >= 0).sum()))
            self.step += 1
            self.tokens += int((batch.kinds >= 0).sum())
            self.blocks += int((batch.ids == FILL_START).sum())
            if meter.steps == 50:
                row = meter.row(self.step, self.tokens, self.seconds, self.rate())
                self.mean_loss = float(str(row["loss"]))
                self._log("log.csv", row)
            now = time.monotonic()
            if now >= next_evaluation:
                self._evaluate(holdout)
                meter.pause(time.monotonic() - now)
                next_evaluation = now + 60 * plan.evaluate_every
            if now >= next_save and self.cooling is None:
                self.save()
                next_save = now + 60 * plan.save_every
            self.seconds += time.monotonic() - last
            last = time.monotonic()
            if self.progress >= 1 or (last >= stop and (self.cooling is not None or not insurance)):
                break
            if last >= stop:
                self.save()
                self.cooling = (last, 60 * insurance)
                stop += 60 * insurance
        self._evaluate(holdout)
        self.save("state" if self.cooling is None else "cooled")

    def _batches(self, meter: _Meter) -> Iterator[Batch]:
        pools = self.pools()
        while True:
            begin = time.monotonic()
            pool = next(pools)
            meter.waited += time.monotonic() - begin
            yield from pool

    def _evaluate(self, holdout: HoldOut) -> None:
        figures = {name: f"{value:.4f}" for name, value in holdout.measure(self.model).items()}
        row = {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds), **figures}
        self._log("evaluations.csv", row)

    def _log(self, name: str, row: dict[str, object]) -> None:
        path = self.folder / name
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, row)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)


class _Meter:
    """Sums over the steps since the last row of the log."""

    def __init__(self, device: torch.device):
        self.device = device
        self._reset()

    def _reset(self) -> None:
        self.steps = self.tokens = 0
        self.waited = 0.0
        self.begin = time.monotonic()
        self.loss = torch.zeros((), device=self.device)
        self.norm = torch.zeros((), device=self.device)
        self.guides = torch.zeros(len(HINT_SIZES) + 1 + len(LINKS), device=self.device)

    def add(self, loss: torch.Tensor, norm: torch.Tensor, guides: torch.Tensor, tokens: int) -> None:
        """Count one step."""
        self.steps += 1
        self.tokens += tokens
        self.loss, self.norm, self.guides = self.loss + loss, norm, self.guides + guides

    def pause(self, seconds: float) -> None:
        """Leave out time that was not spent on training."""
        self.begin += seconds

    def row(self, step: int, tokens: int, seconds: float, rate: float) -> dict[str, object]:
        """The row of the log, and start again."""
        elapsed = max(1e-9, time.monotonic() - self.begin)
        names = [f"hint_{name}" for name in (*HINT_SIZES, "ordinal")] + [f"link_{name}" for name in LINKS]
        guides = (self.guides / self.steps).tolist()
        result: dict[str, object] = {
            "step": step,
            "tokens": tokens,
            "seconds": round(seconds, 1),
            "rate": f"{rate:.5f}",
            "loss": f"{float(self.loss) / self.steps:.4f}",
            "gradient": f"{float(self.norm):.3f}",
            "tokens_per_second": round(self.tokens / elapsed),
            "waiting": f"{self.waited / elapsed:.3f}",
            **{name: f"{value:.3f}" for name, value in zip(names, guides, strict=True)},
        }
        if self.device.type == "cuda":
            result["memory_gib"] = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        self._reset()
        return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Command-line arguments of ``train``."""
    parser.add_argument("corpus", type=Path, help="prepared arrays (.npz)")
    parser.add_argument(
        "folder", type=Path, help="where checkpoints and logs go; a run found there is resumed"
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--minutes", type=float, required=True, help="length of the whole run")
    parser.add_argument(
        "--deadline", type=float, default=float("inf"), help="minutes after which this call stops"
    )
    parser.add_argument(
        "--insurance", type=float, default=0.0, help="minutes before the deadline for a decay on the side"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="torch threads (CPU)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one field of the plan"
    )


def main(arguments: argparse.Namespace) -> None:
    """Run ``train`` with parsed arguments."""
    torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision("high")
    plan = PRESETS[arguments.preset]
    for item in arguments.set:
        name, value = item.split("=", 1)
        kind = type(getattr(plan, name))
        plan = replace(plan, **{name: value == "True" if kind is bool else kind(value)})
    run = Training(
        arguments.corpus, arguments.folder, plan, arguments.minutes, arguments.seed, arguments.device
    )
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters on {run.device}, from step {run.step}", flush=True)
    run.run(arguments.deadline, arguments.insurance)
