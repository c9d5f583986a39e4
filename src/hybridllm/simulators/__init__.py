"""Beside the floors: providers that are not there, over real HTTP, with faults."""
