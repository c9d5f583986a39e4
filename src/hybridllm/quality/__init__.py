"""Floor 1: scores in, bounds and verdicts out. Pure."""

from hybridllm.quality.table import Table, meets
from hybridllm.quality.wilson import wilson

__all__ = ["Table", "meets", "wilson"]
