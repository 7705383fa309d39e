"""The warning that a pathwise derivative is biased: it does not see the jumps of a payoff.

Where a decision with distance g makes the payoff jump by J, the derivative by theta of the expected payoff is that of
the paths plus ``E[J dg/dtheta delta(g)]``. Both sides of each decision are evaluated on the paths nearest to it; the
mean of ``J dg/dtheta`` is extrapolated to distance 0, which tells a digital from a call: the two sides of a kink meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from ..program.recording import Point, Recording, Site
from ..program.variants import Trie, Variant
from .decisions import Decision, Distances, decisions_of, distance, on_the_other_side, resolve
from .engine import Job
from .estimates import Estimates
from .lines import Line, Lines
from .statistics import Samples

_PATHS = 4096
_ROWS = 20_000_000  # of all pilot paths together: a second at most
_NEAR, _ENOUGH, _FEWEST = 10_000, 400, 32  # passings to look at; with a jump; to say anything
_SIGNIFICANT = 3.5  # standard errors of the extrapolation
_SMALL = 1e-3  # of the sensitivity
_SHOWN = 4


@dataclass(frozen=True)
class _Jumps:
    """What happens at one line: jumps (paths, results) from where it does not hold to where it does, and slopes."""

    distances: Samples
    jumps: Samples
    slopes: Samples  # (paths, wrt): derivatives of the distance
    density: float  # passings per path and unit of distance


class _Variant:
    """A variant that pilot paths are on: its decisions, their lines, and the distances of its paths from each."""

    def __init__(self, trie: Trie, variant: Variant, vector: Vector) -> None:
        recording = variant.recording
        self.variant = variant
        self.decisions = decisions_of(recording)
        lines = None
        if any(decision.guard < 0 for decision in self.decisions):
            lines = Lines(lambda: trie.record_again(vector), trie.place)
        self.lines = [_line(recording, decision, lines) for decision in self.decisions]
        self._distances = Distances(recording, self.decisions)
        self.paths: list[int] = []
        self.found: list[Vector] = []
        self.outputs: list[Vector] = []

    def add(self, path: int, point: Point) -> None:
        """Note a path that is on this variant."""
        self.paths.append(path)
        self.found.append(self._distances.at(point.values))
        self.outputs.append(self.variant.recording.output_values(point.values))


class _Pilot:
    """The first paths of a run, each with its inputs and the variant that it is on."""

    def __init__(self, trie: Trie, job: Job) -> None:
        self.job = job
        self._no_slope = np.zeros(job.selected.size)
        rows = len(trie.root.recording)
        count = min(job.source.paths, _PATHS, max(_ROWS // rows, 8 * _FEWEST))
        self.inputs = [np.concatenate([job.vector, job.source.numbers(path)]) for path in range(count)]
        self._variants: dict[Variant, _Variant] = {}
        for path, vector in enumerate(self.inputs):
            found = resolve(trie, vector)
            if found is not None:
                variant, point = found
                if variant not in self._variants:
                    self._variants[variant] = _Variant(trie, variant, vector)
                self._variants[variant].add(path, point)

    @property
    def lines(self) -> list[Line]:
        """Lines that decide something, in the order of their first occurrence."""
        return list(dict.fromkeys(line for variant in self._variants.values() for line in variant.lines))

    def _passings(self, line: Line) -> Iterator[tuple[float, _Variant, int, Decision]]:
        """Distance, variant, position among its paths and decision of those that pass a line, the nearest first."""
        parts = []
        variants = list(self._variants.values())
        for number, variant in enumerate(variants):
            here = [i for i, other in enumerate(variant.lines) if other == line]
            if here:
                distances = np.array(variant.found)[:, here]
                path, decision = (at.ravel() for at in np.indices(distances.shape))
                parts.append(np.stack([distances.ravel(), np.full(path.size, number), path, np.array(here)[decision]]))
        passings = np.concatenate(parts, axis=1)
        passings = passings[:, np.isfinite(passings[0])]
        count = min(_NEAR, passings.shape[1] // 8)
        nearest = np.argsort(np.abs(passings[0]), kind="stable")[:count]
        for off, *at in passings[:, nearest].T.tolist():
            number, position, which = (int(i) for i in at)
            yield off, variants[number], position, variants[number].decisions[which]

    def jumps_at(self, line: Line) -> _Jumps | None:
        """Return both sides of the paths nearest to a decision; None where too few come near, or all on one side."""
        count, width, jumping = 0, 0.0, 0
        found: list[tuple[float, Samples, Samples]] = []
        for off, variant, at, decision in self._passings(line):
            count, width = count + 1, abs(off)
            jump = self._jump(variant, at, decision, off)
            if jump is not None:
                slope = self._slope(variant, at, decision) if jump.any() else self._no_slope
                found.append((off, jump, slope))
                jumping += bool(jump.any())
            if jumping >= _ENOUGH:
                break
        if len(found) < _FEWEST or jumping < _FEWEST // 4 or width == 0.0:
            return None
        distances, jumps, slopes = (np.array(x) for x in zip(*found))
        if min((distances > 0.0).sum(), (distances <= 0.0).sum()) < _FEWEST // 4:
            return None
        return _Jumps(distances, jumps, slopes, count / (2.0 * width * len(self.inputs)))

    def _jump(self, variant: _Variant, at: int, decision: Decision, off: float) -> Samples | None:
        """Differentiated results where a decision holds less those where it does not."""
        other = on_the_other_side(variant.variant, self.inputs[variant.paths[at]], decision)
        if other is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            jump = (variant.outputs[at] - other) if off >= 0.0 else (other - variant.outputs[at])
        return jump[self.job.differentiated[: self.job.n_results]]

    def _slope(self, variant: _Variant, at: int, decision: Decision) -> Samples:
        """Derivatives of the distance."""
        recording = variant.variant.recording
        point = recording.evaluate(self.inputs[variant.paths[at]])
        combination = distance(recording, point.values, decision)
        rows, seeds = np.array(combination.rows, np.int32), np.array(combination.factors)
        return recording.slopes(point, rows, seeds, self.job.selected)


def _line(recording: Recording, decision: Decision, lines: Lines | None) -> Line:
    if decision.guard >= 0:
        site = recording.sites[decision.guard]
        return site.file, site.line
    assert lines is not None
    return lines.of(decision.row)


def examine(trie: Trie, job: Job, estimates: Estimates) -> list[str]:
    """Return a warning for each line where the payoff jumps, if that matters to a sensitivity."""
    if not job.selected.size or not any(decisions_of(variant.recording) for variant in trie.variants()):
        return []
    pilot = _Pilot(trie, job)
    warnings = []
    for line in pilot.lines:
        jumps = pilot.jumps_at(line)
        if jumps is not None and np.isfinite(jumps.jumps).all() and np.isfinite(jumps.slopes).all():
            warnings += _warning(line, jumps, estimates)
    return warnings


def _extrapolated(distances: Samples, samples: Samples) -> tuple[Samples, Samples]:
    """Mean of samples (paths, size) at distance 0 and its standard error, by a parabola through all of them."""
    x = distances / np.abs(distances).max()
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    weights = np.linalg.pinv(design)
    residuals = samples - design @ (weights @ samples)
    return weights[0] @ samples, np.sqrt(weights[0] ** 2 @ residuals**2)


def _missing(jumps: _Jumps, estimates: Estimates) -> tuple[Samples, NDArray[np.bool_]]:
    """What the pathwise derivatives miss (results, wrt), and where that is significant and matters."""
    missing = np.zeros_like(estimates.gradient)
    matters = np.zeros(missing.shape, np.bool_)
    for k in np.flatnonzero(np.abs(jumps.jumps).max(axis=0) > 0.0):
        at_zero, error = _extrapolated(jumps.distances, jumps.jumps[:, k, None] * jumps.slopes)
        missing[k] = jumps.density * at_zero
        tolerable = np.fmin(estimates.gradient_error[k], _SMALL * np.abs(estimates.gradient[k]))
        matters[k] = (np.abs(at_zero) > _SIGNIFICANT * error) & (np.abs(missing[k]) > np.fmax(tolerable, 0.0))
    return missing, matters


def _warning(line: Line, jumps: _Jumps, estimates: Estimates) -> list[str]:
    missing, matters = _missing(jumps, estimates)
    place = Site(*line, "", True).place
    both_ways = _jumps_both_ways(jumps)
    if not matters.any():
        return [_EARLY_EXERCISE.format(place=place, size=both_ways)] if both_ways else []
    mean, _ = _extrapolated(jumps.distances, jumps.jumps)
    largest = mean[np.argmax(np.abs(mean))]
    text = (
        f"{place}: the payoff jumps here, by {largest:+.3g} on average; pathwise derivatives miss it: "
        f"{_suspects(missing, matters, estimates)}. Smooth it with fad.smooth, or compare_with_bump=True"
    )
    return [text + (_PERHAPS_EXERCISE if both_ways else "")]


_EARLY_EXERCISE = (
    "{place}: single paths jump here, by {size:.3g} either way, but not on average, and what pathwise derivatives miss "
    "is within its error. So it is at an early-exercise decision whose rule is optimal, which the sensitivities "
    "rightly hold fixed, and at a barrier where what follows is worth what is paid there"
)
_PERHAPS_EXERCISE = (
    ". If this is an early-exercise decision, its rule is not optimal: on average it matters on which side a path is"
)


def _jumps_both_ways(jumps: _Jumps) -> float:
    """Mean size of jumps where single paths jump up as well as down; 0 where they do not, or meet at distance 0."""
    for k in np.flatnonzero(np.abs(jumps.jumps).max(axis=0) > 0.0):
        jump = jumps.jumps[:, k]
        up, down = jump[jump > 0.0].sum(), -jump[jump < 0.0].sum()
        size, error = (float(x[0]) for x in _extrapolated(jumps.distances, np.abs(jump)[:, None]))
        # The sides of a kink meet: there sizes shrink with the distance.
        if min(up, down) > 0.1 * max(up, down) and size > max(0.5 * np.abs(jump).mean(), _SIGNIFICANT * error):
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
