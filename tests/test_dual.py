"""Duals, in Python and inside numba. Oracles: the tape's forward sweep, mpmath, and finite differences by mpmath."""

import math

import mpmath
import numba
import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers

import fastad as fad
from fastad.errors import ShapeError
from fastad.ops import OPS
from fastad.record.dual import DualArray
from fastad.record.functions import FUNCTIONS

SMOOTH = [op for op in OPS if op.kind == "smooth"]


def inside(op):
    """A point in the domain of an operation."""
    point = []
    for low, high in op.domain[: op.arity]:
        low, high = max(low, -2.0), min(high, 3.0)
        point.append(low + (high - low) * (0.35 + 0.2 * len(point)))
    return point


def numbers(dual):
    """All floats of a dual, level by level."""
    if not isinstance(dual, fad.Dual):
        return [dual]
    return [*numbers(dual.value), *(n for t in dual.tangent for n in numbers(t))]


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_every_operation_against_the_tape(op):
    """Value and tangents in two directions, in Python and in numba, are those of the forward sweep."""
    function = FUNCTIONS[op.name]
    jitted = numba.njit(lambda x: function(x)) if op.arity == 1 else numba.njit(lambda x, y: function(x, y))
    directions = np.array([[1.0, -0.5], [0.25, 2.0]])[: op.arity]
    for point in (inside(op), [0.0, -0.0][: op.arity], [math.nan, 1.0][: op.arity], [math.inf, 2.0][: op.arity]):
        tape = fad.Tape()
        result = function(*(tape.input(x) for x in point))
        expected = [result.value, *tape.forward(result, directions)]
        duals = [fad.Dual(x, tuple(d)) for x, d in zip(point, directions)]
        plain, compiled = function(*duals), jitted(*duals)
        assert_same_numbers(numbers(plain), expected, op.name)
        assert_same_bits(numbers(compiled), numbers(plain), op.name)
        assert_same_bits(plain.value, result.value)


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_second_derivatives_in_python_and_in_numba_agree(op):
    function, point = FUNCTIONS[op.name], inside(op)
    rest = point[1:]
    if op.arity == 1:
        f = lambda x: function(x)  # noqa: E731
    else:
        y = rest[0]
        f = lambda x: function(x, y * x)  # noqa: E731
    jitted = numba.njit(f)
    nested = fad.Dual(fad.Dual(point[0], 1.0), 1.0, level=2)
    plain = f(nested)
    assert_same_bits(numbers(jitted(nested)), numbers(plain))
    assert_same_numbers(numbers(plain)[1], numbers(plain)[2])  # both first derivatives
    h = 1e-5
    first = [fad.derivative(f, point[0] + s * h) for s in (-1, 1)]
    np.testing.assert_allclose(numbers(plain)[3], (first[1] - first[0]) / (2.0 * h), rtol=2e-6, atol=2e-6)


def mixed(x, y):
    total = 0.0
    for i in range(3):
        total += fad.norm_cdf(x) * x**3 / (1 + x) ** y + np.arctan2(x, 2.0) + abs(-x) + max(x, y, 0.1) + round(x, 1)
        total -= fad.where(x > y, x, 2.0 * y) + x**y + i * min((x, y)) + fad.clip(x, 0.0, 1.0) + divmod(x, y)[1]
        if total > 1.0 and not (x < 0.0):
            total *= y
    a, b = sorted([x, y])
    return total + a * fad.pow(b, -2) + fad.value(x) * y


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (fad.Dual(1.3, (1.0, 0.0)), fad.Dual(0.7, (0.0, 1.0))),
        (fad.Dual(0.3, 1.0), 0.7),
        (1.3, fad.Dual(0.7, 1.0, level=3)),
        (fad.Dual(fad.Dual(1.3, 1.0), 1.0, level=2), fad.Dual(0.7, 1.0)),
        (fad.Dual(fad.Dual(1.3, 1.0), 1.0, level=2), fad.Dual(0.7, 1.0, level=2)),
    ],
)
def test_language(x, y):
    assert_same_bits(numbers(numba.njit(mixed)(x, y)), numbers(mixed(x, y)))
    floats = mixed(fad.value(x), fad.value(y))
    assert_same_bits(fad.value(mixed(x, y)), floats)


def test_derivative():
    assert fad.derivative(lambda x: x**3, 2.0) == 12.0
    assert fad.derivative(lambda x: (x * x, {"a": 1.0, "b": x}), 3) == (6.0, {"a": 0.0, "b": 1.0})
    assert fad.derivative(lambda x: 5.0, 2.0) == 0.0
    f = numba.njit(lambda x: (x * x, 2.0 * x, 1.0))
    assert fad.derivative(f, 3.0) == (6.0, 2.0, 0.0)


def test_higher_derivatives_by_nesting():
    f = numba.njit(lambda x: fad.exp(2.0 * x) * fad.sin(x))
    exact = [float(mpmath.diff(lambda x: mpmath.exp(2 * x) * mpmath.sin(x), 0.5, n)) for n in range(4)]

    def nth(n, x):
        return f(x) if n == 0 else fad.derivative(lambda y: nth(n - 1, y), x)

    for n in range(4):
        np.testing.assert_allclose(nth(n, 0.5), exact[n], rtol=1e-13)


def test_perturbations_are_not_confused():
    """d/dx (x * d/dy (x + y)) is 1, not 2 (Siskind and Pearlmutter)."""
    assert fad.derivative(lambda x: x * fad.derivative(lambda y: x + y, 1.0), 1.0) == 1.0
    product = numba.njit(lambda x, y: x * y * y)
    # d/dx [x * d/dy (x y y) at y = 3] = d/dx [6 x x] = 12 x
    assert fad.derivative(lambda x: x * fad.derivative(lambda y: product(x, y), 3.0), 2.0) == 24.0
    # the inner result does not depend on the inner variable
    assert fad.derivative(lambda x: fad.derivative(lambda y: x, 1.0) + x, 1.0) == 1.0


def test_forward_jacobian_of_jitted_functions():
    @numba.njit
    def f(x, scale):
        total = 0.0
        for i in range(len(x)):
            total += fad.sin(x[i]) * scale
        return total, x[0] * x[1], x[2:][0]

    x = np.linspace(0.1, 1.0, 19)  # not a multiple of the directions of a run
    expected = fad.jacobian(f, argnums=(0, 1), mode="reverse")(x, 2.0)
    for (by_x, by_scale), (rev_x, rev_scale) in zip(fad.jacobian(f, argnums=(0, 1), mode="forward")(x, 2.0), expected):
        assert_same_numbers(by_x, rev_x)
        np.testing.assert_allclose(by_scale, rev_scale, rtol=1e-15)
    assert f.nopython_signatures  # compiled for duals
    assert any("Dual" in str(sig) for sig in f.nopython_signatures)
    matrix = numba.njit(lambda z: z[0, 1] * z[1, 0] + sum(z[1]))
    np.testing.assert_array_equal(
        fad.jacobian(matrix, mode="forward")(np.array([[1.0, 2.0], [3.0, 4.0]])), [[0.0, 3.0], [3.0, 1.0]]
    )


def test_arrays_of_duals():
    z = DualArray(np.array([1.0, 2.0, 3.0]), np.eye(3))
    f = numba.njit(lambda z: z[0] * z[1] + sum(z[1:]) + max(z) + len(z) * z[-1] + z.shape[0])
    assert repr(f(z)) == repr(f.py_func(z))


def test_zero_factors():
    for f in (lambda x: fad.where(x > 0.0, fad.sqrt(x), 0.0), lambda x: 0.0 * fad.log(x)):
        assert fad.derivative(f, 0.0) == fad.derivative(numba.njit(f), 0.0) == 0.0


def test_errors():
    x = fad.Dual(1.0, 1.0)
    with pytest.raises(TypeError, match="a Dual has no float value here"):
        float(x)
    with pytest.raises(numba.TypingError, match="a Dual has no float value here"):
        numba.njit(lambda x: float(x))(x)
    with pytest.raises(ShapeError, match="different numbers of directions"):
        x * fad.Dual(1.0, (1.0, 2.0))
    with pytest.raises(TypeError, match="unsupported operand"):
        x * fad.Tape().input(1.0)
    with pytest.raises(TypeError, match="made of numbers"):
        fad.Dual("1", 1.0)
    with pytest.raises(ValueError, match="inner levels are lower"):
        fad.Dual(x, 1.0)
    with pytest.raises(TypeError, match="by a number"):
        fad.derivative(lambda x: x, np.ones(3))
    assert fad.derivative(lambda x: x * x, fad.Tape().input(3.0)).value == 6.0
    with pytest.raises(TypeError, match="returned 'a'"):
        fad.derivative(lambda x: "a", 1.0)
    with pytest.raises(TypeError):
        hash(x)


def test_dual_prints_and_freezes():
    x = fad.Dual(2.5, (1.0, 0.0), level=2)
    assert repr(x) == "Dual(2.5, (1.0, 0.0), level=2)"
    assert f"{x:.2f}" == "2.50"
    assert fad.value({"a": (x, 1.0)}) == {"a": (2.5, 1.0)}
    assert bool(x)
    assert fad.isnan(x) == False  # noqa: E712
    assert fad.value(fad.Dual(x, 1.0, level=3)) == 2.5


def test_a_program_runs_its_function_on_duals(tmp_path):
    program = fad.record(lambda x, p: x * x + p["a"], 1.0, {"a": 2.0})
    result = program(fad.Dual(3.0, 1.0), {"a": fad.Dual(1.0, 2.0)})
    assert (result.value, result.tangent) == (10.0, (8.0,))
    program.save(tmp_path / "f.npz")
    with pytest.raises(fad.errors.NestingError, match="loaded without its function"):
        fad.load(tmp_path / "f.npz")(fad.Dual(3.0, 1.0), {"a": 2.0})
