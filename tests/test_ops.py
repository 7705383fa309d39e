"""Every operation of the table in every consumer: the same bits, the right numbers, the stated edges.

Oracles: mpmath at 50 digits for values and derivatives, NumPy for special values, and the design's rules at
kinks written out as literals.
"""

import math
import operator
import zlib
from math import inf, nan

import mpmath
import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers, ulps

import fastad as fad
from fastad.kernels.elementwise import evaluate
from fastad.kernels.rows import scalar_value
from fastad.ops import BY_NAME, OPCODE, OPS

mp = mpmath.mp

SMOOTH = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "abs": abs,
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "erf": mp.erf,
    "norm_pdf": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
    "norm_cdf": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "maximum": max,
    "minimum": min,
    "stop_gradient": lambda x: x,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "expm1": mp.expm1,
    "log1p": mp.log1p,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "rint": mp.nint,
    "trunc": lambda x: mp.sign(x) * mp.floor(abs(x)),
    "sign": mp.sign,
    "copysign": lambda x, y: abs(x) * mp.sign(y),
    "fmax": max,
    "fmin": min,
    "exp2": lambda x: mp.power(2, x),
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": mp.log10,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arctan2": mp.atan2,
    "hypot": mp.hypot,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "erfc": mp.erfc,
}


def _norm_ppf(p):
    # Digits for 1 - 2 p at any p.
    with mp.workdps(mp.dps + 10 + max(0, int(-mp.log10(p)))):
        return -mp.sqrt(2) * mp.erfinv(1 - 2 * p)


# Rows that the table will get, so that a new one is tested from its first day.
SOON = {
    "floordiv": lambda x, y: mp.floor(x / y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "expit": lambda x: 1 / (1 + mp.exp(-x)),
    "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
    "norm_ppf": _norm_ppf,
    "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "digamma": mp.digamma,
    "polygamma": lambda n, x: mp.polygamma(int(n), x),
}
SMOOTH |= {name: oracle for name, oracle in SOON.items() if name in BY_NAME}

CONDITIONS = {
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "same": lambda x, y: repr(x) == repr(y),  # repr tells all floats apart, and the zeros, but not NaNs
    "logical_and": lambda x, y: bool(x) and bool(y),
    "logical_or": lambda x, y: bool(x) or bool(y),
    "logical_not": lambda x: not x,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
    "signbit": lambda x: math.copysign(1.0, x) < 0.0,
}
# Below, in test_tables.py, in test_nesting.py, in test_algebra.py.
BY_HAND = {"input", "cond", "where", "guard", "locate", "take", "product", "variable", "block", "part"}

# Where the function itself has no digits left at the sampled points, its derivatives are given.
DERIVATIVES = {
    "tanh": [lambda x: 1 / mp.cosh(x) ** 2],
    "erf": [lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)],
    "erfc": [lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)],
    "expm1": [mp.exp],
    "norm_cdf": [SMOOTH["norm_pdf"]],
    "expit": [lambda x: 1 / (2 + mp.exp(x) + mp.exp(-x))],
    "logaddexp": [lambda x, y: 1 / (1 + mp.exp(y - x)), lambda x, y: 1 / (1 + mp.exp(x - y))],
    "norm_ppf": [lambda p: mp.sqrt(2 * mp.pi) * mp.exp(_norm_ppf(p) ** 2 / 2)],
    "polygamma": [lambda n, x: mp.mpf(0), lambda n, x: mp.polygamma(int(n) + 1, x)],
}
# The accuracy: 2 units in the last place, 4 for these.
FOUR_ULPS = {"pow", "erfc", "norm_ppf", "lgamma", "digamma", "polygamma"}

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, -8.0, 1 / 3, 40.0, 5e-324, -1e-310, 1e308, -1e308, inf, -inf, nan]
PAIRS = [(x, y) for x in SPECIAL for y in SPECIAL]


def each(choose):
    """Parametrise over the differentiable rows of the table that are chosen."""
    return pytest.mark.parametrize("op", [op for op in OPS if op.name in SMOOTH and choose(op)], ids=lambda op: op.name)


smooth, binary = each(lambda op: True), each(lambda op: op.arity == 2)


def test_every_operation_has_an_oracle():
    for kind, oracles in (("smooth", SMOOTH), ("condition", CONDITIONS), ("structure", BY_HAND)):
        assert {op.name for op in OPS if op.kind == kind} == set(oracles)


# -------------------- samples --------------------


def samples(op, n=60):
    """Points of the row's domain, over many magnitudes."""
    rng = np.random.default_rng(zlib.crc32(op.name.encode()))
    columns = []
    for low, high in op.domain[: op.arity]:
        magnitude = 10.0 ** rng.uniform(-8, 3, n)
        if np.isfinite(low) and np.isfinite(high):
            column = np.nextafter(low, high) + (high - low) * rng.random(n) * (1 - 1e-12)
            if low <= 0.0 < high:
                column[::3] *= 10.0 ** rng.uniform(-9, 0, column[::3].size)
        else:
            column = low + magnitude if np.isfinite(low) else magnitude * rng.choice([-1.0, 1.0], n)
        columns.append(column)
    if op.name == "polygamma":
        columns[0] = rng.integers(0, 5, n).astype(float)
    return columns


def special(op):
    """Special values, in all pairs for a binary operation."""
    return list(np.array(PAIRS).T.copy()) if op.arity == 2 else [np.array(SPECIAL)]


def unequal_powers(columns):
    """Pairs without the exponents that make products where they are passive: those have tests of their own."""
    x, y = columns
    with np.errstate(invalid="ignore"):
        kept = ~((np.abs(y) <= 32.0) & (y == np.floor(y)) & (y != 0.0))
    odd_and_even = [(v, n) for v in SPECIAL for n in (33.0, -33.0, 34.0, -34.0)]
    return [np.concatenate([c[kept], extra]) for c, extra in zip((x, y), np.array(odd_and_even).T)]


# -------------------- consumers --------------------
# Each takes (op, columns, active) and gives values, partials by reverse and tangents by forward; ``active``
# says which operands are active. Partials come in one sweep: every sample has inputs of its own.

OPERATORS = {
    "__add__": operator.add,
    "__sub__": operator.sub,
    "__mul__": operator.mul,
    "__truediv__": operator.truediv,
    "__neg__": operator.neg,
    "__pow__": operator.pow,
    "__abs__": operator.abs,
    "__floordiv__": operator.floordiv,
    "__mod__": operator.mod,
}


def by_name(op):
    return getattr(fad, op.name)


def by_operator(op):
    return OPERATORS[op.dunder] if op.dunder else None


def by_ufunc(op):
    return getattr(np, op.ufunc) if op.ufunc else None


def scalars(function, columns, active):
    tape = fad.Tape()
    inputs = [[tape.input(v) for v in column.tolist()] for column, a in zip(columns, active) if a]
    taken = iter(inputs)
    operands = [next(taken) if a else column.tolist() for column, a in zip(columns, active)]
    outputs = [function(*xs) for xs in zip(*operands)]
    assert all(type(out) is fad.Active for out in outputs)
    n = len(outputs)
    partials = [np.array(g) for g in tape.reverse(outputs, np.ones(n), wrt=inputs)]
    ways = np.kron(np.eye(len(inputs)), np.ones((n, 1)))
    tangents = tape.forward(outputs, ways).T
    return np.array([out.value for out in outputs]), partials, tangents


def arrays(function, columns, active):
    tape = fad.Tape()
    operands = [tape.inputs(column) if a else column for column, a in zip(columns, active)]
    inputs = [x for x, a in zip(operands, active) if a]
    out = function(*operands)
    assert type(out) is fad.ActiveArray
    n = out.size
    partials = tape.reverse(out, np.ones(n), wrt=inputs)
    ways = np.kron(np.eye(len(inputs)), np.ones((n, 1)))
    return np.array(out.value), partials, tape.forward(out, ways).T


def programs(function, columns, active):
    """Single replay, recorded at ordinary arguments and moved to each sample."""
    program = fad.record(function, *[0.5 + 0.25 * i for i in range(len(columns))])
    points = list(zip(*(column.tolist() for column in columns)))
    every = tuple(range(len(columns)))
    both = [program.value_and_grad(*point, argnums=every) for point in points]
    values = np.array([program(*point) for point in points])
    assert_same_bits([value for value, _ in both], values)
    tangents = []
    for k in every:
        direction = [float(i == k) for i in every]
        tangents.append([program.jvp(point, direction)[1] for point in points])
    return values, np.array([gradient for _, gradient in both]).T, np.array(tangents)


def batches(function, columns, active):
    """Replay of all samples side by side; no forward sweep there."""
    program = fad.record(function, *[0.5 + 0.25 * i for i in range(len(columns))])
    result = program.batch(*columns, axes=0, wrt=tuple(range(len(columns))))
    return result.value, result.gradient, result.gradient


CONSUMERS = {
    "operator": (scalars, by_operator),
    "ufunc": (scalars, by_ufunc),
    "array": (arrays, by_name),
    "array operator": (arrays, by_operator),
    "array ufunc": (arrays, by_ufunc),
    "program": (programs, by_name),
    "batch": (batches, by_name),
}
ACTIVITIES = {1: [(True,)], 2: [(True, True), (True, False), (False, True)]}


def assert_consumers_agree(op, columns):
    for active in ACTIVITIES[op.arity]:
        values, partials, tangents = scalars(by_name(op), columns, active)
        assert_same_numbers(tangents, partials, "forward and reverse")
        for name, (consumer, find) in CONSUMERS.items():
            function = find(op)
            if function is None or (consumer in (programs, batches) and not all(active)):
                continue
            got = consumer(function, columns, active)
            assert_same_bits(got[0], values, f"{name}: value")
            assert_same_numbers(got[1], partials, f"{name}: partials")
            assert_same_numbers(got[2], partials, f"{name}: tangents")
        floats = [by_name(op)(*xs) for xs in zip(*(c.tolist() for c in columns))]
        assert all(type(x) is float for x in floats)
        assert_same_bits(floats, values, "floats")
        assert_same_bits(by_name(op)(*columns), values, "float arrays")


@smooth
def test_consumers_agree_in_the_domain(op):
    assert_consumers_agree(op, samples(op))


@smooth
def test_consumers_agree_at_special_values(op):
    columns = special(op)
    assert_consumers_agree(op, unequal_powers(columns) if op.name == "pow" else columns)


@binary
@pytest.mark.parametrize("uniform", [0, 1])
def test_uniform_operand_in_a_batch(op, uniform):
    """An operand that is the same for all scenarios: the same bits, and its own sensitivity per scenario."""
    program = fad.record(by_name(op), 0.5, 0.75)
    axes = tuple(None if k == uniform else 0 for k in (0, 1))
    for number in (0.5, -3.0, 0.0, inf, nan):
        columns = [np.array(SPECIAL), np.array(SPECIAL)]
        columns[uniform][:] = number
        values, partials, _ = scalars(by_name(op), columns, (True, True))
        args = [number if k == uniform else columns[k] for k in (0, 1)]
        result = program.batch(*args, axes=axes, wrt=(0, 1))
        assert_same_bits(result.value, values)
        assert_same_numbers(result.gradient, partials)


@binary
def test_same_operand_twice(op):
    """Both partials reach the one operand."""
    function = by_name(op)
    for x in (1.0, 2.0, 7.0) if op.name == "polygamma" else (0.5, 1.0, 7.0):  # its order is a whole number
        tape = fad.Tape()
        a, b = tape.input(x), tape.input(x)
        expected = tape.reverse(function(a, b)).sum()
        assert fad.grad(lambda t: function(t, t))(x) == expected
        assert fad.record(lambda t: function(t, t), 2.0).grad(x) == expected
        assert fad.record(lambda t: function(t, t), 2.0).batch(np.array([x])).gradient[0] == expected


# -------------------- right numbers --------------------


@smooth
def test_values_against_mpmath(op):
    columns = samples(op)
    exact = [SMOOTH[op.name](*map(mpmath.mpf, xs)) for xs in zip(*(c.tolist() for c in columns))]
    for value, truth, *xs in zip(by_name(op)(*columns), exact, *columns):
        assert ulps(value, truth) <= (4.0 if op.name in FOUR_ULPS else 2.0), (xs, value, float(truth))


@each(lambda op: op.name != "stop_gradient")  # whose derivative is zero by definition
def test_partials_against_mpmath(op):
    columns = samples(op)
    _, partials, _ = scalars(by_name(op), columns, (True,) * op.arity)
    # 1 - tanh^2 has an absolute error of a rounding of 1; the others are good to relative accuracy.
    absolute = 3e-16 if op.name == "tanh" else 1e-307
    for i, xs in enumerate(zip(*(c.tolist() for c in columns))):
        for k in range(op.arity):
            point = tuple(map(mpmath.mpf, xs))
            order = tuple(int(j == k) for j in range(op.arity))
            given = DERIVATIVES.get(op.name)
            truth = given[k](*point) if given else mp.diff(SMOOTH[op.name], point, order)
            assert abs(partials[k][i] - truth) <= 1e-13 * abs(truth) + absolute, (xs, k, partials[k][i], float(truth))


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        *[("erf", x, v) for x, v in [(inf, 1.0), (-inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (40.0, 1.0)]],
        *[("norm_cdf", x, v) for x, v in [(inf, 1.0), (-inf, 0.0), (0.0, 0.5), (-0.0, 0.5), (nan, nan), (-40.0, 0.0)]],
        *[
            ("norm_pdf", x, v)
            for x, v in [(inf, 0.0), (-inf, 0.0), (0.0, 0.3989422804014327), (nan, nan), (1e308, 0.0)]
        ],
        *[("erfc", x, v) for x, v in [(inf, 0.0), (-inf, 2.0), (0.0, 1.0), (-0.0, 1.0), (nan, nan), (40.0, 0.0)]],
        *[("stop_gradient", x, x) for x in SPECIAL],
        *[
            (name, x, v)
            for name, x, v in [
                ("expit", inf, 1.0),
                ("expit", -inf, 0.0),
                ("expit", 0.0, 0.5),
                ("expit", -800.0, 0.0),
                ("norm_ppf", 0.5, 0.0),
                ("norm_ppf", 0.0, -inf),
                ("norm_ppf", 1.0, inf),
                ("norm_ppf", -0.1, nan),
                ("lgamma", 1.0, 0.0),
                ("lgamma", 2.0, 0.0),
                ("lgamma", 0.0, inf),
                ("lgamma", inf, inf),
                ("lgamma", nan, nan),
                ("digamma", inf, inf),
            ]
            if name in BY_NAME
        ],
    ],
)
def test_special_values_written_out(name, x, value):
    assert_same_bits(getattr(fad, name)(x), value)


@each(lambda op: op.ufunc)
def test_special_values_against_numpy(op):
    columns = special(op)
    with np.errstate(all="ignore"):
        expected = getattr(np, op.ufunc)(*columns)
    actual = by_name(op)(*columns)
    if op.name in ("maximum", "minimum", "fmax", "fmin"):  # NumPy leaves open which zero it takes
        assert_same_numbers(actual, expected)
        return
    exact = ~np.isfinite(expected) | (expected == 0.0)
    assert_same_bits(actual[exact], expected[exact])
    rtol = 1e-15 if op.special else 5e-16  # NumPy's own special functions are off by more than a unit
    np.testing.assert_allclose(actual[~exact], expected[~exact], rtol=rtol, atol=5e-324)


def test_fractional_power_of_a_negative_number_is_nan():
    # Python's float gives a complex number here.
    x = fad.Tape().input(-8.0)
    for out in (x ** (1 / 3), np.power(x, 1 / 3), fad.pow(x, 1 / 3)):
        assert np.isnan(out.value)
    assert np.isnan(fad.pow(-8.0, 1 / 3))
    assert np.isnan(fad.record(lambda x: x ** (1 / 3), 8.0)(-8.0))


def test_division_by_zero_does_not_raise():
    x = fad.Tape().input(0.0)
    assert (1.0 / x).value == inf
    assert (-1.0 / x).value == -inf
    assert np.isnan((x / 0.0).value)
    assert (fad.Tape().input(1.0) / -0.0).value == -inf


# -------------------- whole powers --------------------

WHOLE = [n for n in range(-32, 33) if n]


def by_products(x, n):
    """x ** n by squaring, on floats: what every consumer has to give to the last bit."""
    product, square = None, x
    for k in range(abs(n).bit_length()):
        square = square * square if k else x
        if abs(n) >> k & 1:
            product = square if product is None else product * square
    return product if n > 0 else float(np.divide(1.0, product))


POWERS = {"operator": lambda x, n: x**n, "fad.pow": lambda x, n: fad.pow(x, n), "np.power": lambda x, n: np.power(x, n)}


@pytest.mark.parametrize("n", WHOLE)
def test_whole_powers_are_products(n):
    """Actives, active arrays, floats, float arrays, programs and batches; n an int or a float."""
    numbers = np.array([1.1, -0.7, 3.3, 1e-5, -12.5, *SPECIAL])
    with np.errstate(all="ignore"):
        expected = [by_products(x, n) for x in numbers.tolist()]
    for exponent in (n, float(n)):
        for name, power in POWERS.items():
            tape = fad.Tape()
            xs, a = [tape.input(x) for x in numbers.tolist()], tape.inputs(numbers)
            assert_same_bits([power(x, exponent).value for x in xs], expected, name)
            assert_same_bits(power(a, exponent).value, expected, name)
            assert OPCODE["pow"] not in tape.opcode
            program = fad.record(lambda x, power=power, exponent=exponent: power(x, exponent), 0.5)
            assert_same_bits([program(x) for x in numbers.tolist()], expected, name)
            assert_same_bits(program.batch(numbers).value, expected, name)
        assert_same_bits([fad.pow(x, exponent) for x in numbers.tolist()], expected, "floats")
        assert_same_bits(fad.pow(numbers, exponent), expected, "float array")
        a = fad.Tape().inputs(numbers)
        a **= exponent
        assert_same_bits(a.value, expected, "in place")


@pytest.mark.parametrize("n", WHOLE)
def test_derivatives_of_whole_powers(n):
    for x in (1.1, -0.7, 3.3):
        truth = n * mp.mpf(x) ** (n - 1)
        tape = fad.Tape()
        a = tape.input(x)
        program = fad.record(lambda x: x**n, 0.5)
        for derivative in (
            tape.reverse(a**n)[0],
            tape.forward(a**n, [1.0]),
            program.grad(x),
            program.batch(np.array([x])).gradient[0],
        ):
            assert abs(derivative - truth) <= 1e-14 * abs(truth)
        assert abs(by_products(x, n) - mp.mpf(x) ** n) <= (abs(n) + 1) * 2.0**-53 * abs(mp.mpf(x) ** n)


@pytest.mark.parametrize(
    ("n", "rows"),
    [
        (1, []),
        (2, ["square"]),
        (3, ["square", "mul"]),
        (8, ["square"] * 3),
        (-1, ["reciprocal"]),
        (-2, ["square", "reciprocal"]),
        (-3, ["square", "mul", "reciprocal"]),
        (32, ["square"] * 5),
        (0, ["pow"]),
        (33, ["pow"]),
        (-33, ["pow"]),
        (2.5, ["pow"]),
        (inf, ["pow"]),
        (nan, ["pow"]),
    ],
)
def test_rows_of_a_power(n, rows):
    for exponent in {n, float(n)}:
        for power in POWERS.values():
            for make in (lambda tape: tape.input(1.5), lambda tape: tape.inputs([1.5])):
                tape = fad.Tape()
                power(make(tape), exponent)
                assert [OPS[code].name for code in tape.opcode[1:]] == rows


@pytest.mark.parametrize(
    ("n", "x", "derivative"),
    [
        (1, 0.0, 1.0),
        (2, 0.0, 0.0),
        (2, inf, inf),
        (3, -2.0, 12.0),
        (3, 0.0, 0.0),
        (-1, 0.0, -inf),
        (-1, inf, 0.0),
        (-2, -2.0, 0.25),
        (32, 1.0, 32.0),
        (5, nan, nan),
    ],
)
def test_whole_powers_at_edges(n, x, derivative):
    tape = fad.Tape()
    a = tape.input(x)
    program = fad.record(lambda x: x**n, 0.5)
    got = [tape.reverse(a**n)[0], tape.forward(a**n, [1.0]), program.grad(x), program.batch(np.array([x])).gradient[0]]
    assert_same_numbers(got, np.full(4, derivative))


@pytest.mark.parametrize("exponent", [1, 2, 3, 1.0, -1])
def test_power_of_passive_things_is_of_floats(exponent):
    """The result does not depend on how a number is spelled, and is never the argument itself."""
    expected = by_products(3.0, int(exponent))
    for number in (3, 3.0, np.float32(3.0), np.int64(3), np.array(3)):
        assert type(fad.pow(number, exponent)) is float
        assert fad.pow(number, exponent) == expected
    tenth = float(np.float32(0.1))
    assert_same_bits(fad.pow(np.float32(0.1), exponent), by_products(tenth, int(exponent)))
    for numbers in (np.array([3.0]), np.array([3]), np.array([3.0], np.float32), [3.0], (3.0,)):
        result = fad.pow(numbers, exponent)
        assert type(result) is np.ndarray
        assert result.dtype == np.float64
        assert result.tolist() == [expected]
        assert not np.shares_memory(result, np.asarray(numbers))
    for bad in ("3", None, object()):
        with pytest.raises(TypeError):
            fad.pow(bad, exponent)


# -------------------- edges, as the design states them --------------------

EDGES = [
    ("abs", (0.0,), (0.0,)),
    ("abs", (-0.0,), (0.0,)),
    ("abs", (nan,), (nan,)),
    ("maximum", (1.0, 1.0), (1.0, 0.0)),
    ("maximum", (0.0, -0.0), (1.0, 0.0)),
    ("maximum", (-0.0, 0.0), (1.0, 0.0)),
    ("maximum", (nan, 1.0), (1.0, 0.0)),
    ("maximum", (1.0, nan), (0.0, 1.0)),
    ("maximum", (inf, inf), (1.0, 0.0)),
    ("maximum", (-inf, 1.0), (0.0, 1.0)),
    ("minimum", (1.0, 1.0), (1.0, 0.0)),
    ("minimum", (0.0, -0.0), (1.0, 0.0)),
    ("minimum", (-0.0, 0.0), (1.0, 0.0)),
    ("minimum", (nan, 1.0), (1.0, 0.0)),
    ("minimum", (1.0, nan), (0.0, 1.0)),
    ("minimum", (-inf, -inf), (1.0, 0.0)),
    ("minimum", (inf, 1.0), (0.0, 1.0)),
    # base partial 0 at exponent 0; exponent partial v log(a) for a > 0 and 0 at a = 0
    ("pow", (3.0, 0.0), (0.0, 1.0986122886681098)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 0.5), (inf, 0.0)),
    ("pow", (1.0, 5.0), (5.0, 0.0)),
    ("pow", (-2.0, 3.0), (12.0, nan)),
    ("pow", (-2.0, 0.0), (0.0, nan)),
    ("sqrt", (0.0,), (inf,)),
    ("sqrt", (-1.0,), (nan,)),
    ("log", (0.0,), (inf,)),
    ("div", (1.0, 0.0), (inf, -inf)),
    ("stop_gradient", (2.0,), (0.0,)),
    ("stop_gradient", (inf,), (0.0,)),
    ("stop_gradient", (nan,), (0.0,)),
    ("tanh", (inf,), (0.0,)),
    ("exp", (-inf,), (0.0,)),
    ("exp", (inf,), (inf,)),
    ("norm_cdf", (inf,), (0.0,)),
    ("erf", (-inf,), (0.0,)),
    ("mul", (inf, 0.0), (0.0, inf)),
    # floor, ceil, round, sign 0: at the jumps, between them, and beyond
    *[
        (name, (x,), (0.0,))
        for name in ("floor", "ceil", "rint", "trunc", "sign")
        for x in (0.0, -0.0, 2.0, -1.0, 0.5, -2.5, 1e300, inf, -inf, nan)
    ],
    # fmax and fmin to the first operand at a tie, and to the one that is not NaN
    ("fmax", (1.0, 1.0), (1.0, 0.0)),
    ("fmax", (0.0, -0.0), (1.0, 0.0)),
    ("fmax", (-0.0, 0.0), (1.0, 0.0)),
    ("fmax", (1.0, 2.0), (0.0, 1.0)),
    ("fmax", (nan, 1.0), (0.0, 1.0)),
    ("fmax", (1.0, nan), (1.0, 0.0)),
    ("fmax", (nan, -inf), (0.0, 1.0)),
    ("fmax", (inf, inf), (1.0, 0.0)),
    ("fmin", (1.0, 1.0), (1.0, 0.0)),
    ("fmin", (-0.0, 0.0), (1.0, 0.0)),
    ("fmin", (1.0, 2.0), (1.0, 0.0)),
    ("fmin", (2.0, 1.0), (0.0, 1.0)),
    ("fmin", (nan, 1.0), (0.0, 1.0)),
    ("fmin", (1.0, nan), (1.0, 0.0)),
    ("fmin", (nan, inf), (0.0, 1.0)),
    ("copysign", (2.0, -3.0), (-1.0, 0.0)),
    ("copysign", (-2.0, -3.0), (1.0, 0.0)),
    ("copysign", (0.0, 1.0), (1.0, 0.0)),
    ("copysign", (-0.0, 1.0), (-1.0, 0.0)),
    ("copysign", (0.0, -0.0), (-1.0, 0.0)),
    # hypot and arctan2 0 at the origin, and no overflow or underflow on the way
    *[(name, (x, y), (0.0, 0.0)) for name in ("hypot", "arctan2") for x in (0.0, -0.0) for y in (0.0, -0.0)],
    ("hypot", (3.0, -4.0), (0.6, -0.8)),
    ("hypot", (0.0, -2.0), (0.0, -1.0)),
    ("hypot", (3e200, 4e200), (0.6, 0.8)),
    ("hypot", (3e-200, 4e-200), (0.6, 0.8)),
    ("arctan2", (0.0, -1.0), (-1.0, 0.0)),
    ("arctan2", (1.0, 0.0), (0.0, -1.0)),
    ("arctan2", (1e200, 1e200), (5e-201, -5e-201)),
    ("arctan2", (1e-200, 1e-200), (5e199, -5e199)),
    ("square", (0.0,), (0.0,)),
    ("square", (1e200,), (2e200,)),
    ("square", (-inf,), (-inf,)),
    ("reciprocal", (0.0,), (-inf,)),
    ("reciprocal", (-inf,), (0.0,)),
    ("expm1", (-inf,), (0.0,)),
    ("expm1", (0.0,), (1.0,)),
    ("log1p", (-1.0,), (inf,)),
    ("log1p", (0.0,), (1.0,)),
    ("log2", (0.0,), (inf,)),
    ("log10", (0.0,), (inf,)),
    ("exp2", (-inf,), (0.0,)),
    ("exp2", (inf,), (inf,)),
    ("cbrt", (0.0,), (inf,)),
    ("cbrt", (-0.0,), (inf,)),
    ("cbrt", (-8.0,), (1.0 / 12.0,)),
    ("cbrt", (inf,), (0.0,)),
    ("tan", (0.0,), (1.0,)),
    ("tan", (inf,), (nan,)),
    ("arcsin", (1.0,), (inf,)),
    ("arcsin", (-1.0,), (inf,)),
    ("arcsin", (2.0,), (nan,)),
    ("arccos", (1.0,), (-inf,)),
    ("arccos", (-1.0,), (-inf,)),
    ("arctan", (inf,), (0.0,)),
    ("arctan", (1e200,), (0.0,)),
    ("sinh", (-inf,), (inf,)),
    ("cosh", (-inf,), (-inf,)),
    ("cosh", (0.0,), (0.0,)),
    ("arcsinh", (inf,), (0.0,)),
    ("arcsinh", (1e200,), (1e-200,)),
    ("arccosh", (1.0,), (inf,)),
    ("arccosh", (0.5,), (nan,)),
    ("arccosh", (inf,), (0.0,)),
    ("arctanh", (1.0,), (inf,)),
    ("arctanh", (-1.0,), (inf,)),
    ("erfc", (inf,), (0.0,)),
    ("erfc", (-inf,), (0.0,)),
    ("erfc", (0.0,), (-1.1283791670955126,)),
]
EDGES_SOON = [
    ("floordiv", (7.5, 2.0), (0.0, 0.0)),
    ("floordiv", (-8.0, 2.0), (0.0, 0.0)),
    ("mod", (7.5, 2.0), (1.0, -3.0)),
    ("mod", (-7.5, 2.0), (1.0, 4.0)),
    ("mod", (8.0, 2.0), (1.0, -4.0)),
    ("expit", (0.0,), (0.25,)),
    ("expit", (inf,), (0.0,)),
    ("expit", (-inf,), (0.0,)),
    ("logaddexp", (2.0, 2.0), (0.5, 0.5)),
    ("logaddexp", (1000.0, 0.0), (1.0, 0.0)),
    ("norm_ppf", (0.5,), (2.5066282746310002,)),
    ("norm_ppf", (0.0,), (inf,)),
    ("norm_ppf", (1.0,), (inf,)),
    ("norm_ppf", (1.5,), (nan,)),
    ("lgamma", (1.0,), (-0.5772156649015329,)),
    ("digamma", (1.0,), (1.6449340668482264,)),
    ("polygamma", (1.0, 1.0), (0.0, -2.4041138063191886)),
]
EDGES += [edge for edge in EDGES_SOON if edge[0] in BY_NAME]


@pytest.mark.parametrize(("name", "xs", "expected"), EDGES)
def test_partials_at_edges(name, xs, expected):
    """In every consumer, forward and reverse."""
    op = BY_NAME[name]
    columns = [np.array([x]) for x in xs]
    wanted = np.array(expected)[:, None]
    rtol = 1e-15 if name in FOUR_ULPS else 4e-16
    for how, (consumer, find) in {"function": (scalars, by_name), **CONSUMERS}.items():
        function = find(op)
        if function is not None:
            _, partials, tangents = consumer(function, columns, (True,) * op.arity)
            np.testing.assert_allclose(partials, wanted, rtol=rtol, atol=0.0, err_msg=how)
            np.testing.assert_allclose(tangents, wanted, rtol=rtol, atol=0.0, err_msg=how)


def test_ties_return_the_first_operand():
    for name in ("maximum", "minimum", "fmax", "fmin"):
        function = getattr(fad, name)
        assert_same_bits([function(0.0, -0.0), function(-0.0, 0.0)], [0.0, -0.0])


# -------------------- conditions --------------------

COMPARE = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize("way", ["operator", "ufunc"])
def test_comparisons(name, way):
    compare = COMPARE[name] if way == "operator" else getattr(np, name)
    expected = [CONDITIONS[name](x, y) for x, y in PAIRS]
    x, y = np.array(PAIRS).T.copy()
    tape = fad.Tape()
    xs, ys = [tape.input(v) for v in x.tolist()], [tape.input(v) for v in y.tolist()]
    for left, right in ((xs, ys), (xs, y.tolist()), (x.tolist(), ys)):
        conditions = [compare(a, b) for a, b in zip(left, right)]
        assert all(type(c) is fad.Condition for c in conditions)
        assert [c.outcome for c in conditions] == expected
        rows = [fad.where(c, 1.0, 0.0) for c in conditions]
        assert [row.value for row in rows] == expected
        assert not tape.reverse(rows, np.ones(len(rows))).any()
    a, b = tape.inputs(x), tape.inputs(y)
    for left, right in ((a, b), (a, y), (x, b)):
        condition = compare(left, right)
        assert type(condition) is fad.ConditionArray
        assert condition.outcome.tolist() == expected
        assert tape.value[-len(x) :].tolist() == [float(e) for e in expected], "the rows of the conditions"
    program = fad.record(lambda x, y: fad.where(compare(x, y), 1.0, 0.0), 0.5, 0.75)
    assert [program(*pair) for pair in PAIRS] == expected
    result = program.batch(x, y, axes=0, wrt=(0, 1))
    assert result.value.tolist() == expected
    assert not np.any(result.gradient)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "signbit"])
@pytest.mark.parametrize("module", [fad, np], ids=["fad", "np"])
def test_tests_of_one_number(name, module):
    """Conditions of actives, bools of floats: isnan and its like."""
    test, numbers = getattr(module, name), np.array(SPECIAL)
    expected = [CONDITIONS[name](x) for x in SPECIAL]
    tape = fad.Tape()
    conditions = [test(tape.input(x)) for x in SPECIAL]
    assert all(type(c) is fad.Condition for c in conditions)
    assert [c.outcome for c in conditions] == expected
    assert not tape._guard_rows
    rows = [fad.where(c, 1.0, 0.0) for c in conditions]
    assert [row.value for row in rows] == expected
    assert not tape.reverse(rows, np.ones(len(rows))).any()
    condition = test(tape.inputs(numbers))
    assert type(condition) is fad.ConditionArray
    assert condition.outcome.tolist() == expected
    program = fad.record(lambda x: fad.where(test(x), 1.0, 0.0), 0.5)
    assert [program(x) for x in SPECIAL] == expected
    result = program.batch(numbers)
    assert result.value.tolist() == expected
    assert not result.gradient.any()
    assert getattr(fad, name)(numbers).tolist() == expected
    assert [bool(getattr(fad, name)(x)) for x in SPECIAL] == expected


def test_a_test_of_one_number_guards():
    program = fad.record(lambda x: 0.0 if fad.isnan(x) else x * 2.0, 1.0)
    program.on_divergence = "raise"
    assert program(3.0) == 6.0
    with pytest.raises(fad.errors.DivergenceError):
        program(nan)


@pytest.mark.parametrize("name", CONDITIONS)
def test_condition_kernels(name):
    """The rule itself, for one point and for eight lanes at a time."""
    op, code = BY_NAME[name], OPCODE[name]
    columns = special(op)
    expected = [float(CONDITIONS[name](*xs)) for xs in zip(*(c.tolist() for c in columns))]
    x, y = (*columns, np.zeros_like(columns[0]))[:2]
    assert evaluate(code, x, y).tolist() == expected
    assert [scalar_value(code, a, b) for a, b in zip(x.tolist(), y.tolist())] == expected


def test_same_tells_bits_apart():
    """What a frozen value must stay: the same bits, or NaN for NaN."""
    program = fad.record(lambda x: x * x.value, -0.0)
    program.on_divergence = "raise"
    assert program(-0.0) == 0.0
    with pytest.raises(fad.errors.DivergenceError):
        program(0.0)
    assert np.isnan(fad.record(lambda x: x * x.value, nan)(-nan))


BITS = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]]).T.copy()


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        (lambda a, b: a & b, [False, False, False, True]),
        (lambda a, b: a | b, [False, True, True, True]),
        (lambda a, b: ~a, [True, True, False, False]),
        (lambda a, b: ~(a & ~b) | a, [True, True, True, True]),
    ],
    ids=["and", "or", "not", "nested"],
)
def test_combined_conditions(combine, expected):
    def f(x, y):
        return fad.where(combine(x > 1.0, y > 1.0), 1.0, 0.0)

    for x, y, e in zip(*BITS.tolist(), expected):
        tape = fad.Tape()
        a, b = tape.input(x), tape.input(y)
        assert combine(a > 1.0, b > 1.0).outcome is e
        assert f(a, b).value == e
        assert not tape._guard_rows
    tape = fad.Tape()
    a, b = tape.inputs(BITS[0]), tape.inputs(BITS[1])
    assert combine(a > 1.0, b > 1.0).outcome.tolist() == expected
    assert f(a, b).value.tolist() == expected
    assert not tape._guard_rows
    program = fad.record(f, 2.0, 2.0)
    assert [program(x, y) for x, y in BITS.T.tolist()] == expected
    assert program.batch(*BITS, axes=0).value.tolist() == expected


# -------------------- where, clip, input, guard --------------------


def choose(x, y):
    return fad.where(x < y, x, y)


def test_where_in_every_consumer():
    columns = list(np.array(PAIRS).T.copy())
    chosen = [x < y for x, y in PAIRS]
    values = [x if c else y for (x, y), c in zip(PAIRS, chosen)]
    partials = np.array([[float(c) for c in chosen], [float(not c) for c in chosen]])
    for consumer in (scalars, arrays, programs, batches):
        got = consumer(choose, columns, (True, True))
        assert_same_bits(got[0], values, consumer.__name__)
        assert_same_numbers(got[1], partials, consumer.__name__)
        assert_same_numbers(got[2], partials, consumer.__name__)
    for consumer in (scalars, arrays):
        for k, active in enumerate([(True, False), (False, True)]):
            got = consumer(choose, columns, active)
            assert_same_bits(got[0], values)
            assert_same_numbers(got[1], partials[k : k + 1])


def test_where_is_a_cond_row_and_a_where_row():
    tape = fad.Tape()
    x, y = tape.input(1.0), tape.input(2.0)
    condition = x < y
    out = fad.where(condition, x, 7.0)
    assert [BY_NAME[n].name for n in ("less", "cond", "where")] == [OPS[c].name for c in tape.opcode[2:]]
    assert (tape.arg0[2:].tolist(), tape.arg1[2:].tolist()) == ([0, 2, 0], [1, -1, -1])
    assert tape.value[2:].tolist() == [1.0, 1.0, 1.0]
    assert (tape.partial0[4], tape.partial1[4]) == (1.0, 7.0)
    assert out.index == 4
    fad.where(condition, y, x)  # a condition used twice has one row
    assert len(tape) == 7


def test_where_of_two_passive_numbers():
    program = fad.record(lambda x: fad.where(x > 1.0, 3.0, -5.0) * x, 2.0)
    assert (program(2.0), program(0.5)) == (6.0, -2.5)
    assert (program.grad(2.0), program.grad(0.5)) == (3.0, -5.0)
    assert program.batch(np.array([2.0, 0.5])).gradient.tolist() == [3.0, -5.0]


def guarded_root(x):
    return fad.where(x > 0.0, fad.sqrt(x), 0.0)


@pytest.mark.parametrize(
    ("f", "x", "derivative"),
    [
        (guarded_root, 0.0, 0.0),
        (guarded_root, -1.0, 0.0),
        (guarded_root, 4.0, 0.25),
        (lambda x: fad.where(x > 0.0, fad.log(x), x), -1.0, 1.0),
        (lambda x: fad.where(x > 0.0, fad.log(x), x), 0.0, 1.0),
        (lambda x: fad.where(x != 0.0, fad.sin(x) / x, 1.0), 0.0, 0.0),
        (lambda x: fad.where(x < 700.0, fad.exp(x), 1.0) * 2.0, 1000.0, 0.0),
        (lambda x: fad.stop_gradient(fad.sqrt(x)) + x, 0.0, 1.0),
        (lambda x: fad.sqrt(fad.stop_gradient(x)) + x, 0.0, 1.0),
        (lambda x: fad.maximum(x, 1.0) * fad.minimum(fad.log(x), -1.0), 0.0, inf),
        (lambda x: fad.maximum(1.0, fad.log(x)), 0.0, 0.0),
    ],
)
def test_zero_factor_rule(f, x, derivative):
    """The infinite or undefined partial of what is not taken does no harm, forward and reverse."""
    tape = fad.Tape()
    a = tape.input(x)
    assert tape.reverse(f(a)) == derivative
    assert tape.reverse(f(a), np.ones((1, 2))).tolist() == [[derivative, derivative]]
    assert tape.forward(f(a), [1.0]) == derivative
    v = tape.inputs([x, 1.5, x])
    expected = [derivative, fad.grad(f)(1.5), derivative]
    assert tape.reverse(f(v), np.ones(3), wrt=v).tolist() == expected
    program = fad.record(f, 1.5)
    assert program.grad(x) == derivative
    assert program.jvp((x,), (1.0,))[1] == derivative
    assert program.batch(np.array([1.5, x])).gradient.tolist() == [fad.grad(f)(1.5), derivative]
    assert program.batch(np.array([x, x]), reduce="sum").gradient == 2 * derivative


def test_clip():
    """clip is minimum(maximum(x, lower), upper): two rows, and their edges."""
    for x, value, derivative in [(0.0, 1.0, 0.0), (1.5, 1.5, 1.0), (9.0, 2.0, 0.0), (1.0, 1.0, 1.0), (2.0, 2.0, 1.0)]:
        tape = fad.Tape()
        a = tape.input(x)
        out = fad.clip(a, 1.0, 2.0)
        assert (out.value, tape.reverse(out)) == (value, derivative)
        assert len(tape) == 3
        assert np.clip(a, 1.0, 2.0).value == value
        assert fad.clip(x, 1.0, 2.0) == value
    x = np.array([0.0, 1.5, 9.0, nan])
    assert_same_bits(fad.clip(x, 1.0, 2.0), [1.0, 1.5, 2.0, nan])
    assert_same_bits(fad.clip(x, None, 2.0), [0.0, 1.5, 2.0, nan])
    assert_same_bits(fad.clip(x, 1.0, None), [1.0, 1.5, 9.0, nan])
    assert fad.clip(x, None, None) is x
    assert fad.grad(lambda lower, upper: fad.clip(0.0, lower, upper), argnums=(0, 1))(1.0, 2.0) == (1.0, 0.0)


def test_input_rows():
    tape = fad.Tape()
    tape.input(2.5)
    tape.inputs([-0.0, nan])
    assert tape.opcode.tolist() == [OPCODE["input"]] * 3
    assert_same_bits(tape.value, [2.5, -0.0, nan])
    assert fad.record(lambda x: x, 1.0)(-0.0) == 0.0
    assert_same_bits(fad.record(lambda x: x, 1.0).batch(np.array([-0.0, nan, inf])).value, [-0.0, nan, inf])


@pytest.mark.parametrize("outcome", [True, False])
def test_guard_rows(outcome):
    """A truth is a row that repeats the condition, has no derivative, and is compared in replay."""
    tape = fad.Tape()
    x = tape.input(2.0 if outcome else 0.5)
    assert bool(x > 1.0) is outcome
    assert [OPS[c].name for c in tape.opcode] == ["input", "greater", "guard"]
    assert tape.arg0.tolist() == [-1, 0, 1]
    assert tape.value[2] == tape.partial1[2] == float(outcome)

    def f(x):
        return x * 3.0 if x > 1.0 else -x

    inside, outside = (2.0, 0.5) if outcome else (0.5, 2.0)
    program = fad.record(f, inside)
    program.on_divergence = "raise"
    assert program(inside) == f(inside)
    assert program.batch(np.full(70, inside)).gradient.tolist() == [3.0 if outcome else -1.0] * 70
    with pytest.raises(fad.errors.DivergenceError):
        program(outside)
    with pytest.raises(fad.errors.DivergenceError, match=r"scenario 66\b"):
        program.batch(np.where(np.arange(70) == 66, outside, inside))
    with pytest.raises(fad.errors.DivergenceError):
        program(nan) if outcome else program(inf)
