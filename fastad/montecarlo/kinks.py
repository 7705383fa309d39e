"""The warning that a pathwise second derivative is biased: it does not see the kinks of a payoff.

The first derivative jumps at a kink, and of a jump the paths show nothing: the delta of a call is 0 on one side of the
strike and not on the other, and all of its gamma is in between.
"""

from __future__ import annotations

import numpy as np

from ..program.recording import Site
from .estimates import Estimates
from .pilot import Pilot
from .statistics import Samples

_SHOWN = 4


def examine_kinks(pilot: Pilot, estimates: Estimates) -> list[str]:
    """Return a warning for each line where a gradient jumps, if that matters to a second derivative."""
    hessian, error = estimates.hessian, estimates.hessian_error
    if hessian is None or error is None:
        return []
    rows = -1, pilot.job.selected.size  # a row per result and first parameter, which is one component of a gradient
    warnings = []
    for line in pilot.lines(kinks=True):
        jumps = pilot.jumps_at(line, gradients=True)
        if jumps is None:
            continue
        by_row, which = jumps.missing(hessian.reshape(rows), error.reshape(rows))
        missing, matters = by_row.reshape(hessian.shape), which.reshape(hessian.shape)
        if matters.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                severity = np.abs(missing) / np.fmax(error, 1e-300)
            suspects = np.where(np.triu(matters | matters.swapaxes(1, 2)), severity, -1.0)
            warnings.append(
                f"{Site(*line, '', True).place}: the payoff has a kink here, which pathwise second derivatives miss: "
                f'{_listed(suspects, missing, hessian, estimates)}. Use hessian="bump", or smooth it with fad.smooth'
            )
    return warnings


def _listed(suspects: Samples, missing: Samples, hessian: Samples, estimates: Estimates) -> str:
    """Second derivatives and what they miss, the worst first; -1 for those that miss nothing."""
    wrt = estimates.wrt_names()
    names = estimates.result_names() if estimates.differentiated.spec.kind != "leaf" else [""]
    order = np.argsort(-suspects, axis=None, kind="stable")[: int((suspects >= 0.0).sum())]
    shown = []
    for at in order[:_SHOWN]:
        k, i, j = (int(x) for x in np.unravel_index(at, suspects.shape))
        name = f"{names[k]} by {wrt[i]}, {wrt[j]}".removeprefix(" by ")
        shown.append(f"{name} about {missing[k, i, j]:+.2g} (estimate {hessian[k, i, j]:.3g})")
    more = f" and {order.size - _SHOWN} more" if order.size > _SHOWN else ""
    return "; ".join(shown) + more
