"""A review's proposals as a change of hybridllm.toml, a line at a time.

Nothing that stands in the file is taken out. A line that must give way is kept as a comment, under
one that says why; everything else stays where it is, to the last blank. The new text is read as a
configuration before anyone is asked to accept it, so a file that is written in a way that lines
cannot be added to (inline tables) is refused instead of broken.
"""

from __future__ import annotations

import tomllib
from difflib import unified_diff

from msgspec import Struct

from hybridllm.catalog.load import SNAPSHOTS, load_catalog
from hybridllm.config import Config
from hybridllm.config_file import PRESETS
from hybridllm.config_file.document import parse
from hybridllm.config_file.lines import Path
from hybridllm.errors import ConfigError
from hybridllm.money import PICODOLLARS
from hybridllm.reports.review import Review
from hybridllm.reports.review_routes import Proposal, Route

MARK = "hybridllm review"
"""Begins every comment that is written, so that it is known whose it is."""


class Change(Struct, frozen=True, kw_only=True):
    """The file before and after, and how the two differ (unified). Equal: there is nothing to
    do."""

    before: str
    after: str
    diff: str


def change(text: str, config: Config, found: Review, tasks: tuple[str, ...] = ()) -> Change:
    """What the proposals of `found` (of `tasks` alone, if any are named) make of `text`, the file
    that `config` was read from; it may be empty.

    Raises ConfigError where the file cannot be changed by adding lines.
    """
    routes = [route for route in found.changes if not tasks or route.task in tasks]
    edit = _Edit(text)
    if routes:
        _head(edit, config, found)
        for route in routes:
            if route.proposal is not None:
                _route(edit, config, found, route, route.proposal)
    after = edit.text()
    _check(after)
    lines = (text.splitlines(), after.splitlines())
    diff = "\n".join(unified_diff(*lines, "as it is", "as proposed", lineterm="", n=2))
    return Change(before=text, after=after, diff=diff)


def _head(edit: _Edit, config: Config, found: Review) -> None:
    """The preset, if the file leaves it to the command line; and today's catalogue, in which alone
    the proposed models are."""
    if config.catalog.as_of != load_catalog(SNAPSHOTS[0]).as_of:
        why = f"today's prices and limits, in place of those of {found.reference}"
        edit.top("catalog", f'"{SNAPSHOTS[0]}"', why, found.day)
    if config.preset != PRESETS[0] and ("preset",) not in edit.lines:
        edit.top("preset", f'"{config.preset}"', "what was reviewed", found.day)


def _route(edit: _Edit, config: Config, found: Review, route: Route, best: Proposal) -> None:
    """The model first among the task's candidates, and what it is taken to be worth."""
    candidates = [best.model, *config.tasks[route.task].candidates]
    value = "[" + ", ".join(f'"{model}"' for model in candidates) + "]"
    edit.key(("tasks", route.task), "candidates", value, why(route, best), found.day)
    if best.assumption is not None:
        entry = [
            f"# {MARK} {found.day}: an assumption. Measure it before you rely on it.",
            "[[quality]]",
            f'model = "{best.model}"',
            f'task = "{route.task}"',
            f"value = {best.value:g}",
            f'source = "assumed as good as {best.assumption.comparable}"',
            f'at = "{found.day}"',
        ]
        edit.append(entry)


def why(route: Route, best: Proposal) -> str:
    """The reason for a change in one line."""
    of = "a month" if route.real else f"per {route.calls:,} calls"
    dollars = abs(best.saving) / PICODOLLARS
    saved = f"saves about ${dollars:,.2f} {of}"
    if best.saving < 0:
        saved = f"costs about ${dollars:,.2f} {of} more"
    name = best.model.partition("/")[2]
    if best.assumption is None:
        ground = f"quality {best.value:.2f}"
    else:
        ground = f"assumed as good as {best.assumption.comparable.partition('/')[2]}"
    forced = f"{route.must}. " if route.must else ""
    return f"{forced}{name} {saved}; {ground}"


class _Edit:
    """A TOML text to which lines are added."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = parse("the configuration", text).lines
        self._old = text.split("\n")
        self._before: dict[int, list[str]] = {}
        """New lines by the number (from 0) of the old line that they stand before."""
        self._retired: set[int] = set()
        """Old lines that become comments, by number."""
        self._end: list[str] = []

    def top(self, key: str, value: str, why: str, day: str) -> None:
        """A key of the whole file: in place of the one that is there, else as its first lines."""
        self.key((), key, value, why, day)

    def key(self, table: Path, key: str, value: str, why: str, day: str) -> None:
        """`key = value` in `table`, where the key stands, else below the table's heading, else in
        a table of its own at the end."""
        new = [f"# {MARK} {day}: {why}.", f"{key} = {value}"]
        at = self.lines.get((*table, key))
        if at is not None:
            if not self._old[at - 1].lstrip().startswith(key):
                raise _by_hand(f"line {at} says {key} within another value")
            self._replace(at - 1, new)
            return
        heading = self.lines.get(table)
        if not table:
            self._before.setdefault(0, []).extend(new)
        elif heading is not None and self._old[heading - 1].lstrip().startswith("["):
            self._before.setdefault(heading, []).extend(new)
        else:
            self.append([new[0], "[" + ".".join(map(_bare, table)) + "]", new[1]])

    def append(self, block: list[str]) -> None:
        """Lines of their own at the end of the file."""
        self._end += ["", *block]

    def text(self) -> str:
        """The whole, every old line in its place."""
        if not self._before and not self._retired and not self._end:
            return "\n".join(self._old)
        old = self._old
        ended = bool(old) and old[-1] == ""
        body = old[:-1] if ended else old
        made = []
        for number, line in enumerate(body):
            made += self._before.get(number, [])
            made.append(f"# {line}" if number in self._retired else line)
        made += self._before.get(len(body), [])
        end = self._end[1:] if not any(made) else self._end
        return "\n".join([*made, *end]) + "\n"

    def _replace(self, start: int, new: list[str]) -> None:
        """The value that begins on line `start` becomes a comment, and `new` stands before it."""
        length = next(
            (
                length
                for length in range(1, len(self._old) - start + 1)
                if _is_toml("\n".join(self._old[start : start + length]))
            ),
            1,
        )
        self._before.setdefault(start, []).extend([*new, f"# {MARK}: it was"])
        self._retired |= set(range(start, start + length))


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _bare(part: str | int) -> str:
    text = str(part)
    return text if text.replace("_", "").replace("-", "").isalnum() else f'"{text}"'


def _check(after: str) -> None:
    """Raises ConfigError unless `after` is TOML."""
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as e:
        raise _by_hand(str(e)) from None


def _by_hand(why: str) -> ConfigError:
    return ConfigError(
        f"The file cannot be changed by adding lines to it: {why}.",
        remedy="Write its tasks as [tasks.<name>] and its qualities as [[quality]], or make the "
        "proposed changes by hand: --markdown shows them.",
    )
