"""A cheap model is asked first, its answer checked, and what fails is answered by a stronger one.

Through a real gateway, before simulated providers whose calls and bills are counted.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest
from google import genai
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from hybridllm.catalog.load import load_catalog
from hybridllm.catalog.structs import Usage
from hybridllm.pricing import cost_of
from hybridllm.simulators import Fault, Simulators
from hybridllm.simulators.calls import Billed
from tests.running import Reply, RunningGateway

CHAT = "/v1/chat/completions"
CHEAP, STRONG = "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"
JUDGE = "google/gemini-2.5-flash"
DAY = "2026-04-15"

COMMON = f'first = "{CHEAP}"\nforce = true\n'
TASK = f"""
tier = "mid"
bar = 0.9
candidates = ["{STRONG}"]
fallbacks = ["google/gemini-2.5-pro"]
"""
CHECKS = {
    "schema": 'check = \'schema\'\nschema = \'{"type": "object", "required": ["n"]}\'',
    "stated": "check = 'schema'",
    "regex": "check = 'regex'\nexpression = '^yes\\b'",
    "tests": "check = 'tests'\ntests = 'assert double(2) == 4'",
    "agree": "check = 'self-consistency'\nsamples = 3\nagree = 2",
    "judge": f"check = 'judge'\njudge = '{JUDGE}'\nrubric = 'RUBRIC'",
    "lenient": f"check = 'judge'\njudge = '{JUDGE}'\non_judge_error = 'accept'",
}
CONFIG = "".join(
    f"[tasks.{name}]{TASK}\n[tasks.{name}.cascade]\n{COMMON}{check}\n"
    for name, check in CHECKS.items()
)
CONFIG += f"[tasks.cached]{TASK}response_cache = '1h'\n[tasks.cached.cascade]\n{COMMON}"
CONFIG += CHECKS["regex"] + "\n[retries]\nattempts = 1\n[breaker]\nfailures = 1000\nwindow = 1000\n"


@pytest.fixture(scope="module")
def cascading(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    home = tmp_path_factory.mktemp("cascading")
    with RunningGateway(home, simulators.env(), config=CONFIG) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(simulators: Simulators) -> Iterator[None]:
    yield
    simulators.clear_faults()


def say(text: str, **more: Any) -> str:
    words = " ".join([f"{name}={value}" for name, value in more.items()])
    return f"[[sim say {json.dumps(text)} {words}]]" if words else f"[[sim say {json.dumps(text)}]]"


def ask(gateway: RunningGateway, task: str, content: str, **more: Any) -> Reply:
    body = {"model": f"task/{task}", "messages": [{"role": "user", "content": content}], **more}
    return gateway.post(CHAT, body)


def rows(gateway: RunningGateway, reply: Reply) -> list[dict[str, Any]]:
    return gateway.attempts(reply.headers["x-hybridllm-request-id"])


def told(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["role"], row["model"], row["verdict"], row["answered"]) for row in found]


PASSES = [("first", CHEAP, "passed", True)]
FAILS = [("first", CHEAP, "failed", False), ("escalated", STRONG, "", True)]


@pytest.mark.parametrize(
    ("task", "answer", "expected"),
    [
        ("schema", '{"n": 1}', PASSES),
        ("schema", '{"m": 1}', FAILS),
        ("schema", "no JSON", FAILS),
        ("regex", "yes, it is", PASSES),
        ("regex", "no", FAILS),
        ("tests", "```python\ndef double(x):\n    return 2 * x\n```", PASSES),
        ("tests", "```python\ndef double(x):\n    return x\n```", FAILS),
    ],
)
def test_what_passes_is_given_and_what_fails_goes_on(
    cascading: RunningGateway, task: str, answer: str, expected: list[Any]
) -> None:
    reply = ask(cascading, task, say(answer))
    assert reply.status == 200, reply.body
    assert reply.json()["choices"][0]["message"]["content"] == answer
    found = rows(cascading, reply)
    assert told(found) == expected
    passed = expected is PASSES
    headers = reply.headers
    assert headers["x-hybridllm-cascade"].startswith("passed: " if passed else "escalated: ")
    assert headers["x-hybridllm-model"] == (CHEAP if passed else STRONG)
    assert headers["x-hybridllm-attempts"] == str(len(found))
    assert "gpt-4o-mini is asked first" in headers["x-hybridllm-reason"]
    if passed:
        assert (found[0]["cascade_extra"], headers["x-hybridllm-checks-cost-usd"]) == (0, "0")
        spared = load_catalog("2026-04").models[STRONG].prices[-1].rates
        usage = found[0]
        full = usage["input_tokens"] * spared.input + usage["output_tokens"] * spared.output
        assert usage["cascade_saved"] == full - usage["cost"] > 0
    else:
        assert found[0]["cascade_extra"] == found[0]["cost"] > 0
        assert found[0]["baseline"] == found[0]["cascade_saved"] == 0 < found[1]["baseline"]


def test_a_schema_that_the_request_states_is_its_check(cascading: RunningGateway) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    fits = ask(cascading, "stated", "Count. " + say('{"n": 1}'), response_format=wanted)
    assert told(rows(cascading, fits)) == PASSES
    not_ = ask(cascading, "stated", "Count. " + say('{"n": "one"}'), response_format=wanted)
    assert told(rows(cascading, not_)) == FAILS
    without = ask(cascading, "stated", "Nothing to check.")
    assert told(rows(cascading, without)) == [("", STRONG, "", True)], "so it goes the plain way"


def test_calls_of_tools_are_held_against_the_tools_own_schemas(cascading: RunningGateway) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": parameters}}
    reply = ask(cascading, "stated", "[[sim tools=look]]", tools=[tool])
    assert reply.json()["choices"][0]["message"]["tool_calls"], reply.body
    assert told(rows(cascading, reply)) == PASSES


def test_a_refusal_passes_no_check(cascading: RunningGateway) -> None:
    assert told(rows(cascading, ask(cascading, "regex", "yes [[sim refuse]]")))[0] == FAILS[0]


def test_samples_that_agree_are_each_a_row(cascading: RunningGateway) -> None:
    reply = ask(cascading, "agree", say("Paris."), temperature=1)
    found = rows(cascading, reply)
    assert sorted(row["role"] for row in found) == ["first", "sample", "sample"]
    assert [row["answered"] for row in found].count(True) == 1
    assert sum(row["verdict"] == "passed" for row in found) == 1
    assert all(row["cost"] > 0 and row["model"] == CHEAP for row in found)
    assert reply.headers["x-hybridllm-cascade"] == "passed: 3 of 3 samples agree"


def test_two_lost_samples_of_three_do_not_agree(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=500, calls=2))
    reply = ask(cascading, "agree", say("Paris."), temperature=1)
    found = rows(cascading, reply)
    assert reply.headers["x-hybridllm-model"] == STRONG
    assert [row["outcome"] for row in found].count("error") == 2
    assert found[-1]["role"] == "escalated" and found[-1]["answered"]


def test_at_temperature_0_samples_would_all_be_the_same(cascading: RunningGateway) -> None:
    reply = ask(cascading, "agree", say("Paris."), temperature=0)
    assert told(rows(cascading, reply)) == [("", STRONG, "", True)]
    assert "not at temperature 0" in reply.headers["x-hybridllm-reason"]


@pytest.mark.parametrize(("score", "passes"), [(5, True), (4, True), (3, False)])
def test_a_judge_is_paid_and_decides(cascading: RunningGateway, score: int, passes: bool) -> None:
    verdict = json.dumps({"why": "so", "score": score})
    # The judge sees the request, and with it the directive: it says what the cheap model said.
    reply = ask(cascading, "judge", say(verdict))
    found = rows(cascading, reply)
    judged = ("judge", JUDGE, "", False)
    if passes:
        assert told(found) == [("first", CHEAP, "passed", True), judged]
    else:
        assert told(found) == [FAILS[0], judged, FAILS[1]]
    paid = sum(row["cost"] for row in found if not row["answered"])
    assert int(float(reply.headers["x-hybridllm-checks-cost-usd"]) * 1e12 + 0.5) == paid
    assert f"gave it {score} of 5" in reply.headers["x-hybridllm-cascade"]


def test_a_judge_who_is_down_escalates_or_accepts_as_configured(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="google", status=500))
    strict, lenient = (ask(cascading, task, "Hello.") for task in ("judge", "lenient"))
    assert [row[:3] for row in told(rows(cascading, strict))] == [
        ("first", CHEAP, "unknown"),
        ("judge", JUDGE, ""),
        ("escalated", STRONG, ""),
    ]
    assert told(rows(cascading, lenient))[0] == ("first", CHEAP, "unknown", True)
    assert lenient.headers["x-hybridllm-cascade"].startswith("passed: accepted, since")


def test_a_judge_who_says_nothing_readable_is_asked_twice(cascading: RunningGateway) -> None:
    found = rows(cascading, ask(cascading, "judge", say("Nice.")))
    assert [row["role"] for row in found] == ["first", "judge", "judge", "escalated"]


def test_where_the_cheap_model_is_down_the_chain_answers(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="openai", status=500))
    reply = ask(cascading, "regex", say("yes"))
    assert told(rows(cascading, reply)) == [("first", CHEAP, "", False), ("", STRONG, "", True)]


def test_where_nobody_stronger_can_answer_the_held_answer_is_given_and_marked(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(
        Fault(kind="error", provider="anthropic", status=500),
        Fault(kind="error", provider="google", status=500),
    )
    reply = ask(cascading, "cached", say("no"), temperature=0)
    assert (reply.status, reply.json()["choices"][0]["message"]["content"]) == (200, "no")
    assert reply.headers["x-hybridllm-cascade"].startswith("kept: ")
    first, *others = rows(cascading, reply)
    assert (first["answered"], first["verdict"]) == (True, "failed")
    assert {row["outcome"] for row in others} == {"error"}
    simulators.clear_faults()
    again = ask(cascading, "cached", say("no"), temperature=0)
    assert again.headers["x-hybridllm-model"] == STRONG, "it was not kept to be given again"


def test_an_answer_that_passed_may_be_given_again(cascading: RunningGateway) -> None:
    first, again = (ask(cascading, "cached", say("yes"), temperature=0) for _ in range(2))
    assert first.headers["x-hybridllm-cascade"].startswith("passed")
    assert again.headers["x-hybridllm-cache"] == "hit"
    assert again.json() == first.json()


@pytest.mark.parametrize(("text", "model"), [("yes, so it is", CHEAP), ("no, never", STRONG)])
def test_streams_in_every_dialect_come_whole_after_the_check(
    cascading: RunningGateway, text: str, model: str
) -> None:
    with openai.OpenAI(base_url=f"{cascading.url}/v1", api_key="any") as client:
        chunks = list(
            client.chat.completions.create(
                model="task/regex",
                messages=[{"role": "user", "content": say(text)}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 0
    with (
        anthropic.Anthropic(base_url=cascading.url, api_key="any") as client,
        client.messages.stream(
            model="task/regex", max_tokens=50, messages=[{"role": "user", "content": say(text)}]
        ) as stream,
    ):
        assert "".join(stream.text_stream) == text
        headers = stream.response.headers
    assert headers["x-hybridllm-model"] == model
    google = genai.Client(api_key="any", http_options={"base_url": cascading.url})
    pieces = google.models.generate_content_stream(model="task/regex", contents=say(text))
    assert "".join(piece.text or "" for piece in pieces) == text
    array = cascading.post(
        "/v1beta/models/task/regex:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": say(text)}]}]},
    )
    found = [p["text"] for c in array.json() for p in c["candidates"][0]["content"]["parts"]]
    assert "".join(found) == text
    assert array.headers["x-hybridllm-model"] == model


def test_a_stream_that_breaks_before_its_check_is_taken_over(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="cut", provider="openai", calls=1))
    reply = ask(cascading, "regex", say("yes " * 60), stream=True)
    assert b"error" not in reply.body and reply.body.rstrip().endswith(b"data: [DONE]")
    first, second = rows(cascading, reply)
    assert (first["outcome"], first["answered"]) == ("cut", False)
    assert (second["model"], second["answered"]) == (STRONG, True)


def test_a_caller_who_leaves_while_the_judge_thinks_pays_for_both(
    cascading: RunningGateway, simulators: Simulators
) -> None:
    simulators.reset()
    simulators.faults(Fault(kind="slow", provider="google", seconds=30))
    at = urlsplit(cascading.url)
    body = {"model": "task/judge", "messages": [{"role": "user", "content": "Leaving."}]}
    data = json.dumps(body).encode()
    with socket.create_connection((at.hostname or "", at.port or 0)) as caller:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(data)}\r\n\r\n"
        caller.sendall(head.encode() + data)
        until(lambda: simulators.calls("openai") and simulators.counts().open > 0)
    request_id = simulators.calls("openai")[-1].attempt.rpartition("-")[0]
    found = until(lambda: [r for r in cascading.attempts(request_id) if r["role"] == "judge"])
    assert found[0]["outcome"] == "cancelled"
    first = cascading.attempts(request_id)[0]
    assert (first["outcome"], first["answered"], first["verdict"]) == ("ok", False, "")
    assert first["cost"] == first["cascade_extra"] > 0


def until(found: Any) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except (KeyError, AssertionError):
            pass
        time.sleep(0.02)
    raise AssertionError("it never came")


def bill(billed: Billed) -> Usage:
    return Usage(**asdict(billed))


@settings(max_examples=10, deadline=None)
@given(
    task=st.sampled_from(["schema", "regex", "agree", "judge", "lenient"]),
    answer=st.sampled_from(["yes", "no", '{"n": 1}', '{"score": 5}', '{"score": 1}']),
    down=st.sampled_from(["", "openai", "google", "anthropic"]),
    stream=st.booleans(),
)
def test_the_rows_of_all_attempts_are_what_the_providers_bill(
    cascading: RunningGateway, simulators: Simulators, task: str, answer: str, down: str, stream
) -> None:
    simulators.reset()
    if down:
        simulators.faults(Fault(kind="error", provider=down, status=500))
    reply = ask(cascading, task, say(answer), stream=stream)
    assert reply.status == 200, reply.body
    found = {f"{row['request_id']}-{row['attempt']}": row["cost"] for row in rows(cascading, reply)}
    models = load_catalog("2026-04").models
    billed = {
        call.attempt: cost_of(models[f"{call.provider}/{call.model}"], bill(call.billed), DAY)
        for call in simulators.calls()
        if call.billed is not None
    }
    assert found == {attempt: billed.get(attempt, 0) for attempt in found}
    assert set(billed) <= set(found)
    assert sum(row["answered"] for row in rows(cascading, reply)) == 1
