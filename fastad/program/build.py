"""From a recording to the plan that the batch kernel runs: the list of passes.

Each pass is a function from plan to plan that changes no number; leaving one out of ``PASSES`` turns it off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .plan import Plan, draft
from .recording import Recording
from .slots import read_ahead, share_adjoints, share_values

PASSES = (share_values, share_adjoints, read_ahead)


def build(
    recording: Recording,
    varying_inputs: NDArray[np.bool_],
    wrt: NDArray[np.bool_],
    outputs: NDArray[np.int64] | None = None,
) -> Plan:
    """Make the plan for these varying and differentiated inputs (a flag per input element).

    ``outputs`` are the numbers of those that are differentiated; all by default.
    """
    plan = draft(recording, varying_inputs, wrt, outputs)
    for improve in PASSES:
        plan = improve(plan)
    return plan
