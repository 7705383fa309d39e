"""grad, value_and_grad, jacobian, jvp, vjp over structures.

Oracles: Black-Scholes in closed form (mpmath, 40 digits) with its identities, derivatives written out, complex
step for random programs.
"""

import dataclasses
import math
import threading
from collections import namedtuple

import numpy as np
import pytest
from helpers_core import Market, complex_step, instructions, points, repeatable, run_program
from hypothesis import given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import FastadError, NestingError, ShapeError, TapeError

MODES = ("forward", "reverse", "auto")
Point = namedtuple("Point", "x y")


# -------------------- problem 1: Black-Scholes --------------------


def black_scholes(s, k, r, q, sigma, t, sign=1.0):
    """A call, or a put for sign = -1."""
    forward = s * fad.exp((r - q) * t)
    spread = sigma * fad.sqrt(t)
    d1 = fad.log(forward / k) / spread + spread / 2.0
    d2 = d1 - spread
    return sign * fad.exp(-r * t) * (forward * fad.norm_cdf(sign * d1) - k * fad.norm_cdf(sign * d2))


# Value; derivatives by S, K, r, q, sigma, T.
AT_THE_MONEY = (
    0.63683065117561907,
    -0.5323248154537634,
    53.23248154537634,
    -63.683065117561907,
    37.524034691693788,
    6.4140275464381958,
)
SAVINE = (
    0.30923107531802061,
    -0.23532789364499135,
    51.772136601898098,
    -61.846215063604122,
    46.979085263296885,
    1.3205202525937222,
)
CASES = {
    (100.0, 100.0, 0.05, 0.0, 0.2, 1.0): (10.450583572185567, AT_THE_MONEY),
    (100.0, 110.0, 0.02, 0.05, 0.2, 2.0): (5.0370392308530122, SAVINE),
}
cases = pytest.mark.parametrize("x", CASES, ids=["at the money", "Savine"])
SIX = tuple(range(6))


def put_by_parity(x):
    """P = C - S e^{-qT} + K e^{-rT}, and its derivatives."""
    s, k, r, q, _, t = x
    value, derivatives = CASES[x]
    a, b = s * math.exp(-q * t), k * math.exp(-r * t)
    extra = (-a / s, b / k, -t * b, t * a, 0.0, q * a - r * b)
    return value - a + b, tuple(d + e for d, e in zip(derivatives, extra))


@cases
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["call", "put"])
def test_black_scholes(x, sign):
    value, derivatives = CASES[x] if sign == 1.0 else put_by_parity(x)

    def f(*args):
        return black_scholes(*args, sign=sign)

    got, gradient = fad.value_and_grad(f, argnums=SIX)(*x)
    assert got == pytest.approx(value, rel=1e-12)
    assert f(*x) == got, "floats and actives: the same bits"
    assert gradient == pytest.approx(derivatives, rel=1e-12)
    for mode in MODES:
        assert fad.jacobian(f, argnums=SIX, mode=mode)(*x) == pytest.approx(derivatives, rel=1e-12)
    for k in SIX:
        direction = [float(i == k) for i in SIX]
        assert fad.jvp(f, x, direction) == (got, pytest.approx(derivatives[k], rel=1e-12))
    _, pullback = fad.vjp(f, *x)
    assert pullback(2.0) == pytest.approx([2.0 * d for d in derivatives], rel=1e-12)
    program = fad.record(f, *(v * 1.1 + 0.01 for v in x))
    assert program(*x) == got
    assert program.grad(*x, argnums=SIX) == pytest.approx(derivatives, rel=1e-12)


def test_published_put():
    assert black_scholes(100.0, 100.0, 0.05, 0.0, 0.2, 1.0, sign=-1.0) == pytest.approx(5.5735260222569677, rel=1e-12)


@cases
def test_black_scholes_identities(x):
    s, k, r, q, sigma, t = x
    call, (ds, dk, dr, dq, vega, dt) = fad.value_and_grad(black_scholes, argnums=SIX)(*x)
    put = black_scholes(*x, -1.0)
    tight = {"rel": 1e-13, "abs": 1e-13}
    assert call - put == pytest.approx(s * math.exp(-q * t) - k * math.exp(-r * t), **tight)
    assert s * ds + k * dk == pytest.approx(call, **tight)
    assert dr == pytest.approx(-k * t * dk, **tight)
    assert dq == pytest.approx(-t * s * ds, **tight)
    assert t * dt == pytest.approx(sigma / 2 * vega + r * dr + q * dq, **tight)


def test_black_scholes_of_arrays():
    """A thousand strikes at once: the sum's gradient is every option's own."""
    strikes = np.linspace(60.0, 160.0, 101)
    args = (100.0, strikes, 0.05, 0.0, 0.2, 1.0)
    delta_all, dk = fad.grad(lambda *a: black_scholes(*a).sum(), argnums=(0, 1))(*args)
    one_by_one = [fad.grad(black_scholes, argnums=(0, 1))(100.0, k, *args[2:]) for k in strikes]
    np.testing.assert_allclose(dk, [d for _, d in one_by_one], rtol=1e-13)
    np.testing.assert_allclose(delta_all, sum(d for d, _ in one_by_one), rtol=1e-13)


# -------------------- random programs --------------------


@repeatable
@given(instructions, points)
def test_random_programs_against_complex_step(program, x):
    def f(v, lib=fad):
        return run_program(program, v, lib)[-1]

    expected = complex_step(lambda v: f(v, np), x)
    value, gradient = fad.value_and_grad(f)(x)
    assert value == pytest.approx(f([complex(v) for v in x], np).real, rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)
    for mode in MODES:
        np.testing.assert_allclose(fad.jacobian(f, mode=mode)(x), expected, rtol=1e-11, atol=1e-13)
    direction = [float(i + 1) for i in range(len(x))]
    _, y_dot = fad.jvp(f, (x,), (direction,))
    np.testing.assert_allclose(y_dot, expected @ direction, rtol=1e-11, atol=1e-12)
    replay = fad.record(f, [0.1 * i for i in range(len(x))])
    assert replay(x) == value
    np.testing.assert_allclose(replay.grad(x), expected, rtol=1e-11, atol=1e-13)


@repeatable
@given(instructions, points, st.integers(1, 5))
def test_random_jacobians(program, x, n_outputs):
    """Forward and reverse agree, and with complex step; outputs may be inputs themselves."""

    def f(v, lib=fad):
        return run_program(program, v, lib)[-n_outputs:]

    forward, reverse = (fad.jacobian(f, mode=mode)(x) for mode in ("forward", "reverse"))
    for row in range(len(forward)):
        expected = complex_step(lambda v, row=row: f(v, np)[row] + 0j, x)
        np.testing.assert_allclose(forward[row], expected, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(reverse[row], expected, rtol=1e-11, atol=1e-13)


# -------------------- structures --------------------


def test_scalars_are_floats():
    value, derivative = fad.value_and_grad(lambda x: x * x * x)(2.0)
    assert (value, derivative) == (8.0, 12.0)
    assert type(value) is type(derivative) is float


def test_lists_tuples_dicts_namedtuples():
    def f(p):
        return p["a"][0] * p["a"][1] + p["p"].x * 3.0 - p["p"].y ** 2 + p["t"][0][0]

    x = {"a": [2.0, 5.0], "p": Point(1.0, 4.0), "t": ((7.0,), ())}
    gradient = fad.grad(f)(x)
    assert gradient == {"a": [5.0, 2.0], "p": Point(3.0, -8.0), "t": ((1.0,), ())}
    assert type(gradient["p"]) is Point
    assert list(gradient) == ["a", "p", "t"]
    assert x == {"a": [2.0, 5.0], "p": Point(1.0, 4.0), "t": ((7.0,), ())}, "arguments are left alone"


def test_dataclasses():
    def f(m):
        assert m.name == "desk", "the function sees the strings of its argument"
        return m.spot * (m.vols * m.vols).sum() + m.curve["1y"] * m.spot

    market = Market(2.0, np.array([1.0, 3.0]), {"1y": 0.5})
    gradient = fad.grad(f)(market)
    assert type(gradient) is Market
    assert gradient.spot == 10.5
    assert gradient.vols.tolist() == [4.0, 12.0]
    assert gradient.curve == {"1y": 2.0}
    assert gradient.name is None, "no derivative by a string"


def test_derivatives_skip_the_checks_of_a_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Vol:
        value: float

        def __post_init__(self):
            if self.value < 0.0:
                raise ValueError("negative volatility")

    assert fad.grad(lambda v: -3.0 * v.value)(Vol(0.2)).value == -3.0


def test_arrays():
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    value, gradient = fad.value_and_grad(lambda m: (m * m * m).sum())(matrix)
    assert value == 100.0
    assert gradient.tolist() == (3.0 * matrix**2).tolist()
    assert gradient.dtype == np.float64
    assert type(gradient) is np.ndarray
    gradient[0, 0] = 7.0  # the caller's own


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.uint8])
def test_number_leaves_become_float64(dtype):
    x = np.array([1, 2, 3], dtype)
    gradient = fad.grad(lambda v: (v * v).sum())(x)
    assert (gradient.dtype, gradient.tolist()) == (np.float64, [2.0, 4.0, 6.0])
    derivative = fad.grad(lambda v: v * v)(dtype(3))
    assert (type(derivative), derivative) == (float, 6.0)


def test_int_leaves_are_differentiated():
    assert fad.grad(lambda x: x * x)(3) == 6.0
    assert fad.grad(lambda p: p[0] * p[1])((2, 5.0)) == (5.0, 2.0)
    assert fad.grad(lambda x, n: x**n)(2.0, 3) == 12.0


def test_bool_leaves_are_static():
    assert fad.grad(lambda p: p[0] * (3.0 if p[1] is True else 1.0))((2.0, True)) == (3.0, None)


def test_zero_dimensional_arrays_are_scalars():
    derivative = fad.grad(lambda x: x * x)(np.array(3.0))
    assert derivative == 6.0
    assert np.ndim(derivative) == 0
    assert fad.jacobian(lambda x: fad.array([x, x * x]))(np.array(3.0)).tolist() == [1.0, 6.0]


def test_arrays_of_size_zero():
    def f(p):
        return p["x"] * 2.0 + p["none"].sum() + (p["wide"] * 3.0).sum()

    gradient = fad.grad(f)({"x": 1.0, "none": np.zeros(0), "wide": np.zeros((3, 0))})
    assert gradient["x"] == 2.0
    assert (gradient["none"].shape, gradient["wide"].shape) == ((0,), (3, 0))
    for mode in MODES:
        assert fad.jacobian(lambda v: v * 2.0, mode=mode)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
        assert fad.jacobian(lambda v: v[:0], mode=mode)(np.ones(3)).shape == (0, 3)
        assert fad.jacobian(lambda v, x: x, mode=mode)(np.zeros(0), 2.0).shape == (0,)
    assert fad.grad(lambda v: v.sum())(np.zeros(0)).shape == (0,)
    y, y_dot = fad.jvp(lambda v: v * 2.0, (np.zeros(0),), (np.zeros(0),))
    assert y.shape == y_dot.shape == (0,)
    y, pullback = fad.vjp(lambda v: v * 2.0, np.zeros(0))
    assert pullback(np.zeros(0))[0].shape == (0,)


# -------------------- argnums, aux, keywords --------------------


def test_argnums():
    def f(a, b, c):
        return a * b * b + 3.0 * c

    assert fad.grad(f)(2.0, 5.0, 7.0) == 25.0
    assert fad.grad(f, 1)(2.0, 5.0, 7.0) == 20.0
    assert fad.grad(f, argnums=(2, 0))(2.0, 5.0, 7.0) == (3.0, 25.0)
    assert fad.grad(f, argnums=[1])(2.0, 5.0, 7.0) == (20.0,)
    assert fad.grad(f, argnums=-1)(2.0, 5.0, 7.0) == 3.0
    assert fad.grad(f, argnums=(-1, -3))(2.0, 5.0, 7.0) == (3.0, 25.0)
    assert fad.value_and_grad(f, argnums=(0, 1, 2))(2.0, 5.0, 7.0) == (71.0, (25.0, 20.0, 3.0))


def test_other_arguments_are_passive():
    def f(a, b, word):
        assert type(b) is float
        assert word == "w"
        return a * b

    assert fad.grad(f)(2.0, 5.0, "w") == 5.0


def test_argnums_out_of_range():
    for argnums in (2, -3, (0, 2)):
        with pytest.raises(ShapeError, match="2 arguments"):
            fad.grad(lambda a, b: a * b, argnums)(1.0, 2.0)


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_an_argument_named_twice(argnums):
    with pytest.raises(ValueError, match="argnums"):
        fad.grad(lambda a, b: a * b, argnums)(2.0, 5.0)


def test_has_aux():
    def f(x):
        y = x * x
        return fad.exp(y), {"y": y, "all": [x, "text", 7, None], "array": fad.array([x, 1.0])}

    (value, aux), derivative = fad.value_and_grad(f, has_aux=True)(0.5)
    assert value == pytest.approx(math.exp(0.25), rel=4e-16)
    assert derivative == pytest.approx(math.exp(0.25), rel=1e-15)
    assert (aux["y"], type(aux["y"])) == (0.25, float)
    assert aux["all"] == [0.5, "text", 7, None]
    assert aux["array"].tolist() == [0.5, 1.0]
    assert type(aux["array"]) is np.ndarray


def test_keyword_arguments():
    def f(x, *, scale=1.0, flag=False):
        return x * scale if flag else x

    assert fad.grad(f)(2.0, scale=3.0, flag=True) == 3.0
    assert fad.value_and_grad(f)(2.0, scale=3.0, flag=True) == (6.0, 3.0)
    assert fad.jacobian(f)(2.0, scale=3.0, flag=True) == 3.0


def test_the_wrapper_keeps_the_name():
    def payoff(x):
        """Doc."""
        return x

    for transform in (fad.grad, fad.value_and_grad, fad.jacobian):
        assert (transform(payoff).__name__, transform(payoff).__doc__) == ("payoff", "Doc.")


# -------------------- results --------------------


def test_constant_functions():
    for constant in (3.0, 3, np.float32(3.0), np.array(3.0)):
        assert fad.value_and_grad(lambda x, c=constant: c)(2.0) == (3.0, 0.0)
        assert fad.jvp(lambda x, c=constant: c, (2.0,), (1.0,)) == (3.0, 0.0)
        y, pullback = fad.vjp(lambda x, c=constant: c, 2.0)
        assert (y, pullback(5.0)) == (3.0, (0.0,))
        for mode in MODES:
            assert fad.jacobian(lambda x, c=constant: c, mode=mode)(2.0) == 0.0
    gradient = fad.grad(lambda v: 3.0)(np.ones((2, 2)))
    assert gradient.tolist() == np.zeros((2, 2)).tolist()
    for mode in MODES:
        assert fad.jacobian(lambda v: [v[0], 7, np.arange(2)], mode=mode)(np.ones(2))[2].tolist() == [[0.0] * 2] * 2


def test_an_input_returned_unchanged():
    assert fad.value_and_grad(lambda x: x)(2.0) == (2.0, 1.0)
    assert fad.value_and_grad(lambda x, y: y, argnums=(0, 1))(2.0, 3.0) == (3.0, (0.0, 1.0))
    for mode in MODES:
        assert fad.jacobian(lambda v: v, mode=mode)(np.ones(3)).tolist() == np.eye(3).tolist()
        assert fad.jacobian(lambda v: v[::-1], mode=mode)(np.ones(3)).tolist() == np.eye(3)[::-1].tolist()
        nested = fad.jacobian(lambda p: p, mode=mode)({"a": 1.0, "b": [2.0]})
        assert nested == {"a": {"a": 1.0, "b": [0.0]}, "b": [{"a": 0.0, "b": [1.0]}]}
    assert fad.jvp(lambda v: v, (np.ones(2),), (np.array([3.0, 4.0]),))[1].tolist() == [3.0, 4.0]
    assert fad.vjp(lambda v: v, np.ones(2))[1](np.array([3.0, 4.0]))[0].tolist() == [3.0, 4.0]


def test_the_same_output_twice():
    assert fad.jacobian(lambda x: (x * x, x * x, x))(3.0) == (6.0, 6.0, 1.0)

    def f(x):
        y = x * x
        return [y, y, x, x]

    for mode in MODES:
        assert fad.jacobian(f, mode=mode)(3.0) == [6.0, 6.0, 1.0, 1.0]
    assert fad.vjp(f, 3.0)[1]([1.0, 10.0, 100.0, 1000.0]) == (1166.0,)


def test_jacobian_structure():
    """The result's structure with the argument's at each leaf; leaf shape is result shape + argument shape."""
    matrix = np.arange(6.0).reshape(2, 3)

    def f(p, s):
        return {"scaled": p[0] * s, "sum": (p[0].sum(), p[1] * s)}

    for mode in MODES:
        jacobian = fad.jacobian(f, argnums=(0, 1), mode=mode)((matrix, 4.0), 2.0)
        (by_matrix, by_x), by_s = jacobian["scaled"]
        assert by_matrix.shape == (2, 3, 2, 3)
        assert by_matrix.reshape(6, 6).tolist() == (2.0 * np.eye(6)).tolist()
        assert by_x.tolist() == np.zeros((2, 3)).tolist()
        assert by_s.tolist() == matrix.tolist()
        (by_matrix, by_x), by_s = jacobian["sum"][0]
        assert (by_matrix.tolist(), by_x, by_s) == (np.ones((2, 3)).tolist(), 0.0, 0.0)
        (by_matrix, by_x), by_s = jacobian["sum"][1]
        assert (by_matrix.tolist(), by_x, by_s) == (np.zeros((2, 3)).tolist(), 2.0, 4.0)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 70), (70, 3), (130, 129)])
def test_large_jacobians(n, m):
    """Swept 64 at a time: A x with a quadratic term, whose Jacobian is A + 2 diag-like terms."""
    rng = np.random.default_rng(n)
    a, x = rng.standard_normal((m, n)), rng.standard_normal(n)

    def f(v):
        return [(v * row).sum() + v[i % n] * v[i % n] for i, row in enumerate(a)]

    expected = a.copy()
    for i in range(m):
        expected[i, i % n] += 2.0 * x[i % n]
    for mode in MODES:
        np.testing.assert_allclose(fad.jacobian(f, mode=mode)(x), expected, rtol=1e-13, atol=1e-14)


def test_auto_takes_fewer_seeds_or_directions(monkeypatch):
    sweeps = []
    for name in ("_adjoints", "_tangents"):
        plain = getattr(fad.Tape, name)
        monkeypatch.setattr(fad.Tape, name, lambda *args, name=name, plain=plain: sweeps.append(name) or plain(*args))
    for n, m, chosen in ((2, 5, "_tangents"), (5, 2, "_adjoints")):
        sweeps.clear()
        fad.jacobian(lambda v, m=m: [v[0] * float(i) for i in range(m)])(np.ones(n))
        assert sweeps == [chosen]


def test_partly_passive_arrays():
    def f(x):
        a = fad.zeros(3, like=x)
        a[1] = x * x
        return a

    for mode in MODES:
        assert fad.jacobian(f, mode=mode)(3.0).tolist() == [0.0, 6.0, 0.0]
    assert fad.jvp(f, (3.0,), (2.0,))[1].tolist() == [0.0, 12.0, 0.0]
    y, pullback = fad.vjp(f, 3.0)
    assert (y.tolist(), pullback(np.array([5.0, 1.0, 5.0]))) == ([0.0, 9.0, 0.0], (6.0,))


def test_control_flow():
    """Newton's method for the square root: loops and branches on values; d sqrt(a)/da = 1 / (2 sqrt(a))."""

    def root(a):
        x = a
        for _ in range(100):
            following = 0.5 * (x + a / x)
            if abs(following - x) < 1e-14 * x:
                return following
            x = following
        raise AssertionError

    for a in (0.01, 2.0, 1e4):
        value, derivative = fad.value_and_grad(root)(a)
        assert value == pytest.approx(math.sqrt(a), rel=1e-15)
        assert derivative == pytest.approx(0.5 / math.sqrt(a), rel=1e-10)


def test_transforms_leave_no_guards():
    """Only a recording for replay needs them: reading values and branching record nothing else."""
    seen = {}

    def f(x):
        before = len(x.tape)
        if x > 1.0 and x.value > 0.0:
            seen["rows"] = len(x.tape) - before
        return x * 2.0

    assert fad.grad(f)(3.0) == 2.0
    assert seen == {"rows": 0}


# -------------------- jvp, vjp --------------------


def polar(p):
    return {"x": p["r"] * fad.cos(p["phi"]), "y": [p["r"] * fad.sin(p["phi"])]}


def test_jvp_over_structures():
    p, dp = {"r": 2.0, "phi": 0.3}, {"r": 5.0, "phi": 7.0}
    y, y_dot = fad.jvp(polar, (p,), (dp,))
    c, s = math.cos(0.3), math.sin(0.3)
    assert y == {"x": pytest.approx(2 * c), "y": [pytest.approx(2 * s)]}
    assert y_dot["x"] == pytest.approx(5 * c - 14 * s, rel=1e-14)
    assert y_dot["y"] == [pytest.approx(5 * s + 14 * c, rel=1e-14)]


def test_vjp_over_structures():
    y, pullback = fad.vjp(polar, {"r": 2.0, "phi": 0.3})
    c, s = math.cos(0.3), math.sin(0.3)
    assert y == {"x": pytest.approx(2 * c), "y": [pytest.approx(2 * s)]}
    for x_bar, y_bar in ((1.0, 0.0), (5.0, 7.0), (0, 1)):
        (p_bar,) = pullback({"x": x_bar, "y": [y_bar]})
        assert p_bar["r"] == pytest.approx(x_bar * c + y_bar * s, rel=1e-14)
        assert p_bar["phi"] == pytest.approx(-2 * x_bar * s + 2 * y_bar * c, rel=1e-14)


def test_several_primals():
    def f(a, v):
        return a * v

    v = np.array([1.0, 2.0])
    y, y_dot = fad.jvp(f, (3.0, v), (1.0, np.array([10.0, 20.0])))
    assert (y.tolist(), y_dot.tolist()) == ([3.0, 6.0], [31.0, 62.0])
    y, pullback = fad.vjp(f, 3.0, v)
    a_bar, v_bar = pullback(np.array([1.0, 10.0]))
    assert (y.tolist(), a_bar, v_bar.tolist()) == ([3.0, 6.0], 21.0, [3.0, 30.0])


def test_dicts_match_by_key():
    """The order of a dict's items is no part of its structure."""
    y, y_dot = fad.jvp(lambda p: p["a"] ** 2 * p["b"], ({"a": 3.0, "b": 5.0},), ({"b": 1.0, "a": 0.0},))
    assert (y, y_dot) == (45.0, 9.0)
    _, pullback = fad.vjp(lambda x: {"u": x, "w": 5.0 * x}, 2.0)
    assert pullback({"w": 1.0, "u": 0.0}) == (5.0,)


@pytest.mark.parametrize(
    "tangent", [1.0, (1.0,), np.ones(3), np.ones((2, 1)), [1.0, 1.0], {"v": np.ones(2)}, None], ids=repr
)
def test_tangents_and_seeds_of_another_structure(tangent):
    with pytest.raises(ShapeError, match="expected a structure like"):
        fad.jvp(lambda v: v * 2.0, (np.ones(2),), (tangent,))
    _, pullback = fad.vjp(lambda v: v * 2.0, np.ones(2))
    with pytest.raises(ShapeError, match="expected a structure like"):
        pullback(tangent)
    assert pullback(np.ones(2))[0].tolist() == [2.0, 2.0], "still usable"


def test_too_few_tangents():
    with pytest.raises(ShapeError):
        fad.jvp(lambda a, b: a * b, (1.0, 2.0), (1.0,))


# -------------------- errors --------------------


OUTSIDE = {
    "grad": lambda f: fad.grad(f)(3.0),
    "jacobian": lambda f: fad.jacobian(f)(3.0),
    "jvp": lambda f: fad.jvp(f, (3.0,), (1.0,)),
    "vjp": lambda f: fad.vjp(f, 3.0),
    "record": lambda f: fad.record(f, 3.0),
}


@pytest.mark.parametrize("argument", [lambda x: x, lambda x: 2.0], ids=["the outer variable", "a number"])
@pytest.mark.parametrize("outside", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_recording_inside_is_refused(outside, argument):
    """Transforms nest (test_nesting.py); a Program made inside would know nothing of the outer variable."""
    with pytest.raises(NestingError) as caught:
        outside(lambda x: x * fad.record(lambda t: t * t, argument(x))(2.0))
    assert isinstance(caught.value, NotImplementedError)
    assert isinstance(caught.value, FastadError)
    assert fad.grad(lambda x: x * x)(3.0) == 6.0, "usable afterwards"


def test_explicit_tapes_are_not_nesting():
    """A tape of one's own inside a transform is a computation with numbers."""

    def f(x):
        tape = fad.Tape()
        y = tape.input(2.0)
        return x * float(tape.reverse(y * y)[0])

    assert fad.grad(f)(3.0) == 4.0


def test_an_exception_leaves_no_trace():
    def bad(x):
        raise KeyError("mine")

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            fad.grad(bad)(1.0)
    assert fad.grad(lambda x: x * 2.0)(1.0) == 2.0


def test_gradients_need_one_number():
    for f in (lambda x: [x], lambda x: (x, x), lambda x: fad.array([x, x]), lambda x: {"a": x}, lambda x: ()):
        with pytest.raises(ShapeError, match=r"one number.*fad\.jacobian"):
            fad.grad(f)(2.0)


@pytest.mark.parametrize("result", [None, "text", ..., True, [1.0, None], 1j], ids=repr)
def test_results_that_are_no_numbers(result):
    for differentiate in (
        lambda f: fad.grad(f)(2.0),
        lambda f: fad.jacobian(f)(2.0),
        lambda f: fad.jvp(f, (2.0,), (1.0,)),
        lambda f: fad.vjp(f, 2.0),
    ):
        with pytest.raises(TypeError, match="the function returned"):
            differentiate(lambda x: result)


@pytest.mark.parametrize("f", [lambda x: x < 1.0, lambda x: [x, x < 1.0], lambda x: fad.array([x, x]) < 1.0])
def test_a_condition_is_no_number(f):
    with pytest.raises(TypeError, match="the function returned"):
        fad.jacobian(f)(2.0)


def test_nothing_to_differentiate_by():
    for argument in ("text", None, [], {"a": True}, 1j):
        with pytest.raises(TypeError, match="holds no number"):
            fad.grad(lambda a: 1.0)(argument)


def test_values_of_another_tape():
    foreign = fad.Tape().input(2.0)
    with pytest.raises(TapeError, match="another tape"):
        fad.grad(lambda x: foreign)(1.0)
    with pytest.raises(TapeError, match="two tapes"):
        fad.grad(lambda x: x * foreign)(1.0)
    with pytest.raises(TapeError, match="two tapes"):
        fad.grad(lambda x, y: x * y, argnums=(0, 1))(foreign, fad.Tape().input(1.0))


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"mode='both'.*'auto', 'forward' or 'reverse'"):
        fad.jacobian(lambda x: x, mode="both")


def test_one_pullback_for_several_threads():
    """The sweeps share the memory of one tape. Oracle: the derivative by hand."""
    x = np.linspace(0.1, 1.0, 2000)
    _, pullback = fad.vjp(lambda x: np.sin(x) * x, x)
    found = {}

    def work(n):
        found[n] = [pullback(np.full(2000, n))[0] for _ in range(100)]

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, gradients in found.items():
        for gradient in gradients:
            assert gradient == pytest.approx(n * (np.cos(x) * x + np.sin(x)), rel=1e-13)
