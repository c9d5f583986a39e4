"""`hybridllm eval curve` reads recorded outcomes and prints the published figures."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hybridllm.cli import app
from hybridllm.errors import RequestError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    outcomes, prompts = tmp_path / "outcomes.csv.gz", tmp_path / "prompts.jsonl"
    rows, texts = ["sample_id,model,score,cost_usd"], []
    for n in range(60):
        hard = n % 2
        rows += [f"{n},small,{1 - hard},0.0001", f"{n},large,1,0.002"]
        prompt = f"Prove theorem {n} in full" if hard else f"Which colour is box {n}?"
        texts.append(json.dumps({"sample_id": str(n), "prompt": prompt}))
    outcomes.write_bytes(gzip.compress("\n".join(rows).encode()))
    prompts.write_text("\n".join(texts))
    return outcomes, prompts


def run(files: tuple[Path, Path], *more: str, weak: str = "small") -> None:
    data, prompts = map(str, files)
    arguments = ["eval", "curve", data, "--prompts", prompts, "--weak", weak, "--strong", "large"]
    app([*arguments, *more], result_action="return_value")


def test_every_router_gets_its_figures(files, capsys):
    run(files, "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["samples"], said["weak"], said["strong"]) == (60, 0.5, 1.0)
    cascades = {"cascade, oracle check", "cascade, check", "cascade, check and ours"}
    assert set(said["routers"]) == {"random", "longest", "ours", "oracle"} | cascades
    held = said["routers"]["cascade, oracle check"]["held_out"]
    assert held["pgr"] >= 0.8 and held["cost"] == pytest.approx(0.05 + held["share"])
    assert said["routers"]["oracle"]["apgr"] == pytest.approx(0.75)
    assert said["routers"]["ours"]["apgr"] > said["routers"]["random"]["apgr"]
    run(files)
    printed = capsys.readouterr().out
    assert "always small 0.500, always large 1.000" in printed
    assert "A threshold chosen on other samples, to recover 80% of the gap" in printed


def test_mistakes_are_told(files):
    with pytest.raises(RequestError, match="catches 2 is no share"):
        run(files, "--catches", "2")
    with pytest.raises(RequestError, match="check-cost -1 is out of range"):
        run(files, "--check-cost=-1")
    with pytest.raises(RequestError, match="no scores of tiny"):
        run(files, weak="tiny")
    files[0].write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(RequestError, match="has no column model"):
        run(files)
