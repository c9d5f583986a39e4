"""What is left of millions of rows: sums of calls that are priced alike."""

from __future__ import annotations

from msgspec import Struct

from hybridllm.catalog.structs import Usage


class Group(Struct, kw_only=True):
    """Calls of one model, label, price period and size bucket, live or in batches.

    `model` is as the file writes it; `label` and `said` (the task that the classifier read out of
    the prompts) are "" where there is none. `calls` is 0 where the file counts tokens and not
    calls. `input_tokens` are those neither read from nor written to a cache. `stated` is the
    file's own cost in picodollars of the `stated_rows` rows that have one.
    """

    model: str
    label: str
    said: str
    period: int
    size_in: int
    size_out: int
    batch: bool
    rows: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached: int = 0
    written: int = 0
    written_long: int = 0
    output: int = 0
    reasoning: int = 0
    stated: int = 0
    stated_rows: int = 0

    @property
    def total_input(self) -> int:
        return self.input_tokens + self.cached + self.written + self.written_long

    @property
    def usage(self) -> Usage:
        """All of the group's tokens as one usage. Its sums are priced as every call is, by the
        tier of the group's bucket."""
        return Usage(
            input_tokens=self.input_tokens,
            cache_read_tokens=self.cached,
            cache_write_tokens=self.written,
            cache_write_long_tokens=self.written_long,
            output_tokens=self.output,
            reasoning_tokens=self.reasoning,
        )


class Problem(Struct, frozen=True, kw_only=True):
    """A row that was left out: its number in the file (from 1, the header not counted), the field
    as the file calls it, and what is wrong."""

    file: str
    row: int
    field: str
    why: str


class FileScan(Struct, kw_only=True):
    """One file as read. `rows` are all of its rows, `bad` those left out because something is
    wrong, `skipped` those that are no usage, by reason. `first` and `last` are days (ISO), "" where
    no row has a date. `costs` is what a file of costs states, in picodollars."""

    path: str
    format: str
    title: str
    provider: str = ""
    rows: int = 0
    bad: int = 0
    undated: int = 0
    skipped: dict[str, int]
    problems: list[Problem]
    first: str = ""
    last: str = ""
    costs: int | None = None
    sums_only: bool = False
    summed: bool = False
    """Whether rows sum up several calls, so that a price tier is chosen by their mean."""
    has_prompts: bool = False

    @property
    def good(self) -> int:
        return self.rows - self.bad - sum(self.skipped.values())


class Scan(Struct, kw_only=True):
    """All files. `prompts` are sampled ones, for what they share; `sampled` of `prompted` rows with
    a prompt were read by the classifier."""

    groups: list[Group]
    files: list[FileScan]
    prompts: list[str]
    sampled: int = 0
    names_cut: bool = False
