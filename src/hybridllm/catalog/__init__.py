"""Floor 0: what exists. Providers, models, limits, dated prices, tasks and tiers, as data."""
