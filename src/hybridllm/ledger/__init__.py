"""Floor 3: what happened. Journal, loader, rollups."""
