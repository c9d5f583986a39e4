"""Floor 2: candidates, limits, cost, quality and health in; an ordered chain and its reason out.

Pure: no I/O, no clock.
"""
