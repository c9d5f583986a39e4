# `make setup` makes .venv; `make demo` and `make test` call it. The slower suites are targets of
# their own.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Tests start hundreds of processes: none of them shall compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup bench-monitoring demo test explore fuzz memory bench bench-quick bench-profile bench-caching bench-batching month month-batched chaos clients claude-code check format clean
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

setup: $(STAMP) ## make .venv with everything pinned in uv.lock

$(STAMP): pyproject.toml uv.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv sync --quiet --locked --all-extras
	touch $(STAMP)

demo: setup ## watch the guide's month at 1:1000: routed, through an outage, and batched
	$(BIN)/hybridllm demo

test: check ## format, lint, types, floor plan, then every test
	$(BIN)/python -m pytest $(BY_FILE)

# By file, so that the servers which a file's tests share are started once.
BY_FILE := -n 2 --dist loadfile --no-loadscope-reorder

explore: setup ## the tests that make up their own examples, with new ones
	$(BIN)/python -m pytest $(BY_FILE) -m hypothesis --hypothesis-profile=default

bench: setup ## the gateway beside its peers, twenty minutes; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.gateway.run

bench-quick: setup ## the gateway beside the bare relay, under three minutes
	$(BIN)/python -m benchmarks.gateway.run --quick

bench-profile: setup ## where the gateway's time goes
	$(BIN)/python -m benchmarks.gateway.profile

bench-audit: setup ## the audit of ten million rows beside a bare DuckDB group-by, five minutes
	$(BIN)/python -m benchmarks.bench_audit

bench-batching: setup ## a million lines through the lane: lines a second of each step, and memory
	$(BIN)/python benchmarks/bench_batching.py --lines 1000000

bench-monitoring: setup ## a month in which a model silently gets worse: delay, false alarms, dollars
	$(BIN)/python -m benchmarks.bench_monitoring

bench-caching: setup ## prompt caching beside every fixed choice, in traffic of many shapes, two minutes
	$(BIN)/python -m benchmarks.bench_caching

month: setup ## replay the guide's whole month, 660,000 calls, and check the ledger to the picodollar
	$(BIN)/python benchmarks/month.py

month-batched: setup ## the month at 1:100 through the lane, with two tasks that can wait, then with all
	$(BIN)/python -m benchmarks.month_batched

chaos: setup ## kill the gateway a thousand times under load, and its lane, and reconcile every call
	HYBRIDLLM_KILLS=1000 $(BIN)/python -m pytest -n 0 tests/faults/test_kill.py
	HYBRIDLLM_LANE_KILLS=100 $(BIN)/python -m pytest -n 0 tests/faults/test_kill_lane.py

clients: setup ## LangChain, LlamaIndex, pydantic-ai, instructor, openai-agents, dspy; simulated providers
	$(BIN)/python scripts/popular_clients.py

CLAUDE_CODE := .scratch/claude-code/node_modules/.bin/claude

claude-code: setup $(CLAUDE_CODE) ## the real Claude Code on models of every provider, simulated
	HYBRIDLLM_CLAUDE_CODE=$(CURDIR)/$(CLAUDE_CODE) \
		$(BIN)/python -m pytest -n 0 tests/clients/test_claude_code.py

$(CLAUDE_CODE):
	NODE_USE_SYSTEM_CA=1 npm install --no-audit --no-fund --prefix .scratch/claude-code \
		@anthropic-ai/claude-code@2.1.197

fuzz: setup ## damage requests, replies and streams for minutes
	HYBRIDLLM_FUZZ=20000 $(BIN)/python -m pytest -n 2 --hypothesis-profile=default tests/wire/test_fuzz.py

memory: setup ## ten thousand cancelled streams and a million requests must leave nothing behind
	HYBRIDLLM_CANCELLED=10000 HYBRIDLLM_REQUESTS=1000000 $(BIN)/python -m pytest -n 0 tests/faults/test_memory.py
	HYBRIDLLM_RESULTS=100000 $(BIN)/python -m pytest -n 0 tests/gateway/test_waiting.py -k streamed

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove everything that was made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
