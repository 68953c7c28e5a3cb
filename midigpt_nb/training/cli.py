"""Command line of the training package: prepare, train, export, evaluate, baselines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def _parser() -> argparse.ArgumentParser:
    from . import train

    parser = argparse.ArgumentParser(prog="midigpt_nb.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    prepare = commands.add_parser("prepare", help="read archives of MIDI files into flat arrays")
    prepare.add_argument("folder", type=Path, help="folder with manifest.csv and one zip a source")
    prepare.add_argument("output", type=Path, help="file to write (.npz)")
    prepare.add_argument("--workers", type=int, default=2)

    train.add_arguments(commands.add_parser("train", help="train a model on prepared arrays"))

    export = commands.add_parser("export", help="write a checkpoint as .safetensors")
    export.add_argument("folder", type=Path, help="folder of the run")
    export.add_argument("output", type=Path, help="file to write (.safetensors)")
    export.add_argument("--checkpoint", default="state", help="name of the checkpoint (state or cooled)")
    export.add_argument("--type", choices=("float16", "bfloat16", "float32"), default="float16")

    evaluate = commands.add_parser("evaluate", help="losses, diagnostics and sampled infills of a checkpoint")
    evaluate.add_argument("corpus", type=Path, help="prepared arrays (.npz)")
    evaluate.add_argument("folder", type=Path, help="folder of the run")
    evaluate.add_argument("--windows", type=int, default=150, help="validation windows a hold-out")
    evaluate.add_argument("--infills", type=int, default=60)

    baselines = commands.add_parser("baselines", help="n-gram losses on the same windows")
    baselines.add_argument("corpus", type=Path, help="prepared arrays (.npz)")
    baselines.add_argument("--windows", type=int, default=150, help="validation windows a hold-out")
    baselines.add_argument("--tokens", type=int, default=12_000_000, help="training tokens to count")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    if parsed.command == "prepare":
        from .prepare import prepare

        corpus = prepare(parsed.folder, parsed.output, parsed.workers)
        print(f"{len(corpus.piece_file)} pieces, {len(corpus.pitch)} notes, {len(corpus.tokens)} note tokens")
    elif parsed.command == "train":
        from . import train

        train.main(parsed)
    elif parsed.command == "export":
        import torch

        from .export import export_checkpoint

        for path in export_checkpoint(
            parsed.folder, parsed.output, getattr(torch, parsed.type), parsed.checkpoint
        ):
            print(f"{path} ({path.stat().st_size} bytes)")
    else:
        _report(parsed)
    return 0


def _report(parsed: argparse.Namespace) -> None:
    import torch

    from midigpt_nb.evaluation.report import baseline_report, model_report

    from .corpus import Corpus

    torch.set_num_threads(1)
    corpus = Corpus.load(parsed.corpus)
    if parsed.command == "evaluate":
        report = model_report(corpus, parsed.folder, parsed.windows, parsed.infills)
    else:
        report = baseline_report(corpus, parsed.windows, parsed.tokens)
    json.dump(report, sys.stdout, indent=1)
    print()
