"""Arguments of a batch, some of which differ from scenario to scenario."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..packing import Packing, Vector, refuse_actives
from ..structure import flatten, is_result, real_array
from .batch import Gathered
from .plan import Plan


class BatchArguments:
    """Which leaves of the arguments carry a scenario axis, and how long it is."""

    def __init__(self, args: tuple[Any, ...], carries_axis: list[bool]) -> None:
        self._carries_axis = carries_axis
        self._arrays: list[NDArray[np.float64]] = []
        self._parts: list[tuple[Any, Any]] = []
        lengths = set()
        for number, (arg, varies) in enumerate(zip(args, carries_axis)):
            leaves, spec = flatten(arg, is_result)
            refuse_actives(leaves)
            if varies:
                spec.refuse_foreign(f"argument {number}")
                if any(isinstance(static, np.ndarray) for static in spec.statics()):
                    raise TypeError(
                        f"argument {number}: an array of bools or objects is static, it cannot vary by scenario"
                    )
                leaves = [real_array(leaf, f"argument {number}", copy=False) for leaf in leaves]
                if any(leaf.ndim == 0 for leaf in leaves) or not leaves:
                    raise ShapeError(
                        f"argument {number} has axis 0 but a leaf without a scenario axis; pass axes with None for the "
                        "arguments that are the same in all scenarios, as axes=(0, None)"
                    )
                lengths |= {leaf.shape[0] for leaf in leaves}
                self._arrays += leaves
            self._parts.append((arg, (leaves, spec) if varies else None))
        if len(lengths) != 1:
            raise ShapeError(
                f"scenario axes of different lengths: {sorted(lengths)}"
                if lengths
                else "no scenario axis: at least one argument needs axis 0"
            )
        self.n = lengths.pop()
        if self.n == 0:
            raise ShapeError("a batch of no scenarios")

    def scenario(self, number: int) -> tuple[Any, ...]:
        """Arguments of one scenario."""
        args = []
        for arg, varying in self._parts:
            if varying is None:
                args.append(arg)
            else:
                leaves, spec = varying
                args.append(spec.unflatten([_item(leaf[number]) for leaf in leaves]))
        return tuple(args)

    def leaf_varies(self, packing: Packing) -> list[bool]:
        """Whether each leaf of the bound arguments carries the scenario axis."""
        pairs = zip(packing.spec.children, self._carries_axis)
        return [varies for child, varies in pairs for _ in range(child.n_leaves)]

    def gather(self, plan: Plan, packing: Packing, vector: Vector, leaf_varies: list[bool]) -> Gathered:
        """Where the kernel reads the inputs that vary; the others have step 0 if the plan wants them per lane."""
        arrays, strides, starts, slots = [], [], [0], []
        own = iter(self._arrays)
        for i, j, size, varies in zip(packing.ends, packing.ends[1:], packing.sizes, leaf_varies):
            array = next(own) if varies else vector[i:j]
            if not size or plan.input_slots[i:j].max() < 0:
                continue
            arrays.append(array)
            strides.append(size if varies else 0)
            slots.append(plan.input_slots[i:j])
            starts.append(starts[-1] + size)
        empty = np.empty(0, np.int32)
        return Gathered(arrays, np.array(strides, np.int64), np.array(starts), np.concatenate([empty, *slots]))


def _item(x: Any) -> Any:
    return float(x) if np.ndim(x) == 0 else x
