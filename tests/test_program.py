"""Programs at one point: recorded once, evaluated and differentiated at other arguments.

Oracles: the plain function on Python floats, complex step, and the same function on a tape of its own.
"""

import dataclasses
import inspect
import math
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers
from helpers_replay import COMPLEX, black_scholes, complex_gradient, library

import fastad as fad
from fastad.errors import DivergenceError, NestingError, ShapeError, TapeError

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Vol:
    level: float
    skew: float

    def __post_init__(self):
        if not self.level > 0.0:
            raise ValueError("a volatility is positive")


def line_of(function, marker):
    """File line of the only line of a function that holds a marker."""
    lines, first = inspect.getsourcelines(function)
    found = [first + i for i, line in enumerate(lines) if marker in line]
    assert len(found) == 1, found
    return f"{Path(__file__).name}:{found[0]} "


def everything(p, lib=fad):
    """Every smooth operation of the table in one number."""
    a, b, c = p
    total = a * b - c / a + (a + 2.0) ** b + lib.exp(-b) * lib.log(a + 3.0) + lib.sqrt(a * a + 1.0)
    total = total + lib.sin(a) * lib.cos(b) + lib.tanh(c) + lib.erf(0.3 * a) + lib.norm_cdf(0.2 * c) + (-a) ** 2
    total = total + lib.maximum(a, b) * lib.minimum(b, c) + lib.abs(a - c)
    return total + lib.where(lib.less(a, c), a * c, b)


FAD = library(fad)

START = [0.7, 1.3, -0.4]
ELSEWHERE = [[0.2, 0.9, 1.7], [1.9, -0.6, 0.3], [0.7, 1.3, -0.4], [2.5, 2.0, 2.6]]


def raising(f, *args):
    """A program that raises where it would be recorded again."""
    program = fad.record(f, *args)
    program.on_divergence = "raise"
    return program


def on_a_tape(f, x):
    """Value and gradient by recording at x itself."""
    tape = fad.Tape()
    inputs = [tape.input(v) for v in x]
    y = f(inputs)
    return y.value, tape.reverse(y)


@pytest.fixture(scope="module")
def program():
    return fad.record(lambda p: everything(p, FAD), START)


@pytest.mark.parametrize("x", ELSEWHERE)
def test_value_and_gradient_elsewhere(program, x):
    """Bits of a recording made at x itself; numbers of the plain function and of complex step."""
    value, gradient = program.value_and_grad(x)
    taped, adjoint = on_a_tape(lambda p: everything(p, FAD), x)
    assert_same_bits(value, taped)
    assert_same_bits(program(x), taped)
    assert_same_numbers(gradient, adjoint)
    assert isinstance(gradient, list)
    assert value == everything(x, FAD)  # fastad's own functions of floats: one arithmetic
    plain = everything([complex(v) for v in x], COMPLEX).real
    assert value == pytest.approx(plain, rel=1e-14)
    np.testing.assert_allclose(gradient, complex_gradient(lambda p: everything(p, COMPLEX), x), rtol=1e-12)
    assert program.grad(x) == gradient


def test_one_recording_serves_all(program):
    calls = []

    def f(x):
        calls.append(x)
        return x * x

    once = fad.record(f, 1.0)
    for x in (1.0, -2.0, 0.0, math.inf):
        assert once(x) == x * x
    assert once.value_and_grad(3.0) == (9.0, 6.0)
    assert len(calls) == 1
    assert repr(once) == "<fastad.Program f: 1 variant, 2 rows>"


def test_black_scholes_of_problem_1():
    """Published numbers (problem 1), reached from a recording at quite another option."""

    def price(o):
        root = o["sigma"] * fad.sqrt(o["t"])
        d1 = (fad.log(o["s"] / o["k"]) + (o["r"] - o["q"]) * o["t"]) / root + 0.5 * root
        call = o["s"] * fad.exp(-o["q"] * o["t"]) * fad.norm_cdf(d1)
        return call - o["k"] * fad.exp(-o["r"] * o["t"]) * fad.norm_cdf(d1 - root)

    program = fad.record(price, {"s": 80.0, "k": 120.0, "r": 0.01, "q": 0.03, "sigma": 0.5, "t": 3.0})
    toy = {"s": 100, "k": 110, "r": 0.02, "q": 0.05, "sigma": 0.2, "t": 2}
    value, gradient = program.value_and_grad(toy)
    published = {
        "s": 0.30923107531802061,
        "k": -0.23532789364499135,
        "r": 51.772136601898098,
        "q": -61.846215063604122,
        "sigma": 46.979085263296885,
        "t": 1.3205202525937222,
    }
    assert value == pytest.approx(5.0370392308530122, rel=1e-12)
    assert gradient == pytest.approx(published, rel=1e-12)
    value, gradient = program.value_and_grad({"s": 100, "k": 100, "r": 0.05, "q": 0, "sigma": 0.2, "t": 1})
    assert value == pytest.approx(10.450583572185567, rel=1e-12)
    assert gradient["sigma"] == pytest.approx(37.524034691693788, rel=1e-12)
    closed, sensitivities = black_scholes(1, 100.0, 100.0, 0.05, 0.0, 0.2, 1.0)  # the oracle of other tests
    assert value == pytest.approx(closed, rel=1e-12)
    assert gradient == pytest.approx(sensitivities, rel=1e-11)


# -------------------- structures --------------------


def market(m, scale):
    """Structure in, structure out; linear and quadratic parts, so that derivatives are known by hand."""
    total = m["v"][0] * m["p"].x + 2.0 * m["v"][1] * m["p"].y
    return {"a": total * scale, "b": (m["vol"].level * m["v"] * scale, m["p"].x), "c": 7.0}


def market_input(v=(1.0, 2.0), x=3.0, y=4.0, level=0.5):
    return {"v": np.array(v), "p": Point(x, y), "vol": Vol(level, 1.0), "name": "desk"}


def test_structures():
    """Derivatives written out by hand."""
    program = fad.record(market, market_input(), 1.0)
    m = market_input((5.0, 6.0), 7.0, 8.0, 0.25)
    value = program(m, 2.0)
    assert value["a"] == 2.0 * (35.0 + 96.0)
    np.testing.assert_array_equal(value["b"][0], [2.5, 3.0])
    assert (value["b"][1], value["c"], list(value)) == (7.0, 7.0, ["a", "b", "c"])

    by_market = program.jacobian(m, 2.0)
    a, (b, x), c = by_market["a"], by_market["b"], by_market["c"]
    np.testing.assert_array_equal(a["v"], [14.0, 32.0])
    assert (a["p"], a["name"]) == (Point(10.0, 24.0), None)
    assert (type(a["vol"]), a["vol"].level, a["vol"].skew) == (Vol, 0.0, 0.0)  # zero: validation would refuse it
    np.testing.assert_array_equal(b["v"], 0.5 * np.eye(2))
    np.testing.assert_array_equal(b["vol"].level, [10.0, 12.0])
    assert (x["p"], c["p"]) == (Point(1.0, 0.0), Point(0.0, 0.0))
    np.testing.assert_array_equal(c["v"], [0.0, 0.0])

    both = program.jacobian(m, 2.0, argnums=(1, 0))
    assert both["a"][0] == 131.0
    np.testing.assert_array_equal(both["a"][1]["v"], [14.0, 32.0])
    assert program.jacobian(m, 2.0, argnums=-1)["a"] == 131.0
    assert program.jacobian(m, 2.0, argnums=[1])["a"] == (131.0,)


def test_jvp_and_vjp():
    """Against the Jacobian, by hand; and the dot-product identity between them."""
    program = fad.record(market, market_input(), 1.0)
    m = market_input((5.0, 6.0), 7.0, 8.0, 0.25)
    tangents = (market_input((1.0, -1.0), 2.0, 0.5, 3.0), 0.1)
    value, dot = program.jvp((m, 2.0), tangents)
    expected = program(m, 2.0)
    assert value["a"] == expected["a"]
    assert dot["a"] == pytest.approx(14.0 - 32.0 + 2 * 10.0 + 0.5 * 24.0 + 0.1 * 131.0, rel=1e-15)
    np.testing.assert_allclose(
        dot["b"][0], 0.5 * np.array([1.0, -1.0]) + 3.0 * np.array([10.0, 12.0]) + 0.1 * np.array([1.25, 1.5]), 1e-15
    )
    assert (dot["b"][1], dot["c"]) == (2.0, 0.0)

    seeds = {"a": 2, "b": (np.array([1.0, -3.0]), 0.5), "c": 100.0}
    value, (by_market, by_scale) = program.vjp((m, 2.0), seeds)
    np.testing.assert_array_equal(value["b"][0], expected["b"][0])
    np.testing.assert_allclose(by_market["v"], [28.0 + 0.5, 64.0 - 1.5], rtol=1e-15)
    assert by_market["p"] == Point(20.5, 48.0)
    assert by_market["name"] is None
    left = 2.0 * dot["a"] + seeds["b"][0] @ dot["b"][0] + 0.5 * dot["b"][1]
    t = tangents[0]
    right = by_market["v"] @ t["v"] + np.dot(by_market["p"], t["p"]) + by_market["vol"].level * 3.0 + by_scale * 0.1
    assert left == pytest.approx(right, rel=1e-14)

    with pytest.raises(ShapeError, match="expected a structure like"):
        program.vjp((m, 2.0), {"a": 2.0})
    with pytest.raises(ShapeError, match="expected a structure like"):
        program.jvp((m, 2.0), tangents[:1])


def test_integers_are_welcome_as_tangents_and_seeds():
    program = fad.record(lambda x, y: x * y, 2.0, 3.0)
    assert program.vjp((5, 7), 2) == (35.0, (14.0, 10.0))
    assert program.jvp((5, 7), (1.0, 0.0)) == (35.0, 7.0)
    assert program.jvp((5, 7), (1, 0)) == (35.0, 7.0)


def test_agrees_with_the_transforms():
    """grad, jacobian, jvp and vjp of the same function record at the point itself."""

    def f(x, y):
        return {"u": fad.exp(x * y[0]) + y[1], "v": x * y}

    at, direction, seeds = (
        (0.3, np.array([1.2, -0.7])),
        (0.5, np.array([2.0, 1.0])),
        {"u": 1.5, "v": np.array([1.0, 2])},
    )
    program = fad.record(f, 2.0, np.array([0.1, 0.2]))
    for argnums in (0, 1, (0, 1), (1, 0)):
        ours, theirs = program.jacobian(*at, argnums=argnums), fad.jacobian(f, argnums)(*at)
        for name in ("u", "v"):
            pairs = zip(ours[name], theirs[name]) if isinstance(argnums, tuple) else [(ours[name], theirs[name])]
            for a, b in pairs:
                assert_same_numbers(a, b)
    for a, b in zip(program.jvp(at, direction), fad.jvp(f, at, direction)):
        assert_same_numbers(a["u"], b["u"])
        assert_same_numbers(a["v"], b["v"])
    value, pullback = fad.vjp(f, *at)
    ours, adjoints = program.vjp(at, seeds)
    assert_same_numbers(ours["v"], value["v"])
    for a, b in zip(adjoints, pullback(seeds)):
        assert_same_numbers(a, b)


def test_inputs_and_constants_as_outputs():
    program = fad.record(lambda x, y, z: (y, 5, x, y, np.array([1.0, 2.0]), x * y), 1.0, 2.0, 3.0)
    value = program(7.0, 8.0, 9.0)
    assert value[:4] == (8.0, 5.0, 7.0, 8.0)
    np.testing.assert_array_equal(value[4], [1.0, 2.0])
    jacobian = program.jacobian(7.0, 8.0, 9.0, argnums=(0, 1, 2))
    assert jacobian[:4] == ((0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    np.testing.assert_array_equal(jacobian[4], np.zeros((3, 2)))
    assert jacobian[5] == (8.0, 7.0, 0.0)


def test_the_same_input_twice():
    """The same input twice in one operation, and in two arguments."""
    program = fad.record(lambda x, y: x * x + x / x + (x + x) * y, 2.0, 3.0)
    assert program.value_and_grad(5.0, 4.0, argnums=(0, 1)) == (66.0, (18.0, 10.0))
    shared = np.array([3.0, 4.0])
    assert program.value_and_grad(*shared[[0, 0]], argnums=(0, 1)) == (28.0, (12.0, 6.0))


def test_zero_size_arrays():
    program = fad.record(lambda a, x: (a * x, a.sum() + x), np.zeros((0, 3)), 2.0)
    value = program(np.zeros((0, 3)), 5.0)
    assert value[0].shape == (0, 3)
    assert value[1] == 5.0
    by_a, by_x = program.jacobian(np.zeros((0, 3)), 5.0, argnums=(0, 1))[1]
    assert by_a.shape == (0, 3)
    assert by_x == 1.0
    assert program.jacobian(np.zeros((0, 3)), 5.0)[0].shape == (0, 3, 0, 3)


@pytest.mark.parametrize(("f", "args", "value"), [(float, (3,), 3.0), (lambda a: 1.5, (np.zeros(0),), 1.5)])
def test_programs_without_inputs(f, args, value):
    program = fad.record(f, *args)
    assert program(*args) == value


def test_arrays_and_operators():
    """An array argument replayed at float32, Fortran order, lists of ints and views; NumPy on floats is the oracle."""

    def f(a):
        b = a.T * 2.0
        return (b[1:] - a[0, 0]).sum() * a.mean()

    program = fad.record(f, np.ones((2, 3)))
    base = np.arange(24.0).reshape(4, 6) ** 1.5
    f32 = base[:2, :3].astype(np.float32)
    for a in (base[:2, :3], np.asfortranarray(base[:2, :3]), base[::2, ::2], f32, np.arange(6).reshape(2, 3)):
        x = np.asarray(a, np.float64)
        assert program(a) == pytest.approx(f(x), rel=1e-14)
        h = 1e-6
        bumps = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(6).reshape(6, 2, 3)]
        got = program.grad(a)
        assert got.shape == (2, 3)
        np.testing.assert_allclose(got.ravel(), bumps, rtol=1e-7, atol=1e-6)


# -------------------- static arguments --------------------


def test_static_arguments_record_again_and_are_kept():
    calls = []

    def f(x, n, kind, option=None):
        calls.append((n, kind))
        for _ in range(n):
            x = x * 2.0 if kind == "double" else x + 1.0
        return x

    program = fad.record(f, 1.0, 3, "double")
    assert program(5.0, 3, "double") == 40.0
    assert program(5.0, 2, "double") == 20.0
    assert program(5.0, 2, "increment") == 7.0
    assert program(6.0, 3, "double") == 48.0
    assert program.grad(6.0, 2, "double") == 4.0
    assert calls == [(3, "double"), (2, "double"), (2, "increment")]


def test_shapes_and_structures_record_again():
    program = fad.record(lambda a: a.sum() if hasattr(a, "sum") else a[0] * 3.0, np.ones(3))
    assert program(np.arange(3.0)) == 3.0
    assert program(np.arange(5.0)) == 10.0
    assert program(np.arange(6.0).reshape(2, 3)) == 15.0
    assert program([2.0, 9.0]) == 6.0
    assert program(np.arange(3.0)) == 3.0
    assert repr(program).count("rows") == 4


def test_static_array_changes_record_again():
    program = fad.record(lambda x, idx: x[idx].sum(), np.ones(4), np.array([0, 1]))
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    assert program(x, np.array([0, 1])) == 11.0
    index = np.array([2, 3])
    assert program(x, index) == 1100.0
    index[0] = 0  # the caller's array changes after it was recorded
    assert program(x, index) == 1001.0


def test_integers_where_floats_were_recorded():
    calls = []

    def f(d, y):
        calls.append(1)
        return d["x"] * y + d["n"]

    program = fad.record(f, {"x": 2.0, "n": 3}, 1.5)
    assert program({"x": 4, "n": 3}, np.int32(2)) == 11.0
    assert program.grad({"x": 4, "n": 3}, 2) == {"x": 2.0, "n": None}
    assert len(calls) == 1
    assert program({"x": 4, "n": 4}, 2) == 12.0
    assert len(calls) == 2


def test_integers_stay_static_in_another_order_of_a_dict():
    program = fad.record(lambda d: d["x"] * len(range(d["n"])), {"x": 2.0, "n": 3})
    assert program({"n": 3, "x": 5.0}) == 15.0
    assert program({"n": 4, "x": 5}) == 20.0


def test_nothing_to_differentiate_by():
    program = fad.record(lambda x, n: x * n, 2.0, 3)
    with pytest.raises(TypeError, match="without a float"):
        program.grad(2.0, 3, argnums=1)
    with pytest.raises(ShapeError, match="has 2 arguments"):
        program.grad(2.0, 3, argnums=2)
    with pytest.raises(ShapeError, match="has 2 arguments"):
        program.grad(2.0, 3, argnums=(0, -3))


def test_gradients_need_one_number():
    program = fad.record(lambda x: (x, x * x), 2.0)
    with pytest.raises(ShapeError, match="jacobian"):
        program.grad(2.0)
    assert program.jacobian(3.0) == (1.0, 6.0)
    assert fad.record(lambda x: x * np.ones(1), 2.0).jacobian(3.0).tolist() == [1.0]


@pytest.mark.parametrize("result", ["text", None, True, {"a": 1.0, "b": None}, 1j], ids=repr)
def test_results_that_are_no_numbers(result):
    with pytest.raises(TypeError, match="the function returned"):
        fad.record(lambda x: result, 1.0)


def test_a_condition_is_no_result():
    with pytest.raises(TypeError, match="the function returned"):
        fad.record(lambda x: (x, x > 1.0), 2.0)


# -------------------- actives as arguments --------------------


def test_calls_nest(tmp_path):
    """Inside another transform the function itself runs, branches included: the program is its function."""

    def f(x, y):
        return x * x * y if x > y else x * y

    program = fad.record(f, 3.0, 2.0)
    both = fad.record(lambda v: v[0] * v[1], np.ones(2))
    for x, y in ((3.0, 2.0), (2.0, 3.0)):
        assert fad.grad(program, argnums=(0, 1))(x, y) == fad.grad(f, argnums=(0, 1))(x, y)
        assert fad.hessian(program)(x, y) == fad.hessian(f)(x, y)
        assert fad.grad(lambda x, y=y: 2.0 * program(x, y))(x) == 2.0 * fad.grad(f)(x, y)
    np.testing.assert_array_equal(fad.grad(both)(np.array([2.0, 5.0])), [5.0, 2.0])
    outer = fad.record(lambda x, y: fad.exp(program(x, y)), 3.0, 2.0)
    x = np.array([0.5, 1.5, 2.5])
    batch = outer.batch(x, 1.0, axes=(0, None))
    np.testing.assert_allclose(batch.value, np.exp(np.where(x > 1.0, x * x, x)), rtol=1e-14)
    np.testing.assert_allclose(batch.gradient, batch.value * np.where(x > 1.0, 2.0 * x, 1.0), rtol=1e-14)
    assert fad.monte_carlo(lambda p, z: program(p, 1.0 + z[0] * z[0]), 0.5, normals=1, paths=100).gradient > 1.0
    program.save(tmp_path / "f.npz")
    with pytest.raises(NestingError, match="without its function"):
        fad.grad(fad.load(tmp_path / "f.npz"))(3.0, 2.0)
    assert program(4.0, 5.0) == 20.0


def test_methods_do_not_nest():
    program = fad.record(lambda x, y: x * y, 2.0, 3.0)
    with pytest.raises(NestingError, match=r"fad\.grad\(program\)"):
        fad.grad(lambda x: program.grad(x, 3.0))(2.0)
    with pytest.raises(NestingError):
        fad.grad(lambda x: program.batch(x, np.ones(3), axes=(None, 0)).value[0])(2.0)
    with pytest.raises(NestingError):
        fad.grad(lambda x: fad.record(lambda y: y * y, 1.0)(2.0) * x)(2.0)
    # Numbers are welcome where another function is differentiated, and the program is as good as before.
    assert fad.grad(lambda x: x * program(2.0, 3.0))(5.0) == 6.0
    assert program(4.0, 5.0) == 20.0


def test_actives_of_an_explicit_tape():
    tape = fad.Tape()
    x, v = tape.input(2.0), tape.inputs([1.0, 2.0])
    program = fad.record(lambda x, y: x * y, 2.0, 3.0)
    both = fad.record(lambda v: v[0] * v[1], np.ones(2))
    for call in (
        lambda: program.grad(3.0, x),
        lambda: program.vjp((x, 3.0), 1.0),
        lambda: program.batch(x, np.ones(3), axes=(None, 0)),
        lambda: both.batch(v, axes=0),
    ):
        with pytest.raises(NestingError):
            call()
    assert tape.reverse(program(x, x) * both(v)).tolist() == [8.0, 8.0, 4.0]
    assert program(4.0, 5.0) == 20.0


# -------------------- branches --------------------


def capped(x):
    if x > 1.0:  # the branch
        return x * 2.0
    return x * 3.0


def test_another_branch_raises_with_its_line():
    program = raising(capped, 2.0)
    assert program.value_and_grad(5.0) == (10.0, 2.0)
    with pytest.raises(DivergenceError) as caught:
        program(0.5)
    text = str(caught.value)
    assert line_of(capped, "# the branch") in text.replace("`", " ")
    assert "`if x > 1.0:  # the branch`" in text
    assert "recorded as True" in text
    assert "fad.where" in text
    for call in (program.grad, lambda x: program.jvp((x,), (1.0,)), lambda x: program.vjp((x,), 1.0)):
        with pytest.raises(DivergenceError, match="differently"):
            call(0.5)
    assert program(3.0) == 6.0  # as good as before


def test_at_the_threshold_and_nan():
    """`x > 1` is false at 1 and for NaN, as in plain Python."""
    above, below = raising(capped, 2.0), raising(capped, 0.5)
    just_above, just_below = np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0)
    assert above(just_above) == capped(just_above)
    assert below(just_below) == capped(just_below)
    assert below(1.0) == 3.0
    assert math.isnan(below(math.nan))
    assert above(math.inf) == math.inf
    for program, x in ((above, 1.0), (above, math.nan), (below, just_above), (below, math.inf), (above, -math.inf)):
        with pytest.raises(DivergenceError):
            program(x)
    for start in (2.0, 0.5):
        anew = fad.record(capped, start)
        for x in (1.0, math.nan, just_above, just_below, math.inf, -math.inf):
            assert_same_bits(anew(x), capped(x))
        assert len(anew.variants) == 2


COMPARISONS = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<, number first": lambda x, y: 1.0 < y + 0.0 * x,
    "truth": lambda x, y: bool(x),
    "not": lambda x, y: not x,
    "chain": lambda x, y: 0.5 < x <= y,
    "and, or": lambda x, y: (x < y and x > 0.7) or y == 3.0,
    "&, |, ~": lambda x, y: bool(((x < y) & ~(x > 0.7)) | (y == 3.0)),
}
OPERANDS = [(x, y) for x in (0.0, -0.0, 0.6, 1.0, 2.0, math.nan, math.inf) for y in (1.0, 3.0, math.nan)]


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_comparison_guards(name):
    """A replay gives what plain Python gives; told to raise, one comparison does so only where it decides otherwise."""
    compare = COMPARISONS[name]
    is_single = name not in ("chain", "and, or")

    def f(x, y):
        return x * 2.0 + y if compare(x, y) else x * 3.0 + y

    for start in ((1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.0, 3.0)):
        program, anew = raising(f, *start), fad.record(f, *start)
        for x, y in OPERANDS:
            plain = f(x, y)
            assert_same_bits(anew(x, y), plain)
            try:
                got = program(x, y)
            except DivergenceError:
                assert (x, y) != start
                assert not is_single or compare(x, y) != compare(*start)
                continue
            assert compare(x, y) == compare(*start)
            assert_same_bits(got, plain)
        assert len(anew.variants) == (2 if is_single else {"chain": 3, "and, or": 5}[name])


def test_loops_guard_every_turn():
    def doublings(x, limit):
        n = 0.0
        while x < limit:
            x = x * 2.0
            n += 1.0
        return x + n

    program = raising(doublings, 1.0, 10.0)
    for x in (0.7, 1.1, 1.24):
        assert program(x, 10.0) == doublings(x, 10.0)
    for x in (0.6, 1.3):  # a turn more, a turn less
        with pytest.raises(DivergenceError, match="while x < limit"):
            program(x, 10.0)


def capped_by_builtin(x, cap):
    y = min(x, cap)  # builtin min
    return max(
        y,  # second line of a builtin max
        -1.0,
    )


def nested_builtins(x):
    return max(min(x, 3.0), 1.0)  # both on one line


def sorted_pair(x, y):
    return sorted([x, y])[0]  # not a builtin with a twin


@pytest.mark.parametrize(
    ("f", "start", "at", "marker", "remedy", "not_remedy"),
    [
        (capped_by_builtin, (2.0, 5.0), (7.0, 5.0), "# builtin min", "fad.minimum instead", "fad.maximum"),
        (capped_by_builtin, (2.0, 5.0), (-3.0, 5.0), "return max(", "fad.maximum instead", "fad.minimum"),
        (nested_builtins, (2.0,), (5.0,), "# both", "fad.minimum instead", "fad.maximum instead"),
        (nested_builtins, (2.0,), (0.5,), "# both", "fad.maximum instead", "fad.minimum instead"),
        (sorted_pair, (1.0, 2.0), (3.0, 2.0), "# not a builtin", "fad.where", "instead of the builtin"),
        (capped, (2.0,), (0.5,), "# the branch", "fad.where", "instead of the builtin"),
    ],
)
def test_builtins_are_named_with_their_twin(f, start, at, marker, remedy, not_remedy):
    program = raising(f, *start)
    with pytest.raises(DivergenceError) as caught:
        program(*at)
    text = str(caught.value)
    assert line_of(f, marker) in text.replace("`", " ")
    assert remedy in text
    assert not_remedy not in text


def test_the_twins_do_not_branch():
    program = fad.record(lambda x: fad.maximum(fad.minimum(x, 3.0), 1.0), 2.0)
    assert [program.value_and_grad(x) for x in (0.5, 1.0, 2.0, 3.0, 9.0)] == [
        (1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (3.0, 0.0),
    ]  # fmt: skip
    assert math.isnan(program(math.nan))


def test_conditions_as_data_do_not_branch():
    program = fad.record(lambda x: fad.where((x > 1.0) & ~(x > 2.0), fad.sqrt(x - 1.0), -x), 1.5)
    assert program.value_and_grad(1.25) == (0.5, 1.0)
    assert program.value_and_grad(0.0) == (-0.0, -1.0)
    assert program.value_and_grad(3.0) == (-3.0, -1.0)
    assert program.value_and_grad(1.0) == (-1.0, -1.0)  # sqrt has an infinite partial there


def test_masks_guard_every_element():
    program = raising(lambda a: a[a > 0.0].sum(), np.array([1.0, -1.0, 2.0]))
    assert program(np.array([3.0, -0.5, 4.0])) == 7.0
    for other in ([3.0, 0.5, 4.0], [-3.0, -0.5, 4.0], [3.0, -0.5, math.nan]):
        with pytest.raises(DivergenceError, match=r"a\[a > 0.0\]"):
            program(np.array(other))


# -------------------- frozen numbers --------------------

FREEZERS = {
    "value": lambda x, a: fad.value(x),
    "attribute": lambda x, a: x.value,
    "math": lambda x, a: math.exp(fad.value(x)),
    "structure": lambda x, a: fad.value({"k": [x, 1.0]})["k"][0],
    "array": lambda x, a: float(fad.value(a)[1]),
    "array attribute": lambda x, a: float(a.value.sum()),
    "result": lambda x, a: fad.value(x * a[1]),
}


@pytest.mark.parametrize("freeze", FREEZERS.values(), ids=FREEZERS)
def test_frozen_numbers_guard(freeze):
    program = raising(lambda x, a: x * freeze(x, a), 2.0, np.array([1.0, 3.0]))
    tape = fad.Tape()
    frozen = freeze(tape.input(2.0), tape.inputs([1.0, 3.0]))
    assert program.value_and_grad(2.0, np.array([1.0, 3.0])) == (2.0 * frozen, frozen)
    for x, last in ((2.5, 3.5), (np.nextafter(2.0, 3.0), np.nextafter(3.0, 4.0)), (math.nan, math.nan)):
        with pytest.raises(DivergenceError, match="frozen while recording") as caught:
            program(x, np.array([1.0, last]))
        assert Path(__file__).name in str(caught.value)
        assert "stop_gradient" in str(caught.value)


def test_frozen_zero_and_nan():
    """What is frozen must stay the same number: -0.0 is another one than 0.0, a NaN is as good as any NaN."""
    zero, nan = (raising(lambda x: x * 1.0 + fad.value(x), x) for x in (0.0, math.nan))
    assert zero(0.0) == 0.0
    assert math.isnan(nan(-math.nan))
    for program, x in ((zero, -0.0), (zero, math.nan), (nan, 0.0)):
        with pytest.raises(DivergenceError):
            program(x)


def test_printing_does_not_guard(capsys):
    def f(x, a):
        print(x, a, f"{x:.3f}", repr(x), str(a), f"{x}", (x, [a]))
        return x * a[0]

    program = fad.record(f, 2.0, np.array([1.0, 3.0]))
    assert "2.000" in capsys.readouterr().out
    assert program(5.0, np.array([7.0, 8.0])) == 35.0


def test_stop_gradient_follows():
    program = fad.record(lambda x: x * fad.stop_gradient(x), 2.0)
    assert program.value_and_grad(5.0) == (25.0, 5.0)


def test_transforms_do_not_freeze():
    """The remedy of the message does not hold outside programs: a fresh recording at each point needs no guard."""
    assert fad.grad(lambda x: x * fad.value(x))(5.0) == 5.0
    assert fad.grad(capped)(0.5) == 3.0


# -------------------- special values --------------------


def test_zero_factor_rule():
    """design.md section 3: a product with an exactly zero factor is zero, also against an infinite partial."""
    program = fad.record(lambda x, y: fad.where(x > 0.0, fad.sqrt(x) * y, 0.0), 1.0, 1.0)
    assert program.value_and_grad(-1.0, 2.0, argnums=(0, 1)) == (0.0, (0.0, 0.0))
    assert program.value_and_grad(0.0, 2.0, argnums=(0, 1)) == (0.0, (0.0, 0.0))
    assert program.value_and_grad(4.0, 2.0, argnums=(0, 1)) == (4.0, (0.5, 2.0))
    assert program.jvp((0.0, 2.0), (1.0, 1.0)) == (0.0, 0.0)
    times_zero = fad.record(lambda x, y: fad.sqrt(x) * y, 1.0, 1.0)
    assert times_zero.grad(0.0, 0.0, argnums=(0, 1)) == (0.0, 0.0)
    assert times_zero.grad(0.0, 3.0) == math.inf
    assert math.isnan(times_zero.grad(-1.0, 3.0))


def test_values_follow_ieee():
    program = fad.record(lambda x, y: (x / y, fad.log(x), x**y, fad.exp(x), fad.sqrt(x)), 1.0, 2.0)
    with np.errstate(all="ignore"):
        for x in (0.0, -0.0, -8.0, 1e300, math.inf, -math.inf, math.nan, 5e-324):
            for y in (0.0, 1.0 / 3.0, -1.5, math.inf, math.nan):
                a, b = np.float64(x), np.float64(y)
                expected = [a / b, np.log(a), a**b, np.exp(a), np.sqrt(a)]
                np.testing.assert_allclose(program(x, y), expected, rtol=1e-15, err_msg=f"{x}, {y}")


def test_a_long_program():
    """More rows than a stage of the recorder holds; geometric sum in closed form."""
    program = fad.record(lambda x: sum_of_powers(x, 20_000), 0.5)
    assert len(program.variants) == 1
    assert program.variants[0].rows > 39_998
    value, slope = program.value_and_grad(0.9)
    assert value == pytest.approx(1.0 / (1.0 - 0.9), rel=1e-12)
    assert slope == pytest.approx(1.0 / (1.0 - 0.9) ** 2, rel=1e-12)


def sum_of_powers(x, n):
    total, power = 1.0, 1.0
    for _ in range(n):
        power = power * x
        total = total + power
    return total


def test_many_outputs():
    """More outputs than one sweep takes seeds; the Jacobian is diagonal by construction."""
    x = np.linspace(0.5, 3.0, 150)
    program = fad.record(lambda a: fad.exp(a) * a, np.ones(150))
    np.testing.assert_allclose(program.jacobian(x), np.diag(np.exp(x) * (1.0 + x)), rtol=1e-14)


def test_a_program_is_no_tape():
    """Values recorded for a program cannot leak into another one."""
    kept = []
    fad.record(lambda x: kept.append(x) or x * x, 2.0)
    with pytest.raises(TapeError):
        fad.record(lambda y: y * kept[0], 3.0)


@pytest.mark.parametrize("mode", ["reverse", "forward", "auto"])
def test_jacobians_of_programs_by_every_mode(mode):
    """More than 64 elements take several sweeps."""
    at = np.linspace(1.0, 2.0, 150)
    for f, x, expected in (
        (lambda x: x * x[::-1], at, np.diag(at[::-1]) + np.diag(at)[:, ::-1]),
        (lambda x: fad.stack([x.sum(), (x * x).sum()]), at, [np.ones(150), 2.0 * at]),
        (lambda x: fad.stack([fad.sin(x) * i for i in range(200)]), 0.3, np.cos(0.3) * np.arange(200.0)),
    ):
        np.testing.assert_allclose(fad.record(f, x).jacobian(x, mode=mode), expected, rtol=1e-14)


def test_unknown_mode():
    with pytest.raises(ValueError, match="mode='both': expected 'reverse', 'forward' or 'auto'"):
        fad.record(fad.sin, 1.0).jacobian(1.0, mode="both")
