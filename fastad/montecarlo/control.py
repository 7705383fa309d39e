"""Control variates: what is known exactly takes its noise out of what is not, derivatives included.

The mean of ``y - b (c - E[c])`` is that of y for any fixed b, and the same holds for every derivative. The
coefficients are those of a regression over pilot paths, which the estimate itself does not use, one for every
value and one for every sensitivity: each then has the smallest variance that the control can give it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..packing import Packing, Vector
from ..program.batch import Output
from ..program.recording import Recording
from ..structure import is_result
from .statistics import Samples, group_sizes

PILOT_PATHS = 1024
_SEED_STEP = 0x9E3779B97F4A7C15  # odd, so that pilots of different seeds differ, too
_SUSPICIOUS = 5.0  # standard errors
_ROUNDING = 1e-10  # of the largest control


@dataclass(frozen=True)
class Control:
    """Exact means of the controls and of their derivatives, and the coefficients.

    Attributes
    ----------
    mean : ndarray, shape (controls,)
    slope : ndarray, shape (controls, wrt)
    for_values : ndarray, shape (values, controls)
    for_gradients : ndarray, shape (differentiated results, controls, wrt)
    rounding, slope_rounding : ndarray
        What counts as zero in ``mean`` and in ``slope``.
    """

    mean: Samples
    slope: Samples
    for_values: Samples
    for_gradients: Samples
    rounding: Samples
    slope_rounding: Samples

    def apply(self, output: Output, n_values: int, per_lane: bool) -> tuple[Samples, Samples]:
        """Controlled values per path and gradients per path or group; behind them, the controls less their means."""
        controls, n_results = self.mean.size, len(self.for_gradients)
        paths = len(output.values)
        sizes = np.ones(paths) if per_lane else group_sizes(len(output.gradient), paths)
        with np.errstate(over="ignore", invalid="ignore"):
            rest = output.values[:, output.values.shape[1] - controls :] - self.mean
            slopes = output.gradient[:, n_results:] - sizes[:, None, None] * self.slope
            values, gradients = output.values[:, :n_values].copy(), output.gradient[:, :n_results].copy()
            for m in range(controls):  # not as a matrix product: BLAS may add in another order on another machine
                values -= self.for_values[:, m] * rest[:, m, None]
                gradients -= self.for_gradients[:, m] * slopes[:, m, None]
        return np.concatenate([values, rest], axis=1), np.concatenate([gradients, slopes], axis=1)


def pilot_seed(seed: int) -> int:
    """Seed of the paths that the coefficients come from."""
    return (seed + _SEED_STEP) % 2**64


def exact_means(
    mean: Any, params: Packing, vector: Vector, controls: Packing, selected: NDArray[np.int64]
) -> tuple[Samples, Samples]:
    """Means of the controls, shape (controls,), and their derivatives, shape (controls, wrt)."""
    if not callable(mean):
        return controls.matches(mean, is_result), np.zeros((controls.size, selected.size))
    recording = Recording.record(mean, params, vector, lambda structure: (structure,))
    outputs = recording.outputs
    if outputs.spec.key() != controls.spec.key() or outputs.shapes != controls.shapes:
        raise ShapeError(
            f"control=(f, mean): f returns {controls.describe()} per path, mean returns {outputs.describe()}"
        )
    return recording.recorded_outputs(selected, None)


def fit(exact: tuple[Samples, Samples], parameters: Vector, values: Samples, gradients: Samples, n: int) -> Control:
    """Regress pilot samples of n values and of gradients (samples, differentiated, wrt) on those of the controls."""
    controls, n_results = exact[0].size, gradients.shape[1] - exact[0].size
    c = values[:, values.shape[1] - controls :]
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = _ROUNDING * np.abs(c).max(axis=0)
    slope_rounding = rounding[:, None] / np.maximum(np.abs(parameters), 1e-3)
    by_value = _coefficients(c, values[:, :n], rounding)
    by_gradient = np.zeros((n_results, controls, gradients.shape[2]))
    for j in range(gradients.shape[2]):
        slopes = gradients[:, :, j]
        by_gradient[:, :, j] = _coefficients(slopes[:, n_results:], slopes[:, :n_results], slope_rounding[:, j])
    return Control(*exact, by_value, by_gradient, rounding, slope_rounding)


def _coefficients(c: Samples, y: Samples, rounding: Samples) -> Samples:
    """Least squares of y (n, results) on c (n, controls), both centred; 0 where c does not vary or is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        c, y = c - c.mean(axis=0), y - y.mean(axis=0)
        c = np.where(np.abs(c).max(axis=0) > rounding, c, 0.0)  # a regression on rounding errors believes in them
    if not np.isfinite(c).all():
        return np.zeros((y.shape[1], c.shape[1]))
    y = np.where(np.isfinite(y).all(axis=0), y, 0.0)
    return np.asarray(np.linalg.lstsq(c, y, rcond=None)[0].T, np.float64)


def suspicions(names: list[str], means: Samples, errors: Samples, rounding: Samples, what: str) -> list[str]:
    """Warn of controls whose paths contradict the mean that was given: every controlled estimate is off by as much."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.where(np.abs(means) > rounding, means / errors, 0.0)
    return [
        f"control{' ' + name if name else ''}: its {what} over the paths is {abs(score):.1f} standard errors "
        f"{'above' if score > 0 else 'below'} the one given, which biases the estimates; check control=(f, mean)"
        for name, score in zip(names, scores.tolist())
        if abs(score) > _SUSPICIOUS
    ]


def parse(control: Any) -> tuple[Callable[..., Any] | None, Any]:
    """Return f and mean of ``control=(f, mean)``."""
    if control is None:
        return None, None
    if not isinstance(control, tuple | list) or len(control) != 2 or not callable(control[0]):
        raise TypeError(
            "control: expected (f, mean), with f(params, z, ...) like the payoff and mean(params) its expectation"
        )
    return control[0], control[1]
