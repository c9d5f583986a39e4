"""docs/simulators.md does what it says: its commands run, its example test passes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hybridllm.simulators import Fault, Profile, Simulators
from hybridllm.simulators.directives import Directive, read_directive

PAGE = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not shutil.which("curl"), reason="the page's commands use curl")
def test_the_commands_run(sims):
    first, *others = blocks("sh")
    assert first == "hybridllm simulate\n"
    for block in others:
        commands = block.replace("http://127.0.0.1:9101", sims.addresses.openai)
        lines = commands.replace("\\\n", " ").strip().split("\n")
        for line in lines:
            made = subprocess.run(["bash", "-ec", line], capture_output=True, check=True)
            reply = json.loads(made.stdout)
            assert "error" not in reply, (line, reply)
    # What the commands did: all faults gone and everything reset.
    assert sims.counts().calls == 0


def test_the_example_test_passes(tmp_path):
    example, *others = blocks("python")
    (tmp_path / "test_example.py").write_text(example)
    made = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_example.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in made.stdout, made.stdout
    for code in others:
        exec(code, {})


def test_the_plan_is_one(tmp_path):
    (plan,) = blocks("toml")
    faults = msgspec.toml.decode(plan, type=dict[str, list[Fault]])["faults"]
    assert [fault.kind for fault in faults] == ["outage", "error"]


def test_every_fault_profile_field_and_method_is_on_the_page():
    for name in (
        *Fault.__struct_fields__,
        *Profile.__struct_fields__,
        *msgspec.json.schema(Fault)["$defs"]["Fault"]["properties"]["kind"]["enum"],
        *(name for name in vars(Simulators) if not name.startswith("_")),
    ):
        if name not in ("start", "stop", "kind"):
            assert f"`{name}" in PAGE, name


def test_every_directive_is_on_the_page_and_is_one():
    shown = re.findall(r"`(\[\[sim [^`]*\]\])`", PAGE)
    assert len(shown) >= 10
    for directive in shown:
        assert read_directive(directive) != Directive()
    for name in Directive.__struct_fields__:
        assert re.search(rf"\b{name}\b", PAGE), name
