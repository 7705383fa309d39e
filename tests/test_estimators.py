"""Estimators of `monte_carlo`. Oracles: complex steps path by path on the same random numbers, SciPy's Sobol' points
and quantiles, closed forms; and for every way of running, the bits of a plain run."""

import math
import signal
import sys
import threading
import time

import numpy as np
import pytest
from helpers_core import assert_same_bits
from helpers_paths import draws, samples_of_pairs, standard_error
from helpers_replay import STEP
from scipy import stats
from scipy.special import ndtri

import fastad as fad
from fastad.kernels import philox
from fastad.montecarlo.statistics import Moments, student_quantile

AT = {"s": 100.0, "v": 0.3, "r": 0.02}
NUMBERS = ("value", "stderr", "gradient", "gradient_stderr")
RUN = dict(normals=4, uniforms=1, seed=3)


def path(p, z, exp=fad.exp):
    s = [p["s"]]
    for i in range(4):
        s.append(s[-1] * exp((p["r"] - 0.5 * p["v"] * p["v"]) / 4.0 + 0.5 * p["v"] * z[i]))
    return s


def payoff(p, z, u):
    s = path(p, z)
    discount = fad.exp(-p["r"])
    return {
        "asian": discount * fad.maximum((s[1] + s[2] + s[3] + s[4]) / 4.0 - 90.0 - 20.0 * u[0], 0.0),
        "end": discount * s[4],
    }


def pathwise(paths, antithetic=False, at=AT, seed=3):
    """Values (paths, 2) and derivatives (paths, 2, 3) by complex steps, on the paths that a run has."""
    z = draws(seed, paths, 4, antithetic, philox.NORMALS).T
    u = draws(seed, paths, 1, antithetic, philox.UNIFORMS)[:, 0]
    columns = []
    for name in at:
        p = {key: complex(value, STEP * (key == name)) for key, value in at.items()}
        s = path(p, z, np.exp)
        gain = (s[1] + s[2] + s[3] + s[4]) / 4.0 - 90.0 - 20.0 * u
        y = np.stack([np.exp(-p["r"]) * np.where(gain.real > 0.0, gain, 0.0), np.exp(-p["r"]) * s[4]], 1)
        columns.append(y.imag / STEP)
    return y.real, np.stack(columns, 2)


def flat(result, name):
    x = getattr(result, name)
    return np.array([[x[k]] if np.ndim(x[k]) == 0 and not isinstance(x[k], dict) else list(x[k].values()) for k in x])


def assert_same_result(a, b, names=NUMBERS):
    for name in names:
        assert_same_bits(flat(a, name), flat(b, name), name)
    assert (a.paths, a.seed) == (b.paths, b.seed)


# -------------------- single paths --------------------


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("paths", [100, 5002, 20_000])
def test_per_path(paths, antithetic):
    result = fad.monte_carlo(payoff, AT, paths=paths, antithetic=antithetic, per_path=True, threads=2, **RUN)
    values, slopes = pathwise(paths, antithetic)
    for k, name in enumerate(("asian", "end")):
        np.testing.assert_allclose(result.path_values[name], values[:, k], rtol=1e-13, atol=1e-13)
        for j, parameter in enumerate(AT):
            np.testing.assert_allclose(result.path_gradients[name][parameter], slopes[:, k, j], rtol=1e-11, atol=1e-10)
    samples = samples_of_pairs(slopes.reshape(paths, -1)) if antithetic else slopes.reshape(paths, -1)
    np.testing.assert_allclose(flat(result, "gradient_stderr").ravel(), standard_error(samples), rtol=1e-9, atol=1e-14)
    plain = fad.monte_carlo(payoff, AT, paths=paths, antithetic=antithetic, **RUN)
    assert plain.path_values is plain.path_gradients is None
    assert_same_result(result, plain, ("value", "stderr"))
    np.testing.assert_allclose(flat(result, "gradient"), flat(plain, "gradient"), rtol=1e-12, atol=1e-14)


def test_sum_of_payoffs():
    """One reverse sweep of the sum: the sum of what each gives, and the same standard error as of one payoff."""
    each = fad.monte_carlo(payoff, AT, paths=10_000, **RUN)
    both = fad.monte_carlo(payoff, AT, paths=10_000, gradient="sum", **RUN)
    alone = fad.monte_carlo(lambda *inputs: sum(payoff(*inputs).values()), AT, paths=10_000, **RUN)
    assert both.value == each.value
    assert both.stderr == each.stderr
    assert list(both.gradient) == list(AT)
    np.testing.assert_allclose(list(both.gradient.values()), flat(each, "gradient").sum(0), rtol=1e-12)
    np.testing.assert_allclose(list(both.gradient_stderr.values()), list(alone.gradient_stderr.values()), rtol=1e-12)
    assert "sum of all" in str(both)
    vector = fad.monte_carlo(lambda p, z: fad.stack([p * z[0], p]), 2.0, normals=1, paths=100, gradient="sum")
    assert vector.gradient == pytest.approx(1.0 + draws(0, 100, 1, False, philox.NORMALS).mean(), rel=1e-13)
    with pytest.raises(ValueError, match="gradient='all'"):
        fad.monte_carlo(payoff, AT, gradient="all", **RUN)


# -------------------- confidence intervals --------------------


def test_intervals():
    result = fad.monte_carlo(payoff, AT, paths=6400, **RUN)
    for level in (0.5, 0.95, 0.999):
        low, high = result.interval(level)
        t = stats.t.ppf(0.5 + 0.5 * level, 6399)
        assert high["asian"] - low["asian"] == pytest.approx(2 * t * result.stderr["asian"], rel=1e-9)
        assert (high["asian"] + low["asian"]) / 2 == pytest.approx(result.value["asian"], rel=1e-13)
        low, high = result.gradient_interval(level)
        t = stats.t.ppf(0.5 + 0.5 * level, 99)  # a hundred groups of 64
        assert high["end"]["v"] - low["end"]["v"] == pytest.approx(2 * t * result.gradient_stderr["end"]["v"], rel=1e-9)
    with pytest.raises(ValueError, match=r"level=95"):
        result.interval(95)


@pytest.mark.parametrize("freedom", [1, 2, 3, 15, 63, 1562, 999_999, 10**8])
def test_student_quantile(freedom):
    for probability in (0.5, 0.6, 0.95, 0.975, 0.9995):
        exact = stats.t.ppf(probability, freedom)
        assert student_quantile(probability, freedom) == pytest.approx(exact, rel=1e-6, abs=1e-12)
    assert math.isnan(student_quantile(0.975, 0))


# -------------------- control variates --------------------


def geometric(p, z, u):
    """Discounted end of the path: its mean is the spot, whatever the parameters."""
    return {"end": fad.exp(-p["r"]) * path(p, z)[4], "noise": p["v"] * u[0] * u[0]}


def geometric_mean(p):
    return {"end": p["s"], "noise": p["v"] / 3.0}


@pytest.mark.parametrize("antithetic", [False, True])
def test_control_by_numpy(antithetic):
    """The estimate with the coefficients of a regression, by NumPy and complex steps; pilot paths of another seed."""
    result = fad.monte_carlo(
        payoff, AT, paths=20_000, antithetic=antithetic, control=(geometric, geometric_mean), **RUN
    )
    pilot_seed = (3 + 0x9E3779B97F4A7C15) % 2**64

    def with_control(paths, seed):
        values, slopes = pathwise(paths, antithetic, seed=seed)
        u = draws(seed, paths, 1, antithetic, philox.UNIFORMS)[:, 0]
        c = np.stack([values[:, 1] - AT["s"], AT["v"] * (u * u - 1 / 3)], 1)
        c_slopes = np.zeros((paths, 2, 3))
        c_slopes[:, 0] = slopes[:, 1] - [1.0, 0.0, 0.0]
        c_slopes[:, 1, 1] = u * u - 1 / 3
        return values, slopes, c, c_slopes

    def regress(y, c):
        y, c = (samples_of_pairs(x) if antithetic else x for x in (y, c))
        c = np.where(np.abs(c) > 1e-9, c, 0.0)  # the end does not depend on the rate, up to rounding
        return np.linalg.lstsq(c - c.mean(0), y - y.mean(0), rcond=None)[0]

    pilot, run = with_control(1024, pilot_seed), with_control(20_000, 3)
    controlled = run[0] - run[2] @ regress(pilot[0], pilot[2])
    np.testing.assert_allclose(flat(result, "value").ravel(), controlled.mean(0), rtol=1e-10)
    samples = samples_of_pairs(controlled) if antithetic else controlled
    np.testing.assert_allclose(flat(result, "stderr").ravel()[0], standard_error(samples)[0], rtol=1e-9)
    for j in range(3):
        slopes = run[1][:, :, j] - run[3][:, :, j] @ regress(pilot[1][:, :, j], pilot[3][:, :, j])
        np.testing.assert_allclose(flat(result, "gradient")[:, j], slopes.mean(0), rtol=1e-8, atol=1e-9)
    assert result.warnings == ()


def test_control_reduces_errors_and_stays_unbiased():
    plain = fad.monte_carlo(payoff, AT, paths=50_000, **RUN)
    result = fad.monte_carlo(payoff, AT, paths=50_000, control=(geometric, geometric_mean), **RUN)
    assert result.stderr["asian"] < 0.6 * plain.stderr["asian"]
    assert all(result.gradient_stderr["asian"][k] < 0.8 * plain.gradient_stderr["asian"][k] for k in ("s", "v"))
    assert result.gradient_stderr["asian"]["r"] == plain.gradient_stderr["asian"]["r"]  # the controls do not move in it
    assert result.value["end"] == pytest.approx(100.0, rel=1e-12)  # a control of itself has no error
    assert result.stderr["end"] < 1e-12
    exact = fad.monte_carlo(payoff, AT, paths=1_000_000, **(RUN | {"seed": 99}))
    for mine, error, other, its in (
        (result.value["asian"], result.stderr["asian"], exact.value["asian"], exact.stderr["asian"]),
        *(
            (result.gradient["asian"][k], result.gradient_stderr["asian"][k], exact.gradient["asian"][k],
             exact.gradient_stderr["asian"][k])
            for k in AT
        ),
    ):  # fmt: skip
        assert abs(mine - other) < 4 * math.hypot(error, its)


def test_controls_of_other_forms():
    """One number with a mean that is a number; controls beside a sum of payoffs; controls and pathwise values."""

    def f(p, z, u):
        return z[0] + z[1] + z[2] + z[3]

    plain = fad.monte_carlo(payoff, AT, paths=8192, **RUN)
    result = fad.monte_carlo(payoff, AT, paths=8192, control=(f, 0.0), **RUN)
    assert result.stderr["asian"] < 0.7 * plain.stderr["asian"]
    assert result.gradient == plain.gradient  # nothing to differentiate in z
    summed = fad.monte_carlo(payoff, AT, paths=8192, control=(geometric, geometric_mean), gradient="sum", **RUN)
    each = fad.monte_carlo(payoff, AT, paths=8192, control=(geometric, geometric_mean), **RUN)
    np.testing.assert_allclose(list(summed.gradient.values()), flat(each, "gradient").sum(0), rtol=1e-9)
    kept = fad.monte_carlo(payoff, AT, paths=8192, control=(f, 0.0), per_path=True, **RUN)
    assert kept.path_values["asian"].mean() == pytest.approx(plain.value["asian"], rel=1e-12)
    assert kept.path_gradients["asian"]["v"].shape == (8192,)


def test_a_wrong_mean_is_noticed():
    good = dict(paths=8192, **RUN)
    result = fad.monte_carlo(
        payoff, AT, control=(geometric, lambda p: {"end": p["s"] + 5.0, "noise": p["v"] / 3}), **good
    )
    (text,) = result.warnings
    assert "control end" in text
    assert "standard errors below the one given" in text
    result = fad.monte_carlo(payoff, AT, control=(geometric, {"end": 100.0, "noise": 0.1}), **good)  # its slope is lost
    assert any("control end by s: its derivative" in w for w in result.warnings)
    with pytest.raises(TypeError, match=r"expected \(f, mean\)"):
        fad.monte_carlo(payoff, AT, control=geometric, **good)
    with pytest.raises(fad.errors.ShapeError, match="mean returns"):
        fad.monte_carlo(payoff, AT, control=(geometric, lambda p: p["s"]), **good)


# -------------------- bumping --------------------


@pytest.mark.parametrize(("paths", "antithetic"), [(1000, False), (10_000, False), (10_000, True)])
def test_compare_with_bump(paths, antithetic):
    run = dict(paths=paths, antithetic=antithetic, **RUN)
    result = fad.monte_carlo(payoff, AT, compare_with_bump=True, **run)
    assert_same_result(result, fad.monte_carlo(payoff, AT, **run))
    for name in AT:
        sides = []
        for sign in (1, -1):
            moved = AT | {name: AT[name] * (1 + sign * 1e-3)}
            sides.append((fad.monte_carlo(payoff, moved, wrt=(), **run).value, moved[name]))
        for key in ("asian", "end"):
            slope = (sides[0][0][key] - sides[1][0][key]) / (sides[0][1] - sides[1][1])
            assert result.bumped[key][name] == pytest.approx(slope, rel=1e-8, abs=1e-7)
            difference = result.bumped[key][name] - result.gradient[key][name]
            assert abs(result.bump_scores[key][name]) < 0.5
            if result.gradient_stderr[key][name] > 1e-12:  # then it is larger than the error of the difference
                score = difference / result.gradient_stderr[key][name]
                assert result.bump_scores[key][name] == pytest.approx(score, rel=1e-6, abs=1e-9)
    assert "bumped" in str(result)


def test_bumps_see_a_jump():
    def digital(p, z):
        return fad.where(p["s"] * fad.exp(p["v"] * z[0]) > 100.0, 1.0, 0.0)

    at = {"s": 100.0, "v": 0.2}
    result = fad.monte_carlo(digital, at, normals=1, paths=200_000, compare_with_bump=True)
    exact = stats.norm.pdf(0.0) / (0.2 * 100.0)
    assert result.gradient["s"] == 0.0
    assert result.bumped["s"] == pytest.approx(exact, rel=0.15)
    assert result.bump_scores["s"] > 10.0
    assert abs(result.bump_scores["v"]) < 4.0


# -------------------- running until it is good enough --------------------


def test_until():
    whole = fad.monte_carlo(payoff, AT, paths=1_000_000, until=0.004, threads=2, **RUN)
    assert 16_384 < whole.paths < 1_000_000
    assert whole.paths % 16_384 == 0
    relative = [whole.stderr[k] / whole.value[k] for k in whole.value]
    assert max(relative) <= 0.004
    before = fad.monte_carlo(payoff, AT, paths=whole.paths - 16_384, **RUN)
    assert before.stderr["asian"] / before.value["asian"] > 0.004
    assert_same_result(whole, fad.monte_carlo(payoff, AT, paths=whole.paths, **RUN))
    assert_same_result(whole, fad.monte_carlo(payoff, AT, paths=1_000_000, until=0.004, threads=1, **RUN))
    assert sum(v.scenarios for v in whole.variants) == whole.paths
    assert whole.warnings == ()


def test_until_not_reached():
    result = fad.monte_carlo(payoff, AT, paths=20_000, until=1e-6, **RUN)
    assert result.paths == 20_000
    assert "until=1e-06 was not reached" in result.warnings[0]
    for until in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive relative error"):
            fad.monte_carlo(payoff, AT, until=until, **RUN)


# -------------------- Sobol' points --------------------


def scipy_paths(paths, seed, normals, uniforms):
    """Scrambled points by SciPy itself: (16, points, normals + uniforms), in the middle of their cells."""
    d = normals + uniforms
    x = []
    for replicate in range(16):
        engine = stats.qmc.Sobol(d, scramble=True, bits=32, rng=np.random.default_rng([seed, replicate]))
        x.append(engine.random(paths // 16) + 2.0**-33)
    x = np.array(x)
    x[..., :normals] = ndtri(x[..., :normals])
    return x


@pytest.mark.parametrize("paths", [1024, 4096, 65_536])
def test_sobol_by_scipy(paths):
    result = fad.monte_carlo(payoff, AT, paths=paths, sampler="sobol", threads=2, **RUN)
    x = scipy_paths(paths, 3, 4, 1)
    s = path(AT, np.moveaxis(x, 2, 0), np.exp)
    y = np.exp(-AT["r"]) * np.maximum((s[1] + s[2] + s[3] + s[4]) / 4.0 - 90.0 - 20.0 * x[..., 4], 0.0)
    assert result.value["asian"] == pytest.approx(y.mean(), rel=1e-12)
    assert result.stderr["asian"] == pytest.approx(standard_error(y.mean(1)), rel=1e-9)
    delta = np.exp(-AT["r"]) * s[4] / AT["s"]
    assert result.gradient["end"]["s"] == pytest.approx(delta.mean(), rel=1e-12)
    assert result.gradient_stderr["end"]["s"] == pytest.approx(standard_error(delta.mean(1)), rel=1e-7)
    low, high = result.interval(0.95)
    width = 2 * stats.t.ppf(0.975, 15) * result.stderr["asian"]
    assert high["asian"] - low["asian"] == pytest.approx(width, rel=1e-9)


def test_sobol_bits_and_options():
    run = dict(sampler="sobol", **RUN)
    one = fad.monte_carlo(payoff, AT, paths=40_000, threads=1, **run)
    assert one.paths == 65_536
    assert_same_result(one, fad.monte_carlo(payoff, AT, paths=65_536, threads=3, **run))
    kept = fad.monte_carlo(payoff, AT, paths=65_536, per_path=True, **run)
    assert kept.value == one.value
    np.testing.assert_allclose(flat(kept, "gradient"), flat(one, "gradient"), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(flat(kept, "gradient_stderr"), flat(one, "gradient_stderr"), rtol=1e-6, atol=1e-14)
    assert kept.path_values["end"].mean() == pytest.approx(one.value["end"], rel=1e-12)
    until = fad.monte_carlo(payoff, AT, paths=2**20, until=1e-3, **run)
    assert until.paths & (until.paths - 1) == 0
    assert_same_result(until, fad.monte_carlo(payoff, AT, paths=until.paths, **run))
    controlled = fad.monte_carlo(payoff, AT, paths=65_536, control=(geometric, geometric_mean), **run)
    assert controlled.value["end"] == pytest.approx(100.0, rel=1e-12)
    bumped = fad.monte_carlo(payoff, AT, paths=4096, compare_with_bump=True, **run)
    assert np.all(np.abs(flat(bumped, "bump_scores")) < 3.0)
    assert one.stderr["end"] < 0.1 * fad.monte_carlo(payoff, AT, paths=65_536, **RUN).stderr["end"]


def test_sobol_branches():
    """Paths that branch are recorded at their own points."""

    def knock(p, z):
        s = p
        for i in range(3):
            s = s * fad.exp(0.2 * z[i])
            if s < 80.0:
                return 0.0 * s
        return s

    result = fad.monte_carlo(knock, 100.0, normals=3, paths=32_768, sampler="sobol", seed=5)
    z = scipy_paths(32_768, 5, 3, 0)
    s = 100.0 * np.exp(0.2 * np.cumsum(z, axis=2))
    y = np.where((s >= 80.0).all(2), s[..., 2], 0.0)
    assert result.value == pytest.approx(y.mean(), rel=1e-12)
    assert len(result.variants) == 4


def test_sobol_errors(monkeypatch):
    with pytest.raises(ValueError, match="antithetic=True"):
        fad.monte_carlo(payoff, AT, sampler="sobol", antithetic=True, **RUN)
    with pytest.raises(ValueError, match="sampler='halton'"):
        fad.monte_carlo(payoff, AT, sampler="halton", **RUN)
    with pytest.raises(ValueError, match="needs random numbers"):
        fad.monte_carlo(lambda p: p, 2.0, sampler="sobol")
    with pytest.raises(ValueError, match="direction numbers for 21201"):
        fad.monte_carlo(lambda p, z: p, 2.0, normals=30_000, sampler="sobol")
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r"fastad\[scipy\]"):
        fad.monte_carlo(payoff, AT, sampler="sobol", **RUN)


@pytest.mark.parametrize("build", [fad.brownian_bridge, fad.brownian_pca])
@pytest.mark.parametrize("times", [[2.0], [0.5, 1.0], [0.1, 0.4, 0.5, 1.5, 2.0, 7.0]])
def test_brownian_paths(build, times):
    """Linear in the normals, with the covariance of Brownian motion; the first normals decide the most."""
    n = len(times)
    loading = np.array([build(row, times) for row in np.eye(n)]).T
    np.testing.assert_allclose(loading @ loading.T, np.minimum.outer(times, times), atol=1e-12)
    if build is fad.brownian_pca:
        explained = (loading**2).sum(0)
        variances = np.linalg.eigvalsh(np.minimum.outer(times, times))[::-1]
        np.testing.assert_allclose(explained, variances, rtol=1e-9)
    else:
        assert loading[-1].tolist() == [math.sqrt(times[-1])] + [0.0] * (n - 1)
    jacobian = fad.jacobian(lambda z: fad.stack(build(z, times)))(np.zeros(n))
    np.testing.assert_allclose(jacobian, loading, atol=1e-13)


def test_brownian_paths_errors():
    with pytest.raises(fad.errors.ShapeError, match="one normal per time"):
        fad.brownian_bridge([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="increasing positive"):
        fad.brownian_pca([1.0, 2.0], [1.0, 1.0])


def test_bridges_help_sobol():
    """An Asian payoff of 32 dates on 4,096 points: bridges beat steps, components beat both by a wide margin."""
    times = [(i + 1) / 32 for i in range(32)]

    def steps(z, times):
        w = [z[0] * math.sqrt(times[0])]
        for i in range(1, len(times)):
            w.append(w[-1] + z[i] * math.sqrt(times[i] - times[i - 1]))
        return w

    def asian(build):
        def payoff(p, z):
            total = 0.0
            for t, w in zip(times, build(z, times)):
                total = total + p[0] * fad.exp(-0.5 * p[1] * p[1] * t + p[1] * w)
            return fad.maximum(total / len(times) - 100.0, 0.0)

        return payoff

    errors = [
        fad.monte_carlo(asian(build), [100.0, 0.3], normals=32, paths=4096, sampler="sobol", seed=1).stderr
        for build in (steps, fad.brownian_bridge, fad.brownian_pca)
    ]
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.5 * errors[0]


# -------------------- save, resume, interrupt --------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"antithetic": True},
        {"per_path": True},
        {"compare_with_bump": True},
        {"gradient": "sum"},
        {"sampler": "sobol"},
        {"control": (geometric, geometric_mean)},
        {"wrt": ()},
    ],
    ids=", ".join,
)
def test_resume(options, tmp_path):
    """A run continued from memory and from a file: the bits of one run."""
    run = dict(RUN, **options)
    names = (*NUMBERS, "bumped", "bump_scores", "path_values", "path_gradients")
    whole = fad.monte_carlo(payoff, AT, paths=70_000, **run)
    first = fad.monte_carlo(payoff, AT, paths=40_000 if "sampler" not in options else 2**15, **run)
    first.save(tmp_path / "run.npz")
    for start in (first, tmp_path / "run.npz", str(tmp_path / "run.npz")):
        more = fad.monte_carlo(payoff, AT, paths=70_000, resume=start, threads=3, **run)
        for name in names:
            assert_nested_bits(getattr(more, name), getattr(whole, name), name)
        assert more.paths == whole.paths
        assert more.variants == whole.variants
    again = fad.monte_carlo(payoff, AT, paths=70_000, resume=more, **run)
    for name in names:
        assert_nested_bits(getattr(again, name), getattr(whole, name), name)


def assert_nested_bits(a, b, name):
    if isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            assert_nested_bits(a[key], b[key], name)
    elif b is None:
        assert a is None
    else:
        assert_same_bits(a, b, name)


def test_resume_with_branches(tmp_path):
    def knock(p, z):
        return p if p * fad.exp(0.2 * z[0]) < 110.0 else 0.0 * p

    run = dict(normals=1, seed=4)
    first = fad.monte_carlo(knock, 100.0, paths=50_000, **run)
    first.save(tmp_path / "run.npz")
    whole = fad.monte_carlo(knock, 100.0, paths=90_000, **run)
    more = fad.monte_carlo(knock, 100.0, paths=90_000, resume=tmp_path / "run.npz", **run)
    assert (more.value, more.gradient, more.gradient_stderr) == (whole.value, whole.gradient, whole.gradient_stderr)
    assert sorted(more.variants) == sorted(whole.variants)
    assert sum(v.scenarios for v in more.variants) == 90_000


def test_load_gives_the_result_back(tmp_path):
    first = fad.monte_carlo(payoff, AT, paths=20_000, compare_with_bump=True, until=1e-9, **RUN)
    first.save(tmp_path / "run.npz")
    back = fad.MonteCarloResult.load(tmp_path / "run.npz")
    assert back.to_json() == first.to_json()
    assert str(back) == str(first)
    assert back.interval() == first.interval()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "seed"),
        ({"antithetic": True}, "antithetic"),
        ({"normals": 5}, "normals or uniforms"),
        ({"wrt": "s"}, "wrt"),
        ({"params": AT | {"v": 0.31}}, "params"),
        ({"gradient": "sum"}, "gradient"),
        ({"payoff": lambda p, z, u: {"asian": p["s"] * z[0], "end": p["s"]}}, "payoff"),
        ({"control": (geometric, geometric_mean)}, "control"),
        ({"per_path": True}, "per_path"),
        ({"compare_with_bump": True}, "compare_with_bump"),
        ({"sampler": "sobol"}, "sampler"),
    ],
    ids=lambda change: ", ".join(change) if isinstance(change, dict) else change,
)
def test_resume_only_the_same_run(change, named):
    first = fad.monte_carlo(payoff, AT, paths=20_000, **RUN)
    run = dict(payoff=payoff, params=AT, paths=40_000, **RUN) | change
    with pytest.raises(ValueError, match=f"another .*{named}"):
        fad.monte_carlo(**run, resume=first)


def test_resume_errors(tmp_path):
    first = fad.monte_carlo(payoff, AT, paths=40_000, **RUN)
    with pytest.raises(ValueError, match="paths is the number in all"):
        fad.monte_carlo(payoff, AT, paths=10_000, resume=first, **RUN)
    first.save(tmp_path / "run.npz")
    data = (tmp_path / "run.npz").read_bytes()
    for bad in (data[:-100], b"", b"PK no zip"):
        (tmp_path / "bad.npz").write_bytes(bad)
        with pytest.raises(fad.errors.ProgramFormatError, match="not a readable Monte Carlo result"):
            fad.MonteCarloResult.load(tmp_path / "bad.npz")
    fad.record(fad.exp, 1.0).save(tmp_path / "program.npz")
    with pytest.raises(fad.errors.ProgramFormatError, match="not a readable Monte Carlo result"):
        fad.monte_carlo(payoff, AT, resume=tmp_path / "program.npz", **RUN)


@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt_returns_what_is_finished(threads):
    def stop(done, total):
        if done >= 40_000:
            raise KeyboardInterrupt

    result = fad.monte_carlo(payoff, AT, paths=1_000_000, progress=stop, threads=threads, **RUN)
    assert result.paths == 3 * 16_384
    assert_same_result(result, fad.monte_carlo(payoff, AT, paths=3 * 16_384, **RUN))
    assert result.warnings == ("stopped by Ctrl-C after 49,152 of 1,000,000 paths",)
    whole = fad.monte_carlo(payoff, AT, paths=100_000, resume=result, **RUN)
    assert_same_result(whole, fad.monte_carlo(payoff, AT, paths=100_000, **RUN))


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_real_ctrl_c(threads, request):
    # A process started in the background ignores Ctrl-C until told otherwise.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    finished = threading.Event()

    def interrupt():
        time.sleep(0.5)
        if not finished.is_set():
            signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = fad.monte_carlo(payoff, AT, paths=10**9, threads=threads, **RUN)
    finished.set()
    thread.join()
    assert 0 < result.paths < 10**9
    assert "stopped by Ctrl-C" in result.warnings[0]
    assert result.value["end"] == pytest.approx(100.0, abs=5 * result.stderr["end"])


def test_ctrl_c_while_a_kernel_is_entered(monkeypatch):
    """numba makes a SystemError of an exception in what hands over arguments and results; other ones stay."""
    of, errors = Moments.of, []

    def moments(*args):
        if len(errors) == 5:
            try:
                raise errors[0] from None
            except BaseException as error:
                raise SystemError("returned a result with an exception set") from error
        errors.append(KeyboardInterrupt())
        return of(*args)

    monkeypatch.setattr(Moments, "of", moments)
    result = fad.monte_carlo(payoff, AT, paths=10**6, threads=1, **RUN)
    assert result.paths < 10**6
    assert "stopped by Ctrl-C" in result.warnings[0]
    errors[:] = [ValueError()] * 5
    with pytest.raises(SystemError):
        fad.monte_carlo(payoff, AT, paths=10**6, threads=1, **RUN)


def test_interrupted_before_the_first_block():
    with pytest.raises(KeyboardInterrupt):
        fad.monte_carlo(interrupted, 1.0, normals=1, paths=100)


def interrupted(p, z):
    raise KeyboardInterrupt


def test_resume_sees_another_table():
    def looked_up(p, z, table):
        return p * fad.interp(z[0], np.linspace(-2.0, 2.0, 5), table)

    run = dict(normals=1, seed=1)
    table = np.arange(5.0)
    first = fad.monte_carlo(looked_up, 1.0, paths=20_000, args=(table,), **run)
    for element in range(5):
        other = table + 10.0 * (np.arange(5) == element)
        with pytest.raises(ValueError, match="another payoff"):
            fad.monte_carlo(looked_up, 1.0, paths=40_000, args=(other,), resume=first, **run)
