"""Floor 1: scores in, bounds and verdicts out. Pure."""

from hybridllm.quality.anytime import anytime
from hybridllm.quality.bernstein import empirical_bernstein
from hybridllm.quality.betting import betting
from hybridllm.quality.clopper import clopper_pearson
from hybridllm.quality.paired import Paired, Standing, compare
from hybridllm.quality.stopping import Stopping
from hybridllm.quality.table import Table, meets
from hybridllm.quality.verdict import Verdict, verdict
from hybridllm.quality.wilson import wilson

__all__ = [
    "Paired",
    "Standing",
    "Stopping",
    "Table",
    "Verdict",
    "anytime",
    "betting",
    "clopper_pearson",
    "compare",
    "empirical_bernstein",
    "meets",
    "verdict",
    "wilson",
]
