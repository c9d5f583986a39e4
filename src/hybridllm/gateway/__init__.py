"""Floor 7: HTTP in. One file a dialect's endpoints; raw ASGI."""
