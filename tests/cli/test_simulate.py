"""`hybridllm simulate`: the simulated providers as a command, for people and for programs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

from hybridllm.cli.simulate import simulate
from hybridllm.errors import ConfigError

FREE = ("--openai-port", "0", "--anthropic-port", "0", "--google-port", "0")


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a user starts it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "hybridllm", "simulate", *FREE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def ended(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    """After Ctrl-C: the exit status, and what was printed since."""
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=30)
    return child.returncode, out, errors


def test_for_programs_one_line_says_all_and_ctrl_c_ends_it():
    with running("--json") as child:
        found = json.loads(child.stdout.readline())
        assert set(found) == {"addresses", "keys", "environment", "control", "pid"}
        assert found["pid"] == child.pid
        assert set(found["addresses"]) == set(found["keys"]) == {"openai", "anthropic", "google"}
        environment = found["environment"]
        assert environment["OPENAI_BASE_URL"] == found["addresses"]["openai"] + "/v1"
        assert environment["ANTHROPIC_BASE_URL"] == found["addresses"]["anthropic"]
        assert environment["GOOGLE_GEMINI_BASE_URL"] == found["addresses"]["google"]
        client = openai.OpenAI(
            base_url=environment["OPENAI_BASE_URL"], api_key=environment["OPENAI_API_KEY"]
        )
        prompt = "Hello. [[sim output_tokens=9]]"
        reply = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": prompt}]
        )
        assert reply.usage.completion_tokens == 9
        assert ended(child) == (0, "", "")


def test_for_people_a_table_and_lines_to_paste():
    with running() as child:
        seen = []
        while not seen or "Ctrl-C" not in seen[-1]:
            seen.append(child.stdout.readline())
        assert ended(child)[0] == 0
    text = "".join(seen)
    assert all(name in text for name in ("OpenAI", "Anthropic", "Google", "/_sim"))
    exports = [line for line in seen if line.startswith("export ")]
    assert [line.split("=")[0] for line in exports] == [
        "export OPENAI_BASE_URL",
        "export OPENAI_API_KEY",
        "export ANTHROPIC_BASE_URL",
        "export ANTHROPIC_API_KEY",
        "export GOOGLE_GEMINI_BASE_URL",
        "export GEMINI_API_KEY",
    ]


PLANS = {
    "plan.toml": '[[faults]]\nkind = "error"\nstatus = 503\nprovider = "openai"\n',
    "plan.json": '[{"kind": "error", "status": 503, "provider": "openai"}]',
    "object.json": '{"faults": [{"kind": "error", "status": 503, "provider": "openai"}]}',
}


@pytest.mark.parametrize("name", PLANS)
def test_a_fault_plan_is_in_force_from_the_start(tmp_path, name):
    path = tmp_path / name
    path.write_text(PLANS[name])
    with running("--json", "--faults", str(path)) as child:
        found = json.loads(child.stdout.readline())
        client = openai.OpenAI(
            base_url=found["environment"]["OPENAI_BASE_URL"], api_key="sim-a", max_retries=0
        )
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hello"}]
            )
        assert failed.value.status_code == 503
        assert ended(child)[0] == 0


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("plan.toml", '[[faults]]\nkind = "oops"\n', r"plan\.toml.*'oops'.*\$\.faults\[0\]\.kind"),
        ("plan.toml", '[[faults]]\nkind = "error"\nstatus = 7\n', r"status is 400 to 599, not 7"),
        ("plan.toml", "kind = ", r"plan\.toml"),
        ("plan.json", '[{"kind": "error", "colour": "red"}]', r"colour"),
        ("plan.json", "{}", r"faults"),
    ],
)
def test_a_wrong_plan_is_pointed_at(tmp_path, name, text, complaint):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        simulate(faults=path)


def test_a_plan_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match="Cannot read the fault plan"):
        simulate(faults=tmp_path / "none.toml")


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(ConfigError, match="fast, realistic"):
        simulate(profile="slow")


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}"):
            simulate(openai_port=port, anthropic_port=0, google_port=0)


def test_help_has_an_example_and_the_usual_ports():
    made = subprocess.run(
        [sys.executable, "-m", "hybridllm", "simulate", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert "hybridllm simulate --profile realistic" in made.stdout
    assert all(port in made.stdout for port in ("9101", "9102", "9103"))
