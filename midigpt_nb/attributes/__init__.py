"""Musical attributes: measured, quantised, requested, compared.

>>> from midigpt_nb.attributes import AttributeAnalyzer
>>> analyzer = AttributeAnalyzer.from_config({"attribute_controls": [{"name": "pitch_range"}]})
>>> analyzer.attribute_sizes()
{'pitch_range': 128}
"""

from __future__ import annotations

# Importing a family registers its rows.
from midigpt_nb.attributes import density, duration, key, pitch, polyphony, silence, timing  # noqa: F401
from midigpt_nb.attributes.analyzer import AttributeAnalyzer
from midigpt_nb.attributes.reach import Reach
from midigpt_nb.attributes.registry import Attribute, Bins, attribute, available, forget

__all__ = ["Attribute", "AttributeAnalyzer", "Bins", "Reach", "attribute", "available", "forget"]
