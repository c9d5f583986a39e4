"""Routes every LLM request to the cheapest model that is good enough, and records what it cost."""
