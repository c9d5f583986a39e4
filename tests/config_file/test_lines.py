"""The line of a key is found in any TOML document, however it is laid out."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from hybridllm.config_file.lines import lines_of

LAYOUTS = '''title = "[no] = table"
multi = """
[not.a.table]
x = 1
"""
raw = \'\'\'
y = 2\'\'\'
list = [
    "a",  # one ]
    "b # no comment",

    [1, 2],
]
inline = { a = 1, b = { c = "}" } }
"quoted key" = 1
'single' = 2
dotted.key.deep = 3

[table]
when = 2026-01-01 10:00:00
[table.sub]
k = 1
[[array]]
n = 1
[[array]]
n = 2
[array.inner]
x = 1
[[array.nested]]
y = 1
[[array.nested]]
y = 2
'''
EXPECTED = {
    ("title",): 1,
    ("multi",): 2,
    ("raw",): 6,
    ("list",): 8,
    ("list", 0): 9,
    ("list", 1): 10,
    ("list", 2): 12,
    ("list", 2, 1): 12,
    ("inline",): 14,
    ("inline", "b", "c"): 14,
    ("quoted key",): 15,
    ("single",): 16,
    ("dotted", "key", "deep"): 17,
    ("table",): 19,
    ("table", "when"): 20,
    ("table", "sub", "k"): 22,
    ("array",): 23,
    ("array", 0): 23,
    ("array", 0, "n"): 24,
    ("array", 1): 25,
    ("array", 1, "n"): 26,
    ("array", 1, "inner", "x"): 28,
    ("array", 1, "nested", 0, "y"): 30,
    ("array", 1, "nested", 1, "y"): 32,
}


def test_every_layout():
    tomllib.loads(LAYOUTS)
    found = lines_of(LAYOUTS)
    assert {path: found[path] for path in EXPECTED} == EXPECTED


def test_windows_line_ends_count_once():
    assert lines_of(LAYOUTS.replace("\n", "\r\n")) == lines_of(LAYOUTS)


def test_nothing_has_no_lines():
    assert lines_of("") == lines_of("# only a comment\n\n") == {}


KEY = st.text("abc_-", min_size=1, max_size=4)
TEXT = st.text('ab [](){}=#,."\n', max_size=12)
SCALAR = st.one_of(st.integers(), st.booleans(), TEXT)
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
TABLE = st.dictionaries(KEY, VALUE, max_size=4)


def written(value):
    """TOML, with a line break in every list and every other kind of text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        if "\n" in value and '"""' not in value and not value.endswith('"'):
            return f'"""\n{value}"""'
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(written, value)) + "\n]"
    return str(value)


@given(tables=st.dictionaries(KEY, TABLE, max_size=4))
def test_any_document(tables):
    """A document is written line by line, so that where each key stands is known."""
    text, expected = "", {}
    for name, table in tables.items():
        expected[(name,)] = text.count("\n") + 1
        text += f"[{name}] # {name}\n"
        for key, value in table.items():
            expected[name, key] = text.count("\n") + 1
            text += f"{key} = {written(value)} # [x]\n\n"
    assert tomllib.loads(text) == tables
    found = lines_of(text)
    assert {path: found[path] for path in expected} == expected


def paths(value, path=()):
    """Every path of a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, dict | list) else ():
        yield from paths(inner, (*path, key)) if isinstance(inner, dict | list) else [(*path, key)]


@given(table=TABLE)
def test_every_path_of_a_document_has_a_line(table):
    text = "".join(f"{key} = {written(value)}\n" for key, value in table.items())
    found = lines_of(text)
    assert set(found) == set(paths(tomllib.loads(text)))
