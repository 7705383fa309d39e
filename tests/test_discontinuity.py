"""The warning of biased sensitivities. Oracles: closed forms, and central differences of many paths, for what is
missing; the text of this file, for the line."""

import inspect
import math
import re

import numba
import numpy as np
import pytest
from scipy.stats import norm

import fastad as fad
from fastad.montecarlo import decisions
from fastad.montecarlo.lines import Lines
from fastad.ops import OPS
from fastad.packing import Packing
from fastad.program.recording import Recording

AT = {"s": 100.0, "v": 0.2, "k": 95.0}
STEP = math.sqrt(0.1)


def end(p, z):
    return p["s"] * fad.exp(p["v"] * z - 0.5 * p["v"] * p["v"])


def walk(p, z):
    s = p["s"]
    for z_i in z:
        s = s * fad.exp(p["v"] * STEP * z_i - 0.05 * p["v"] * p["v"])
        yield s


def digital_if(p, z):
    if end(p, z[0]) > p["k"]:  # here
        return 1.0
    return 0.0


def digital_turned_round(p, z):
    if not end(p, z[0]) <= p["k"]:  # here
        return 1.0
    return 0.0


def digital_where(p, z):
    s = end(p, z[0])
    return fad.where(p["k"] < s, 1.0, 0.0)  # here


def digital_both(p, z):
    s = end(p, z[0])
    return fad.where((s > p["k"]) & ~(s < 1.0) | (s > 1e6), 1.0, 0.0)  # here


def digital_array(p, z):
    s = fad.stack([end(p, z[0]), 1.0])
    above = s > fad.stack([p["k"], 2.0])
    if above[0]:  # here
        return 1.0
    return 0.0


def digital_floor(p, z):
    return fad.minimum(fad.floor(end(p, z[0]) / p["k"]), 1.0)  # here


def digital_floordiv(p, z):
    return fad.minimum(end(p, z[0]) // p["k"], 1.0)  # here


def digital_sign(p, z):
    return 0.5 + 0.5 * np.sign(end(p, z[0]) - p["k"])  # here


def digital_round(p, z):
    return fad.clip(round((end(p, z[0]) - p["k"]) / 1e4 + 0.5), 0.0, 1.0)  # here


def digital_mod(p, z):
    s = end(p, z[0])
    return fad.clip((s - s % p["k"]) / p["k"], 0.0, 1.0)  # here


DIGITALS = [
    digital_if, digital_turned_round, digital_where, digital_both, digital_array, digital_floor, digital_floordiv,
    digital_sign, digital_round, digital_mod,
]  # fmt: skip


def missing(warning):
    """Sensitivity by name -> what the warning says is missing of it."""
    return {name: float(x) for name, x in re.findall(r"(\S+) about (\S+) \(estimate", warning)}


def line_of(function):
    lines, start = inspect.getsourcelines(function)
    (line,) = [start + i for i, text in enumerate(lines) if "# here" in text]
    return f"{__file__}:{line} `"


@pytest.mark.parametrize("payoff", DIGITALS, ids=lambda f: f.__name__)
def test_a_digital_by_any_means(payoff):
    """P(s > k) = N(d): what the pathwise derivative of 0 misses is all of it."""
    result = fad.monte_carlo(payoff, AT, normals=1, paths=50_000, seed=1)
    (text,) = result.warnings
    assert text.startswith(line_of(payoff))
    assert abs(float(re.search(r"by (\S+) on average", text)[1])) == pytest.approx(1.0, rel=0.1)
    d = math.log(AT["s"] / AT["k"]) / AT["v"] - 0.5 * AT["v"]
    exact = {
        "s": norm.pdf(d) / (AT["s"] * AT["v"]),
        "k": -norm.pdf(d) / (AT["k"] * AT["v"]),
        "v": -norm.pdf(d) * (d / AT["v"] + 1.0),
    }
    found = missing(text)
    assert set(found) == set(exact)
    for name in exact:
        assert found[name] == pytest.approx(exact[name], rel=0.12), name


@pytest.mark.parametrize("more", [{}, {"gradient": "sum"}], ids=str)
def test_jitted_payoffs(more):
    """The line of a comparison is known; of a row that rounds, the function."""

    @numba.njit
    def by_if(p, z):
        if p[0] * math.exp(p[1] * z[0]) > 100.0:  # here
            return 1.0 + 0.0 * p[0]
        return 0.0 * p[0]

    @numba.njit
    def by_floor(p, z):
        return np.floor(p[0] * math.exp(p[1] * z[0]) / 100.0)

    run = dict(normals=1, paths=20_000, **more)
    (text,) = fad.monte_carlo(by_if, np.array([100.0, 0.2]), **run).warnings
    assert text.startswith(line_of(by_if.py_func))
    (text,) = fad.monte_carlo(by_floor, np.array([100.0, 0.2]), **run).warnings
    assert text.startswith(f"{__file__}:{by_floor.py_func.__code__.co_firstlineno} ")
    assert missing(text)["param[0]"] == pytest.approx(norm.pdf(0.0) / 20.0, rel=0.15)


def knock_out_if(p, z):
    for s in walk(p, z):
        if s < 90.0:  # here
            return 0.0
    return fad.maximum(s - p["k"], 0.0)


def knock_out_where(p, z):
    alive = 1.0
    for s in walk(p, z):
        alive = fad.where(s < 90.0, 0.0, alive)  # here
    return alive * fad.maximum(s - p["k"], 0.0)


def knock_in(p, z):
    hit = False
    for s in walk(p, z):
        hit = (s < 85.0) | hit
    return fad.where(hit, fad.maximum(p["k"] - s, 0.0), 0.0)  # here


def range_accrual(p, z):
    days = 0.0
    for s in walk(p, z):
        if p["k"] < s < 125.0:  # here
            days = days + 1.0
    return days


def autocall(p, z):
    for s in walk(p, z):
        if s > p["k"]:  # here
            return 105.0
    return fad.minimum(s, 100.0)


@pytest.mark.parametrize(
    ("payoff", "steps"), [(knock_out_if, 10), (knock_out_where, 10), (knock_in, 6), (range_accrual, 5), (autocall, 5)]
)
def test_products_that_jump(payoff, steps):
    """The missing part against central differences of 10 times the paths.

    It comes from 4,096 paths, with an error of 11 % over seeds; the differences have one, too.
    """
    result = fad.monte_carlo(payoff, AT, normals=steps, paths=50_000, seed=2)
    (text,) = result.warnings
    assert text.startswith(line_of(payoff))
    found = missing(text)
    assert found
    bumped = fad.monte_carlo(payoff, AT, normals=steps, paths=500_000, seed=3, compare_with_bump=True)
    for name, estimate in found.items():
        exact = bumped.bumped[name] - bumped.gradient[name]
        error = abs(exact / bumped.bump_scores[name])
        assert abs(estimate - exact) < 0.35 * abs(exact) + 2.0 * error, name
        assert 8.0 * error < abs(exact), name


def call_if(p, z):
    s = end(p, z[0])
    if s > p["k"]:
        return s - p["k"]
    return 0.0 * s


def lookback(p, z):
    highest = p["s"]
    for s in walk(p, z):
        if s > highest:
            highest = s
    return highest - s


def lookback_where(p, z):
    highest = p["s"]
    for s in walk(p, z):
        highest = fad.where(s > highest, s, highest)
    return highest - s


def sorting(p, z):
    levels = sorted(end(p, z_i) for z_i in z[:4])
    return levels[2] - 0.5 * levels[1]


def newton(tolerance):
    def payoff(p, z):
        a = end(p, z[0])
        x = 1.0 + 0.1 * a
        while abs(x * x - a) > tolerance:
            x = x - (x * x - a) / (2.0 * x)
        return x

    return payoff


def worst_of(p, z):
    a, b = end(p, z[0]), end(p, z[1])
    worst = a if a < b else b
    return max(worst - p["k"], 0.0)


def constant_decisions(p, z):
    if p["s"] > 50.0 and p["v"] > 0.0:
        return end(p, z[0])
    return 0.0


SMOOTH = {
    "call if": call_if,
    "call where": lambda p, z: fad.where(end(p, z[0]) > p["k"], end(p, z[0]) - p["k"], 0.0),
    "call maximum": lambda p, z: fad.maximum(end(p, z[0]) - p["k"], 0.0),
    "call max": lambda p, z: max(end(p, z[0]) - p["k"], 0.0),
    "asian": lambda p, z: fad.maximum(sum(walk(p, z)) / 8.0 - p["k"], 0.0),
    "lookback if": lookback,
    "lookback where": lookback_where,
    "sorting": sorting,
    "newton": newton(1e-10),
    "loose newton": newton(1e-3),
    "worst of": worst_of,
    "abs by where": lambda p, z: fad.where(z[0] > 0.0, z[0], -z[0]) * p["s"],
    "squared": lambda p, z: fad.where(end(p, z[0]) > p["k"], (end(p, z[0]) - p["k"]) ** 2, 0.0),
    "constant": constant_decisions,
    "sawtooth": lambda p, z: p["v"] * abs(end(p, z[0]) - np.rint(end(p, z[0]))),
    "jump of no sensitivity": lambda p, z: p["s"] * fad.where(z[0] > 0.3, 1.0, 0.0),
    "jump that is stopped": lambda p, z: p["s"] * fad.where(fad.stop_gradient(end(p, z[0])) > 100.0, 1.0, 0.0),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", SMOOTH)
def test_payoffs_that_do_not_jump(name, seed):
    result = fad.monte_carlo(SMOOTH[name], AT, normals=8, paths=200_000, seed=seed)
    assert result.warnings == ()


def test_a_jump_that_does_not_matter():
    """A digital of a thousandth of a cent beside a call: less than 0.1 % and than the standard error."""

    def payoff(p, z):
        s = end(p, z[0])
        return fad.maximum(s - p["k"], 0.0) + fad.where(s > p["k"], 1e-6, 0.0)

    assert fad.monte_carlo(payoff, AT, normals=1, paths=100_000).warnings == ()


def test_several_payoffs_and_lines():
    def payoff(p, z):
        s = end(p, z[0])
        up = fad.where(s > 110.0, 1.0, 0.0)
        down = fad.where(s < 90.0, 1.0, 0.0)
        return {"call": fad.maximum(s - p["k"], 0.0), "up": up, "down": down}

    result = fad.monte_carlo(payoff, AT, normals=1, paths=50_000)
    up, down = result.warnings
    assert "`up = " in up
    assert "up by s" in up
    assert "down by s" in down
    assert "call" not in up + down
    assert all(f"warning: {text}" in str(result) for text in result.warnings)
    total = fad.monte_carlo(payoff, AT, normals=1, paths=50_000, gradient="sum")
    assert len(total.warnings) == 2
    only = fad.monte_carlo(payoff, AT, normals=1, paths=50_000, wrt=())
    assert only.warnings == ()


@pytest.mark.parametrize("options", [{"antithetic": True}, {"sampler": "sobol"}, {"per_path": True}], ids=str)
def test_with_every_sampler(options):
    result = fad.monte_carlo(digital_where, AT, normals=1, paths=20_000, **options)
    assert missing(result.warnings[0])["s"] == pytest.approx(norm.pdf(0.156) / 20.0, rel=0.15)


def test_nobody_looks_where_nobody_asked():
    for payoff, method in ((digital_if, "replay"), (numba.njit(digital_of_numbers), "record")):
        params = AT if method == "replay" else tuple(AT.values())
        run = dict(normals=1, paths=2048, method=method)
        looked, quick = (fad.monte_carlo(payoff, params, find_jumps=find, **run) for find in (True, False))
        assert looked.warnings
        assert quick.warnings == ()
        assert quick.value == looked.value


def digital_of_numbers(p, z):
    return 1.0 if p[0] * math.exp(p[1] * z[0]) > p[2] else 0.0


def test_early_exercise_has_its_own_wording():
    """A put that may be exercised half-way: by the best rule, which knows what waiting is worth, and too early."""

    def bermudan(level):
        def payoff(p, z):
            half = p["s"] * fad.exp(p["v"] * STEP * z[0] - 0.05 * p["v"] * p["v"])
            if half < level:
                return p["k"] - half
            last = half * fad.exp(p["v"] * STEP * z[1] - 0.05 * p["v"] * p["v"])
            return 0.97 * fad.maximum(p["k"] - last, 0.0)

        return payoff

    def gain(level):
        width = AT["v"] * STEP
        d = math.log(level / AT["k"]) / width
        put = AT["k"] * norm.cdf(-d + width / 2) - level * norm.cdf(-d - width / 2)
        return AT["k"] - level - 0.97 * put

    levels = np.linspace(60.0, 95.0, 35_001)
    best = float(levels[np.argmin([abs(gain(x)) for x in levels])])
    optimal = fad.monte_carlo(bermudan(best), AT, normals=2, paths=100_000)
    told = "not on average, and what pathwise derivatives miss is within its error. So it is at an early-exercise"
    assert told in optimal.warnings[0]
    assert "`if half < level:`" in optimal.warnings[0]
    early = fad.monte_carlo(bermudan(best + 6.0), AT, normals=2, paths=100_000)
    assert "on average; pathwise derivatives miss it" in early.warnings[0]
    assert missing(early.warnings[0])
    assert "If this is an early-exercise decision, its rule is not optimal" in early.warnings[0]


# -------------------- its parts --------------------


def test_lines_of_rows():
    def inner(x):
        y = fad.sin(x)  # second
        return y * y  # third

    def payoff(x):
        a = x * 2.0  # first
        b = inner(a) + a  # fourth, after the call
        return fad.where(b > 0.0, a, b)

    start = inspect.getsourcelines(payoff)[1]
    packing, vector = Packing.of((1.0,))
    recordings = []
    found = Lines(lambda: recordings.append(Recording.record(payoff, packing, vector, lambda args: args)))
    (recording,) = recordings
    names = [OPS[op].name for op in recording.opcode]
    numbers = {name: found.of(row)[1] for row, name in enumerate(names)}
    assert found.of(names.index("mul"))[0] == __file__
    assert numbers["add"] == start + 2
    assert numbers["where"] == numbers["cond"] == start + 3
    assert numbers["sin"] == inspect.getsourcelines(inner)[1] + 1
    assert found.of(names.index("mul"))[1] == start + 1
    assert found.of(0) == ("<unknown>", 0)


@pytest.mark.parametrize(
    ("f", "x", "off", "other"),
    [
        (fad.floor, 2.25, 0.25, 1.0),
        (fad.floor, 1.75, -0.25, 2.0),
        (np.ceil, 2.25, 0.25, 2.0),
        (np.ceil, -0.25, -0.25, 1.0),
        (np.trunc, 0.25, -0.75, 1.0),
        (np.trunc, -0.75, 0.25, -1.0),
        (np.trunc, -1.25, -0.25, 0.0),
        (np.rint, 2.25, -0.25, 3.0),
        (np.rint, 2.75, 0.25, 2.0),
        (np.sign, -0.25, -0.25, 1.0),
        (lambda x: x // 2.0, 4.5, 0.5, 1.0),
        (lambda x: x // -2.0, 4.5, 0.5, -2.0),
        (lambda x: x % 2.0, 4.5, 0.5, 2.5),
        (lambda x: x % 2.0, 3.5, -0.5, -0.5),
        (lambda x: x % -2.0, 4.5, 0.5, 0.5),
        (lambda x: 5.0 // x, 2.4, 5.0 - 2.0 * 2.4, 1.0),
    ],
)
def test_other_side_of_roundings(f, x, off, other):
    packing, vector = Packing.of((x,))
    recording = Recording.record(lambda x: f(x), packing, vector, lambda args: args)
    (decision,) = decisions.decisions_of(recording)
    values = recording.evaluate(vector).values
    assert decisions.distance(recording, values, decision).value == pytest.approx(off)
    assert decisions.other_value(recording, decision.row, values) == pytest.approx(other)
