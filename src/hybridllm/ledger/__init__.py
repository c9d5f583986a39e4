"""Floor 3: what happened. Journal, loader, rollups."""

from hybridllm.ledger.ledger import Ledger

__all__ = ["Ledger"]
