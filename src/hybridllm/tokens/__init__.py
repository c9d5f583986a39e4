"""Floor 1: how many tokens is this for that model. Exact where a tokenizer is known."""
