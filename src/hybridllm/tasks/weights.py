"""The learned classifier's weights: a file's form, and how they are added up.

A request's score for a label is the label's bias plus, for each group of marks (`features.py`), the
sum of the known marks' weights over the square root of how many were known. Softmax of the scores
over the temperature are the probabilities. The weights of one mark for all labels stand in one
Python integer, a lane of 32 bits each: a request's marks are added up by `sum`, which is what makes
this fast without numpy.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterable
from math import exp, isfinite, sqrt

import msgspec
from msgspec import Struct

from hybridllm.errors import ConfigError
from hybridllm.tasks.features import Marks

FORMAT = 1
GROUPS = ("words", "edges", "shape")
GAINS = (1.0, 1.0, 2.0)
"""How much each group counts before training has its say: shape is little but reliable."""
MOST_BYTES = 32_000_000
"""No file of weights is read beyond this size, unpacked."""

_MIDDLE = 1 << 15
"""Added to each weight, so that no lane of a sum is negative."""
LARGEST = _MIDDLE - 1
"""The largest weight as it is stored: an integer."""


class Weights(Struct, kw_only=True, frozen=True):
    """What training has found. `features` has for each mark of each group one integer a label, in
    units of `unit`. `temperature` calibrates; below `floor`, the least probability of the best
    label, the classifier abstains. `note` says what the weights were trained on."""

    format: int = FORMAT
    labels: list[str]
    bias: list[float]
    unit: float
    temperature: float
    floor: float
    features: dict[str, dict[str, list[int]]]
    note: str = ""

    def encode(self) -> bytes:
        """The file: JSON, packed by gzip, the same bytes for the same weights."""
        return gzip.compress(msgspec.json.encode(self), mtime=0)


def decode(data: bytes, where: str) -> Weights:
    """Weights from a file's bytes. Raises ConfigError, naming `where`, for anything else."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            text = unpacked.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes unpacked")
        weights = msgspec.json.decode(text, type=Weights)
        _check(weights)
    except (OSError, EOFError, ValueError, zlib.error) as e:
        raise ConfigError(
            f"{where} holds no weights of the task classifier: {e}.",
            field="routing.classifier_weights",
            remedy="Name a file that `hybridllm tasks train` wrote.",
        ) from e
    return weights


def _check(weights: Weights) -> None:
    count = len(weights.labels)
    if weights.format != FORMAT:
        raise ValueError(f"it has format {weights.format}, not {FORMAT}")
    if count < 2 or len(set(weights.labels)) != count or len(weights.bias) != count:
        raise ValueError("labels and biases do not match")
    if not (weights.temperature > 0 and weights.unit > 0 and isfinite(sum(weights.bias))):
        raise ValueError("temperature and unit have to be positive, biases finite")
    for group in GROUPS:
        for row in weights.features.get(group, {}).values():
            if len(row) != count or max(map(abs, row)) > LARGEST:
                raise ValueError(f"a mark of '{group}' has weights out of place")


class Scorer:
    """Weights ready for use: immutable, and safe to share."""

    def __init__(self, weights: Weights) -> None:
        self.labels = weights.labels
        self._bias = weights.bias
        self._unit = weights.unit
        self._temperature = weights.temperature
        self._lanes = struct.Struct(f"<{len(weights.labels)}I")
        self._tables = [
            {mark: self._packed(row) for mark, row in weights.features.get(group, {}).items()}
            for group in GROUPS
        ]

    def _packed(self, row: list[int]) -> int:
        lanes = self._lanes.pack(*[weight + _MIDDLE for weight in row])
        return int.from_bytes(lanes, "little")

    def scores(self, marks: Marks) -> list[float]:
        """A score for each label, in the order of `labels`."""
        total = list(self._bias)
        groups: tuple[Iterable[str], ...] = (marks.words, marks.edges, marks.shape)
        for table, found, gain in zip(self._tables, groups, GAINS, strict=True):
            known = list(filter(None, map(table.get, found)))
            if known:
                lanes = self._lanes.unpack(sum(known).to_bytes(self._lanes.size, "little"))
                scale, offset = gain * self._unit / sqrt(len(known)), len(known) * _MIDDLE
                total = [
                    one + (lane - offset) * scale for one, lane in zip(total, lanes, strict=True)
                ]
        return total

    def probabilities(self, marks: Marks) -> list[float]:
        """The labels' probabilities, in the order of `labels`."""
        scores = self.scores(marks)
        top = max(scores)
        parts = [exp((score - top) / self._temperature) for score in scores]
        whole = sum(parts)
        return [part / whole for part in parts]
