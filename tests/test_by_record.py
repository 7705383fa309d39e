"""``monte_carlo(method="record")`` against the replay of the same paths, and how ``auto`` chooses."""

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from helpers_core import assert_same_bits

import fastad as fad
from fastad.kernels import philox

Params = namedtuple("Params", "spot rate vol strike")
P = Params(100.0, 0.05, 0.2, 100.0)


@numba.njit
def asian(p, z, u, shift):
    dt = 1.0 / len(z)
    level, total = p.spot, 0.0
    for z_i in z:
        level *= fad.exp((p.rate - 0.5 * p.vol**2) * dt + p.vol * fad.sqrt(dt) * z_i)
        total += level
    payoff = fad.exp(-p.rate) * fad.maximum(total / len(z) - p.strike, 0.0)
    return payoff + u[0, 0] * p.rate, (level * u[1, 1], shift)


@numba.njit
def wanderer(p, z):
    """Hardly two paths decide alike."""
    level = p.spot
    for i in range(len(z)):
        if p.vol * z[i] > 0.1:
            level = level * (1.01 + 0.01 * p.vol)
        elif level < 95.0:
            level = level + p.rate
        else:
            level = level * 0.995
    return level


@pytest.mark.parametrize("more", [{}, {"antithetic": True}, {"wrt": ("vol",)}, {"wrt": ()}], ids=str)
@pytest.mark.parametrize("paths", [130, 4200])
def test_as_by_replay(paths, more):
    shapes = {"normals": 7, "uniforms": (2, 2), "args": (2.5,)}
    results = [fad.monte_carlo(asian, P, paths=paths, seed=5, method=m, **shapes, **more) for m in ("replay", "record")]
    replayed, recorded = results
    assert recorded.variants == ()
    assert replayed.value == recorded.value
    assert replayed.stderr == recorded.stderr
    for a, b in zip(leaves(replayed), leaves(recorded), strict=True):
        if paths < 4096:
            assert a == b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def leaves(result):
    if result.gradient is None:
        return []
    first, (second, third) = result.gradient
    return [getattr(g, name) for g in (first, second, third) if g for name in Params._fields if getattr(g, name)]


def test_branches_of_every_path():
    results = [fad.monte_carlo(wanderer, P, normals=6, paths=1000, method=m) for m in ("replay", "record")]
    assert results[0].value == results[1].value
    assert results[0].gradient == results[1].gradient
    assert "jumps here" in results[0].warnings[0]
    assert "compare_with_bump" in results[1].warnings[0]  # where a replay looks for jumps
    assert len(results[0].variants) > 10


def test_threads_change_nothing():
    runs = [fad.monte_carlo(wanderer, P, normals=9, paths=40_000, method="record", threads=n) for n in (1, 2, 3)]
    for other in runs[1:]:
        assert_same_bits(other.gradient, runs[0].gradient)
        assert other.value == runs[0].value
        assert_same_bits(other.gradient_stderr, runs[0].gradient_stderr)


def test_auto_counts_branches():
    assert fad.monte_carlo(wanderer, P, normals=20, paths=200).variants == ()
    assert len(fad.monte_carlo(wanderer, P, normals=1, paths=200).variants) > 0
    plain = fad.monte_carlo(wanderer.py_func, P, normals=6, paths=64)
    assert len(plain.variants) > 1
    frozen = numba.njit(lambda p, z: p.spot * fad.value(z[0]))
    assert fad.monte_carlo(frozen, P, normals=1, paths=64).variants == ()


def test_zero_factors_are_masked():
    @numba.njit
    def f(p, z):
        return fad.where(z[0] > 0.0, fad.sqrt(p.spot * 0.0 + p.vol - p.vol), 0.0) + p.spot

    results = [fad.monte_carlo(f, P, normals=1, paths=64, method=m) for m in ("replay", "record")]
    assert repr(results[0].gradient) == repr(results[1].gradient)


def test_errors():
    with pytest.raises(TypeError, match=r"decorate it with @numba.njit"):
        fad.monte_carlo(wanderer.py_func, P, normals=3, method="record")
    with pytest.raises(ValueError, match=r"expected .auto. or .replay. or .record."):
        fad.monte_carlo(wanderer, P, normals=3, method="fast")

    @numba.njit
    def fails(p, z):
        if z[0] > 2.5:
            raise ValueError("too far")
        return p.spot * z[0]

    with pytest.raises(ValueError, match="too far") as error:
        fad.monte_carlo(fails, P, normals=1, paths=5000, method="record")
    path = int(error.value.__notes__[0].split("on path ")[1].split()[0])
    draws = philox.fill(0, 0, 5000, 1)[:, 0]
    assert path == np.flatnonzero(draws > 2.5)[0]


@numba.njit
def mirror(p, z):
    return p[0], p[2] * z[0], p[1]


def test_parameters_as_results():
    """Rows before the output's own hold nothing of the output or the path before."""
    results = [
        fad.monte_carlo(mirror, np.arange(1.0, 4.0), normals=1, paths=64, method=m) for m in ("replay", "record")
    ]
    for replayed, recorded in zip(results[0].gradient, results[1].gradient, strict=True):
        assert_same_bits(replayed, recorded)


def test_auto_does_not_depend_on_the_executor():
    with ThreadPoolExecutor(2) as pool:
        pooled = fad.monte_carlo(wanderer, P, normals=9, paths=2000, executor=pool)
    alone = fad.monte_carlo(wanderer, P, normals=9, paths=2000)
    assert_same_bits(pooled.gradient, alone.gradient)
    assert any("executor was not used" in text for text in pooled.warnings)


def test_debug_looks_at_every_path():
    @numba.njit
    def payoff(p, z):
        return p * fad.log(z[0] + 2.5)

    with fad.debug(), pytest.raises(FloatingPointError, match="log"):
        fad.monte_carlo(payoff, 1.0, normals=1, paths=4096)
    with fad.debug(), pytest.raises(ValueError, match=r"fad\.debug\(\)"):
        fad.monte_carlo(payoff, 1.0, normals=1, paths=64, method="record")
