"""The control API, under `/_sim/` on each provider's port; all ports show the same.

- `GET /_sim/calls`, `?provider=openai`: every call (none with `keep_calls` off).
- `GET /_sim/counts`: sums over the calls.
- `GET /_sim/faults`: the faults still to come; `POST`: add a JSON list of them; `DELETE`: none.
- `POST /_sim/clock`, `{"advance": 301}`: let seconds pass at once for caches, faults and limits.
- `POST /_sim/reset`: as if just started.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from hybridllm.simulators.exchange import Exchange
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.world import World


class Clock(Struct, forbid_unknown_fields=True):
    """How many seconds to let pass."""

    advance: Annotated[float, Meta(ge=0)]


class Control:
    """Answers control requests."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle(self, exchange: Exchange) -> None:
        body = await exchange.body()
        status, value = self._answer(exchange, body)
        await exchange.reply(status, msgspec.json.encode(value), [])

    def _answer(self, exchange: Exchange, body: bytes) -> tuple[int, Any]:
        world = self._world
        if exchange.method == "GET":
            world.settle()
        match exchange.method, exchange.path.removeprefix("/_sim/"):
            case "GET", "calls":
                provider = exchange.query.get("provider")
                return 200, [
                    call for call in world.calls.records if provider in (None, call.provider)
                ]
            case "GET", "counts":
                return 200, world.calls.counts()
            case "GET", "faults":
                return 200, world.faults.active(world.now())
            case "POST", "faults":
                try:
                    faults = msgspec.json.decode(body, type=list[Fault])
                except msgspec.DecodeError as e:
                    return 400, {"error": str(e)}
                world.faults.add(faults, world.now())
                return 200, world.faults.active(world.now())
            case "POST", "clock":
                try:
                    clock = msgspec.json.decode(body, type=Clock)
                except msgspec.DecodeError as e:
                    return 400, {"error": str(e)}
                world.advance(clock.advance)
                return 200, {"advanced": clock.advance}
            case "DELETE", "faults":
                world.faults.clear()
                return 200, []
            case "POST", "reset":
                world.reset()
                return 200, world.calls.counts()
        return 404, {"error": "no such control; see calls, counts, faults, clock, reset"}
