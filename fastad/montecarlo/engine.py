"""From a block number to a tally: what a thread or a worker does with recordings, a source and a few arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from ..program.batch import Output, Scratch
from ..program.variants import Trie
from .control import Control
from .gamma import Pathwise, symmetric
from .replay import Replay
from .source import Block, Source
from .statistics import Samples, Statistic, Tally


@dataclass(frozen=True)
class Job:
    """Everything but the recordings that decides the numbers of a block; kilobytes, and picklable.

    Attributes
    ----------
    vector : ndarray
        The parameters.
    source : Source
        Where random numbers come from.
    selected : ndarray
        Parameters differentiated by.
    differentiated : ndarray
        Outputs of the recordings that are differentiated.
    n_values : int
        Results of the payoff, which are the first outputs.
    per_lane : bool
        Gradients per path, rather than summed over groups of 64.
    keep : bool
        Whether to hand back values and gradients of every path.
    control : Control, optional
        Control variates; the last outputs.
    steps : ndarray, optional
        How far to bump each of the selected parameters.
    hessian : bool or "bump"
        Whether to estimate second derivatives, pathwise or by bumps of gradients.
    hessian_steps : ndarray, optional
        How far to bump each of the selected parameters for those.
    """

    vector: Vector
    source: Source
    selected: NDArray[np.int64]
    differentiated: NDArray[np.int64]
    n_values: int
    per_lane: bool
    keep: bool = False
    control: Control | None = None
    steps: Vector | None = None
    hessian: bool | str = False
    hessian_steps: Vector | None = None

    @property
    def n_results(self) -> int:
        """Differentiated results, controls left out."""
        return self.differentiated.size - (0 if self.control is None else self.control.mean.size)


class Engine:
    """Recordings and a job; computes any block on any thread."""

    def __init__(self, trie: Trie, job: Job, on_divergence: str = "rerecord") -> None:
        self.trie, self.job = trie, job
        common = job.source, job.differentiated, job.selected, job.per_lane
        self._replay = Replay(trie, *common, on_divergence)
        self._second = Pathwise(trie, *common) if job.hessian is True else None

    def block(self, number: int, scratch: Scratch) -> Tally:
        """Return the tally of one block."""
        job, block = self.job, self.job.source.block(number)
        output = self.output(block, scratch)
        values, gradients = output.values[:, : job.n_values], output.gradient
        if job.control is not None:
            values, gradients = job.control.apply(output, job.n_values, job.per_lane)
        paths = len(values)
        return Tally(
            paths,
            job.source.of_paths(values),
            self._of_gradients(gradients, paths),
            None if job.steps is None else self._of_gradients(self._bumped(block, output, scratch), paths),
            self._of_gradients(self._hessians(block, scratch), paths) if job.hessian else None,
            self._kept(output) if job.keep else (),
            output.ended,
        )

    def _of_gradients(self, gradients: Samples, paths: int) -> Statistic:
        flat = gradients.reshape(len(gradients), -1)
        return self.job.source.of_paths(flat) if self.job.per_lane else self.job.source.of_groups(flat, paths)

    def _kept(self, output: Output) -> tuple[tuple[Samples, Samples], ...]:
        return ((output.values[:, : self.job.n_values], output.gradient[:, : self.job.n_results]),)

    def output(self, block: Block, scratch: Scratch, vector: Vector | None = None) -> Output:
        """Values and gradients of a block; values alone at other parameters than the job's own."""
        return self._replay.run(block, scratch, self.job.vector if vector is None else vector, vector is None)

    def _hessians(self, block: Block, scratch: Scratch) -> Samples:
        """Second derivatives, (paths or groups, results, wrt, wrt), of a block whose branches are recorded."""
        if self._second is not None:
            return self._second.of(block, scratch, self.job.vector)
        assert self.job.hessian_steps is not None
        columns = []
        for element, step in zip(self.job.selected.tolist(), self.job.hessian_steps.tolist()):
            up, down = self._moved(element, step), self._moved(element, -step)
            above, below = (self._replay.run(block, scratch, vector, True).gradient for vector in (up, down))
            with np.errstate(over="ignore", invalid="ignore"):
                columns.append((above - below) / (up[element] - down[element]))
        return symmetric(np.stack(columns, axis=-1))

    def _moved(self, element: int, step: float) -> Vector:
        vector = self.job.vector.copy()
        vector[element] += step
        return vector

    def _bumped(self, block: Block, output: Output, scratch: Scratch) -> Samples:
        """Central differences less pathwise derivatives, like the gradient of the output (without controls)."""
        job = self.job
        assert job.steps is not None
        own = job.differentiated[: job.n_results]
        differences = -output.gradient[:, : job.n_results]
        for j, (element, step) in enumerate(zip(job.selected.tolist(), job.steps.tolist())):
            up, down = self._moved(element, step), self._moved(element, -step)
            above, below = (self.output(block, scratch, vector).values[:, own] for vector in (up, down))
            with np.errstate(over="ignore", invalid="ignore"):
                slopes = (above - below) / (up[element] - down[element])
                if not job.per_lane:
                    slopes = np.add.reduceat(slopes, np.arange(0, len(slopes), 64), axis=0)
                differences[:, :, j] += slopes
        return differences
