"""Builds the C programs into .bench/bin/, anew when their source has changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BENCH = ROOT / ".bench"
"""Whatever the bench makes: programs, the peers' environments, what a run leaves behind."""


class NoCompilerError(Exception):
    """There is no C compiler on this machine."""


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(name: str, into: Path = BENCH / "bin") -> Path:
    """The program made from NAME.c. Raises NoCompilerError, and CalledProcessError where the
    source does not compile."""
    source, program = HERE / f"{name}.c", into / name
    if program.exists() and program.stat().st_mtime_ns > source.stat().st_mtime_ns:
        return program
    cc = compiler()
    if cc is None:
        raise NoCompilerError("No C compiler: install cc, for example `apt-get install gcc`.")
    into.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-std=gnu11", "-Wall", "-Wextra"]
    subprocess.run([cc, *flags, "-o", str(program), str(source)], check=True)
    return program
