"""Traffic to be cached: chat requests with their tasks, in the order of their times.

Texts are the simulators' prose, so that no two conversations share more than they are said to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache

from msgspec import Struct

from hybridllm.simulators import prompt_of

Message = dict[str, str]


class Ask(Struct, frozen=True):
    """One request, `at` seconds after the beginning. `messages` are OpenAI's; `output` is how many
    tokens its answer takes."""

    at: float
    conversation: int
    task: str
    messages: tuple[Message, ...]
    output: int


@cache
def text(tokens: int, seed: int) -> str:
    """So many tokens, told from any other seed's at the first words."""
    return prompt_of(tokens, seed=seed, start=f"No {seed}.")


def conversation(
    number: int,
    system: str,
    tasks: list[str],
    times: list[float],
    *,
    said: int = 80,
    output: int = 150,
    first: int = 0,
) -> Iterator[Ask]:
    """Turns of `said` tokens, each answered by `output`; `first` tokens more in the first."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for turn, (task, at) in enumerate(zip(tasks, times, strict=True)):
        seed = number * 1_000 + turn
        tokens = said if turn or not first else first + said
        messages.append({"role": "user", "content": text(tokens, seed)})
        yield Ask(at, number, task, tuple(messages), output)
        messages.append({"role": "assistant", "content": text(output, 500_000 + seed)})


TIERS = ("classification", "general", "analysis", "code_generation", "complex_reasoning")


def shared_context(
    conversations: int = 50, turns: int = 20, tokens: int = 20_000, seed: int = 0
) -> list[Ask]:
    """Conversations over one shared context, begun over half an hour, whose turns are of all tiers
    and some half a minute apart."""
    chance = random.Random(seed)
    context = text(tokens, 900_000)
    asks: list[Ask] = []
    for number in range(conversations):
        at = 0.0 if conversations == 1 else 1_800.0 * number / conversations
        times = []
        for _ in range(turns):
            times.append(at)
            at += chance.uniform(15, 60)
        tasks = [chance.choice(TIERS) for _ in range(turns)]
        asks += conversation(number, context, tasks, times)
    return sorted(asks, key=lambda ask: ask.at)


# -- ten shapes. Each is of one task; what differs is what comes again, and when.

TASK = "code_generation"


def _each(times: list[float], system: Callable[[int], str], **more: int) -> list[Ask]:
    """One-turn conversations at these times."""
    return [
        ask
        for number, at in enumerate(times)
        for ask in conversation(number, system(number), [TASK], [at], **more)
    ]


def one_shot(size: int) -> list[Ask]:
    return _each([20.0 * n for n in range(size)], lambda n: text(4_000, 10_000 + n))


def one_shot_documents(size: int) -> list[Ask]:
    """A short system prompt, and a long document that is never seen again."""
    return _each([20.0 * n for n in range(size)], lambda _: text(200, 1), first=5_000)


def shared_system(size: int) -> list[Ask]:
    return _each([15.0 * n for n in range(size)], lambda _: text(6_000, 2))


def bursty(size: int) -> list[Ask]:
    """Bursts of forty questions about one document, half an hour apart."""
    times = [1_800.0 * (n // 40) + 2.0 * (n % 40) for n in range(size)]
    return _each(times, lambda n: text(6_000, 20_000 + n // 40))


def slow_drip(size: int) -> list[Ask]:
    """The same system prompt each quarter of an hour: beyond five minutes, within the hour."""
    return _each([900.0 * n for n in range(size)], lambda _: text(6_000, 3))


def slower_drip(size: int) -> list[Ask]:
    """Each two hours: beyond every lifetime."""
    return _each([7_200.0 * n for n in range(size)], lambda _: text(6_000, 4))


def _conversations(size: int, turns: int, gap: float, apart: float, **more: int) -> list[Ask]:
    system = text(more.pop("system", 1_500), 5)
    asks = []
    for number in range(max(1, size // turns)):
        times = [apart * number + gap * turn for turn in range(turns)]
        asks += conversation(number, system, [TASK] * turns, times, **more)
    return sorted(asks, key=lambda ask: ask.at)


def long_conversations(size: int) -> list[Ask]:
    return _conversations(size, 25, 30.0, 200.0, first=2_000)


def slow_conversations(size: int) -> list[Ask]:
    """Turns twelve minutes apart."""
    return _conversations(size, 12, 720.0, 300.0, first=3_000)


def agent_loops(size: int) -> list[Ask]:
    """Steps a few seconds apart, each of which adds much."""
    return _conversations(size, 30, 6.0, 240.0, said=700, output=120, system=3_000)


def mixed(size: int) -> list[Ask]:
    """One-shot documents between conversations."""
    asks = _conversations(size // 2, 10, 40.0, 90.0, first=1_500)
    last = asks[-1].at
    count = size - len(asks)
    for n in range(count):
        number = 5_000 + n
        system = text(3_000, 40_000 + n)
        asks += conversation(number, system, ["refactoring"], [last * n / count])
    return sorted(asks, key=lambda ask: ask.at)


SHAPES: dict[str, Callable[[int], list[Ask]]] = {
    "one-shot": one_shot,
    "one-shot documents": one_shot_documents,
    "shared system prompt": shared_system,
    "bursts": bursty,
    "drip within the hour": slow_drip,
    "drip beyond the hour": slower_drip,
    "long conversations": long_conversations,
    "slow conversations": slow_conversations,
    "agent loops": agent_loops,
    "mixed": mixed,
}
