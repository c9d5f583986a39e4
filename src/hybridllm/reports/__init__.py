"""Floor 6: after the money is spent. Spend, savings, impact and review, computed here and only
printed in cli."""

from hybridllm.reports.period import Period, parse_since
from hybridllm.reports.savings import SavingsReport, savings
from hybridllm.reports.source import open_ledger
from hybridllm.reports.spend import SpendReport, spend

__all__ = [
    "Period",
    "SavingsReport",
    "SpendReport",
    "open_ledger",
    "parse_since",
    "savings",
    "spend",
]
