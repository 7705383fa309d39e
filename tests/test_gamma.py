"""Second derivatives by Monte Carlo. Oracles: closed forms in mpmath's digits, derivatives written out per path, the
same normals in NumPy, and runs of the same numbers in other ways."""

import inspect
import json
import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import fastad as fad
from fastad.montecarlo.result import MonteCarloResult
from fastad.packing import Packing, nest_twice

# The call of problem 1: spot, strike, rate, volatility and expiry 100, 100, 5 %, 20 %, 1.
CALL = {"s": 100.0, "v": 0.2}
GAMMA, VANNA, VOLGA, SPEED = 0.0187620173458469, -0.281430260187703, 9.85005910656962, -5.1595547701079e-4


def end(p, z):
    return p["s"] * fad.exp((0.05 - 0.5 * p["v"] * p["v"]) + p["v"] * z[0])


def discounted(x):
    return math.exp(-0.05) * x


def call(p, z):
    return discounted(fad.maximum(end(p, z) - 100.0, 0.0))  # here


def call_if(p, z):
    s = end(p, z)
    if s > 100.0:  # here
        return discounted(s - 100.0)
    return 0.0 * s


def call_where(p, z):
    s = end(p, z)
    return discounted(fad.where(s < 100.0, 0.0, s - 100.0))  # here


def call_abs(p, z):
    s = end(p, z)
    return discounted(0.5 * (abs(s - 100.0) + s - 100.0))  # here


def call_interp(p, z):
    return discounted(fad.interp(end(p, z), [0.0, 100.0, 1000.0], [0.0, 0.0, 900.0]))  # here


KINKS = [call, call_if, call_where, call_abs, call_interp]


def power(p, z):
    """E[S^2] = s^2 exp(2 (0.05 + 0.5 v^2))."""
    return end(p, z) ** 2


def smoothed_call(p, z, width=4.0):
    return discounted(fad.smooth.maximum(end(p, z) - 100.0, 0.0, width))


def with_branches(p, z):
    """Twice differentiable, although every path chooses among three recordings."""
    s, total = end(p, z), 0.0
    if z[0] > 0.7:
        total = s * s
    elif z[0] < -0.5:
        total = s * s * s / 100.0
    else:
        total = fad.log(s) * s
    return {"a": total, "b": p["s"] * p["v"]}


def scores(result, exact):
    return {ij: (result.hessian[ij[0]][ij[1]] - x) / result.hessian_stderr[ij[0]][ij[1]] for ij, x in exact.items()}


def within(result, exact, most=4.0):
    for (i, j), score in scores(result, exact).items():
        assert abs(score) < most, (i, j)
        assert result.hessian_stderr[i][j] < 0.2 * abs(exact[i, j]), (i, j)
        assert result.hessian[i][j] == result.hessian[j][i]


# -------------------- against closed forms --------------------


@pytest.mark.parametrize("options", [{}, {"antithetic": True}, {"sampler": "sobol"}], ids=str)
def test_a_payoff_that_can_be_differentiated_twice(options):
    result = fad.monte_carlo(power, CALL, normals=1, paths=50_000, seed=1, hessian=True, **options)
    s, v = CALL["s"], CALL["v"]
    m = s * s * math.exp(0.1 + v * v)
    within(result, {("s", "s"): 2.0 * m / s**2, ("s", "v"): 4.0 * v * m / s, ("v", "v"): m * (2.0 + 4.0 * v * v)})
    assert result.warnings == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gamma_vanna_volga_of_a_call_by_bumps(seed):
    result = fad.monte_carlo(call, CALL, normals=1, paths=1_000_000, seed=seed, hessian="bump")
    within(result, {("s", "s"): GAMMA, ("s", "v"): VANNA, ("v", "v"): VOLGA})
    assert result.warnings == ()


def test_standard_errors_are_those_of_repetition():
    """Twenty-four runs: the spread of their gammas is what each of them says."""
    runs = [fad.monte_carlo(call, CALL, normals=1, paths=20_000, seed=seed, hessian="bump") for seed in range(24)]
    spread = np.std([r.hessian["s"]["s"] for r in runs], ddof=1)
    assert 0.6 < spread / np.mean([r.hessian_stderr["s"]["s"] for r in runs]) < 1.6


def test_speed_as_the_gamma_of_a_delta():
    """Third order: a payoff that is itself the sensitivity of a smoothed call; d gamma / d spot by bumps of it.

    The likelihood ratio gives the delta without a kink: d/ds E[f(S)] = E[f(S) z / (s v)].
    """

    def delta(p, z):
        return call(p, z) * z[0] / (p["s"] * p["v"])

    result = fad.monte_carlo(delta, CALL, normals=1, paths=4_000_000, seed=1, wrt=["s"], hessian="bump")
    assert abs(result.gradient["s"] - GAMMA) < 4.0 * result.gradient_stderr["s"]
    assert abs(result.hessian["s"]["s"] - SPEED) < 4.0 * result.hessian_stderr["s"]["s"]
    assert result.hessian_stderr["s"]["s"] < 0.2 * abs(SPEED)


def test_smoothing_is_a_remedy():
    """A parabola within half a width of the strike: gamma by the paths, no warning, a bias of the width's square."""
    result = fad.monte_carlo(smoothed_call, CALL, normals=1, paths=1_000_000, seed=1, hessian=True)
    within(result, {("s", "s"): GAMMA, ("s", "v"): VANNA, ("v", "v"): VOLGA})
    assert result.warnings == ()


# -------------------- kinks --------------------


def line_of(function):
    lines, start = inspect.getsourcelines(function)
    (line,) = [start + i for i, text in enumerate(lines) if "# here" in text]
    return f"{__file__}:{line} `"


@pytest.mark.parametrize("payoff", KINKS, ids=lambda f: f.__name__)
def test_a_kink_by_any_means(payoff):
    """The second derivatives of the paths and what the warning says they miss are gamma and vanna together."""
    result = fad.monte_carlo(payoff, CALL, normals=1, paths=100_000, seed=1, hessian=True)
    (text,) = result.warnings
    assert text.startswith(line_of(payoff))
    assert "kink" in text
    for names, exact in (("s, s", GAMMA), ("s, v", VANNA), ("v, v", VOLGA)):
        about = float(text.split(f"{names} about ")[1].split(" ")[0])
        i, j = names.split(", ")
        assert about + result.hessian[i][j] == pytest.approx(exact, rel=0.25), names


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("payoff", [power, smoothed_call], ids=lambda f: f.__name__)
def test_twice_differentiable_payoffs_do_not_warn(payoff, seed):
    assert fad.monte_carlo(payoff, CALL, normals=1, paths=20_000, seed=seed, hessian=True).warnings == ()


def test_lines_that_join_smoothly_do_not_warn():
    """A branch, a choice and an interpolation whose two sides agree to second order, or which only data decide."""

    def payoff(p, z):
        s = end(p, z)
        x = s / 100.0 - 1.0
        cubed = x * x * x
        if x > 0.0:
            cubed = 2.0 * cubed
        known = fad.interp(0.35, [0.0, 0.5, 1.0], [1.0, 2.0, 4.0]) * abs(fad.stop_gradient(z[0]))
        return s * s * known + cubed + fad.where(x > 0.1, s, 1.0 * s)

    assert fad.monte_carlo(payoff, CALL, normals=1, paths=20_000, seed=1, hessian=True).warnings == ()


def test_a_maximum_that_most_paths_tie_in():
    """Knocked-out paths tie exactly, at 0; the kink of the others is found all the same."""

    def payoff(p, z):
        s = end(p, z)
        alive = fad.where(fad.stop_gradient(z[1]) > -0.5, s - 100.0, 0.0)
        return discounted(fad.maximum(alive, 0.0))

    result = fad.monte_carlo(payoff, CALL, normals=2, paths=100_000, seed=1, hessian=True)
    assert any("kink" in text and "maximum(alive" in text for text in result.warnings)


def test_a_jump_is_said_to_be_missed_in_second_order_too():
    def digital(p, z):
        return fad.where(end(p, z) > 100.0, 1.0, 0.0)

    for hessian in (True, "bump"):
        (text,) = fad.monte_carlo(digital, CALL, normals=1, paths=20_000, seed=1, hessian=hessian).warnings
        assert "jumps here" in text
        assert "second ones in any way" in text


# -------------------- the same numbers in any way --------------------


def test_the_rest_of_the_result_does_not_change():
    common = {"normals": 1, "paths": 10_000, "seed": 4}
    plain = fad.monte_carlo(with_branches, CALL, **common)
    for hessian in (True, "bump"):
        result = fad.monte_carlo(with_branches, CALL, hessian=hessian, **common)
        for name in ("value", "stderr", "gradient", "gradient_stderr"):
            assert getattr(result, name) == getattr(plain, name), name
    assert plain.hessian is None
    assert plain.hessian_stderr is None


@pytest.mark.parametrize("hessian", [True, "bump"])
def test_threads_executors_and_resumption_give_the_same_bits(hessian, tmp_path):
    common = {"normals": 1, "seed": 5, "hessian": hessian}
    result = fad.monte_carlo(with_branches, CALL, paths=50_000, threads=1, **common)
    others = [fad.monte_carlo(with_branches, CALL, paths=50_000, threads=3, **common)]
    with ProcessPoolExecutor(2) as pool:
        others.append(fad.monte_carlo(with_branches, CALL, paths=50_000, executor=pool, **common))
    first = fad.monte_carlo(with_branches, CALL, paths=20_000, **common)
    first.save(tmp_path / "run.npz")
    others.append(fad.monte_carlo(with_branches, CALL, paths=50_000, resume=tmp_path / "run.npz", **common))
    for other in others:
        assert other.hessian == result.hessian
        assert other.hessian_stderr == result.hessian_stderr
    with pytest.raises(ValueError, match="another hessian"):
        fad.monte_carlo(with_branches, CALL, paths=50_000, normals=1, seed=5, resume=first)


def test_second_derivatives_per_path_against_numpy():
    """The second derivatives of every path written out, on the normals that the run has drawn."""
    result = fad.monte_carlo(with_branches, CALL, normals=1, paths=3000, seed=6, hessian=True)
    s0, v = CALL["s"], CALL["v"]
    drawn = fad.monte_carlo(lambda p, z: 1.0 * z[0], CALL, normals=1, paths=3000, seed=6, wrt=(), per_path=True)
    z = drawn.path_values
    s = s0 * np.exp(0.05 - 0.5 * v * v + v * z)
    power = np.where(z > 0.7, 2.0, 3.0)
    scale = np.where(z > 0.7, 1.0, 0.01) * s**power
    of_powers = {
        ("s", "s"): scale * power * (power - 1.0) / s0**2,
        ("s", "v"): scale * power**2 * (z - v) / s0,
        ("v", "v"): scale * power * (power * (z - v) ** 2 - 1.0),
    }
    log = np.log(s)
    of_log = {
        ("s", "s"): s / s0**2,
        ("s", "v"): s * (z - v) / s0 * (log + 2.0),
        ("v", "v"): s * (z - v) ** 2 * (log + 2.0) - s * (log + 1.0),
    }
    middle = (z <= 0.7) & (z >= -0.5)
    for i, j in of_powers:
        samples = np.where(middle, of_log[i, j], of_powers[i, j])
        assert result.hessian["a"][i][j] == pytest.approx(samples.mean(), rel=1e-11), (i, j)
        error = samples.std(ddof=1) / math.sqrt(3000)
        assert result.hessian_stderr["a"][i][j] == pytest.approx(error, rel=1e-9), (i, j)
    assert result.hessian["b"] == {"s": {"s": 0.0, "v": 1.0}, "v": {"s": 1.0, "v": 0.0}}
    assert result.hessian_stderr["b"]["s"]["v"] == 0.0


def test_gradient_sum_is_the_second_derivative_of_the_sum():
    common = {"normals": 1, "paths": 5000, "seed": 7, "hessian": True}
    each = fad.monte_carlo(with_branches, CALL, **common).hessian
    total = fad.monte_carlo(with_branches, CALL, gradient="sum", **common).hessian
    for i in "sv":
        for j in "sv":
            assert total[i][j] == pytest.approx(each["a"][i][j] + each["b"][i][j], rel=1e-12)


def test_structures_and_wrt():
    """Arrays in the parameters: leaf shape is result leaf shape + parameter shape twice."""

    def payoff(p, z):
        return fad.array([p["w"][0] * p["w"][1] ** 2 * (1.0 + z[0]), p["k"] * p["w"].sum() ** 2])

    params = {"w": np.array([2.0, 3.0]), "k": 5.0}
    result = fad.monte_carlo(payoff, params, normals=1, paths=2000, seed=1, hessian=True)
    ww = result.hessian["w"]["w"]
    assert ww.shape == (2, 2, 2)
    mean = result.value[0] / 18.0
    np.testing.assert_allclose(ww[0], mean * np.array([[0.0, 6.0], [6.0, 4.0]]), rtol=1e-12)
    np.testing.assert_allclose(ww[1], np.full((2, 2), 10.0), rtol=1e-12)
    assert result.hessian["w"]["k"].shape == result.hessian["k"]["w"].shape == (2, 2)
    np.testing.assert_allclose(result.hessian["k"]["w"][1], [10.0, 10.0], rtol=1e-12)
    only = fad.monte_carlo(payoff, params, normals=1, paths=2000, seed=1, hessian=True, wrt=["k"])
    assert only.hessian["w"] is None
    assert only.hessian["k"]["w"] is None
    assert only.hessian["k"]["k"].tolist() == [0.0, 0.0]


def test_nest_twice_is_the_structure_of_a_hessian():
    inputs, _ = Packing.of({"a": 1.0, "b": np.ones(2)})
    outputs, _ = Packing.of((np.ones(2), 1.0))
    found = nest_twice(outputs, inputs, np.arange(27.0).reshape(3, 3, 3))
    assert found[0]["b"]["a"].tolist() == [[3.0, 6.0], [12.0, 15.0]]
    assert found[1]["a"]["b"].tolist() == [19.0, 20.0]


# -------------------- what goes with it --------------------


def test_table_json_and_file(tmp_path):
    result = fad.monte_carlo(with_branches, CALL, normals=1, paths=5000, seed=1, hessian="bump", compare_with_bump=True)
    assert max(map(abs, (result.bump_scores["a"]["s"], result.bump_scores["b"]["v"]))) < 4.0
    assert f"s, v{result.hessian['a']['s']['v']:>18.8g}" in str(result).replace("  ", "", 1).replace("\n  ", "\n")
    assert json.loads(result.to_json())["hessian"]["a"]["s"]["v"] == result.hessian["a"]["s"]["v"]
    result.save(tmp_path / "run.npz")
    loaded = MonteCarloResult.load(tmp_path / "run.npz")
    assert loaded.hessian == result.hessian
    assert loaded.hessian_stderr == result.hessian_stderr
    many = fad.monte_carlo(lambda p, z: (p**2).sum() + z[0], np.ones(9), normals=1, paths=100, hessian=True)
    assert "(9 x 9 second derivatives in result.hessian)" in str(many)
    np.testing.assert_array_equal(many.hessian, 2.0 * np.eye(9))


def test_a_number_that_is_not_finite_is_named():
    def payoff(p, z):
        return fad.sqrt(fad.maximum(p["s"] - 100.0, 0.0)) * (1.0 + z[0])

    warnings = fad.monte_carlo(payoff, {"s": 100.0}, normals=1, paths=100, hessian=True).warnings
    assert any("second derivative" in text for text in warnings)


def test_what_does_not_go_with_it():
    run = {"normals": 1, "paths": 100}
    with pytest.raises(ValueError, match="does not go with control"):
        fad.monte_carlo(power, CALL, hessian=True, control=(end, lambda p: p["s"] * math.exp(0.05)), **run)
    with pytest.raises(ValueError, match="nothing to differentiate by"):
        fad.monte_carlo(power, CALL, hessian=True, wrt=(), **run)
    with pytest.raises(ValueError, match="hessian='pathwise'"):
        fad.monte_carlo(power, CALL, hessian="pathwise", **run)
