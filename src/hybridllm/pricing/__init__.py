"""Floor 1: usage and a dated price in, picodollars out. Pure."""
