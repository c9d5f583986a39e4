"""What prompt caching saves, by traffic: `make bench-caching`.

traffic.py  conversations with tasks and times, and ten shapes that traffic has
caches.py   what each provider's cache would bill for a body, by the simulators' own caches
ways.py     how a request is served: ours (the real router, table of prefixes and marks), or a rule
"""
