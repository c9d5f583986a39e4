"""Floor 2: candidates, limits, cost, quality and health in; an ordered chain and its reason out.

Pure: no I/O, no clock.
"""

from hybridllm.routing.need import Need, need_of
from hybridllm.routing.plan import Plan, Verdict
from hybridllm.routing.router import Router
from hybridllm.routing.world import World

__all__ = ["Need", "Plan", "Router", "Verdict", "World", "need_of"]
