"""The examples against independent oracles: closed forms, published golden paths, dynamic programming, and the payoff
itself bumped on the same random numbers."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers_replay import black_scholes

import fastad as fad
from fastad.extend import implicit
from fastad.program.build import build

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def assert_within(estimate, error, exact, name="", oracle_error=0.0):
    assert abs(estimate - exact) < 4 * math.hypot(error, oracle_error), f"{name}: {estimate} +- {error}, not {exact}"


# -------------------- Heston --------------------

# The Lewis integral in 25 digits; the bias of 100 Euler steps is below the errors here.
HESTON = {
    "spot": 0.598755912477, "strike": -0.497112459209, "expiry": 6.32941822271, "rate": 52.196808217,
    "v0": 42.2725069234, "kappa": 0.127866438184, "theta": 58.0580705809, "xi": -1.83126054892,
}  # fmt: skip


def test_heston(capsys):
    model = example("heston")
    result = model["main"](paths=100_000)
    assert_within(result.value, result.stderr, 7.678783030768054, "value", 0.0072)
    for name, exact in HESTON.items():
        assert_within(result.gradient[name], result.gradient_stderr[name], exact, name, 2e-3 * abs(exact))
    assert result.warnings == ()
    assert "xi" in capsys.readouterr().out
    plain = fad.monte_carlo(model["call"], model["AT"], normals=(2, 100), paths=100_000, seed=1)
    assert result.stderr < 0.7 * plain.stderr
    assert result.gradient_stderr["spot"] < 0.7 * plain.gradient_stderr["spot"]


def test_heston_on_single_paths():
    """The expected stock is what the control says; S dS + K dK = V on every path."""
    model = example("heston")
    run = dict(normals=(2, 100), paths=20_000, seed=2, per_path=True)
    stock = fad.monte_carlo(model["stock"], model["AT"], **run)
    mean = 100.0 * (1.0 + 0.05 / 100) ** 100
    assert_within(stock.value, stock.stderr, mean)
    assert_within(stock.gradient["rate"], stock.gradient_stderr["rate"], mean / 1.0005)
    assert model["expected_stock"](model["AT"]) == pytest.approx(mean, rel=1e-14)
    call = fad.monte_carlo(model["call"], model["AT"], **run)
    euler = 100.0 * call.path_gradients["spot"] + 105.0 * call.path_gradients["strike"]
    np.testing.assert_allclose(euler, call.path_values, rtol=1e-10, atol=1e-10)


# -------------------- LIBOR market model --------------------


def test_libor_golden_path():
    """Every normal 0.3: published value and delta, and sums of all sensitivities, for both accruals in use."""
    model = example("libor")
    published = {
        0.25: (224.323312043571, 21.348143019153, 1088.680194899907, 917.561297852462, 222.736607590304),
        0.05: (40.783424608605, 18.613474535447, 1920.507209234287, 232.100955070807, 1143.028746549296),
    }
    for delta, (value, last, deltas, vegas, by_delta) in published.items():
        at = model["AT"] | {"delta": delta}
        found, gradient = fad.value_and_grad(model["swaptions"])(at, [0.3] * 40)
        assert found == pytest.approx(value, rel=1e-12)
        assert gradient["rates"][79] == pytest.approx(last, rel=1e-12)
        assert gradient["rates"].sum() == pytest.approx(deltas, rel=1e-12)
        assert gradient["vols"].sum() == pytest.approx(vegas, rel=1e-12)
        assert gradient["delta"] == pytest.approx(by_delta, rel=1e-12)


def test_libor_expectation():
    """Randomised quasi-Monte Carlo of 65,536 points is the oracle, of another implementation."""
    model = example("libor")
    result = fad.monte_carlo(model["swaptions"], model["AT"], normals=40, paths=8192, seed=3, antithetic=True)
    assert_within(result.value, result.stderr, 47.650, "value", 0.011)
    rates, vols = result.gradient["rates"], result.gradient["vols"]
    errors = result.gradient_stderr
    assert_within(rates[40], errors["rates"][40], 135.04, "rate 40", 0.10)
    assert_within(vols[39], errors["vols"][39], 5.655, "vol 39", 0.006)
    assert_within(result.gradient["delta"], errors["delta"], 153.30, "delta", 0.08)
    assert abs(rates.sum() - 1758.2) < 4 * math.hypot(errors["rates"].sum(), 1.9)
    assert abs(vols.sum() - 224.02) < 4 * math.hypot(errors["vols"].sum(), 0.09)
    assert vols[79] == 0.0  # never used
    assert rates[0] == pytest.approx(-0.25 * result.value / (1.0 + 0.25 * 0.05), rel=1e-12)  # discounting alone
    assert result.stderr < 67.5 / math.sqrt(8192)
    assert result.warnings == ()


# -------------------- Longstaff & Schwartz --------------------

# Dynamic programming with the exercise boundary solved at each date.
BERMUDAN = {"spot": -0.69586043, "strike": 0.73821967, "rate": -10.49073317, "vol": 10.9552125, "expiry": 0.46607726}


def test_bermudan(capsys):
    """Price within half a per cent, sensitivities within 2.5 %: the rule of regressions is near its optimum."""
    model = example("bermudan")
    result = model["main"](paths=100_000)
    assert result.value == pytest.approx(4.477811111140, rel=5e-3)
    for name, exact in BERMUDAN.items():
        assert abs(result.gradient[name] - exact) < 0.025 * abs(exact) + 2 * result.gradient_stderr[name], name
    (warning,) = result.warnings
    assert "early-exercise decision" in warning
    assert "`if (gain > 0.0) & (gain > waiting):`" in warning
    assert len(result.variants) <= 50
    assert "expiry" in capsys.readouterr().out


def test_bermudan_with_frozen_decisions():
    """Central differences of the plain payoff, its decisions those of the point, on a few paths; and homogeneity."""
    model = example("bermudan")
    rule = model["fitted_rule"](model["AT"], paths=5000)
    result = fad.monte_carlo(model["put"], model["AT"], normals=50, paths=4096, args=(rule,), seed=5, per_path=True)
    euler = 36.0 * result.path_gradients["spot"] + 40.0 * result.path_gradients["strike"]
    np.testing.assert_allclose(euler, result.path_values, rtol=1e-10, atol=1e-10)
    z = fad.monte_carlo(lambda p, z: z, 1.0, normals=50, paths=100, seed=5, per_path=True).path_values
    names = list(model["AT"])
    for i in range(100):
        at = dict(model["AT"])
        assert model["put"](at, z[i], rule) == pytest.approx(result.path_values[i], rel=1e-12)
        for name in names:
            h = 1e-7 * at[name]
            up, down = (model["put"](at | {name: at[name] + sign * h}, z[i], rule) for sign in (1, -1))
            slope = result.path_gradients[name][i]
            if abs(up - down) < 1e-3:  # else the bump changed a decision: the rule is not frozen there
                assert (up - down) / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-5)


# -------------------- knock-out, three ways --------------------


def test_knock_out(capsys):
    """What the warning says is missing is what bumps add, and smoothing, within its bias."""
    biased, widths = example("knock_out")["main"](paths=100_000)
    (warning,) = biased.warnings
    assert '`if s < p["barrier"]:`' in warning
    assert biased.gradient["barrier"] == 0.0
    assert abs(biased.bump_scores["spot"]) > 5.0
    assert abs(biased.bump_scores["strike"]) < 1.0  # the strike moves no jump
    column = widths.names.index("value by barrier")
    bumped = biased.bumped["barrier"]
    error = (biased.bumped["barrier"] - biased.gradient["barrier"]) / biased.bump_scores["barrier"]
    assert_within(widths.estimate[1, column], widths.stderr[1, column], bumped, "barrier", error)
    assert all(result.warnings == () for result in widths.results)
    assert "value by barrier" in capsys.readouterr().out


# -------------------- curve bootstrap --------------------

# Complex step through an independent Newton solver.
DISCOUNT = [
    0.98029604940692, 0.95810047474225, 0.93413303273836, 0.88268978036487, 0.82937044274664,
    0.75092272055657, 0.63274295516024, 0.53636913854313, 0.40012017235568,
]  # fmt: skip
BOOK, BY_QUOTE = 149389.28983566, [
    170224.371537, -1116979.694737, 20887985.122131, 41087490.305547, 76523242.368440,
    99180427.550649, -141711962.331837, -420668642.553407, 0.0,
]  # fmt: skip


def test_curve(capsys):
    """Through the solver, by its equations and by bumps: the same, and what the oracle says."""
    model = example("curve")
    value, through_solver, by_equations, bumped = model["main"]()
    assert value == pytest.approx(BOOK, abs=1e-7)
    for found in (through_solver, by_equations):
        np.testing.assert_allclose(found, BY_QUOTE, rtol=1e-10, atol=1e-6)
        assert found[-1] == 0.0  # nothing is paid beyond 20 years
    np.testing.assert_allclose(by_equations, through_solver, rtol=1e-12)
    np.testing.assert_allclose(bumped, BY_QUOTE, rtol=1e-7, atol=1e-3)
    for curve in (model["newton"], model["implied"]):
        np.testing.assert_allclose(np.exp(curve(model["QUOTES"], model["YEARS"], 2)), DISCOUNT, rtol=0, atol=1e-14)
    assert "-42066.8643" in capsys.readouterr().out  # per basis point


def test_curve_adjoint_is_one_transposed_solve(monkeypatch):
    model = example("curve")
    quotes, years = model["QUOTES"], model["YEARS"]
    _, pullback = fad.vjp(lambda q: model["book"](q, model["implied"]), quotes)
    systems, solve = [], np.linalg.solve
    monkeypatch.setattr(implicit, "solve_linear", lambda a, b: systems.append((a, b)) or solve(a, b))
    monkeypatch.setattr(np.linalg, "solve", lambda *_: pytest.fail("another solve"))
    np.testing.assert_allclose(pullback(1.0)[0], BY_QUOTE, rtol=1e-10, atol=1e-6)
    ((matrix, right),) = systems
    assert right.shape == (9,)
    logs = model["newton"](quotes, years, 2)
    by_logs = np.empty((9, 9))  # complex step: row i is the equation of quote i
    for j in range(9):
        at = np.concatenate([[0.0], logs + 1e-60j * np.eye(9)[j]])
        for i, (quote, length) in enumerate(zip(quotes, years)):
            times = np.arange(1, 2 * length + 1) / 2
            flows = np.full(len(times), 0.5 * quote)
            flows[-1] += 1.0
            by_logs[i, j] = (flows * np.exp(np.interp(times, np.append(0.0, years), at))).sum().imag / 1e-60
    np.testing.assert_allclose(matrix, by_logs.T, rtol=1e-12, atol=1e-14)


def test_curve_of_annual_swaps_against_the_closed_form():
    model = example("curve")
    years = np.arange(1.0, 31.0)
    quotes = 0.02 + 0.02 * (1.0 - np.exp(-years / 8.0))

    def closed(quotes):
        factors = []
        for quote in quotes:
            factors.append((1.0 - quote * sum(factors)) / (1.0 + quote))
        return np.array(factors)

    def factors(quotes):
        return np.exp(model["implied"](quotes, years, 1))

    found = factors(quotes)
    np.testing.assert_allclose(found[[0, 9, 29]], [0.978138542970580, 0.709662075472607, 0.298323361615310], rtol=1e-14)
    np.testing.assert_allclose(found, closed(quotes), rtol=1e-14)
    exact = np.array([closed(quotes + 1e-60j * unit).imag / 1e-60 for unit in np.eye(30)]).T
    np.testing.assert_allclose(fad.jacobian(factors)(quotes), exact, rtol=1e-11, atol=1e-14)


# -------------------- portfolios --------------------


def portfolio(n):
    """Calls of many strikes and dates on one path: what each depends on is a part of the rows."""

    def payoff(p, z):
        path = [p["spot"]]
        for z_i in z:
            path.append(path[-1] * fad.exp(p["vol"] * 0.25 * z_i - 0.5 * (p["vol"] * 0.25) ** 2))
        return [fad.maximum(path[1 + i % 16] - 80.0 - 40.0 * i / n, 0.0) for i in range(n)]

    return payoff


def test_portfolio_against_closed_forms():
    result = fad.monte_carlo(portfolio(64), {"spot": 100.0, "vol": 0.3}, normals=16, paths=40_000, seed=4)
    for i in range(0, 64, 5):
        at = {"s": 100.0, "k": 80.0 + 40.0 * i / 64, "r": 0.0, "q": 0.0, "sigma": 0.3, "t": (1 + i % 16) / 16}
        value, gradient = black_scholes(1, **at)
        assert_within(result.value[i], result.stderr[i], value)
        assert_within(result.gradient[i]["spot"], result.gradient_stderr[i]["spot"], gradient["s"])
        assert_within(result.gradient[i]["vol"], result.gradient_stderr[i]["vol"], gradient["sigma"])
    total = fad.monte_carlo(
        portfolio(64), {"spot": 100.0, "vol": 0.3}, normals=16, paths=40_000, seed=4, gradient="sum"
    )
    assert total.gradient["vol"] == pytest.approx(sum(g["vol"] for g in result.gradient), rel=1e-11)


def test_portfolio_cost_is_linear():
    """Rows of all reverse passes: each visits the cone of its own trade, and the sum of trades needs one pass."""
    rows = {}
    for n in (10, 100, 1000):
        recorded = fad.record(portfolio(n), {"spot": 100.0, "vol": 0.3}, np.zeros(16) + 0.1)
        (trie,) = recorded._tries.values()
        recording = trie.root.recording
        flags = np.arange(recording.n_inputs) >= 2
        rows[n] = build(recording, flags, ~flags).reverse[0][-1]
    assert 9 * rows[100] < rows[1000] < 11 * rows[100]
    assert rows[10] < rows[100] / 10
