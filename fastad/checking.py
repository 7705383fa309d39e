"""``check_gradient``: derivatives of fastad against the function itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba.core.errors import NumbaError

from .errors import GradientError
from .packing import Packing, Vector
from .structure import flatten, is_result
from .transforms import jvp, vjp

_COMPLEX_STEP = 1e-150  # its square is lost even beside the smallest values: the step has no truncation error
_LARGEST_STEP, _SHRINKS = 2.0**-3, 12  # to 2**-27: for functions of a short scale too
_SHOWN = 10
_MOST_INPUTS = 1000  # beyond, as many random directions are checked instead of every input


@dataclass(frozen=True)
class Difference:
    """A derivative that is wrong.

    Attributes
    ----------
    output, input : str
        Names; of an input beyond the first thousand, a direction.
    fastad, expected, error : float
        The derivative by fastad, the one by differences, and what the latter may be off by.
    step : float
        Step of the difference quotient, absolute.
    method : {"complex step", "central differences"}
        How the expected one was found.
    """

    output: str
    input: str
    fastad: float
    expected: float
    error: float
    step: float
    method: str

    def __str__(self) -> str:
        return (
            f"d {self.output} / d {self.input}: fastad says {self.fastad:.10g}, {self.method} at step {self.step:.3g} "
            f"says {self.expected:.10g} (within {self.error:.2g}); off by {self.fastad - self.expected:.3g}"
        )


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` looked at, where nothing was wrong.

    Attributes
    ----------
    derivatives : int
        How many were compared.
    methods : dict
        How many by each method.
    largest_error : float
        Largest difference, relative to the derivative or to 1.
    dot_product : float
        Relative difference of the two sides of the dot-product test.
    """

    derivatives: int
    methods: dict[str, int]
    largest_error: float
    dot_product: float


def check_gradient(
    f: Callable[..., Any],
    *args: Any,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
) -> GradientReport:
    """Compare the derivatives of f by all its arguments with difference quotients of f itself.

    Parameters
    ----------
    f : callable
        Function of structures of numbers, run on plain floats for the comparison.
    *args
        Where to check it.
    rtol, atol : float
        A derivative may be off by ``atol + rtol * |derivative|``, beyond what the difference quotient itself is
        uncertain by.
    seed : int
        Of the random directions: of the dot-product test, and in place of inputs beyond a thousand.

    Returns
    -------
    GradientReport

    Raises
    ------
    GradientError
        A derivative is wrong: the message lists the worst, by input, with both values and the step. Or forward and
        reverse mode do not agree.

    Notes
    -----
    Complex step (Squire & Trapp 1998) where f runs on complex numbers: exact to rounding, but only where f is
    analytic, so a difference that it finds counts only if central differences find it too. Elsewhere central
    differences with Richardson extrapolation over steps from 2**-3 to 2**-27 of the size of the input, of which the
    pair that agrees best is taken, and four times its disagreement is the uncertainty. At kinks and jumps no difference
    quotient is right; check beside them.

    The dot-product test: for a random direction u and random seeds w, w . (J u) by one forward sweep and (w J) . u
    by one reverse sweep are the same number.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.check_gradient(lambda x, y: x * fad.exp(y), 2.0, 0.5).derivatives
    2
    >>> fad.check_gradient(lambda x: x * fad.stop_gradient(x), 3.0)
    Traceback (most recent call last):
    ...
    fastad.errors.GradientError: 1 of 1 derivatives is wrong, d y / d arg0 most:...
    """
    subject = _Subject(f, args)
    rng = np.random.default_rng(seed)
    dot_product = _dot_product(subject, rng)
    if not dot_product <= rtol:
        raise GradientError(
            f"forward and reverse mode disagree: w . (J u) and (w J) . u differ by {dot_product:.3g}, relative to "
            "their size, for a random direction u and random seeds w"
        )
    jacobian = subject.jacobian()
    wrong: list[Difference] = []
    methods: dict[str, int] = {}
    largest = 0.0
    for name, direction, derivative in _directions(subject, jacobian, rng):
        estimate, others = _compare(subject, direction, derivative, rtol, atol)
        methods[estimate.method] = methods.get(estimate.method, 0) + derivative.size
        largest = max(largest, others)
        off = np.abs(derivative - estimate.value) > atol + rtol * np.abs(derivative) + estimate.error
        off |= np.isnan(derivative) != np.isnan(estimate.value)
        for k in np.flatnonzero(off):
            numbers = float(derivative[k]), float(estimate.value[k]), float(estimate.error[k])
            wrong.append(Difference(subject.output_names[k], name, *numbers, estimate.step, estimate.method))
    count = sum(methods.values())
    if wrong:
        raise _error(wrong, count)
    return GradientReport(count, methods, largest, dot_product)


@dataclass(frozen=True)
class _Estimate:
    value: Vector
    error: Vector
    step: float
    method: str


class _Subject:
    """The function as one of a vector, with its sweeps."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._f = f
        self._inputs, self.point = Packing.of(args)
        self.input_names = self._inputs.names()
        value, self.pullback = vjp(f, *args)
        self._outputs, vector = Packing.of(value, is_result)
        self.output_names = [f"y{name}" if name.startswith("[") or not name else name for name in self._outputs.names()]
        self.input_names = [f"arg{name[1:].replace(']', '', 1)}" for name in self.input_names]
        self.n_outputs = vector.size

    def __call__(self, x: Vector) -> Vector:
        result = self._f(*self._inputs.unpack(x.copy(), keep_static=True))
        return Packing.of(result, is_result)[1]

    def on_complex(self, x: Any) -> Any:
        """Imaginary parts of the outputs at complex inputs, None where f does not take them."""
        spec = self._inputs.spec
        leaves = [
            x[i:j].reshape(shape) if shape else complex(x[i])
            for i, j, shape in zip(self._inputs.ends, self._inputs.ends[1:], self._inputs.shapes)
        ]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an imaginary part that NumPy drops makes a difference to be confirmed
                found = flatten(self._f(*spec.unflatten(leaves)), _is_complex_or_real)[0]
            out = np.concatenate([np.ravel(leaf) for leaf in found]).astype(complex)
        except (TypeError, ValueError, AttributeError, NumbaError):
            return None
        return out.imag if out.size == self.n_outputs else None

    def seeds(self, w: Vector) -> Vector:
        """Adjoints of all inputs."""
        return Packing.of(self.pullback(self._outputs.unpack(w)))[1]

    def tangent(self, u: Vector) -> Vector:
        """Tangents of all outputs."""
        primals, direction = (self._inputs.unpack(x, keep_static=True) for x in (self.point, u))
        y_dot = jvp(self._f, primals, direction)
        return Packing.of(y_dot[1], is_result)[1]

    def jacobian(self) -> Any:
        """Derivatives by reverse sweeps, shape (outputs, inputs)."""
        return np.array([self.seeds(w) for w in np.eye(self.n_outputs)]).reshape(self.n_outputs, self.point.size)


def _is_complex_or_real(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.number | complex | float | int) and not isinstance(leaf, bool)


def _dot_product(subject: _Subject, rng: np.random.Generator) -> float:
    u, w = rng.standard_normal(subject.point.size), rng.standard_normal(subject.n_outputs)
    forward, reverse = subject.tangent(u), subject.seeds(w)
    size = float(np.abs(w) @ np.abs(forward) + np.abs(reverse) @ np.abs(u))
    difference = abs(float(w @ forward - reverse @ u))
    return difference / size if size > 0.0 else 0.0


def _directions(subject: _Subject, jacobian: Any, rng: np.random.Generator) -> Iterator[tuple[str, Vector, Vector]]:
    """Every input, or random directions where there are too many: name, direction, derivative by fastad."""
    n = subject.point.size
    if n <= _MOST_INPUTS:
        for k, name in enumerate(subject.input_names):
            direction = np.zeros(n)
            direction[k] = 1.0
            yield name, direction, jacobian[:, k]
        return
    for k in range(_MOST_INPUTS):
        direction = rng.choice([-1.0, 1.0], n)
        yield f"direction {k}", direction, jacobian @ direction


def _compare(
    subject: _Subject, direction: Vector, derivative: Vector, rtol: float, atol: float
) -> tuple[_Estimate, float]:
    """The difference quotient to believe, and the largest relative difference from it."""
    estimate = _complex_step(subject, direction)
    if estimate is None or (np.abs(derivative - estimate.value) > atol + rtol * np.abs(derivative)).any():
        estimate = _central(subject, direction)
    difference = np.abs(derivative - estimate.value) / np.maximum(np.abs(derivative), 1.0)
    return estimate, float(np.nan_to_num(difference, nan=0.0).max(initial=0.0))


def _complex_step(subject: _Subject, direction: Vector) -> _Estimate | None:
    imaginary = subject.on_complex(subject.point + 1j * _COMPLEX_STEP * direction)
    if imaginary is None:
        return None
    value = imaginary / _COMPLEX_STEP
    return _Estimate(value, np.zeros(value.size), _COMPLEX_STEP, "complex step")


def _central(subject: _Subject, direction: Vector) -> _Estimate:
    """Richardson-extrapolated central differences; per output the step whose neighbours agree best."""
    size = max(1.0, float(np.abs(subject.point[direction != 0.0]).max(initial=0.0)))
    steps = size * _LARGEST_STEP * 4.0 ** -np.arange(_SHRINKS + 1.0)
    with np.errstate(all="ignore"):
        plain = np.array([
            (subject(subject.point + h * direction) - subject(subject.point - h * direction)) / (2.0 * h) for h in steps
        ])  # fmt: skip
        better = (16.0 * plain[1:] - plain[:-1]) / 15.0
        disagreement = np.abs(np.diff(better, axis=0))
    disagreement[np.isnan(disagreement)] = np.inf
    best = np.argmin(disagreement, axis=0)
    every = np.arange(best.size)
    error = disagreement[best, every]
    step = float(steps[2:][np.max(best, initial=0)])
    value = np.where(np.isfinite(error), better[1:][best, every], np.nan)
    return _Estimate(value, np.where(np.isfinite(error), 4.0 * error, 0.0), step, "central differences")


def _error(wrong: list[Difference], count: int) -> GradientError:
    def badness(d: Difference) -> float:
        size = abs(d.fastad - d.expected) / max(abs(d.expected), 1.0)
        return size if size == size else np.inf

    wrong.sort(key=badness, reverse=True)
    worst = wrong[0]
    verb = "is" if len(wrong) == 1 else "are"
    lines = [f"{len(wrong)} of {count} derivatives {verb} wrong, d {worst.output} / d {worst.input} most:"]
    lines += [f"  {difference}" for difference in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        lines.append(f"  ... and {len(wrong) - _SHOWN} more")
    return GradientError("\n".join(lines), tuple(wrong))
