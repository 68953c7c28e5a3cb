"""Preparing data for, training, exporting and measuring small models of the bundled kind.

Needs only numpy and torch (and a MIDI reader for ``prepare``). Run as ``python -m midigpt_nb.training``, or,
on a machine without the compiled part of the package, as ``python midigpt_nb/training``.
"""
