"""Kinds of text, told from classes of bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.tokens.kinds import FACTORS, KINDS, kind_of, of_kind

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["a", "b"]}}}
TEXTS = [
    ("The router takes the cheapest model that is good enough. It's simple, isn't it?", "prose"),
    ("Große Sprachmodelle zerlegen Texte in Token; naïve Schätzungen genügen.", "prose"),
    ("", "prose"),
    ("def f(x):\n    if x:\n        return {'a': x[0]}\n    return None\n", "code"),
    ('#include <stdio.h>\nint main(void) {\n\tputs("hi");\n\treturn 0;\n}\n', "code"),
    ('<div class="card"><h1>Hello</h1><p>Some <b>text</b>.</p></div>', "code"),
    (json.dumps(SCHEMA), "json"),
    (json.dumps(SCHEMA, indent=2), "json"),
    ("日本語のテキストです。これは長い文章です。", "cjk"),
    ("대규모 언어 모델은 문장을 토큰으로 나눕니다.", "cjk"),
    ("Большие языковые модели разбивают текст на токены.", "script"),
    ("تقسم النماذج اللغوية الكبيرة النص إلى رموز.", "script"),
]


@pytest.mark.parametrize(("text", "kind"), TEXTS)
def test_each_text_is_of_its_kind_at_any_length(text, kind):
    assert kind_of(text) == kind
    assert kind_of(text * 500) == kind


@given(st.text(alphabet=st.characters(), max_size=3000))
def test_any_text_at_all_has_a_kind(text):
    assert kind_of(text) in KINDS


def test_a_lone_surrogate_is_legal_in_json_and_has_a_kind():
    assert kind_of("\ud800 and so on") in KINDS


@pytest.mark.parametrize(("kind", "ratio"), [("prose", 290), ("code", 348), ("?", 290), ("", 290)])
def test_a_kinds_ratio_is_so_many_percent_of_proses(kind, ratio):
    assert of_kind(290, kind) == ratio


def test_every_kind_has_its_factor():
    assert set(FACTORS) == set(KINDS)
