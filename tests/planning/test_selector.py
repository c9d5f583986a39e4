"""The selector says what the router decides: for every combination of answers there is."""

import itertools
import re

import msgspec
import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import RequestError
from hybridllm.planning.questions import answers_of, questions
from hybridllm.planning.selector import Answers, clouds, select
from hybridllm.routing import Need, Router, World

DAY = "2026-11-25"


@pytest.fixture(scope="module", params=["default", "guide"])
def config(request):
    return load_config(preset=request.param, env={})


def every_answer(config):
    asked = questions(config)
    for combination in itertools.product(*(question.choices for question in asked)):
        yield answers_of(dict(enumerate(combination)))


def byte_for_token(config):
    """The same configuration, whose models make one token of each byte."""
    models = {
        id: msgspec.structs.replace(model, tokens_per_kbyte=1000)
        for id, model in config.catalog.models.items()
    }
    catalog = msgspec.structs.replace(config.catalog, models=models)
    return msgspec.structs.replace(config, catalog=catalog)


def routed(config, answers):
    """What the router says of these answers, asked without any of the selector's own code."""
    own = config.tasks[answers.task]
    task = msgspec.structs.replace(
        own,
        bar=own.bar if answers.bar is None else answers.bar,
        can_wait=answers.wait,
        ecosystem=answers.cloud,
    )
    router = Router(msgspec.structs.replace(config, tasks={task.name: task}))
    need = Need(task=task, text_bytes=answers.input_tokens, batch=answers.wait)
    world = World(
        providers=frozenset(config.catalog.providers),
        day=DAY,
        shared_tokens=answers.input_tokens * 8 // 10 if answers.shared else 0,
    )
    return router.explain(need, world)


def test_every_combination_of_answers_is_the_routers_own_decision(config):
    counted = byte_for_token(config)
    seen, refused = 0, 0
    for answers in every_answer(config):
        seen += 1
        try:
            plan = routed(counted, answers)
        except RequestError as e:
            refused += 1
            with pytest.raises(RequestError, match=re.escape(e.message)):
                select(answers, config, DAY)
            continue
        found = select(answers, config, DAY)
        verdicts = {verdict.model: verdict for verdict in plan.verdicts}
        first = plan.chain[0].id
        assert (found.model, found.reason) == (first, plan.reason)
        assert found.cost == verdicts[first].expected * 1000
        kept = [v for v in plan.verdicts if v.kept and v.model != first]
        if kept:
            assert verdicts[found.runner_up].kept
            assert found.runner_up_cost == min(v.expected for v in kept) * 1000
        else:
            assert found.runner_up == (plan.chain[1].id if len(plan.chain) > 1 else None)
        assert dict(found.passed_over) == {
            id: verdict.why for id, verdict in verdicts.items() if id != first
        }
    assert seen == len(config.tasks) * 5 * 5 * 2 * 2 * (1 + len(clouds(config)))
    assert refused < seen // 3


def test_the_toml_loads_and_routes_as_it_was_said(config, tmp_path):
    """One of each 29 combinations: each is a file."""
    path = tmp_path / "hybridllm.toml"
    for answers in itertools.islice(every_answer(config), 0, None, 29):
        try:
            found = select(answers, config, DAY)
        except RequestError:
            continue
        path.write_text(found.toml)
        loaded = load_config(str(path), env={})
        assert loaded.preset == config.preset
        task = loaded.tasks[answers.task]
        assert task.can_wait == answers.wait and task.ecosystem == answers.cloud
        need = Need(task=task, text_bytes=answers.input_tokens, batch=answers.wait)
        world = World(
            providers=frozenset(config.catalog.providers),
            day=DAY,
            shared_tokens=answers.input_tokens * 8 // 10 if answers.shared else 0,
        )
        assert Router(byte_for_token(loaded)).plan(need, world).chain[0].id == found.model


@pytest.fixture
def guide():
    return load_config(preset="guide", env={})


def test_the_guides_own_rows(guide):
    """As the guide's framework has it, at its prices: 500 tokens in at $0.15 and 50 out at $0.60
    per million make $0.105 for 1,000 calls."""
    found = select(Answers(task="classification"), guide, "2026-04-20")
    assert (found.model, found.cost) == ("openai/gpt-4o-mini", 105 * 10**9)
    long = select(Answers(task="classification", input_tokens=200_000), guide, "2026-04-20")
    assert long.model == "google/gemini-2.5-flash"
    google = select(Answers(task="classification", cloud="google"), guide, "2026-04-20")
    assert google.model == "google/gemini-2.5-flash"
    code = select(Answers(task="code_generation"), guide, "2026-04-20")
    assert code.model == "anthropic/claude-sonnet-4-6"


def test_a_batch_halves_the_price_and_says_so(guide):
    now = select(Answers(task="classification"), guide, "2026-04-20")
    later = select(Answers(task="classification", wait=True), guide, "2026-04-20")
    assert later.cost * 2 == now.cost
    assert any("goes as a batch, at $0.075 in and $0.3 out" in point for point in later.because)


def test_what_is_shared_is_read_from_the_cache(guide):
    """Sonnet: 10,000 tokens in, of which 8,000 at a tenth of $3, and 2,000 out at $15."""
    found = select(
        Answers(task="code_generation", input_tokens=10_000, shared=True), guide, "2026-04-20"
    )
    assert found.model == "anthropic/claude-sonnet-4-6"
    assert found.cost == 1000 * (2_000 * 3 + 8_000 * 3 // 10 + 2_000 * 15) * 10**6
    assert any("read from its cache at 90% off" in point for point in found.because)
    small = select(Answers(task="code_generation", shared=True), guide, "2026-04-20")
    assert any("too few for its cache" in point for point in small.because)


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        (Answers(task="clasification"), "task"),
        (Answers(task="classification", input_tokens=0), "input_tokens"),
        (Answers(task="classification", bar=90), "bar"),
        (Answers(task="classification", cloud="azure"), "cloud"),
    ],
)
def test_an_answer_that_cannot_be_is_named(guide, answers, field):
    with pytest.raises(RequestError) as refused:
        select(answers, guide, DAY)
    assert refused.value.field == field
