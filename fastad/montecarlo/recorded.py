"""The payoff as it is recorded: its own results, their sum where only that is differentiated, and controls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..packing import Packing, Vector
from ..program.variants import Trie, checked_variants
from ..structure import Spec, flatten, is_result

GRADIENTS = ("each", "sum")
NUMBER = Packing(Spec("leaf"), [()])


@dataclass(frozen=True)
class Recorded:
    """Recordings of a payoff, and what its outputs are.

    Attributes
    ----------
    trie : Trie
        Outputs of its recordings: the payoff's results, then their sum for ``gradient="sum"``, then controls.
    results : Packing
        Layout of the payoff's results.
    gradient : str
        Whether each result is differentiated, or their sum.
    controls : Packing or None
        Layout of the controls.
    """

    trie: Trie
    results: Packing
    gradient: str
    controls: Packing | None

    @property
    def differentiated(self) -> NDArray[np.int64]:
        """Numbers of the outputs that are differentiated: results or their sum, then controls."""
        n, total = self.results.size, int(self.gradient == "sum")
        n_controls = 0 if self.controls is None else self.controls.size
        own = np.arange(n, n + 1) if total else np.arange(n)
        return np.concatenate([own, n + total + np.arange(n_controls)])

    @property
    def gradient_results(self) -> Packing:
        """Layout of what is differentiated, without controls."""
        return NUMBER if self.gradient == "sum" else self.results


def record(
    payoff: Callable[..., Any],
    inputs: Packing,
    first: Vector,
    args: tuple[Any, ...],
    control: Callable[..., Any] | None,
    gradient: str,
    max_variants: int,
    seed: int,
) -> Recorded:
    """Record a payoff (and controls) at the inputs of path 0: real random numbers decide its branches, not zeros."""

    def to_args(structure: Any) -> tuple[Any, ...]:
        return (*structure, *args)

    checked_variants(max_variants)
    with_sum = gradient == "sum"
    function = payoff if control is None and not with_sum else _joined(payoff, control, with_sum)
    try:
        trie = Trie.record(function, inputs, to_args, max_variants, first)
        trie.check_repeatable(first)  # random numbers of the payoff's own would be frozen into every path
    except Exception as error:
        error.add_note(f"raised by the payoff on path 0 of seed {seed}, where fastad.monte_carlo records it")
        count = len(inputs.spec.children) + len(args)
        if not _takes(payoff, count):
            error.add_note(
                "it was called as payoff(params, z, u, *args), z where there are normals=, u where there are "
                f"uniforms=: with {count} arguments here"
            )
        raise
    outputs = trie.root.recording.outputs
    if function is payoff:
        return Recorded(trie, outputs, gradient, None)
    parts = outputs.spec.children
    n, at = parts[0].n_leaves, parts[0].n_leaves + with_sum
    controls = None if control is None else Packing(parts[-1], outputs.shapes[at:])
    return Recorded(trie, Packing(parts[0], outputs.shapes[:n]), gradient, controls)


def _takes(f: Callable[..., Any], count: int) -> bool:
    """Whether a function takes so many arguments; True where it does not say."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _joined(payoff: Callable[..., Any], control: Callable[..., Any] | None, with_sum: bool) -> Callable[..., Any]:
    def function(*inputs: Any) -> tuple[Any, ...]:
        result = payoff(*inputs)
        parts = [result]
        if with_sum:
            leaves, _ = flatten(result, is_result)
            parts.append(sum((leaf.sum() if getattr(leaf, "shape", ()) else leaf for leaf in leaves), 0.0))
        if control is not None:
            parts.append(control(*inputs))
        return tuple(parts)

    function.__wrapped__ = payoff  # type: ignore[attr-defined]
    return function
