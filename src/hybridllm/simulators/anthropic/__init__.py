"""A simulated Anthropic. One file an endpoint; `provider.py` lists them."""
