"""`python -m hybridllm` is the `hybridllm` command."""

from hybridllm.cli import main

main()
