"""torch, or an error that names the extra to install. Import this inside functions of modules that must
stay light.
"""

from __future__ import annotations

from midigpt_nb.errors import MissingExtraError

try:
    import torch
except ImportError as error:  # pragma: no cover - the tests run with torch
    raise MissingExtraError('generating needs torch: pip install "midigpt-nb[inference]"') from error

__all__ = ["torch"]
