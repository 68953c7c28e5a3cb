"""``python -m midigpt_nb.training`` (installed) or ``python midigpt_nb/training`` (bare checkout)."""

import sys

if not __package__:
    # Run as a folder: stand in for the package, so that its compiled part is not needed.
    import types
    from pathlib import Path

    package = types.ModuleType("midigpt_nb")
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["midigpt_nb"] = package

from midigpt_nb.training.cli import main

if __name__ == "__main__":
    sys.exit(main())
