"""Floor 3: HTTP out. Pools, keys, deadlines, retries, breakers; one file a provider."""
