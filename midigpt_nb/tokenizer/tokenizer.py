"""Scores to tokens and back, with the attributes measured on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_nb import _core
from midigpt_nb.attributes import Attribute, AttributeAnalyzer
from midigpt_nb.attributes.stored import bar_key
from midigpt_nb.attributes.view import as_table
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Score
from midigpt_nb.tokenizer.config import EncoderConfig
from midigpt_nb.tokenizer.explain import TokenRow, explain
from midigpt_nb.tokenizer.ids import TokenIds

__all__ = ["Encoding", "Tokenizer"]


@dataclass(frozen=True)
class Encoding:
    """What encoding a score gives.

    `hidden_spans` are (first, one past the last) positions of the bars that `use_span_masks` hides.
    `saturated` counts the values of the score that the vocabulary cannot say (a very long note, a position
    beyond the longest bar, a program outside 0-127) and that were written as the nearest one it can.
    """

    tokens: list[int]
    hidden_spans: list[tuple[int, int]]
    saturated: int


class Tokenizer:
    """Encodes scores as the tokens of one model, and decodes them.

    Never changes what it is given: `config` is copied, scores are only read. Safe to share between threads.

    >>> tokenizer = Tokenizer(engine.tokenizer.config)
    >>> ids = tokenizer.encode(score[:4])
    >>> tokenizer.decode(ids)
    Score(4 tracks, 4 bars, 169 notes)
    """

    def __init__(
        self,
        config: EncoderConfig | Mapping[str, Any],
        analyzer: AttributeAnalyzer | None = None,
        *,
        optional_slots: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Build the vocabulary: the configuration's, then a domain for each attribute it does not list.

        `optional_slots` are (level, token type) pairs that published encoders have but never wrote, for
        example ``("bar", "BarLevelPitchClassSet")``.
        """
        self.config = config.copy() if isinstance(config, EncoderConfig) else EncoderConfig.from_dict(config)
        self.analyzer = analyzer if analyzer is not None else AttributeAnalyzer.from_config(self.config)
        slots = [*optional_slots, *_wanted_slots(self.analyzer)]
        self.vocab = _core.Vocabulary(self.config, self.analyzer.token_domain_specs(), slots)
        self._columns = {
            level: _columns(self.analyzer, level, slots)
            for level, slots in (("track", self.vocab.track_slots), ("bar", self.vocab.bar_slots))
        }
        self._keys = {
            level: _keys(self.analyzer, level, self._columns[level], keys)
            for level, keys in (("track", self.vocab.track_slot_keys), ("bar", self.vocab.bar_slot_keys))
        }

    def __repr__(self) -> str:
        return f"Tokenizer({self.vocab.size} tokens, {len(self.analyzer.attributes)} attributes)"

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return self.vocab.size

    def encode(
        self,
        score: Score | _core.ScoreTable,
        options: _core.EncodeOptions | None = None,
        compute_attributes: bool = True,
    ) -> list[int]:
        """The tokens of the bars as they are given.

        With `compute_attributes` values measured on the grid replace those stored in ``track.attributes``;
        without it only the stored ones are written. Values beyond a domain become its first or last; with
        ``EncodeOptions(out_of_range="error")`` they raise VocabularyError, which names the first place and
        counts them all. Raises VocabularyError when the model lacks a time signature or bar count, and
        TypeError for a stored value that is not a whole number.
        """
        return self.encode_full(score, options, compute_attributes).tokens

    def encode_full(
        self,
        score: Score | _core.ScoreTable,
        options: _core.EncodeOptions | None = None,
        compute_attributes: bool = True,
    ) -> Encoding:
        """`encode`, with which tokens are hidden and how many values did not fit the vocabulary."""
        if options is not None and not isinstance(options, _core.EncodeOptions):
            raise TypeError(
                f"options must be an EncodeOptions, not {type(options).__name__}; "
                "write EncodeOptions(window_bars=4, ...)"
            )
        table = self.grid(_table(score))
        track_values, bar_values = self._stored(score, table)
        if compute_attributes:
            stored = [track.attributes for track in _tracks(score)] or None
            measured_track, measured_bar = self.attribute_arrays(table, stored=stored)
            track_values = np.where(measured_track >= 0, measured_track, track_values)
            bar_values = np.where(measured_bar >= 0, measured_bar, bar_values)
        options = options if options is not None else _core.EncodeOptions()
        tokens, spans, saturated = _core.encode(self.vocab, table, track_values, bar_values, options)
        return Encoding(tokens.tolist(), [(a, b) for a, b in spans.tolist()], saturated)

    def grid(self, table: _core.ScoreTable) -> _core.ScoreTable:
        """The table on the model's grid, onsets cut as in training."""
        return _core.grid_table(table, self.config.resolution, self.config.emit_delta_tokens)

    def attribute_arrays(
        self, table: _core.ScoreTable, *, stored: Sequence[Mapping[str, Any]] | None = None
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Measured values of a table on the model's grid, as columns for `_core.encode`.

        Returns (tracks, track slots) and (bars, bar slots), int16, -1 where an attribute does not apply.
        """
        track_values = np.full((table.n_tracks, len(self.vocab.track_slots)), -1, np.int16)
        bar_values = np.full((len(table.bars), len(self.vocab.bar_slots)), -1, np.int16)
        for track in range(table.n_tracks):
            values_of = self.analyzer.track_values(
                table, track, stored=None if stored is None else stored[track]
            )
            for name, value in values_of.items():
                if name in self._columns["track"]:
                    track_values[track, self._columns["track"][name]] = value
            first, last = table.bar_rows(track)
            for name, values in self.analyzer.bar_values(table, track).items():
                if name in self._columns["bar"]:
                    bar_values[first:last, self._columns["bar"][name]] = values
        return track_values, bar_values

    def _stored(
        self, score: Score | _core.ScoreTable, table: _core.ScoreTable
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Values in ``track.attributes``, as columns."""
        track_values = np.full((table.n_tracks, len(self.vocab.track_slots)), -1, np.int16)
        bar_values = np.full((len(table.bars), len(self.vocab.bar_slots)), -1, np.int16)
        for index, track in enumerate(_tracks(score)):
            if not track.attributes:
                continue
            for column, key in enumerate(self._keys["track"]):
                track_values[index, column] = _stored_value(track.attributes, key, index)
            first, last = table.bar_rows(index)
            for column, key in enumerate(self._keys["bar"]):
                for bar in range(last - first):
                    value = _stored_value(track.attributes, bar_key(key, bar), index)
                    bar_values[first + bar, column] = value
        return track_values, bar_values

    def normalize_input(self, score: Score | _core.ScoreTable) -> Score:
        """The score as the model sees it: a new one on the token grid, onsets cut as in training."""
        return Score.from_table(self.grid(_table(score)))

    def normalize_output(self, score: Score | _core.ScoreTable) -> Score:
        """The reverse: a score on the token grid, at the configuration's `decode_resolution`."""
        config = self.config
        table = _core.grid_table(_table(score), config.decode_resolution, config.emit_delta_tokens)
        return Score.from_table(table)

    def decode(self, ids: TokenIds, resample: bool = True) -> Score:
        """The score that a token list describes, fill-in blocks put in their places.

        Any list of ids decodes; what makes no sense (a note outside any bar, a surplus end) is left out.
        Attribute tokens come back in ``track.attributes``. With `resample` the score has the configuration's
        `decode_resolution`, else the grid's. Raises VocabularyError naming the position of an id that is no
        whole number of the vocabulary.
        """
        table, track_values, bar_values = _core.decode(self.vocab, ids, resample)
        score = Score.from_table(table)
        if not ((track_values >= 0).any() or (bar_values >= 0).any()):
            return score
        for index, track in enumerate(score.tracks):
            track.attributes.update(_present(self._keys["track"], track_values[index]))
            first, last = table.bar_rows(index)
            for bar in range(last - first):
                keys = [bar_key(key, bar) for key in self._keys["bar"]]
                track.attributes.update(_present(keys, bar_values[first + bar]))
        return score

    def explain(self, ids: TokenIds) -> list[TokenRow]:
        """One readable row per token: where it stands and what it says in musical words.

        >>> ids = engine.tokenizer.encode(score[:4, "Bass"])
        >>> print(*engine.tokenizer.explain(ids)[:4], sep="\\n")
            0     0  PieceStart:0    the piece begins
            1   152  NumBars:0    4 bars
            2     2  Track:0    a melodic track begins
            3    70  Instrument:27   Electric Bass (finger)
        """
        attributes: dict[tuple[str, str], Attribute] = {
            (row.level, _core.parse_token_type(row.token_type).name): row for row in self.analyzer.attributes
        }
        config = self.config
        return explain(
            self.vocab,
            ids,
            attributes,
            lowest_pitch=config.pitch_range[0],
            resolution=config.resolution,
        )


def _table(score: Score | _core.ScoreTable) -> _core.ScoreTable:
    """The table of a Score; a table stays as it is. Raises ScoreError for anything else."""
    table = as_table(score)
    if not isinstance(table, _core.ScoreTable):
        raise ScoreError(f"expected a Score or a score table, got {type(score).__name__}")
    return table


def _tracks(score: Score | _core.ScoreTable) -> Sequence[Any]:
    """The tracks of a Score; a bare table keeps no attributes."""
    return [] if isinstance(score, _core.ScoreTable) else score.tracks


def _wanted_slots(analyzer: AttributeAnalyzer) -> list[tuple[str, str]]:
    """(level, token type) of the attributes that are written.

    Bar-level types of the slot table keep its default: published encoders never wrote one of them.
    """
    in_table = {(level, token_type) for level, token_type, _key, _default in _core.attribute_slots()}
    rows = [row for row in analyzer.attributes if row.emitted]
    places = [(row.level, _core.parse_token_type(row.token_type).name) for row in rows]
    return [place for place in places if place[0] == "track" or place not in in_table]


def _keys(
    analyzer: AttributeAnalyzer, level: str, columns: Mapping[str, int], table_keys: Sequence[str]
) -> list[str]:
    """Under which key a score stores each slot: the slot table's, else the attribute's own."""
    in_table = {key for row_level, _type, key, _default in _core.attribute_slots() if row_level == level}
    keys = list(table_keys)
    for name, column in columns.items():
        row = analyzer.get(name)
        if row is not None and keys[column] not in in_table:
            keys[column] = name if level == "track" else row.token_type
    return keys


def _stored_value(attributes: Mapping[str, Any], key: str, track: int) -> int:
    """The value under a key, within what the arrays of the core hold; -1 where there is none."""
    if key not in attributes:
        return -1
    value = attributes[key]
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"tracks[{track}].attributes[{key!r}] is {value!r}; it must be a whole number")
    return min(max(int(value), 0), 2**15 - 1)


def _columns(analyzer: AttributeAnalyzer, level: str, slots: Sequence[str]) -> dict[str, int]:
    """Attribute name -> column, for the attributes that have a slot at their level."""
    places = {name: column for column, name in enumerate(slots)}
    found = {}
    for row in analyzer.attributes:
        canonical = _core.parse_token_type(row.token_type).name if row.level == level else ""
        if canonical in places:
            found[row.name] = places[canonical]
    return found


def _present(keys: Sequence[str], values: npt.NDArray[np.int16]) -> dict[str, int]:
    return {key: int(value) for key, value in zip(keys, values, strict=True) if value >= 0}
