"""What a team's usage exports cost, what they would cost routed, and what that rests on.

`formats/` says how each export is read; `scan` sums it up in DuckDB; `cells` routes the sums;
`report` puts the figures together, and `sensitivity` asks what if an assumption is wrong.
"""

from hybridllm.planning.audit.report import Audit, audit

__all__ = ["Audit", "audit"]
