"""Floor 5: before any money is spent. The cost calculator."""
