"""A simulated Google. One file an endpoint; `provider.py` lists them."""
