"""`hybridllm batch`: a file of prompts in, a file of answers out, whole and in order, whatever
happens in between; with a gateway and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hybridllm.cli import main
from hybridllm.cli.batch_input import Input
from hybridllm.errors import RequestError
from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts, batches
from tests.running import RunningGateway
from tests.waiting import QUICK, waiting_gateway

__all__ = ["waiting_gateway"]

_OURS = ("HYBRIDLLM", "OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE")


class Desk:
    """A directory in which one types commands of a group."""

    group = "batch"

    def __init__(
        self,
        home: Path,
        env: Mapping[str, str],
        typing: tuple[pytest.MonkeyPatch, pytest.CaptureFixture[str]],
        extra: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.extra = extra
        self._patch, self._capture = typing
        for name in [name for name in os.environ if name.startswith(_OURS)]:
            self._patch.delenv(name)
        for name, value in {**env, "HYBRIDLLM_HOME": str(home / "ledger")}.items():
            self._patch.setenv(name, value)
        self._patch.chdir(home)
        (home / "hybridllm.toml").write_text(QUICK)

    def run(self, *words: str, status: int = 0) -> tuple[str, str]:
        """(standard output, standard error) of a command that ends with `status`."""
        self._patch.setattr(sys, "argv", ["hybridllm", self.group, *words, *self.extra])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capture.readouterr()
        assert (ended.value.code or 0) == status, (out, err)
        return out, err

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "hybridllm", self.group, *words, *self.extra],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def write(self, name: str, *lines: Any) -> str:
        text = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines)
        (self.home / name).write_text(text)
        return name

    def rows(self, name: str) -> list[Any]:
        return [json.loads(row) for row in (self.home / name).read_text().splitlines()]


@pytest.fixture
def typing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[pytest.MonkeyPatch, pytest.CaptureFixture[str]]:
    return monkeypatch, capsys


@pytest.fixture
def local(simulators: Simulators, tmp_path: Path, typing: Any) -> Desk:
    """Without a gateway."""
    return Desk(tmp_path, simulators.env(), typing)


@pytest.fixture(params=["local", "gateway"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, typing: Any) -> Desk:
    """Without a gateway, then with one (and then without any provider's key)."""
    if request.param == "local":
        local: Desk = request.getfixturevalue("local")
        return local
    gateway: RunningGateway = request.getfixturevalue("waiting_gateway")
    return Desk(tmp_path, {}, typing, ("--url", gateway.url))


MIXED = (
    {"prompt": "Is this spam?"},
    {"prompt": "And this?", "system": "Say yes or no.", "custom_id": "mine"},
    {"model": "nope", "messages": [{"role": "user", "content": "x"}]},
    {
        "custom_id": "theirs",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "auto", "messages": [{"role": "user", "content": "x"}]},
    },
)


def test_every_prompt_has_its_result_in_order(desk: Desk) -> None:
    prompts = desk.write("prompts.jsonl", *MIXED)
    words = ("run", prompts, "--task", "classification", "--out", "results.jsonl")
    out, _ = desk.run(*words, status=1)  # one of them cannot be answered
    assert "3 of 4 answered, 1 failed" in out
    rows = desk.rows("results.jsonl")
    assert [row["custom_id"] for row in rows] == ["line-1", "mine", "line-3", "theirs"]
    assert [row["response"]["status_code"] for row in rows] == [200, 200, 404, 200]
    assert sorted(path.name for path in desk.home.glob("results*")) == ["results.jsonl"]
    _, err = desk.run(*words, status=2)
    assert "results.jsonl is there already" in err
    listed = json.loads(desk.run("list", "--json", "--limit", "1")[0])
    [shown] = listed
    assert (shown["total"], shown["answered"], shown["failed"]) == (4, 3, 1)
    assert json.loads(desk.run("show", shown["id"], "--json")[0]) == shown
    assert shown["id"] in desk.run("show", shown["id"])[0]


def test_the_bill_is_told_exactly(desk: Desk) -> None:
    desk.write("prompts.jsonl", *({"prompt": f"word {n}"} for n in range(5)))
    words = ("run", "prompts.jsonl", "--task", "classification", "--out", "r.jsonl", "--json")
    told = json.loads(desk.run(*words)[0])
    assert (told["total"], told["answered"], told["out"]) == (5, 5, "r.jsonl")
    cost, baseline = (float(told[f"{name}_usd"]) for name in ("cost", "baseline"))
    assert 0 < cost < baseline
    assert told["saved_usd"].rstrip("0") == f"{baseline - cost:.12f}".rstrip("0")


BAD = [
    ("{oops", "line 2: it is no JSON"),
    ("[]", "line 2: it is no JSON object"),
    ('{"text": "x"}', "line 2: it has neither messages, nor a body, nor a prompt"),
    ('{"prompt": 5}', "line 2: its prompt is no text"),
    ('{"prompt": "x", "temperature": 0}', "line 2: beside a prompt it has temperature"),
    ('{"prompt": "x", "custom_id": 5}', "line 2: its custom_id is no text"),
    ('{"prompt": "x", "custom_id": "line-1"}', "line 2: its custom_id is that of line 1"),
    ('{"messages": [], "stream": true}', "line 2: it asks for a stream"),
    ('{"body": []}', "line 2: its body is no object"),
    ('{"url": "/v1/embeddings", "body": {}}', "line 2: its url is neither"),
    ('{"url": "/v1/responses", "body": {}}', "line 2: it is for /v1/responses"),
]


@pytest.mark.parametrize(("line", "words"), BAD)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "fine"}\n' + line + "\n")
    with pytest.raises(RequestError, match="Nothing was sent") as raised:
        Input(path)
    assert words in raised.value.message


def test_of_many_bad_lines_the_first_are_named(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("x\n" * 1000)
    with pytest.raises(RequestError, match=r"line 10: it is no JSON, and 990 more") as raised:
        Input(path)
    assert len(raised.value.message) < 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "none.jsonl", "--out", "r"), "Cannot read none.jsonl"),
        (("run", "empty.jsonl", "--out", "r"), "There is no request in empty.jsonl"),
        (("run", "p.jsonl", "--out", "r", "--url", "localhost"), "is no gateway's URL"),
        (("run", "p.jsonl", "--out", "r", "--url", "http://127.0.0.1:9"), "does not answer"),
        (("show", "nothing"), "There is no batch 'nothing'"),
        (("cancel", "nothing"), "There is no batch 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    local: Desk, words: tuple[str, ...], message: str
) -> None:
    local.write("p.jsonl", {"prompt": "x"})
    local.write("empty.jsonl", "")
    _, err = local.run(*words, status=2)
    assert err.startswith("hybridllm: ") and message in err and "Traceback" not in err


def test_a_run_that_is_not_over_keeps_its_results_to_itself(local: Desk) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        local.write(name, {"prompt": name})
    killed(local, "run", "one.jsonl", "--out", "r.jsonl")
    _, err = local.run("run", "two.jsonl", "--out", "r.jsonl", status=2)
    assert "belongs to a run that is not over, of another input" in err
    local.run("run", "one.jsonl", "--out", "r.jsonl")


def killed(desk: Desk, *words: str, when: Callable[[], bool] | None = None) -> None:
    """Start the command and kill it as soon as its state is written and `when` holds."""
    process = desk.start(*words)
    state = desk.home / f"{words[-1]}.state"
    end = time.monotonic() + 30
    while not (state.exists() and (when is None or when())):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_that_was_killed_goes_on_and_sends_nothing_twice(local: Desk) -> None:
    count = 200
    local.write("p.jsonl", *({"prompt": f"word {n}"} for n in range(count)))
    words = ("run", "p.jsonl", "--task", "classification", "--out", "r.jsonl")
    state = local.home / "r.jsonl.state"
    killed(local, *words)  # before the batch is known
    killed(local, *words, when=lambda: bool(json.loads(state.read_text())["batch"]))
    out, _ = local.run(*words)
    assert f"{count} of {count} answered" in out
    names = [row["custom_id"] for row in local.rows("r.jsonl")]
    assert names == [f"line-{n + 1}" for n in range(count)]
    engine = open_store(f"sqlite:///{local.home / 'ledger' / 'ledger.db'}")
    with engine.connect() as connection:
        whole = select(func.count()).where(batches.c.state == "ended")
        assert connection.execute(whole).scalar() == 1
        answered = select(attempts.c.request_id).where(attempts.c.answered)
        ids = [row[0] for row in connection.execute(answered)]
    engine.dispose()
    assert len(ids) == len(set(ids)) == count


def test_a_gateway_that_refuses_says_why(desk: Desk) -> None:
    desk.write("p.jsonl", {"prompt": "x"})
    _, err = desk.run("run", "p.jsonl", "--out", "r.jsonl", "--deadline", "soon", status=2)
    assert "neither a span of time nor a time" in err
    assert not (desk.home / "r.jsonl").exists()


def test_the_key_of_the_gateway_is_sent(
    simulators: Simulators, tmp_path: Path, typing: Any
) -> None:
    env = {**simulators.env(), "HYBRIDLLM_KEY": "secret"}
    with RunningGateway(tmp_path / "gateway", env, config=QUICK) as gateway:
        desk = Desk(tmp_path, {}, typing, ("--url", gateway.url))
        _, err = desk.run("list", status=2)
        assert "API key" in err
        typing[0].setenv("HYBRIDLLM_KEY", "secret")
        assert "There is no batch" in desk.run("list")[0]
