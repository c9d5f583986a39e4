"""Floor 7, beside the gateway: the guide's month at 1:1000, replayed through the real SDKs."""
