"""Value, bias and variance of a smoothed payoff against the width of its smoothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .driver import monte_carlo
from .result import MonteCarloResult

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Widths:
    """Estimates by width; columns are the results and their sensitivities, as named.

    Attributes
    ----------
    widths : ndarray, shape (n,)
    names : list of str
        Such as ``value`` and ``value by spot``.
    estimate, stderr : ndarray, shape (n, columns)
    bias : ndarray, shape (n, columns)
        Estimate less what a parabola in the width through the estimates has at width 0.
    variance : ndarray, shape (n, columns)
        Of one path: the square of the standard error times the number of paths.
    results : list of MonteCarloResult
    """

    widths: Rows
    names: list[str]
    estimate: Rows
    stderr: Rows
    bias: Rows
    variance: Rows
    results: list[MonteCarloResult]

    def __str__(self) -> str:
        lines: list[str] = []
        for j, name in enumerate(self.names):
            lines += ["", name] if j else [name]
            lines.append(f"{'width':>12}{'estimate':>16}{'std. error':>12}{'bias':>12}{'variance':>12}")
            for row in zip(self.widths, *(x[:, j] for x in (self.estimate, self.stderr, self.bias, self.variance))):
                width, estimate, stderr, bias, variance = row
                lines.append(f"{width:>12.4g}{estimate:>16.7g}{stderr:>12.3g}{bias:>12.3g}{variance:>12.4g}")
        return "\n".join(lines)


def table(payoff: Callable[..., Any], params: Any, widths: Sequence[float], **run: Any) -> Widths:
    """Run a smoothed payoff at several widths on the same random numbers.

    Parameters
    ----------
    payoff : callable
        ``payoff(params, z, u, *args, width)``: as `fastad.monte_carlo` takes it, and a width behind all else.
    params : structure of numbers
        What to differentiate by.
    widths : sequence of float
        At least two widths.
    **run
        Arguments of `fastad.monte_carlo`.

    Returns
    -------
    Widths
        ``print`` shows it as a table: where the bias is below the standard error, a wider ramp has less noise.

    Notes
    -----
    A ramp that is symmetric about the jump has no bias of first order, so the value at width 0 is extrapolated
    by least squares in the square of the width.
    """
    grid = np.array([float(width) for width in widths])
    if len(set(grid.tolist())) < 2:
        raise ValueError(f"widths={list(widths)}: expected at least two different widths")
    args = tuple(run.pop("args", ()))
    results = [monte_carlo(payoff, params, args=(*args, width), **run) for width in grid.tolist()]
    columns = [_columns(result) for result in results]
    estimate, stderr = (np.array([column[i] for column in columns]) for i in (1, 2))
    design = np.stack([np.ones_like(grid), (grid / np.abs(grid).max()) ** 2], axis=1)
    at_zero = (np.linalg.pinv(design) @ estimate)[0]
    paths = np.array([result.paths for result in results])[:, None]
    return Widths(grid, columns[0][0], estimate, stderr, estimate - at_zero, stderr**2 * paths, results)


def _columns(result: MonteCarloResult) -> tuple[list[str], Rows, Rows]:
    e = result.estimates
    names = e.result_names()
    over = names if len(e.gradient) == len(names) else ["sum"]
    slopes = [f"{name} by {parameter}" for name in over for parameter in e.wrt_names()]
    estimate = np.concatenate([e.value, e.gradient.ravel()])
    return [*names, *slopes], estimate, np.concatenate([e.value_error, e.gradient_error.ravel()])
