"""The warning that a pathwise derivative is biased: it does not see the jumps of a payoff.

A digital jumps where it decides, a call does not: the two sides of a kink meet. What the derivative misses there is
found by `pilot`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..program.recording import Site
from ..program.variants import Trie
from .decisions import decisions_of, kinks_of
from .engine import Job
from .estimates import Estimates
from .kinks import examine_kinks
from .lines import Line
from .pilot import SIGNIFICANT, Jumps, Pilot, extrapolated
from .statistics import Samples

_SHOWN = 4


def examine(trie: Trie, job: Job, estimates: Estimates) -> list[str]:
    """Return a warning for each line where the payoff jumps, or has a kink, if that matters to what was estimated."""
    pathwise_hessian = job.hessian is True
    variants = [variant.recording for variant in trie.variants()]
    if not job.selected.size or not any(decisions_of(r) or (pathwise_hessian and kinks_of(r)) for r in variants):
        return []
    pilot = Pilot(trie, job, kinks=pathwise_hessian)
    warnings = []
    for line in pilot.lines():
        jumps = pilot.jumps_at(line)
        if jumps is not None:
            warnings += _warning(line, jumps, estimates)
    return warnings + (examine_kinks(pilot, estimates) if pathwise_hessian else [])


def _warning(line: Line, jumps: Jumps, estimates: Estimates) -> list[str]:
    missing, matters = jumps.missing(estimates.gradient, estimates.gradient_error)
    place = Site(*line, "", True).place
    both_ways = _jumps_both_ways(jumps)
    if not matters.any():
        return [_EARLY_EXERCISE.format(place=place, size=both_ways)] if both_ways else []
    mean, _ = extrapolated(jumps.distances, jumps.jumps)
    what = "pathwise derivatives" if estimates.hessian is None else "pathwise derivatives, and second ones in any way,"
    largest = mean[np.argmax(np.abs(mean))]
    text = (
        f"{place}: the payoff jumps here, by {largest:+.3g} on average; {what} miss it: "
        f"{_suspects(missing, matters, estimates)}. Smooth it with fad.smooth, or compare_with_bump=True"
    )
    return [text + (_PERHAPS_EXERCISE if both_ways else "")]


_EARLY_EXERCISE = (
    "{place}: single paths jump here, by {size:.3g} either way, but not on average, and what pathwise derivatives miss "
    "is within its error. So it is at an early-exercise decision whose rule is optimal, which the sensitivities "
    "rightly hold fixed, at a barrier where what follows is worth what is paid there, and at a switch between two ways "
    "to draw the same random step"
)
_PERHAPS_EXERCISE = (
    ". If this is an early-exercise decision, its rule is not optimal: on average it matters on which side a path is"
)


def _jumps_both_ways(jumps: Jumps) -> float:
    """Mean size of jumps where single paths jump up as well as down; 0 where they do not, or meet at distance 0."""
    for k in np.flatnonzero(np.abs(jumps.jumps).max(axis=0) > 0.0):
        jump = jumps.jumps[:, k]
        up, down = jump[jump > 0.0].sum(), -jump[jump < 0.0].sum()
        size, error = (float(x[0]) for x in extrapolated(jumps.distances, np.abs(jump)[:, None]))
        # The sides of a kink meet: there sizes shrink with the distance.
        if min(up, down) > 0.1 * max(up, down) and size > max(0.5 * np.abs(jump).mean(), SIGNIFICANT * error):
            return size
    return 0.0


def _suspects(missing: Samples, matters: NDArray[np.bool_], estimates: Estimates) -> str:
    """Sensitivities and what they miss, the worst first."""
    wrt = estimates.wrt_names()
    names = estimates.result_names() if estimates.differentiated.spec.kind != "leaf" else [""]
    with np.errstate(divide="ignore", invalid="ignore"):
        severity = np.where(matters, np.abs(missing) / np.fmax(estimates.gradient_error, 1e-300), -1.0)
    order = np.argsort(-severity, axis=None, kind="stable")[: int(matters.sum())]
    shown = []
    for k, j in (divmod(int(at), missing.shape[1]) for at in order[:_SHOWN]):
        name = f"{names[k]} by {wrt[j]}" if names[k] else wrt[j]
        shown.append(f"{name} about {missing[k, j]:+.2g} (estimate {estimates.gradient[k, j]:.3g})")
    more = f" and {order.size - _SHOWN} more" if order.size > _SHOWN else ""
    return ", ".join(shown) + more
