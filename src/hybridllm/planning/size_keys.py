"""What a workload file may say of a call's size: a number, a distribution, or buckets::

input_tokens = 500
input_tokens = { mean = 5_000, p95 = 15_000 }
input_tokens = [{ tokens = 2_000, share = 0.9 }, { tokens = 150_000, share = 0.1 }]
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Any

from hybridllm.config_file.convert import check_number, convert
from hybridllm.config_file.document import Documents
from hybridllm.config_file.lines import Path
from hybridllm.planning.sizes import WIDEST, Bucket, LogNormal, Size

MOST_TOKENS = 10**9
_MOST_BUCKETS = 1_000
_REMEDY = (
    "Write a number, { mean = 5_000, p95 = 15_000 }, or a list of { tokens = 2_000, share = 0.9 }."
)


def read_size(said: Any, path: Path, documents: Documents) -> Size:
    """Raises ConfigError at `path`, or at what is wrong below it."""
    if isinstance(said, int) and not isinstance(said, bool):
        check_number(said, 0, MOST_TOKENS, path, documents)
        return said
    if isinstance(said, dict):
        return _distribution(said, path, documents)
    if isinstance(said, list) and said:
        return _buckets(said, path, documents)
    raise documents.error(path, "This is no number of tokens.", _REMEDY)


def _distribution(said: dict[str, Any], path: Path, documents: Documents) -> LogNormal:
    size = convert(LogNormal, said, path, documents)
    check_number(size.mean, 1, MOST_TOKENS, (*path, "mean"), documents)
    check_number(size.p95, 1, MOST_TOKENS, (*path, "p95"), documents)
    if size.most is not None:
        check_number(size.most, size.mean, MOST_TOKENS, (*path, "most"), documents)
    if size.p95 < size.mean:
        raise documents.error(
            (*path, "p95"), "The 95th percentile is less than the mean.", "List buckets instead."
        )
    if size.p95 >= WIDEST * size.mean:
        raise documents.error(
            (*path, "p95"),
            f"A log-normal's 95th percentile is less than {WIDEST:.2f} times its mean.",
            "List buckets instead: { tokens, share } each.",
        )
    return size


def _buckets(said: list[Any], path: Path, documents: Documents) -> tuple[Bucket, ...]:
    if len(said) > _MOST_BUCKETS:
        raise documents.error(path, f"These are more than {_MOST_BUCKETS:,} buckets.")
    found = tuple(
        convert(Bucket, data, (*path, index), documents) for index, data in enumerate(said)
    )
    for index, bucket in enumerate(found):
        check_number(bucket.tokens, 0, MOST_TOKENS, (*path, index, "tokens"), documents)
        check_share(bucket.share, (*path, index, "share"), documents)
    total = sum(bucket.share for bucket in found)
    if total != 1:
        raise documents.error(path, f"The shares sum to {total} and not to 1.")
    return found


def check_share(share: Decimal | float, path: Path, documents: Documents) -> None:
    """Raises ConfigError at `path` unless `share` is within 0..1."""
    check_number(finite(share, path, documents), 0, 1, path, documents)


def finite(number: Decimal | float, path: Path, documents: Documents) -> float:
    """The number, to compare. Raises ConfigError at `path` for TOML's `nan` and `inf`."""
    if not isfinite(number):
        raise documents.error(path, f"{number} is no number.")
    return float(number)
