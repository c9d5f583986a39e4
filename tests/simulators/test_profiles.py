"""Pace and size of answers come from the profile. What would take an hour shows itself by the
client's patience ending first."""

import pytest

from hybridllm.errors import ConfigError
from hybridllm.simulators import Profile, Simulators
from tests.simulators.speakers import SPEAKERS
from tests.simulators.wire import Raw, events

HOUR_MS = 3_600_000
USER = [{"role": "user", "content": "Hello [[sim output_tokens=24]]"}]


def impatient(raw, content, stream):
    """What arrives within 0.3 seconds."""
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": content}],
        "stream": stream,
    }
    return raw.request("POST", "openai", "/v1/chat/completions", body, timeout=0.3)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "profile", [Profile(first_ms=HOUR_MS), Profile(tokens_per_second=1, output_tokens=3600)]
)
def test_an_answer_takes_its_time(profile, stream):
    with Simulators(profile) as sims, pytest.raises(TimeoutError):
        impatient(Raw(sims, "sim-a"), "Hello", stream)


@pytest.mark.parametrize("stream", [False, True])
def test_a_directive_delays_one_call(raw, stream):
    with pytest.raises(TimeoutError):
        impatient(raw, f"Hello [[sim delay_ms={HOUR_MS}]]", stream)
    assert impatient(raw, "Hello", stream).status == 200


def test_a_directive_slows_one_stream(raw):
    with pytest.raises(TimeoutError):
        impatient(raw, f"Hello [[sim event_ms={HOUR_MS}]]", True)
    assert impatient(raw, f"Hello [[sim event_ms={HOUR_MS}]]", False).status == 200


@pytest.mark.parametrize(("event_tokens", "pieces"), [(1, 24), (8, 3), (100, 1)])
def test_an_event_carries_so_many_pieces(event_tokens, pieces):
    with Simulators(Profile(event_tokens=event_tokens)) as sims:
        found = events(Raw(sims, "sim-a").chat(messages=USER, stream=True))
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in found]
    assert len([text for text in deltas if text]) == pieces


@pytest.mark.parametrize("kind", SPEAKERS)
def test_an_answer_has_the_usual_length(kind):
    with Simulators(Profile(output_tokens=33)) as sims:
        assert kind(sims, "sim-a").ask("Hello").output == 33


def test_the_realistic_profile_is_there_by_name():
    with Simulators("realistic") as sims:
        assert sims.counts().calls == 0


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(ConfigError, match="fast, realistic"):
        Simulators("slow")
