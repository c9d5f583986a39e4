"""Token counts: exact where OpenAI's encodings are installed, estimates everywhere else."""

import subprocess
import sys

import pytest

from hybridllm.tokens import (
    count_text,
    cut_to_tokens,
    encoding_of,
    estimate_bytes,
    exact_available,
    token_ids,
    tokens_per_kbyte,
)
from hybridllm.tokens.encodings import CL100K, O200K

# As published: the cookbook's "How to count tokens" and tiktoken's README and tests.
KNOWN = [
    (CL100K, "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
    (CL100K, "hello world", [15339, 1917]),
    (CL100K, "antidisestablishmentarianism", [519, 85342, 34500, 479, 8997, 2191]),
    (O200K, "hello world", [24912, 2375]),
    (O200K, "", []),
]


@pytest.mark.parametrize(("encoding", "text", "ids"), KNOWN)
def test_known_texts_have_their_known_tokens(encoding, text, ids):
    assert token_ids(text, encoding) == ids


@pytest.mark.parametrize(
    ("model", "text", "count"),
    [
        ("gpt-3.5-turbo", "antidisestablishmentarianism", 6),
        ("gpt-4", "2 + 2 = 4", 7),
        ("gpt-4", "お誕生日おめでとう", 9),
        ("gpt-4o", "お誕生日おめでとう", 8),
        ("openai/gpt-4o-mini", "hello world", 2),
    ],
)
def test_openais_models_are_counted_exactly(model, text, count):
    assert count_text(text, model) == count


def test_special_tokens_in_a_text_are_plain_text():
    assert len(token_ids("<|endoftext|>", O200K)) > 1


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4", CL100K),
        ("gpt-4-turbo-2024-04-09", CL100K),
        ("gpt-3.5-turbo", CL100K),
        ("text-embedding-3-small", CL100K),
        ("gpt-4o", O200K),
        ("gpt-4o-mini-2024-07-18", O200K),
        ("gpt-4.1", O200K),
        ("gpt-5.4-nano", O200K),
        ("gpt-6-sol", O200K),
        ("o3", O200K),
        ("openai/o4-mini", O200K),
        ("claude-sonnet-4-6", None),
        ("gemini-2.5-flash", None),
        ("anthropic/gpt-4o", None),
        ("", None),
    ],
)
def test_each_model_has_its_encoding(model, encoding):
    assert encoding_of(model) == encoding


@pytest.mark.parametrize(
    ("model", "rate"),
    [("claude-opus-4-7", 290), ("google/gemini-2.5-pro", 235), ("mistral-large", 250)],
)
def test_unpublished_tokenizers_are_estimated_from_bytes(model, rate):
    assert tokens_per_kbyte(model) == rate
    assert count_text("x" * 1000, model) == rate
    assert count_text("ü" * 500, model) == rate
    assert count_text("", model) == 0


@pytest.mark.parametrize(
    ("nbytes", "rate", "tokens"), [(0, 290, 0), (1, 290, 1), (1000, 250, 250), (1001, 250, 251)]
)
def test_estimates_round_up(nbytes, rate, tokens):
    assert estimate_bytes(nbytes, rate) == tokens


@pytest.mark.parametrize("text", ["hello world, and more", "naïve ☕ 日本語 🙂🙂", "a\n\n  b"])
def test_a_cut_is_a_prefix_of_no_more_tokens(text):
    ids = token_ids(text, O200K)
    for tokens in range(len(ids) + 2):
        cut = cut_to_tokens(text, tokens, O200K)
        assert text.startswith(cut)
        assert len(token_ids(cut, O200K)) <= max(tokens, 0)
    assert cut_to_tokens(text, len(ids), O200K) == text


def test_a_text_of_millions_of_characters_is_counted_like_its_parts():
    """The tokenizer itself refuses a million characters, or 200,000 tokens."""
    sentence = "The quick brown fox jumps over the lazy dog."
    each = len(token_ids(" " + sentence, O200K))
    assert len(token_ids((" " + sentence) * 50_000, O200K)) == 50_000 * each


@pytest.mark.parametrize("encoding", [O200K, CL100K])
@pytest.mark.parametrize(
    "text",
    [
        "It's John's book, isn't it? He paid $12.50 -- twice! ",
        "def f(x):\n    return {'a': x}\n\n\ndef g():\n\tpass\n",
        "日本語のテキストです。これは長い文章、です。\n",
        "Größe naïve été ÀÉ ΑΒΓ абв שלום ",
    ],
)
def test_a_long_text_has_the_tokens_that_it_has_in_one_piece(text, encoding, monkeypatch):
    long = text * (300 // len(text) + 1) * 20
    whole = token_ids(long, encoding)
    monkeypatch.setattr("hybridllm.tokens.encodings._LONGEST", 300)
    monkeypatch.setattr("hybridllm.tokens.encodings._SEARCHED", 200)
    assert token_ids(long, encoding) == whole


def test_a_text_without_a_place_to_cut_is_counted_too():
    assert len(token_ids("ab" * 1_000_000, O200K)) > 0


def test_lone_surrogates_are_legal_in_json_and_are_counted():
    assert count_text("\ud800 a", "gpt-4o") > 0
    assert count_text("\ud800 a", "claude-sonnet-4-6") > 0


class TestWithoutThePackage:
    """As it is where `hybridllm[tokens]` was not asked for: in a process that cannot import it."""

    def run(self, code):
        blocked = (
            "import sys; sys.modules['bpe_openai'] = None; import importlib.util as u; "
            "find = u.find_spec; "
            "u.find_spec = lambda name, *a: None if name == 'bpe_openai' else find(name, *a); "
        )
        made = subprocess.run(
            [sys.executable, "-c", blocked + code], capture_output=True, text=True, check=True
        )
        return made.stdout.strip()

    def test_counts_are_estimates(self):
        code = (
            "from hybridllm.tokens import count_text, exact_available; "
            "print(exact_available(), count_text('x' * 1000, 'gpt-4o'))"
        )
        assert exact_available()
        assert self.run(code) == "False 250"

    def test_exact_counts_are_refused_and_not_guessed(self):
        code = (
            "from hybridllm.tokens import token_ids\n"
            "try:\n    token_ids('a')\nexcept ImportError:\n    print('refused')"
        )
        assert self.run(code) == "refused"

    def test_the_simulators_say_what_to_install(self):
        code = (
            "from hybridllm.simulators import Simulators\n"
            "from hybridllm.errors import ConfigError\n"
            "try:\n    Simulators()\nexcept ConfigError as e:\n    print(e.remedy)"
        )
        assert self.run(code) == "Install it with: pip install 'hybridllm[tokens]'."

    def test_importing_counts_nothing_and_loads_nothing(self):
        assert self.run("import hybridllm.tokens; print('bpe_openai.registry' in sys.modules)") == (
            "False"
        )
