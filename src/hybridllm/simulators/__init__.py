"""Beside the floors: providers that are not there, over real HTTP, with faults.

Their wire formats are written out by hand from the providers' documentation, apart from
`hybridllm.wire`, so that each proves the other.
"""

from __future__ import annotations

from hybridllm.simulators.calls import CallRecord as CallRecord
from hybridllm.simulators.calls import Counts as Counts
from hybridllm.simulators.faults import Fault as Fault
from hybridllm.simulators.inprocess import Simulators as Simulators
from hybridllm.simulators.process import SimulatorProcess as SimulatorProcess
from hybridllm.simulators.profiles import Profile as Profile
from hybridllm.simulators.prose import pad_to_tokens as pad_to_tokens
from hybridllm.simulators.prose import prompt_of as prompt_of
