"""Second derivatives of a block: pathwise, of recordings of the gradients, or by bumps of the pathwise gradients."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ..packing import Packing, Vector
from ..program import second
from ..program.batch import Scratch
from ..program.variants import Trie, Variant
from ..structure import Spec
from .replay import Replay
from .source import Block, Source
from .statistics import Samples

HESSIANS = (False, True, "bump")
_RELATIVE = 1e-2  # a gamma by bumps has a variance of one over the step, and a bias of its square


def steps(vector: Vector, selected: NDArray[np.int64]) -> Vector:
    """Return how far each selected parameter is moved, up and down: a hundredth of it, of one where it is 0."""
    sizes = np.abs(vector[selected])
    return _RELATIVE * np.where(sizes > 0.0, sizes, 1.0)


class Gradients:
    """The recordings of a run with their gradients as outputs.

    Derivative rows decide nothing, so the copies branch as their originals do: once those have been found that the
    paths of a block need, so have these.
    """

    def __init__(self, trie: Trie, outputs: NDArray[np.int64], selected: NDArray[np.int64]) -> None:
        self._originals, self._outputs, self._selected = trie, outputs, selected
        self._layout = Packing(Spec("leaf"), [(outputs.size * selected.size,)])
        self._copies: dict[Variant, Variant] = {}
        self._lock = threading.Lock()
        self._copy_all()
        root = self._copies[trie.root]
        self._trie = Trie(None, root.recording.inputs, lambda inputs: inputs, 1, root)

    def trie(self) -> Trie:
        """Return the copies, with those of branches found since the last time."""
        with self._lock:
            self._copy_all()
        return self._trie

    def _copy_all(self) -> None:
        for original in self._originals.variants():  # each before those below it
            if original in self._copies:
                continue
            recording = second.gradients_recording(original.recording, self._outputs, self._selected, self._layout)
            parent = None if original.parent is None else self._copies[original.parent]
            copy = self._copies[original] = Variant(recording, parent, original.branch)
            if parent is not None and copy.branch is not None:
                parent.children[copy.branch] = copy


class Pathwise:
    """Derivatives of the gradients of every path; blind to the kinks of a payoff, as gradients are to its jumps."""

    def __init__(
        self, trie: Trie, source: Source, outputs: NDArray[np.int64], selected: NDArray[np.int64], per_lane: bool
    ) -> None:
        self._gradients = Gradients(trie, outputs, selected)
        every = np.arange(outputs.size * selected.size)
        self._replay = Replay(self._gradients.trie(), source, every, selected, per_lane, "raise")
        self._shape = outputs.size, selected.size, selected.size

    def of(self, block: Block, scratch: Scratch, vector: Vector) -> Samples:
        """Second derivatives of a block whose branches are recorded: (paths or groups, outputs, wrt, wrt)."""
        self._gradients.trie()
        output = self._replay.run(block, scratch, vector, True)
        return symmetric(output.gradient.reshape(len(output.gradient), *self._shape))


def symmetric(hessians: Samples) -> Samples:
    """Means of second derivatives (..., wrt, wrt) taken in either order."""
    with np.errstate(over="ignore", invalid="ignore"):
        return 0.5 * (hessians + hessians.swapaxes(-1, -2))
