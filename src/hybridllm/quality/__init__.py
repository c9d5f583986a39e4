"""Floor 1: scores in, bounds and verdicts out. Pure."""
