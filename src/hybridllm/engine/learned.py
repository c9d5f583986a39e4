"""What this process has learned from its own traffic: how long answers are, and how slow.

Exponentially weighted means in integers; they feed the expected cost and the latency limit of
the next plan and start empty, when the catalogue's and the task's own figures hold.
"""

from __future__ import annotations

from hybridllm.tokens.calibration import Tables

_WEIGHT = 16


class Learned:
    """Output tokens by task, and time to a full answer in milliseconds by model id. What the ledger
    has learned of tokens a byte is handed in (`calibrate`)."""

    def __init__(self) -> None:
        self.output_tokens: dict[str, int] = {}
        self.latency_ms: dict[str, int] = {}
        self.tokens_per_kbyte: Tables = {}

    def calibrate(self, tables: Tables) -> None:
        """Take these ratios from now on. Any thread may call it: they are swapped whole."""
        self.tokens_per_kbyte = tables

    def note(self, task: str, model: str, output_tokens: int, total_us: int) -> None:
        """One answered request."""
        _move(self.output_tokens, task, output_tokens)
        _move(self.latency_ms, model, total_us // 1000)


def _move(table: dict[str, int], name: str, value: int) -> None:
    old = table.get(name)
    table[name] = value if old is None else old + (value - old) // _WEIGHT
