"""The first paths of a run, to look at both sides of its decisions: what jumps there, and by how much.

Both sides of each decision are evaluated on the paths nearest to it. What they differ by is extrapolated to distance
0, which tells a jump from what only changes its slope: there the two sides meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from ..program.recording import Point, Recording
from ..program.variants import Trie, Variant
from .decisions import Decision, Distances, decisions_of, distance, kinks_of, on_the_other_side, resolve
from .engine import Job
from .lines import Line, Lines
from .statistics import Samples

_PATHS = 4096
_ROWS = 20_000_000  # of all pilot paths together, and of all passings of a line: a second at most
_NEAR, _ENOUGH, _FEWEST = 10_000, 400, 32  # passings to look at; with a jump; to say anything
SIGNIFICANT = 3.5  # standard errors of the extrapolation
_SMALL = 1e-3  # of the estimate


@dataclass(frozen=True)
class Jumps:
    """What happens at one line: jumps (paths, results) from where it does not hold to where it does, and slopes."""

    distances: Samples
    jumps: Samples
    slopes: Samples  # (paths, wrt): derivatives of the distance
    density: float  # passings per path and unit of distance

    def missing(self, estimate: Samples, error: Samples) -> tuple[Samples, NDArray[np.bool_]]:
        """What estimates (results, wrt) of derivatives along the paths miss, and where that is significant and matters.

        Where a decision with distance g makes something jump by J, the derivative by theta of its expectation is
        that of the paths plus ``E[J dg/dtheta delta(g)]``.
        """
        missing = np.zeros_like(estimate)
        matters = np.zeros(missing.shape, np.bool_)
        for k in np.flatnonzero(np.abs(self.jumps).max(axis=0) > 0.0):
            at_zero, spread = extrapolated(self.distances, self.jumps[:, k, None] * self.slopes)
            missing[k] = self.density * at_zero
            tolerable = np.fmin(error[k], _SMALL * np.abs(estimate[k]))
            matters[k] = (np.abs(at_zero) > SIGNIFICANT * spread) & (np.abs(missing[k]) > np.fmax(tolerable, 0.0))
        return missing, matters


def extrapolated(distances: Samples, samples: Samples) -> tuple[Samples, Samples]:
    """Mean of samples (paths, size) at distance 0 and its standard error, by a parabola through all of them."""
    x = distances / np.abs(distances).max()
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    weights = np.linalg.pinv(design)
    residuals = samples - design @ (weights @ samples)
    return weights[0] @ samples, np.sqrt(weights[0] ** 2 @ residuals**2)


class _Variant:
    """A variant that pilot paths are on: its decisions, their lines, and the distances of its paths from each."""

    def __init__(self, trie: Trie, variant: Variant, vector: Vector, kinks: bool) -> None:
        recording = variant.recording
        self.variant = variant
        self.decisions = decisions_of(recording) + (kinks_of(recording) if kinks else [])
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


class Pilot:
    """The first paths of a run, each with its inputs and the variant that it is on; kinks count if asked for."""

    def __init__(self, trie: Trie, job: Job, kinks: bool = False) -> None:
        self.job = job
        self._no_slope = np.zeros(job.selected.size)
        self._own = job.differentiated[: job.n_results]
        self._most = max(_ROWS // len(trie.root.recording), 8 * _FEWEST)
        count = min(job.source.paths, _PATHS, self._most)
        self.inputs = [np.concatenate([job.vector, job.source.numbers(path)]) for path in range(count)]
        self._variants: dict[Variant, _Variant] = {}
        for path, vector in enumerate(self.inputs):
            found = resolve(trie, vector)
            if found is not None:
                variant, point = found
                if variant not in self._variants:
                    self._variants[variant] = _Variant(trie, variant, vector, kinks)
                self._variants[variant].add(path, point)

    def lines(self, kinks: bool = False) -> list[Line]:
        """Lines that decide something, in the order of their first occurrence."""
        variants = self._variants.values()
        return list(
            dict.fromkeys(
                line for v in variants for line, decision in zip(v.lines, v.decisions) if kinks or not decision.is_kink
            )
        )

    def _passings(self, line: Line, kinks: bool) -> Iterator[tuple[float, _Variant, int, Decision]]:
        """Distance, variant, position among its paths and decision of those that pass a line, the nearest first."""
        parts = [np.empty((4, 0))]
        variants = list(self._variants.values())
        for number, variant in enumerate(variants):
            pairs = enumerate(zip(variant.lines, variant.decisions))
            here = [i for i, (other, decision) in pairs if other == line and (kinks or not decision.is_kink)]
            if here:
                distances = np.array(variant.found)[:, here]
                path, decision = (at.ravel() for at in np.indices(distances.shape))
                parts.append(np.stack([distances.ravel(), np.full(path.size, number), path, np.array(here)[decision]]))
        passings = np.concatenate(parts, axis=1)
        passings = passings[:, np.isfinite(passings[0])]
        if kinks:  # paths that tie for good, of which a maximum of nothing and 0 is one, are at no kink
            passings = passings[:, passings[0] != 0.0]
        count = min(_NEAR, self._most, passings.shape[1] // 8)
        nearest = np.argsort(np.abs(passings[0]), kind="stable")[:count]
        for off, *at in passings[:, nearest].T.tolist():
            number, position, which = (int(i) for i in at)
            yield off, variants[number], position, variants[number].decisions[which]

    def jumps_at(self, line: Line, gradients: bool = False) -> Jumps | None:
        """Return both sides of the paths nearest to a decision; None where too few come near, or all on one side.

        What jumps are the differentiated results, or their gradients: then kinks count as decisions, and jumps are
        (paths, results x wrt).
        """
        count, width, jumping = 0, 0.0, 0
        found: list[tuple[float, Samples, Samples]] = []
        for off, variant, at, decision in self._passings(line, gradients):
            count, width = count + 1, abs(off)
            jump = self._jump(variant, at, decision, off, gradients)
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
        if not np.isfinite(jumps).all() or not np.isfinite(slopes).all():
            return None
        return Jumps(distances, jumps, slopes, count / (2.0 * width * len(self.inputs)))

    def _jump(self, variant: _Variant, at: int, decision: Decision, off: float, gradients: bool) -> Samples | None:
        """Differentiated results, or their gradients, where a decision holds less those where it does not."""
        vector = self.inputs[variant.paths[at]]
        other = on_the_other_side(variant.variant, vector, decision)
        if other is None:
            return None
        if gradients:
            recording = variant.variant.recording
            here, there = self._gradients(recording, recording.evaluate(vector)), self._gradients(*other)
        else:
            here, there = variant.outputs[at][self._own], other[0].output_values(other[1].values)[self._own]
        with np.errstate(over="ignore", invalid="ignore"):
            return here - there if off >= 0.0 else there - here

    def _gradients(self, recording: Recording, point: Point) -> Samples:
        seeds = np.eye(recording.output_rows.size)[:, self._own]
        return recording.adjoints(point, seeds)[self.job.selected].T.ravel()

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
