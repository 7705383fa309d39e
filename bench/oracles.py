"""What several problems check their answers with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """An array problem: what to differentiate by, and what stays constant, both tuples of arrays and numbers."""

    params: tuple[Any, ...]
    constants: tuple[Any, ...] = ()


def differs(name: str, got: Any, want: Any, tolerance: float) -> str:
    """Tell where an array is not the wanted one, to a tolerance relative to its largest element."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return f"{name} has shape {got.shape}, expected {want.shape}"
    error = np.abs(got - want)
    if np.all(error <= tolerance * np.abs(want).max(initial=1e-300)):
        return ""
    worst = np.unravel_index(np.nanargmax(np.where(np.isnan(error), np.inf, error)), want.shape)
    at = f"[{', '.join(map(str, worst))}]" if want.ndim else ""
    return f"{name}{at} is {got[worst]!r}, known {want[worst]!r}"


def complex_step(f: Callable[[Sequence[Any]], np.ndarray], x: Sequence[float]) -> np.ndarray:
    """Derivatives of an analytic function, one column for each element of x, exact to rounding."""
    return np.stack([f([v + 1e-30j * (i == j) for j, v in enumerate(x)]).imag / 1e-30 for i in range(len(x))], axis=-1)


def real_maximum(x: Any, y: Any) -> Any:
    """Maximum by real parts, for complex steps."""
    return np.where(np.real(x) >= np.real(y), x, y)
