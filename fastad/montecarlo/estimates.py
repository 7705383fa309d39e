"""Estimates as flat arrays with the layouts that make structures of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..packing import Packing, nest, nest_twice
from .statistics import Samples, student_quantile


@dataclass(frozen=True)
class Estimates:
    """Means and standard errors of values (results,) and sensitivities (differentiated, wrt), and their layouts.

    Second derivatives, (differentiated, wrt, wrt), have as many degrees of freedom as the first.

    ``differentiated`` is the layout of the results, or of one number for their sum; ``wrt`` is None where nothing is
    differentiated.
    """

    results: Packing
    differentiated: Packing
    wrt: Packing | None
    value: Samples
    value_error: Samples
    value_freedom: int
    gradient: Samples
    gradient_error: Samples
    gradient_freedom: int
    bumped: Samples | None = None
    bump_scores: Samples | None = None
    hessian: Samples | None = None
    hessian_error: Samples | None = None

    def nested(self, flat: Samples | None) -> Any:
        """Return sensitivities (..., differentiated, wrt) as a structure of structures."""
        if self.wrt is None or flat is None:
            return None
        return nest(self.differentiated, self.wrt, flat)

    def nested_twice(self, flat: Samples | None) -> Any:
        """Return second derivatives (differentiated, wrt, wrt) as a structure of structures of structures."""
        if self.wrt is None or flat is None:
            return None
        return nest_twice(self.differentiated, self.wrt, flat)

    def structures(self) -> dict[str, Any]:
        """Return everything in the structures of the user."""
        return {
            "value": self.results.unpack(self.value),
            "stderr": self.results.unpack(self.value_error),
            "gradient": self.nested(self.gradient),
            "gradient_stderr": self.nested(self.gradient_error),
            "bumped": self.nested(self.bumped),
            "bump_scores": self.nested(self.bump_scores),
            "hessian": self.nested_twice(self.hessian),
            "hessian_stderr": self.nested_twice(self.hessian_error),
        }

    def result_names(self) -> list[str]:
        """Name of every result."""
        return names_of(self.results, "value")

    def wrt_names(self) -> list[str]:
        """Name of every parameter differentiated by."""
        return [] if self.wrt is None else names_of(self.wrt, "param")


def names_of(packing: Packing, single: str) -> list[str]:
    """Name of every element; a number alone has the name given."""
    return packing.names() if packing.spec.kind != "leaf" else packing.names(single)


def interval(mean: Samples, error: Samples, freedom: int, level: float) -> tuple[Samples, Samples]:
    """Ends of the two-sided confidence intervals."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level}: expected a probability between 0 and 1, such as 0.95")
    width = student_quantile(0.5 + 0.5 * level, freedom) * error
    with np.errstate(invalid="ignore"):
        return mean - width, mean + width
