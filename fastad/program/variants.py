"""The branches of a recorded function: a trie of recordings, one per sequence of decisions that has occurred.

A node is a recording; its child at guard g is the recording that decides alike up to g and differently there.
A scenario that fails a guard first at g belongs below that child, and nowhere else. Which scenario was recorded
first shapes the trie, not the numbers: equal decisions are equal rows. At a guard of a frozen number there is a
child for every other number.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..errors import DivergenceError, PurityError, ShapeError
from ..ops import OPCODE
from ..packing import Packing, Vector
from .recording import Recording, Site

_TAKE = OPCODE["take"]


class VariantInfo(NamedTuple):
    """One variant as shown to users: scenarios that ended in it, their share, rows, and its deciding lines."""

    scenarios: int
    share: float
    rows: int
    lines: tuple[str, ...]


class Branch(NamedTuple):
    """A way out of a recording: the guard, and the number that a frozen one is instead (its bits; else 0)."""

    guard: int
    frozen: int = 0


@dataclass(eq=False)
class Variant:
    """A node of the trie."""

    recording: Recording
    parent: Variant | None = None
    branch: Branch | None = None  # how it leaves its parent
    counted: int = 0

    def __post_init__(self) -> None:
        self.children: dict[Branch, Variant] = {}
        self.count_one = count().__next__  # no other thread gets between: 30 ns, the lock of a trie takes 300
        self._looks = 0

    @property
    def scenarios(self) -> int:
        """Scenarios that ended in this variant."""
        self._looks += 1  # looking counts, too
        return self.counted + self.count_one() - (self._looks - 1)

    def walk(self) -> Iterator[Variant]:
        """Give this node and all below, in the order of their branches; chains can be longer than Python's stack."""
        work = [self]
        while work:
            variant = work.pop()
            yield variant
            work += [variant.children[branch] for branch in sorted(variant.children, reverse=True)]

    def ancestry(self) -> list[Variant]:
        """Nodes from below the root down to this one."""
        nodes: list[Variant] = []
        node: Variant | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def path(self) -> tuple[Branch, ...]:
        """Branches from the root to this node."""
        return tuple(node.branch for node in self.ancestry() if node.branch is not None)

    def deciding_sites(self) -> list[Site]:
        """Guards that lead from the root to this node, with the outcomes of this node."""
        return [node.recording.sites[node.branch.guard] for node in self.ancestry() if node.branch is not None]


_IMPURE = (
    "depends on something other than its arguments (a clock, global random numbers, a value kept between calls, an "
    "active frozen to a number)"
)


def checked_variants(most: Any) -> Any:
    """Return the largest number of variants; raise ValueError for what is none."""
    if not (isinstance(most, Real) and most >= 1):  # type: ignore[operator]
        raise ValueError(f"max_variants={most!r}: expected at least 1, the recording made first")
    return most


class Trie:
    """All variants of one function at one set of static arguments; several threads may ask for children."""

    def __init__(
        self,
        f: Callable[..., Any] | None,
        inputs: Packing,
        to_args: Callable[[Any], Any],
        max_variants: int,
        root: Variant,
        count: int = 1,
    ) -> None:
        self._f, self._inputs, self._to_args = f, inputs, to_args
        self._max_variants = max_variants
        self._lock = threading.Lock()
        self._count = count
        self.root = root

    @classmethod
    def record(
        cls,
        f: Callable[..., Any],
        inputs: Packing,
        to_args: Callable[[Any], Any],
        max_variants: int,
        vector: Vector,
    ) -> Trie:
        """Record f at these inputs as the root."""
        return cls(f, inputs, to_args, max_variants, Variant(Recording.record(f, inputs, vector, to_args)))

    @property
    def place(self) -> tuple[str, int]:
        """File and first line of f."""
        f = inspect.unwrap(self._f) if self._f is not None else None
        code = getattr(getattr(f, "py_func", f), "__code__", None)  # a jitted function has its Python one
        return ("<unknown>", 0) if code is None else (code.co_filename, code.co_firstlineno)

    def record_again(self, vector: Vector) -> Recording:
        """Run f once more at these inputs, for whoever watches; the recording does not join the variants."""
        assert self._f is not None
        return Recording.record(self._f, self._inputs, vector, self._to_args)

    def check_repeatable(self, vector: Vector) -> None:
        """Raise PurityError unless f, run once more at the inputs of the root, computes the same."""
        first, again = self.root.recording, self.record_again(vector)
        same = all(np.array_equal(getattr(first, name), getattr(again, name)) for name in ("opcode", "arg0", "arg1"))
        for name in ("value", "output_constants"):  # a compiled library may differ in the last bits from call to call
            same = same and np.allclose(
                getattr(first, name), getattr(again, name), rtol=1e-6, atol=1e-9, equal_nan=True
            )
        if not same:
            raise PurityError(f"recording the function twice with the same arguments gave different rows: it {_IMPURE}")

    def variants(self) -> list[Variant]:
        """All variants, each before those below it."""
        return list(self.root.walk())

    def child(self, variant: Variant, branch: Branch, vector: Callable[[], Vector]) -> tuple[Variant, bool]:
        """Return the variant that takes a branch, and whether it was recorded just now.

        Parameters
        ----------
        variant, branch
            Where a scenario diverges.
        vector
            Gives the inputs of that scenario, should it have to be recorded.
        """
        found = variant.children.get(branch)
        if found is not None:
            return found, False
        with self._lock:
            found = variant.children.get(branch)
            if found is not None:
                return found, False
            self._check_count()
            assert self._f is not None  # a program without function does not ask for new variants
            recording = Recording.record(self._f, self._inputs, vector(), self._to_args)
            _check_purity(variant.recording, recording, branch.guard)
            _check_result(variant.recording, recording, branch.guard)
            child = variant.children[branch] = Variant(recording, variant, branch)
            self._count += 1
            return child, True

    def count(self, variant: Variant, scenarios: int) -> None:
        """Note that scenarios ended in a variant."""
        with self._lock:
            variant.counted += scenarios

    def count_all(self, ended: Mapping[Variant, int]) -> None:
        """Note for many variants that scenarios ended in them."""
        for variant, scenarios in ended.items():
            self.count(variant, scenarios)

    def _check_count(self) -> None:
        if self._count < self._max_variants:
            return
        branches = [(v.recording, v.branch) for v in self.variants() if v.branch is not None]
        busiest = Counter(recording.sites[branch.guard].place for recording, branch in branches)
        lines = "; ".join(f"{place} ({count} variants)" for place, count in busiest.most_common(3))
        raise DivergenceError(
            f"more than max_variants={self._max_variants} different sequences of decisions; the busiest comparisons: "
            f"{lines}. Write choices as data (fad.where, fad.maximum, fad.minimum), give loops a fixed number of "
            "steps, or raise max_variants"
        )


def variant_table(tries: list[Trie]) -> tuple[VariantInfo, ...]:
    """Return what users see of all variants."""
    variants = [v for trie in tries for v in trie.variants()]
    total = sum(v.scenarios for v in variants) or 1
    return tuple(
        VariantInfo(v.scenarios, v.scenarios / total, len(v.recording), tuple(str(s) for s in v.deciding_sites()))
        for v in variants
    )


def _check_result(parent: Recording, child: Recording, guard: int) -> None:
    """Raise ShapeError where the branches of a function return different structures."""
    a, b = parent.outputs, child.outputs
    if a.spec.key() != b.spec.key() or a.shapes != b.shapes:
        raise ShapeError(
            f"the function returns {a.describe()} or {b.describe()}, as decided at {parent.sites[guard].place}; "
            "return the same structure from every branch"
        )


def _check_purity(parent: Recording, child: Recording, guard: int) -> None:
    """Raise PurityError unless the recordings are the same rows up to the guard, which they decide differently."""
    row = int(parent.guard_rows[guard])
    frozen = parent.freezes(guard)
    same = len(child) > row and child.n_inputs == parent.n_inputs and child.opcode[row] == parent.opcode[row]
    same = same and (child.freezes(guard) if frozen else child.value[row] != parent.value[row])
    if frozen:
        row = int(parent.arg0[row])  # the comparison with the frozen number, which is another one now
    if same:
        same = np.array_equal(parent.opcode[:row], child.opcode[:row]) and np.array_equal(
            parent.table_of_row[:row], child.table_of_row[:row]
        )
    fixed = (parent.opcode[:row] != _TAKE)[parent.n_inputs :]  # a TAKE row picks another element each time
    for arg, passive in (("arg0", "partial0"), ("arg1", "partial1")):
        if same:
            args = [getattr(r, arg)[r.n_inputs : row] for r in (parent, child)]
            same = np.array_equal(args[0][fixed], args[1][fixed])
            is_passive = fixed & (args[0] < 0)
            both = [getattr(r, passive)[parent.n_inputs : row][is_passive].view(np.int64) for r in (parent, child)]
            same = np.array_equal(*both)
    if not same:
        raise PurityError(
            "recording the function again gave other rows before the comparison that differs, "
            f"{parent.sites[guard].place}: the function {_IMPURE}"
        )
