"""Recordings replayed over the scenarios of a block: what makes a plan, a call and a runner of them."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from ..program.batch import Call, Output, Runner, Scratch, check
from ..program.build import build
from ..program.plan import Plan
from ..program.recording import Recording
from ..program.variants import Trie
from .source import Block, Source


class Replay:
    """Recordings, and which of their outputs are differentiated by which inputs; for any block on any thread.

    Parameters
    ----------
    trie : Trie
        The recordings.
    source : Source
        Where random numbers come from.
    differentiated, selected : ndarray
        Numbers of the outputs that are differentiated, and of the inputs by which.
    per_lane : bool
        Gradients per path, rather than summed over groups of 64.
    on_divergence : {"rerecord", "raise"}
        What to do with a path whose branch no recording takes.
    """

    def __init__(
        self,
        trie: Trie,
        source: Source,
        differentiated: NDArray[np.int64],
        selected: NDArray[np.int64],
        per_lane: bool,
        on_divergence: str,
    ) -> None:
        self._trie, self._source = trie, source
        self._differentiated, self._selected = differentiated, selected
        self._per_lane, self._on_divergence = per_lane, on_divergence
        self._plans: dict[tuple[int, bool, bool], Plan] = {}
        self._runners: dict[bytes, Runner] = {}  # of blocks that share their scenarios, by parameters
        self._lock = threading.Lock()

    def run(self, block: Block, scratch: Scratch, vector: Vector, with_gradient: bool) -> Output:
        """Give values and gradients of a block at these parameters, or values alone."""
        output = self._runner(block, vector, with_gradient).run(block.first, block.stop, scratch)
        check([output])
        return output

    def _runner(self, block: Block, vector: Vector, with_gradient: bool) -> Runner:
        if block.offset or block.n != self._source.paths:  # scenarios of this block alone
            return Runner(self._trie, self._call(block, vector, with_gradient))
        key = vector.tobytes() + bytes([with_gradient])
        with self._lock:
            if key not in self._runners:
                self._runners[key] = Runner(self._trie, self._call(block, vector, with_gradient))
            return self._runners[key]

    def _call(self, block: Block, vector: Vector, with_gradient: bool) -> Call:
        """What a block asks of every variant."""
        selected = self._selected if with_gradient else self._selected[:0]
        random = self._trie.root.recording.n_inputs - vector.size
        source = self._source

        def plan(recording: Recording, per_lane: bool) -> Plan:
            key = (id(recording), per_lane, with_gradient)
            if key not in self._plans:
                wrt = np.zeros(recording.n_inputs, np.bool_)
                wrt[selected] = True
                varying = np.arange(wrt.size) >= vector.size
                self._plans[key] = build(recording, varying | wrt if per_lane else varying, wrt, self._differentiated)
            return self._plans[key]

        return Call(
            n=block.n,
            per_lane=self._per_lane,
            uniform_inputs=np.concatenate([vector, np.zeros(random)]),
            wrt=selected,
            plan=plan,
            gathered=lambda plan: block.gathered(plan, vector),
            drawn=block.drawn,
            inputs_of=lambda i: np.concatenate([vector, source.numbers(block.offset + i)]),
            describe=lambda i: f"path {block.offset + i} of {source.paths}, seed {source.seed}",
            on_divergence=self._on_divergence,
            outputs=self._differentiated,
        )
