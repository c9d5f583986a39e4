"""Floor 4: the way of a request, from the caller's bytes to the journalled answer."""
