"""Blocks on other machines: recordings and a job travel, and tallies come back; the payoff stays at home.

A worker needs fastad and nothing of the user's code. What travels with each block are the recordings and the job,
pickled and compressed (kilobytes), once per block, because a worker may be a new one; it unpacks them once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
import threading
import zlib
from collections import Counter, OrderedDict
from typing import Any

from ..errors import DivergenceError
from ..packing import Packing
from ..program.batch import Scratch
from ..program.recording import FIELDS, Recording
from ..program.variants import Trie, Variant
from ..structure import Spec
from .engine import Engine
from .statistics import Tally

_KEPT_ENGINES = 4
_engines: OrderedDict[str, tuple[Engine, list[Variant]]] = OrderedDict()
_lock = threading.Lock()


class Travelling:
    """An engine's recordings and job as bytes, packed again when there are new recordings."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._variants: list[Variant] = []
        self._numbers: dict[Variant, int] = {}
        self._payload = ("", b"")

    def packed(self) -> tuple[str, bytes]:
        """Digest and bytes of all recordings made so far."""
        known = self._engine.trie.variants()
        if len(known) != len(self._variants):
            # Variants keep their numbers, which tallies that are on their way back refer to.
            for variant in known:
                if variant not in self._numbers:
                    self._numbers[variant] = len(self._variants)
                    self._variants.append(variant)
            nodes = [
                (_stripped(v.recording), -1 if v.parent is None else self._numbers[v.parent], v.branch)
                for v in self._variants
            ]
            data = zlib.compress(pickle.dumps((nodes, self._engine.job)), 1)
            self._payload = (hashlib.sha256(data).hexdigest(), data)
        return self._payload

    def unpacked(self, tally: Tally) -> Tally:
        """Return a tally with the variants of this process."""
        for number in list(tally.ended):
            tally.ended[self._variants[number]] = tally.ended.pop(number)
        return tally


def _stripped(recording: Recording) -> Recording:
    """Copy without the user's classes, which a worker may not know."""
    columns = {name: getattr(recording, name) for name in FIELDS}
    inputs, outputs = (Packing(Spec("leaf"), [(p.size,)]) for p in (recording.inputs, recording.outputs))
    return Recording(columns, inputs, outputs, recording.sites, recording.blocks)


def run_block(digest: str, data: bytes, number: int) -> Tally | None:
    """Compute a block; None where some path takes a branch that is not among the recordings."""
    engine, variants = _engine(digest, data)
    try:
        tally = engine.block(number, Scratch())
    except DivergenceError:
        return None
    numbers: dict[Any, int] = {variant: i for i, variant in enumerate(variants)}
    ended = Counter({numbers[variant]: count for variant, count in tally.ended.items()})
    return dataclasses.replace(tally, ended=ended)


def _engine(digest: str, data: bytes) -> tuple[Engine, list[Variant]]:
    with _lock:
        if digest not in _engines:
            _engines[digest] = _unpack(data)
            while len(_engines) > _KEPT_ENGINES:
                _engines.popitem(last=False)
        return _engines[digest]


def _unpack(data: bytes) -> tuple[Engine, list[Variant]]:
    nodes, job = pickle.loads(zlib.decompress(data))
    variants: list[Variant] = []
    for recording, parent, branch in nodes:
        variants.append(Variant(recording, None if parent < 0 else variants[parent], branch))
        if parent >= 0:
            variants[parent].children[branch] = variants[-1]
    root = variants[0].recording
    trie = Trie(None, root.inputs, lambda inputs: inputs, len(variants), variants[0], len(variants))
    return Engine(trie, job, on_divergence="raise"), variants
