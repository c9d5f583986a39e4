"""The simulators as a program: served on the main thread until a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from hybridllm.simulators.faults import Fault
from hybridllm.simulators.profiles import get_profile
from hybridllm.simulators.servers import Servers, loop_factory
from hybridllm.simulators.surface import Addresses
from hybridllm.simulators.world import World


def run_simulators(
    ready: Callable[[Addresses], None],
    *,
    profile: str,
    ports: Mapping[str, int],
    host: str = "127.0.0.1",
    keep_calls: bool = True,
    seed: int = 0,
    faults: Sequence[Fault] = (),
    with_parent: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, or with `with_parent` until standard input closes. `ready`
    is told the addresses; the plan of `faults` begins then. Raises ConfigError for an unknown
    profile or a taken port."""
    world = World(get_profile(profile), keep_calls=keep_calls, seed=seed)
    servers = Servers(world, host, ports)

    def begin() -> None:
        world.faults.add(faults, world.now())
        ready(servers.addresses)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, servers.stop)
        if with_parent:
            loop.add_reader(sys.stdin.fileno(), _on_input, servers)
        await servers.serve(begin)

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())
    finally:
        servers.close()


def _on_input(servers: Servers) -> None:
    # Past Python's buffer, which would wait for more than there is.
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        servers.stop()
