"""A simulated OpenAI. One file an endpoint; `provider.py` lists them."""
