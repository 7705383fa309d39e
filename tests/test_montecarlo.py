"""Monte Carlo. Oracles: closed forms and published numbers within 4 standard errors; the plain payoff, path by path
on the same random numbers with complex steps; NumPy for means and standard errors."""

import dataclasses
import inspect
import json
import math
import sys
import types
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from helpers_core import assert_same_bits
from helpers_paths import draws, grouped_standard_error, samples_of_pairs, standard_error
from helpers_replay import STEP, black_scholes

import fastad as fad
from fastad.errors import PurityError
from fastad.kernels import philox

Params = namedtuple("Params", "s sigma r")


@dataclasses.dataclass(frozen=True)
class Market:
    s: float
    sigma: float
    r: float
    name: str = "desk"

    def __post_init__(self):
        if self.s <= 0.0:
            raise ValueError("a price is positive")


# The payoff on arrays of paths, on complex numbers: kinks look at real parts.
VECTOR = types.SimpleNamespace(exp=np.exp, log=np.log, maximum=lambda x, y: np.where(np.real(x) >= np.real(y), x, y))


def asian(p, z, u, lib=fad):
    """Three steps, a uniform that picks the strike smoothly, a discount."""
    s, total = p[0], 0.0
    for i in range(3):
        s = s * lib.exp((p[2] - 0.5 * p[1] * p[1]) / 3.0 + p[1] * math.sqrt(1 / 3.0) * z[i])
        total = total + s
    strike = 90.0 + 20.0 * u[0] + lib.log(1.0 + u[1])
    return lib.exp(-p[2]) * lib.maximum(total / 3.0 - strike, 0.0)


POINT = [100.0, 0.3, 0.05]


def per_path(f, p, z, u):
    """Values and gradients of a payoff, path by path, by complex steps; shape (paths,) and (paths, parameters)."""
    columns = []
    for j in range(len(p)):
        stepped = [complex(v, STEP * (i == j)) for i, v in enumerate(p)]
        y = f(stepped, z.T.astype(complex), u.T.astype(complex), VECTOR)
        columns.append(y.imag / STEP)
    return y.real, np.stack(columns, 1)


# -------------------- the same numbers as path by path --------------------


@pytest.mark.parametrize(
    ("paths", "antithetic"),
    [
        *((paths, False) for paths in (2, 100, 4095, 4096, 4097, 10_000)),
        *((paths, True) for paths in (2, 100, 4094, 4096, 4098, 10_000)),
    ],
)
def test_path_by_path(paths, antithetic):
    result = fad.monte_carlo(
        asian, POINT, normals=3, uniforms=2, paths=paths, seed=17, antithetic=antithetic, threads=2
    )
    z = draws(17, paths, 3, antithetic, philox.NORMALS)
    u = draws(17, paths, 2, antithetic, philox.UNIFORMS)
    values, gradients = per_path(asian, POINT, z, u)
    if antithetic:  # the numbers themselves: partners are mirror images
        np.testing.assert_array_equal(samples_of_pairs(z), 0.0)
        np.testing.assert_allclose(samples_of_pairs(u), 0.5, rtol=1e-15)
    assert result.value == pytest.approx(math.fsum(values) / paths, rel=1e-13)
    np.testing.assert_allclose(result.gradient, [math.fsum(g) / paths for g in gradients.T], rtol=1e-11)
    samples, slopes = (samples_of_pairs(values), samples_of_pairs(gradients)) if antithetic else (values, gradients)
    if len(samples) > 1:
        assert result.stderr == pytest.approx(standard_error(samples), rel=1e-11)
    else:
        assert math.isnan(result.stderr)
    if paths >= 4096:
        np.testing.assert_allclose(result.gradient_stderr, grouped_standard_error(gradients), rtol=1e-9)
    elif len(samples) > 1:
        np.testing.assert_allclose(result.gradient_stderr, standard_error(slopes), rtol=1e-10)
    assert (result.paths, result.seed, result.threads) == (paths, 17, 2)
    ((scenarios, share, rows, lines),) = result.variants
    assert (scenarios, share, lines) == (paths, 1.0, ())
    assert rows > 30
    assert result.seconds > 0.0


def test_the_plain_payoff_on_floats():
    """A mean of the payoff itself, run by Python on floats: the promise to the user."""
    result = fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=200, seed=3)
    z, u = (draws(3, 200, d, False, kind) for d, kind in ((3, philox.NORMALS), (2, philox.UNIFORMS)))
    values = [asian(POINT, z[i], u[i]) for i in range(200)]
    assert result.value == pytest.approx(math.fsum(values) / 200, rel=1e-14)


@pytest.mark.parametrize("antithetic", [False, True])
def test_the_payoff_is_recorded_at_path_0_and_once_more_to_check_that_it_is_pure(antithetic):
    """Its branches are those of real random numbers, not of zeros; formatting an active shows the number."""
    seen = []

    def payoff(p, z, u):
        seen.append([float(f"{x:.17g}") for x in (*z, *u)])
        return p * z[0] * u[1]

    fad.monte_carlo(payoff, 2.0, normals=3, uniforms=2, paths=5000, seed=21, antithetic=antithetic)
    z, u = (draws(21, 64, d, antithetic, kind) for d, kind in ((3, philox.NORMALS), (2, philox.UNIFORMS)))
    assert seen == [[*z[0], *u[0]]] * 2


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("paths", [1000, 4096, 20_002])
def test_threads_and_repetition_bit_for_bit(paths, antithetic):
    runs = [
        fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=paths, seed=5, antithetic=antithetic, threads=t)
        for t in (1, 2, 3, 1, 2, None)
    ]
    for other in runs[1:]:
        for name in ("value", "stderr", "gradient", "gradient_stderr"):
            assert_same_bits(getattr(other, name), getattr(runs[0], name), name)


def test_seeds():
    values = [
        fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=100, seed=seed).value
        for seed in (0, 1, 2, 2**32, 2**63, 2**64 - 1, np.int64(7))
    ]
    assert len(set(values)) == len(values)


def test_common_random_numbers():
    """The gradient is the limit of bumping with the same seed."""
    run = dict(normals=3, uniforms=2, paths=5000, seed=11)
    result = fad.monte_carlo(asian, POINT, **run)
    for j, h in enumerate((1e-5, 1e-8, 1e-8)):
        up, down = (list(POINT), list(POINT))
        up[j] += h
        down[j] -= h
        bumped = [fad.monte_carlo(asian, p, **run, wrt=()).value for p in (up, down)]
        assert (bumped[0] - bumped[1]) / (2 * h) == pytest.approx(result.gradient[j], rel=1e-5)


def test_prefix():
    """The first paths of a long run are those of a short one: values are functions of seed and path number."""
    short = fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=64, seed=5)
    long = fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=128, seed=5)
    z, u = (draws(5, 128, d, False, kind) for d, kind in ((3, philox.NORMALS), (2, philox.UNIFORMS)))
    values, _ = per_path(asian, POINT, z, u)
    assert (short.value + values[64:].mean()) / 2 == pytest.approx(long.value, rel=1e-13)


# -------------------- problems with known answers --------------------


@pytest.mark.parametrize("kind", [1, -1], ids=["call", "put"])
@pytest.mark.parametrize("antithetic", [False, True])
def test_black_scholes(kind, antithetic):
    """Problem 1: price and six sensitivities within 4 standard errors of the closed form."""

    def payoff(o, z):
        drift = (o["r"] - o["q"] - 0.5 * o["sigma"] ** 2) * o["t"]
        s = o["s"] * fad.exp(drift + o["sigma"] * fad.sqrt(o["t"]) * z[0])
        return fad.exp(-o["r"] * o["t"]) * fad.maximum(kind * (s - o["k"]), 0.0)

    toy = {"s": 100, "k": 110, "r": 0.02, "q": 0.05, "sigma": 0.2, "t": 2.0}
    result = fad.monte_carlo(payoff, toy, normals=1, paths=100_000, seed=1, antithetic=antithetic)
    value, gradient = black_scholes(kind, **toy)
    assert abs(result.value - value) < 4 * result.stderr < 0.05 * value
    assert list(result.gradient) == list(toy)
    for name in toy:
        error = result.gradient_stderr[name]
        assert abs(result.gradient[name] - gradient[name]) < 4 * error < 0.1 * abs(gradient[name]), name
    assert result.warnings == ()


def test_arithmetic_asian():
    """Problem 3a: 252 steps; oracle by density recursion."""

    def payoff(p, z):
        dt = p["t"] / 252.0
        drift, vol = (p["r"] - 0.5 * p["sigma"] ** 2) * dt, p["sigma"] * fad.sqrt(dt)
        s, total = p["s"], 0.0
        for i in range(252):
            s = s * fad.exp(drift + vol * z[i])
            total = total + s
        return fad.exp(-p["r"] * p["t"]) * fad.maximum(total / 252.0 - p["k"], 0.0)

    at = {"s": 100.0, "k": 100.0, "r": 0.05, "sigma": 0.2, "t": 1.0}
    oracle = {"s": 0.589157543, "k": -0.531339299, "r": 24.5790102, "sigma": 21.7553090, "t": 3.4044814}
    result = fad.monte_carlo(payoff, at, normals=252, paths=60_000, seed=2)
    assert abs(result.value - 5.781824407928) < 4 * result.stderr
    assert result.stderr == pytest.approx(7.93 / math.sqrt(60_000), rel=0.03)
    for name, exact in oracle.items():
        error = result.gradient_stderr[name]
        assert abs(result.gradient[name] - exact) < 4 * error < 0.1 * abs(exact), name


def test_smoothed_barrier():
    """Problem 2 as coded there: 499 increments, discounting to T; oracle by 499 convolutions."""
    steps = 500

    def payoff(p, z):
        dt = p["t"] / steps
        drift = (p["r"] - 0.5 * p["sigma"] ** 2) * dt
        root = fad.sqrt(dt)
        s, w, alive = p["s"], 0.0, 1.0
        for i in range(steps):
            if i:
                w = w + z[i - 1] * root
                s = p["s"] * fad.exp(drift * float(i) + p["sigma"] * w)
            alive = alive * 0.5 * (1.0 + fad.tanh(10.0 * (s - p["b"])))
        return fad.exp(-p["r"] * p["t"]) * fad.maximum(s - p["k"], 0.0) * alive

    at = {"s": 100.0, "k": 100.0, "r": 0.05, "t": 1.0, "sigma": 0.2, "b": 90.0}
    oracle = {
        "s": 0.814009366,
        "k": -0.395382505,
        "r": 48.4265360,
        "t": 3.7784054,
        "sigma": 13.5707861,
        "b": -0.366820362,
    }
    std = {"s": 5.0, "k": 0.47, "r": 145.0, "t": 26.0, "sigma": 314.0, "b": 5.5}
    result = fad.monte_carlo(payoff, at, normals=steps - 1, paths=20_000, seed=4)
    assert abs(result.value - 8.84112740893) < 4 * result.stderr
    assert result.stderr == pytest.approx(14.6 / math.sqrt(20_000), rel=0.05)
    for name, exact in oracle.items():
        error = result.gradient_stderr[name]
        assert abs(result.gradient[name] - exact) < 4 * error, name
        assert 0.5 < error / (std[name] / math.sqrt(20_000)) < 2.0, name  # heavy tails: the published spread, roughly


@pytest.mark.parametrize("paths", [1000, 6400])
@pytest.mark.parametrize("antithetic", [False, True])
def test_standard_errors_cover(paths, antithetic):
    """z-scores over 200 seeds have about unit variance, for values and sensitivities; expectations in closed form."""

    def payoff(p, z):
        return p[0] * fad.exp(p[1] * z[0] - 0.5 * p[1] ** 2) + p[2] * z[1] * z[1]

    scores = []
    for seed in range(200):
        r = fad.monte_carlo(payoff, [100.0, 0.2, 3.0], normals=2, paths=paths, seed=seed, antithetic=antithetic)
        exact = np.array([103.0, 1.0, 0.0, 1.0])
        estimates, errors = np.array([r.value, *r.gradient]), np.array([r.stderr, *r.gradient_stderr])
        scores.append((estimates - exact) / errors)
    scores = np.array(scores)
    assert np.all(abs(scores.mean(0)) < 4 / math.sqrt(200))
    assert np.all((scores.var(0) > 0.65) & (scores.var(0) < 1.45)), scores.var(0)  # 0.1 is its standard deviation


# -------------------- antithetic pairs --------------------


@pytest.mark.parametrize("paths", [2, 62, 64, 66, 100, 4094, 4096, 4098, 8192 + 130])
def test_pairs_cancel_odd_payoffs_exactly(paths):
    """A pair that straddled a group, block or thread would leave a remainder."""
    result = fad.monte_carlo(
        lambda p, z: p[0] * z[0] + p[1] * z[1] ** 3, [2.0, 3.0], normals=2, paths=paths, antithetic=True
    )
    assert result.value == 0.0
    assert result.gradient == [0.0, 0.0] if paths < 4096 else np.all(np.abs(result.gradient) < 1e-15)
    if paths > 2:
        assert result.stderr == 0.0
    uniform = fad.monte_carlo(lambda p, u: p * u[0], 2.0, uniforms=1, paths=paths, antithetic=True)
    assert uniform.value == pytest.approx(1.0, rel=1e-15)


def test_antithetic_reduces_the_variance():
    """exp(v z) and its partner have correlation -exp(-v^2), so pairs shrink the error by sqrt(1 - exp(-v^2))."""
    plain, paired = (
        fad.monte_carlo(lambda v, z: fad.exp(v * z[0]), 0.5, normals=1, paths=100_000, antithetic=a)
        for a in (False, True)
    )
    assert paired.stderr / plain.stderr == pytest.approx(math.sqrt(1.0 - math.exp(-0.25)), rel=0.02)
    assert paired.gradient_stderr < plain.gradient_stderr


# -------------------- structures of parameters and results --------------------


def by_name(p, z):
    return p.s * fad.exp(p.sigma * z[0]) * (1.0 - p.r)


def test_forms_of_parameters():
    run = dict(normals=1, paths=500, seed=9)
    by_list = fad.monte_carlo(lambda p, z: by_name(Params(*p), z), [100.0, 0.3, 0.05], **run)
    reference = Params(*by_list.gradient)

    ints = fad.monte_carlo(lambda p, z: by_name(Params(*p), z), (100, np.float32(0.3), 0.05), **run)
    assert isinstance(ints.gradient, tuple)
    assert ints.gradient[0] == pytest.approx(reference.s, rel=1e-6)
    array = fad.monte_carlo(lambda p, z: by_name(Params(*p), z), np.array([100.0, 0.3, 0.05]), **run)
    assert_same_bits(array.gradient, np.array(reference))
    mapping = fad.monte_carlo(
        lambda p, z: by_name(Params(p["s"], p["v"][0], p["v"][1]), z), {"s": 100, "v": np.array([0.3, 0.05])}, **run
    )
    assert list(mapping.gradient) == ["s", "v"]
    assert_same_bits([mapping.gradient["s"], *mapping.gradient["v"]], np.array(reference))
    named = fad.monte_carlo(by_name, Params(100, 0.3, 0.05), **run)
    assert named.gradient == reference
    assert named.gradient_stderr == Params(*by_list.gradient_stderr)
    data = fad.monte_carlo(by_name, Market(100, 0.3, 0.05), **run)
    assert (data.gradient.s, data.gradient.sigma, data.gradient.r) == reference
    assert data.gradient.r < 0.0  # -100 or so: the class itself would refuse -100 as a price
    assert data.gradient.name is None
    assert isinstance(data.gradient, Market)
    single = fad.monte_carlo(lambda s, z: by_name(Params(s, 0.3, 0.05), z), 100, **run)
    assert single.gradient == reference.s
    assert {r.value for r in (by_list, array, mapping, named, data, single)} == {by_list.value}


def test_forms_of_results():
    """Several payoffs at once: each as if alone, to the bit."""

    def payoffs(p, z):
        s = p["s"] * fad.exp(p["sigma"] * z[0])
        return {"call": fad.maximum(s - 100.0, 0.0), "both": (s, [p["s"], 1.0]), "vector": fad.stack([s, 2.0 * s])}

    run = dict(normals=1, paths=5000, seed=9)
    at = {"s": 100.0, "sigma": 0.3}
    result = fad.monte_carlo(payoffs, at, **run)
    picks = {
        "call": lambda r: r["call"],
        "s": lambda r: r["both"][0],
        "input": lambda r: r["both"][1][0],
        "constant": lambda r: r["both"][1][1],
    }
    for name, pick in picks.items():
        alone = fad.monte_carlo(lambda p, z, pick=pick: pick(payoffs(p, z)), at, **run)
        for field in ("value", "stderr", "gradient", "gradient_stderr"):
            assert pick(getattr(result, field)) == getattr(alone, field), (name, field)
    assert picks["input"](result.value) == 100.0
    assert picks["input"](result.gradient) == {"s": 1.0, "sigma": 0.0}
    assert picks["constant"](result.value) == 1.0
    assert picks["constant"](result.stderr) == 0.0
    assert picks["constant"](result.gradient) == {"s": 0.0, "sigma": 0.0}
    assert result.value["vector"].shape == (2,)
    assert result.gradient["vector"]["s"].shape == (2,)
    np.testing.assert_allclose(result.gradient["vector"]["s"][1], 2 * picks["s"](result.gradient)["s"], rtol=1e-13)


def test_random_numbers_of_every_shape():
    grid = fad.monte_carlo(lambda p, z, u: p * z[1, 2] * u[0, 1], 2.0, normals=(2, 3), uniforms=(1, 2), paths=128)
    z = draws(0, 128, 6, False, philox.NORMALS).reshape(-1, 2, 3)
    u = draws(0, 128, 2, False, philox.UNIFORMS).reshape(-1, 1, 2)
    assert grid.value == pytest.approx(np.mean(2.0 * z[:, 1, 2] * u[:, 0, 1]), rel=1e-13)
    only_u = fad.monte_carlo(lambda p, u: p * u[0], 2.0, uniforms=1, paths=128)
    assert only_u.value == pytest.approx(2.0 * draws(0, 128, 1, False, philox.UNIFORMS).mean(), rel=1e-13)
    only_z = fad.monte_carlo(lambda p, z: p * z[0], 2.0, normals=1, paths=128)
    assert only_z.value == pytest.approx(2.0 * draws(0, 128, 1, False, philox.NORMALS).mean(), rel=1e-13)
    scalar = fad.monte_carlo(lambda p, z: p * z, 2.0, normals=(), paths=128)
    assert scalar.value == only_z.value
    neither = fad.monte_carlo(lambda p: p * p, 3.0, paths=128)
    assert (neither.value, neither.stderr, neither.gradient, neither.gradient_stderr) == (9.0, 0.0, 6.0, 0.0)
    unused = fad.monte_carlo(lambda p, z: p * z[5], 2.0, normals=(8,), paths=128)
    assert unused.value == pytest.approx(2.0 * draws(0, 128, 8, False, philox.NORMALS)[:, 5].mean(), rel=1e-13)


def test_passive_data():
    def payoff(p, z, table, label, times):
        assert label == "desk"
        return p * z[0] * table[1] + sum(times)

    result = fad.monte_carlo(payoff, 2.0, normals=1, paths=64, args=(np.array([1.0, 5.0]), "desk", [1, 2]))
    assert result.value == pytest.approx(10.0 * draws(0, 64, 1, False, philox.NORMALS).mean() + 3.0, rel=1e-13)


def test_no_parameters():
    result = fad.monte_carlo(lambda p, z: z[0] * z[0], {}, normals=1, paths=10_000)
    assert abs(result.value - 1.0) < 4 * result.stderr
    assert result.gradient in (None, {})
    assert "std. error" in str(result)


@pytest.mark.parametrize("paths", [500, 5000])
def test_wrt(paths):
    run = dict(normals=1, paths=paths, seed=9)
    at = Market(100.0, 0.3, 0.05)
    whole = fad.monte_carlo(by_name, at, **run)
    some = fad.monte_carlo(by_name, at, wrt=("sigma", "s"), **run)
    assert (some.gradient.s, some.gradient.sigma, some.gradient.r) == (whole.gradient.s, whole.gradient.sigma, None)
    assert some.gradient_stderr.sigma == whole.gradient_stderr.sigma
    one = fad.monte_carlo(by_name, at, wrt="sigma", **run)
    assert (one.gradient.s, one.gradient.sigma) == (None, whole.gradient.sigma)
    none = fad.monte_carlo(by_name, at, wrt=(), **run)
    assert (none.value, none.stderr) == (whole.value, whole.stderr)
    assert none.gradient is None
    assert none.gradient_stderr is None
    by_position = fad.monte_carlo(lambda p, z: by_name(Params(*p), z), (100.0, 0.3, 0.05), wrt=[1], **run)
    assert by_position.gradient == (None, whole.gradient.sigma, None)
    for wrt in (("vega",), "spot", [3]):
        with pytest.raises(ValueError, match=r"has \['s', 'sigma', 'r'"):
            fad.monte_carlo(by_name, at, wrt=wrt, **run)
    with pytest.raises(ValueError, match="wrt="):
        fad.monte_carlo(lambda s, z: s * z[0], 2.0, wrt=("s",), **run)


# -------------------- progress, table, JSON --------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_callable(threads):
    seen = []
    result = fad.monte_carlo(
        asian, POINT, normals=3, uniforms=2, paths=40_000, threads=threads, progress=lambda *a: seen.append(a)
    )
    done = [d for d, _ in seen]
    assert done == sorted(set(done))
    assert len(done) > 1
    assert done[-1] == 40_000
    assert {total for _, total in seen} == {40_000}
    assert result.value == fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=40_000).value


def test_an_exception_of_progress_stops_the_run():
    def stop(done, total):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=100_000, threads=2, progress=stop)


def test_progress_bar_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"fastad\[progress\]"):
        fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=100, progress=True)


def test_progress_bar(monkeypatch):
    """What tqdm is told: the total, and the paths finished since the last call."""
    log = []

    class Bar:
        def __init__(self, total, **style):
            log.append(total)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            log.append("closed")

        def update(self, n):
            log.append(n)

    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    fad.monte_carlo(asian, POINT, normals=3, uniforms=2, paths=40_000, progress=True)
    total, *updates, closed = log
    assert (total, sum(updates), closed) == (40_000, 40_000, "closed")
    assert len(updates) > 1


def two_payoffs(p, z):
    s = p["spot"] * fad.exp(p["vols"][0] * z[0] - 0.5 * p["vols"][1])
    return {"call": fad.maximum(s - 90.0, 0.0), "put": fad.maximum(90.0 - s, 0.0)}


def test_printed_table():
    """Every number of the result stands in the line of its name."""
    at = {"spot": 100.0, "vols": np.array([0.3, 0.09])}
    result = fad.monte_carlo(two_payoffs, at, normals=1, paths=10_000, seed=8, threads=2)
    text = str(result)
    head, *lines = text.splitlines()
    assert "10,000 paths" in head
    assert "seed 8" in head
    assert "2 threads" in head
    expected = []
    for name in ("call", "put"):
        g, e = result.gradient[name], result.gradient_stderr[name]
        expected += [(name, result.value[name], result.stderr[name]), ("spot", g["spot"], e["spot"])]
        expected += [(f"vols[{i}]", g["vols"][i], e["vols"][i]) for i in (0, 1)]
    rows = [line.split() for line in lines if line.strip() and "estimate" not in line]
    assert [(name, float(a), float(b)) for name, a, b in rows] == [
        (name, pytest.approx(a, rel=1e-6), pytest.approx(b, rel=1e-2)) for name, a, b in expected
    ]
    single = str(fad.monte_carlo(lambda p, z: p * z[0], 2.0, normals=1, paths=64, threads=1))
    assert "value" in single
    assert "param" in single
    assert "1 thread " in single
    assert "_rows" not in repr(result)


def test_json():
    at = {"spot": 100.0, "vols": np.array([0.3, 0.09])}
    result = fad.monte_carlo(two_payoffs, at, normals=1, paths=1000, seed=8)
    back = json.loads(result.to_json())
    assert back["value"] == result.value
    assert back["stderr"] == result.stderr
    assert back["gradient"]["put"]["vols"] == result.gradient["put"]["vols"].tolist()
    assert back["gradient_stderr"]["call"]["spot"] == result.gradient_stderr["call"]["spot"]
    assert (back["paths"], back["seed"], back["warnings"]) == (1000, 8, [])
    (variant,) = result.variants
    assert back["variants"] == [{"scenarios": 1000, "share": 1.0, "rows": variant.rows, "lines": []}]
    assert json.loads(result.to_json(indent=2)) == back
    assert "\n" in result.to_json(indent=2)
    named = fad.monte_carlo(by_name, Market(100.0, 0.3, 0.05), normals=1, paths=100, wrt=["s"], seed=2**64 - 1)
    back = json.loads(named.to_json())
    assert back["gradient"] == {"s": named.gradient.s, "sigma": None, "r": None, "name": None}
    assert back["seed"] == 2**64 - 1
    assert json.loads(fad.monte_carlo(by_name, Params(1, 2, 3), normals=1, paths=100).to_json())["gradient"]["r"]


# -------------------- errors and warnings --------------------


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (dict(paths=1), ValueError, "paths=1: expected at least 2"),
        (dict(paths=0), ValueError, "paths=0"),
        (dict(paths=-5), ValueError, "paths=-5"),
        (dict(paths=10.5), ValueError, "whole number"),
        (dict(paths=11, antithetic=True), ValueError, "even"),
        (dict(seed=-1), ValueError, "seed"),
        (dict(seed=2**64), ValueError, "seed"),
        (dict(paths=float("inf")), ValueError, "paths=inf: expected a whole number"),
        (dict(seed=1.5), TypeError, "seed: expected a whole number, got 1.5"),
        (dict(threads=0), ValueError, "threads=0"),
        (dict(threads=-2), ValueError, "threads=-2"),
        (dict(normals=-1), ValueError, "normals=-1"),
        (dict(uniforms=(2, -1)), ValueError, "uniforms="),
        (dict(normals=2.5), TypeError, "normals: expected a whole number, got 2.5"),
        (dict(normals=[1, "2"]), TypeError, "normals: expected a whole number, got '2'"),
        (dict(executor=3), TypeError, "executor=3: expected an object with the interface of concurrent.futures"),
        (dict(max_variants=0), ValueError, "max_variants=0: expected at least 1"),
        (dict(max_variants=None), ValueError, "max_variants=None: expected at least 1"),
        (dict(args=3.0), TypeError, r"args=3.0: expected a tuple; for a single one args=\(x,\)"),
    ],
    ids=str,
)
def test_bad_arguments(run, error, message):
    arguments = dict(normals=1, paths=100) | run
    with pytest.raises(error, match=message) as caught:
        fad.monte_carlo(lambda p, *z: p * z[0][0], 2.0, **arguments)
    assert not hasattr(caught.value, "__notes__")  # the payoff did not raise it


def test_paths_may_be_written_as_a_float():
    result = fad.monte_carlo(lambda p, z: p * z[0], 2.0, normals=1, paths=1e2)
    assert (result.paths, type(result.paths)) == (100, int)


@pytest.mark.parametrize("result", ["text", None, {"a": "text"}, True])
def test_payoffs_that_return_no_numbers(result):
    with pytest.raises(TypeError, match="return a number"):
        fad.monte_carlo(lambda p, z: result, 2.0, normals=1, paths=100)


def test_payoff_that_raises():
    def payoff(p, z):
        raise ZeroDivisionError("in the payoff")

    with pytest.raises(ZeroDivisionError, match="in the payoff") as caught:
        fad.monte_carlo(payoff, 2.0, normals=1, paths=100, seed=77)
    (note,) = caught.value.__notes__
    assert "path 0" in note
    assert "seed 77" in note


def test_payoff_with_other_arguments_is_told_what_it_gets():
    with pytest.raises(TypeError, match="missing 1 required") as caught:
        fad.monte_carlo(lambda p, z: p * z[0], 2.0, paths=100)
    assert "z where there are normals=, u where there are uniforms=: with 1 arguments here" in caught.value.__notes__[1]


def test_a_payoff_of_nothing_is_a_constant():
    result = fad.monte_carlo(lambda p: 3.0, {}, paths=100)
    assert (result.value, result.stderr) == (3.0, 0.0)


def digital(p, z):
    s = p * fad.exp(0.2 * z[0])
    if s > 100.0:  # decided by the path
        return s
    return 0.0 * s


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("paths", [1000, 10_000])
def test_branches(antithetic, threads, paths):
    """Value and gradient of the paths above, and the line that decides; the oracle is NumPy on the same normals."""
    result = fad.monte_carlo(digital, 100.0, normals=1, paths=paths, seed=6, antithetic=antithetic, threads=threads)
    growth = np.exp(0.2 * draws(6, paths, 1, antithetic, philox.NORMALS)[:, 0])
    above = growth > 1.0
    slopes = np.where(above, growth, 0.0)
    samples = samples_of_pairs(slopes) if antithetic else slopes
    assert result.value == pytest.approx(100.0 * math.fsum(slopes) / paths, rel=1e-13)
    assert result.gradient == pytest.approx(math.fsum(slopes) / paths, rel=1e-13)
    assert result.stderr == pytest.approx(100.0 * standard_error(samples), rel=1e-11)
    exact = grouped_standard_error(slopes[:, None])[0] if paths >= 4096 else standard_error(samples)
    assert result.gradient_stderr == pytest.approx(exact, rel=1e-9)
    first, second = result.variants
    assert (first.scenarios, second.scenarios) == (sum(above == above[0]), sum(above != above[0]))
    assert (first.share, first.lines) == (first.scenarios / paths, ())
    (text,) = second.lines
    lines, start = inspect.getsourcelines(digital)
    (line,) = [start + i for i, source in enumerate(lines) if "# decided" in source]
    assert f"{Path(__file__).name}:{line} `" in text
    assert f"recorded as {not above[0]}" in text


def test_one_side_of_a_branch_is_fine():
    """Where every path decides as path 0 does there is nothing to report."""
    result = fad.monte_carlo(lambda p, z: p * z[0] if p > 0.0 else -p, 2.0, normals=1, paths=100)
    assert len(result.variants) == 1


@pytest.mark.parametrize("paths", [100, 10_000])
@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize(
    "payoff",
    [
        lambda p, z: p * fad.log(z[0]),
        lambda p, z: p * fad.log(fad.maximum(z[0], 0.0)),
        lambda p, z: p / fad.maximum(z[0], 0.0),
        lambda p, z: p / (0.0 * z[0]),
        lambda p, z: p * 1e200 * fad.exp(400.0 * z[0]),
    ],
    ids=["nan", "-inf", "inf", "both infinities", "overflow"],
)
def test_values_that_are_not_finite(payoff, paths, antithetic):
    """Reported in the result, not as a RuntimeWarning of NumPy: warnings are errors in this test run."""
    result = fad.monte_carlo(payoff, 2.0, normals=1, paths=paths, antithetic=antithetic)
    assert not math.isfinite(result.value)
    assert any("value" in w and "not finite" in w for w in result.warnings)
    assert any("sensitivity" in w and "not finite" in w for w in result.warnings)
    assert "warning:" in str(result)


def test_values_near_overflow():
    """A variance beyond the largest float is not finite, and no RuntimeWarning either."""
    result = fad.monte_carlo(lambda p, z: p * 1e200 * z[0], 2.0, normals=1, paths=10_000)
    assert math.isfinite(result.value)
    assert not math.isfinite(result.stderr)


def test_zero_factors():
    """sqrt of a negative number that is not taken: no NaN on any path, in both ways of adding gradients up."""

    def payoff(p, z):
        x = p[0] + z[0]
        return fad.where(x > 0.0, fad.sqrt(x) * p[1], 0.0)

    for paths in (100, 5000, 5010):
        result = fad.monte_carlo(payoff, [0.1, 2.0], normals=1, paths=paths, seed=1)
        x = 0.1 + draws(1, paths, 1, False, philox.NORMALS)[:, 0]
        root = np.sqrt(np.maximum(x, 0.0))
        slope = np.divide(1.0, root, out=np.zeros(paths), where=x > 0.0)
        assert result.value == pytest.approx(2.0 * root.mean(), rel=1e-12)
        assert result.gradient == pytest.approx([slope.mean(), root.mean()], rel=1e-12)
        assert result.warnings == ()


def test_parameters_must_be_numbers():
    """Actives as parameters do not nest yet."""
    with pytest.raises(fad.errors.NestingError):
        fad.grad(lambda s: fad.monte_carlo(lambda p, z: p * z[0], s, normals=1, paths=10).value)(2.0)


def test_statistics_of_blocks_merge():
    """Mean and standard error of numbers far from zero: NumPy in one go is the oracle."""
    result = fad.monte_carlo(lambda p, z: p + z[0], 1e8, normals=1, paths=30_000, seed=3)
    z = draws(3, 30_000, 1, False, philox.NORMALS)[:, 0]
    assert result.value == pytest.approx(1e8 + z.mean(), rel=1e-14)
    assert result.stderr == pytest.approx(standard_error(1e8 + z), rel=1e-7)


@pytest.mark.parametrize("shape", [(), (100,)])
@pytest.mark.parametrize("active", [False, True])
def test_random_numbers_of_the_payoff_itself_are_refused(shape, active):
    rng = np.random.default_rng(0)

    def payoff(p, z):
        own = rng.random(shape)  # recorded once, it would be the same number on every path
        return np.sum(own * p) if active else np.sum(own)

    with pytest.raises(PurityError, match=r"recording the function twice.*global random numbers"):
        fad.monte_carlo(payoff, 2.0, normals=1, paths=64)


def test_what_equals_a_choice_is_that_choice():
    run = {"normals": 1, "paths": 64}
    for true in (1, np.True_):
        assert fad.monte_carlo(lambda p, z: p * p * z[0] ** 0, 3.0, hessian=true, **run).hessian == 2.0


def test_shapes_may_be_lists():
    sums = [fad.monte_carlo(lambda p, z: p * z[1, 2], 1.0, normals=n, paths=64).value for n in ([2, 3], (2, 3))]
    assert sums[0] == sums[1] != 0.0
