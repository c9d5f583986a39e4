"""`python -m hybridllm.simulators`: what `SimulatorProcess` starts. Prints one JSON line of the
three addresses when it is ready; `hybridllm simulate` is the command for people."""

from __future__ import annotations

import argparse
import sys

import msgspec

from hybridllm.errors import ConfigError
from hybridllm.simulators.standalone import run_simulators
from hybridllm.simulators.surface import Addresses


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hybridllm.simulators")
    parser.add_argument("--profile", default="fast")
    for name in ("openai", "anthropic", "google"):
        parser.add_argument(f"--{name}-port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-keep-calls", action="store_true")
    parser.add_argument("--with-parent", action="store_true")
    options = parser.parse_args()

    def ready(addresses: Addresses) -> None:
        sys.stdout.write(msgspec.json.encode(addresses).decode() + "\n")
        sys.stdout.flush()

    try:
        run_simulators(
            ready,
            profile=options.profile,
            ports={
                name: getattr(options, f"{name}_port") for name in ("openai", "anthropic", "google")
            },
            keep_calls=not options.no_keep_calls,
            seed=options.seed,
            with_parent=options.with_parent,
        )
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
