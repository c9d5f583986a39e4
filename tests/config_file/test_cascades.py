"""A cascade that could not work is refused with its line, before anything starts."""

from __future__ import annotations

import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError

HEAD = "[tasks.general.cascade]\nfirst = 'gpt-4o-mini'\n"


def read(tmp_path, text):
    path = tmp_path / "hybridllm.toml"
    path.write_text(HEAD + text)
    return load_config(str(path), "guide")


def test_names_become_ids(tmp_path) -> None:
    task = read(tmp_path, "check = 'judge'\njudge = 'gemini-2.5-flash'\n").tasks["general"]
    assert task.cascade is not None
    assert (task.cascade.first, task.cascade.judge) == (
        "openai/gpt-4o-mini",
        "google/gemini-2.5-flash",
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("check = 'guess'", 3, "guess"),
        ("check = 'regex'", 1, "needs `expression`"),
        ("check = 'tests'", 1, "needs `tests`"),
        ("check = 'judge'", 1, "needs `judge`"),
        ("check = 'regex'\nexpression = '('", 4, "no regular expression"),
        ("check = 'schema'\nschema = '{'", 4, "no JSON"),
        ("check = 'schema'\nschema = '[]'", 4, "is an object"),
        ("check = 'tests'\ntests = 'assert ('", 4, "no Python"),
        ("check = 'self-consistency'\nsamples = 2\nagree = 3", 5, "cannot agree"),
        ("check = 'judge'\njudge = 'openai/gpt-4o-mini'", 4, "its own answers"),
        ("check = 'judge'\njudge = 'gpt-4o'\nleast = 9", 5, "9 of 5"),
        ("check = 'judge'\njudge = 'gpt-4o'\nrubric = ' '", 5, "empty"),
        ("check = 'judge'\njudge = 'gpt-9'", 4, "no model"),
        ("check = 'schema'\nexpected_pass = 1.5", 4, "out of range"),
        ("check = 'schema'\nshema = ''", 4, "schema"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, line, words) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert f"hybridllm.toml:{line}" in str(raised.value)
    assert words in str(raised.value)
