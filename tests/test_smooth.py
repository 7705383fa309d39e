"""Smoothed jumps. Oracles: NumPy's ramps, complex steps, and the closed form of a digital and of a call-spread."""

import math

import numpy as np
import pytest
from helpers_replay import STEP
from scipy.stats import norm

import fastad as fad

AT = {"s": 100.0, "v": 0.2, "k": 95.0}


def digital(p, z, width):
    s = p["s"] * fad.exp(p["v"] * z[0] - 0.5 * p["v"] * p["v"])
    return fad.smooth.step(s - p["k"], width)


def call(k):
    d = (math.log(AT["s"] / k) + 0.5 * AT["v"] ** 2) / AT["v"]
    return AT["s"] * norm.cdf(d) - k * norm.cdf(d - AT["v"])


def exact(width):
    """A ramp is two calls; width 0 is the digital."""
    if width == 0.0:
        d = math.log(AT["s"] / AT["k"]) / AT["v"] - 0.5 * AT["v"]
        return norm.cdf(d)
    return (call(AT["k"] - width / 2) - call(AT["k"] + width / 2)) / width


def test_step_and_where():
    x = np.array([-5.0, -1.0, -0.3, 0.0, 0.7, 1.0, 4.0])
    np.testing.assert_allclose(fad.smooth.step(x, 2.0), np.interp(x, [-1.0, 1.0], [0.0, 1.0]))
    np.testing.assert_allclose(fad.smooth.where(x, 7.0, 3.0, 2.0), np.interp(x, [-1.0, 1.0], [3.0, 7.0]))
    slopes = fad.grad(lambda x: fad.smooth.step(x, 2.0).sum())(x[np.abs(x) != 1.0])
    assert slopes.tolist() == [0.0, 0.5, 0.5, 0.5, 0.0]
    assert fad.smooth.step(0.5, 2.0) == 0.75
    gradient = fad.grad(lambda v: fad.smooth.where(v[0], v[1], v[2], v[3]))(np.array([0.4, 7.0, 3.0, 2.0]))
    np.testing.assert_allclose(gradient, [2.0, 0.7, 0.3, -0.4 * 4.0 / 4.0])  # the width may be differentiated, too


def test_maximum():
    """The integral of the ramp: meets max at the ends, with its slope, and lies an eighth of a width above between."""
    for d in (-3.0, -1.0, -0.4, 0.0, 0.8, 1.0, 5.0):
        a = 2.0 + d
        ramp = np.linspace(-10.0, d, 200_001)
        area = np.trapezoid(np.interp(ramp, [-1.0, 1.0], [0.0, 1.0]), ramp)
        assert fad.smooth.maximum(a, 2.0, 2.0) == pytest.approx(2.0 + area, abs=1e-8)
        slope = fad.grad(lambda v: fad.smooth.maximum(v[0], v[1], 2.0))(np.array([a, 2.0]))
        expected = np.interp(d, [-1.0, 1.0], [0.0, 1.0])
        np.testing.assert_allclose(slope, [expected, 1.0 - expected], atol=1e-15)
    assert fad.smooth.maximum(2.0, 2.0, 2.0) == 2.25
    np.testing.assert_allclose(fad.smooth.maximum(np.array([1.0, 9.0]), 2.0, 1.0), [2.0, 9.0])


def test_barrier():
    path = [100.0, 90.5, 95.0]
    assert fad.smooth.barrier(path, 90.0, 2.0) == pytest.approx(0.75)
    assert fad.smooth.barrier(path, 89.0, 2.0) == 1.0
    assert fad.smooth.barrier(path, 100.5, 2.0, "up") == pytest.approx(0.75)
    assert fad.smooth.barrier(path, 80.0, 2.0, "up") == 0.0

    def f(x, lib=fad.smooth.barrier):
        return lib([x[0], x[1] * x[0]], x[2], 4.0)

    x = np.array([99.0, 0.91, 90.0])
    slopes = []
    for j in range(3):
        y = x.astype(complex)
        y[j] += 1j * STEP
        alive = 1.0
        for s in (y[0], y[0] * y[1]):
            alive = alive * (1.0 if s.real - 90.0 > 2.0 else (s - y[2]) / 4.0 + 0.5)
        slopes.append(alive.imag / STEP)
    np.testing.assert_allclose(fad.grad(f)(x), slopes, rtol=1e-13)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan])
def test_a_width_is_positive(width):
    for f in (
        fad.smooth.step,
        lambda x, w: fad.smooth.maximum(x, 0.0, w),
        lambda x, w: fad.smooth.barrier([x], 1.0, w),
    ):
        with pytest.raises(ValueError, match="expected a positive number"):
            f(1.0, width)
    with pytest.raises(ValueError, match="'down' or 'up'"):
        fad.smooth.barrier([1.0], 1.0, 1.0, "sideways")


def test_a_smoothed_digital_does_not_warn():
    """And its delta is that of the two calls, which the plain digital misses."""
    result = fad.monte_carlo(digital, AT, normals=1, paths=200_000, args=(4.0,))
    assert result.warnings == ()
    assert abs(result.value - exact(4.0)) < 4 * result.stderr
    d = [norm.cdf((math.log(AT["s"] / k) + 0.02) / AT["v"]) for k in (AT["k"] - 2.0, AT["k"] + 2.0)]
    assert abs(result.gradient["s"] - (d[0] - d[1]) / 4.0) < 4 * result.gradient_stderr["s"]


def test_table():
    widths = [1.0, 5.0, 10.0, 20.0]
    found = fad.smooth.table(digital, AT, widths, normals=1, paths=400_000, sampler="sobol", seed=2)
    assert found.names == ["value", "value by s", "value by v", "value by k"]
    for i, width in enumerate(widths):
        assert abs(found.estimate[i, 0] - exact(width)) < 5 * found.stderr[i, 0]
        assert found.bias[i, 0] == pytest.approx(exact(width) - exact(0.0), abs=2e-4)
        assert found.results[i].value == found.estimate[i, 0]
    np.testing.assert_allclose(found.variance, found.stderr**2 * found.results[0].paths)
    plain = fad.smooth.table(digital, AT, widths, normals=1, paths=20_000)
    assert np.all(np.diff(plain.variance[:, 1]) < 0.0)  # the wider, the less noise in delta
    text = str(plain)
    assert "value by s" in text
    assert f"{plain.estimate[2, 1]:.7g}" in text
    summed = fad.smooth.table(
        lambda p, z, a, w: (p, a * p * w), 2.0, [1.0, 2.0], normals=1, paths=64, args=(3.0,), gradient="sum"
    )
    assert summed.names == ["[0]", "[1]", "sum by param"]
    assert summed.estimate[:, 2].tolist() == [4.0, 7.0]
    with pytest.raises(ValueError, match="at least two"):
        fad.smooth.table(digital, AT, [1.0, 1.0], normals=1)
