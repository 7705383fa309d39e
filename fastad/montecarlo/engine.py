"""From a block number to a tally: what a thread or a worker does with recordings, a source and a few arrays."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from ..program.batch import Call, Output, Runner, Scratch, check
from ..program.build import build
from ..program.plan import Plan
from ..program.recording import Recording
from ..program.variants import Trie
from .control import Control
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

    @property
    def n_results(self) -> int:
        """Differentiated results, controls left out."""
        return self.differentiated.size - (0 if self.control is None else self.control.mean.size)


class Engine:
    """Recordings and a job; computes any block on any thread."""

    def __init__(self, trie: Trie, job: Job, on_divergence: str = "rerecord") -> None:
        self.trie, self.job = trie, job
        self._on_divergence = on_divergence
        self._plans: dict[tuple[int, bool, bool], Plan] = {}
        self._runners: dict[bytes, Runner] = {}  # of blocks that share their scenarios, by parameters
        self._lock = threading.Lock()

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
        runner = self._runner(block, self.job.vector if vector is None else vector, vector is None)
        output = runner.run(block.first, block.stop, scratch)
        check([output])
        return output

    def _bumped(self, block: Block, output: Output, scratch: Scratch) -> Samples:
        """Central differences less pathwise derivatives, like the gradient of the output (without controls)."""
        job = self.job
        assert job.steps is not None
        own = job.differentiated[: job.n_results]
        differences = -output.gradient[:, : job.n_results]
        for j, (element, step) in enumerate(zip(job.selected.tolist(), job.steps.tolist())):
            sides = []
            for moved in (job.vector[element] + step, job.vector[element] - step):
                vector = job.vector.copy()
                vector[element] = moved
                sides.append((self.output(block, scratch, vector).values[:, own], moved))
            with np.errstate(over="ignore", invalid="ignore"):
                slopes = (sides[0][0] - sides[1][0]) / (sides[0][1] - sides[1][1])
                if not job.per_lane:
                    slopes = np.add.reduceat(slopes, np.arange(0, len(slopes), 64), axis=0)
                differences[:, :, j] += slopes
        return differences

    def _runner(self, block: Block, vector: Vector, with_gradient: bool) -> Runner:
        if block.offset or block.n != self.job.source.paths:  # scenarios of this block alone
            return Runner(self.trie, self._call(block, vector, with_gradient))
        key = vector.tobytes() + bytes([with_gradient])
        with self._lock:
            if key not in self._runners:
                self._runners[key] = Runner(self.trie, self._call(block, vector, with_gradient))
            return self._runners[key]

    def _call(self, block: Block, vector: Vector, with_gradient: bool) -> Call:
        """What a block asks of every variant."""
        job = self.job
        selected = job.selected if with_gradient else job.selected[:0]
        random = self.trie.root.recording.n_inputs - vector.size
        source = job.source

        def plan(recording: Recording, per_lane: bool) -> Plan:
            key = (id(recording), per_lane, with_gradient)
            if key not in self._plans:
                wrt = np.zeros(recording.n_inputs, np.bool_)
                wrt[selected] = True
                varying = np.arange(wrt.size) >= vector.size
                self._plans[key] = build(recording, varying | wrt if per_lane else varying, wrt, job.differentiated)
            return self._plans[key]

        return Call(
            n=block.n,
            per_lane=job.per_lane,
            uniform_inputs=np.concatenate([vector, np.zeros(random)]),
            wrt=selected,
            plan=plan,
            gathered=lambda plan: block.gathered(plan, vector),
            drawn=block.drawn,
            inputs_of=lambda i: np.concatenate([vector, source.numbers(block.offset + i)]),
            describe=lambda i: f"path {block.offset + i} of {source.paths}, seed {source.seed}",
            on_divergence=self._on_divergence,
            outputs=job.differentiated,
        )
