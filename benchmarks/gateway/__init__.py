"""What the whole gateway costs, measured beside its peers: `make bench`, `make bench-quick`.

run.py        the command: which targets, how many rounds, what is written
scenarios.py  what is asked of a target: dialect, streaming, pace, connections
targets.py    what is measured: the gateway, the bare relay, nginx, LiteLLM, Portkey, nothing
peers.py      the peers' own environments under .bench/
process.py    a target running: started, pinned, asked until it answers, ended
rounds.py     windows, interleaved: CPU a request and a chunk
extras.py     what is no window: added latency, start, memory, many streams, workers
verdict.py    the targets, and whether they are met
report.py     tables, and RESULTS.md
profile.py    where the gateway's time goes
relay.py      the bare relay: raw ASGI on uvicorn and our client, nothing else
upstream.c    the provider behind all of them
load.c        the callers before all of them
"""
