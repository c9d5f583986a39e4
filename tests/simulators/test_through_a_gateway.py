"""An exact prompt stays exact when a gateway translates it: what the demo's figures rest on."""

from types import SimpleNamespace

import pytest

from hybridllm.simulators import Simulators, prompt_of
from tests.running import RunningGateway
from tests.simulators.speakers import SPEAKERS

MODELS = ("gpt-4o-mini", "claude-sonnet-4-6", "gemini-2.5-flash")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", SPEAKERS)
def test_the_same_tokens_in_every_dialect(
    simulators: Simulators, gateway: RunningGateway, kind, model, stream
):
    urls = SimpleNamespace(
        openai_url=f"{gateway.url}/v1", anthropic_url=gateway.url, google_url=gateway.url
    )
    speaker = kind(urls, "any-key")
    speaker.model = model
    simulators.reset()
    prompt = prompt_of(500, seed=3, directive="output_tokens=50")
    said = (speaker.stream if stream else speaker.ask)(prompt, max_tokens=60)
    (call,) = simulators.calls()
    assert call.model == model
    assert (call.billed.all_input, call.billed.output_tokens) == (500, 50)
    assert (said.input, said.output) == (500, 50)
