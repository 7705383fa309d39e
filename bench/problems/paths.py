"""What the problems of one payoff on given normals share: data, derivatives by complex steps, and the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..oracles import complex_step


@dataclass
class Paths:
    """Parameters in a fixed order, and normals of shape (paths, ...).

    ``payoff(params, z)`` takes normals with the paths last, and complex parameters.
    """

    params: np.ndarray
    z: np.ndarray
    payoff: Callable[[Any, np.ndarray], np.ndarray]

    @cached_property
    def known(self) -> np.ndarray:
        """Mean and standard error of the value and the derivatives: (2, 1 + params)."""
        samples = []
        for z in np.array_split(self.z, max(1, self.z.size // 2_000_000)):
            z, params = np.moveaxis(z, 0, -1), self.params.tolist()
            derivatives = complex_step(lambda p, z=z: self.payoff(p, z), params)
            samples.append(np.column_stack([np.real(self.payoff(params, z)), derivatives]))
        rows = np.concatenate(samples)
        return np.array([rows.mean(axis=0), rows.std(axis=0) / np.sqrt(len(rows))])


def check(data: Paths, answer: Any, oracle: dict[str, float], tolerance: float = 1e-9) -> str:
    """Check a value, and a gradient where the tool gives one, on the same normals and against the oracle.

    The oracle names value and parameters in order; answers are within 4 standard errors of it.
    """
    value, gradient = answer
    got = np.array([value, *(() if gradient is None else gradient)])
    for (name, true), x, mean, stderr in zip(oracle.items(), got, *data.known):
        if not abs(x - mean) <= tolerance * max(abs(mean), stderr):
            return f"{name} is {x!r}, by complex steps on the same normals {mean!r}"
        if abs(x - true) > 4.0 * stderr:
            return f"{name} is {x!r}, more than 4 standard errors ({stderr:.2g}) from the oracle {true}"
    return ""
