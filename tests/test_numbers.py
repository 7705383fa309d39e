"""What users write with numbers: NumPy scalars, builtins, the math and statistics modules, copies.

Oracles: the same expression on plain floats.
"""

import copy
import math
import numbers
import operator
import pickle
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from helpers_core import assert_same_bits

import fastad as fad
from fastad.errors import DivergenceError
from fastad.ops import BY_NAME, OPS

VALUES = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 2.4999, 1e300, -7.25, 4503599627370497.5]


@pytest.fixture
def tape():
    return fad.Tape()


def names(tape):
    return [OPS[code].name for code in tape.opcode]


# -------------------- NumPy scalars and ufuncs --------------------

NUMBERS = {
    "np.float64": np.float64(1.5),
    "np.float32": np.float32(1.5),
    "np.float16": np.float16(1.5),
    "np.longdouble": np.longdouble(1.5),
    "np.int8": np.int8(3),
    "np.uint64": np.uint64(3),
    "int": 3,
    "bool": True,
    "np.bool_": np.True_,
    "Fraction": Fraction(3, 2),
    "0-d array": np.array(1.5, dtype=np.float32),
}
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
if "floordiv" in BY_NAME:
    ARITHMETIC += [operator.floordiv, operator.mod]


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_any_number_is_taken_as_its_float(tape, number):
    """One active row on either side, with the bits that the float would give."""
    x = tape.input(1.1)
    for apply in ARITHMETIC:
        for out, same in (
            (apply(x, number), apply(x, float(number))),
            (apply(number, x), apply(float(number), x)),
        ):
            assert type(out) is fad.Active
            assert_same_bits(out.value, same.value)
            assert_same_bits(tape.reverse(out), tape.reverse(same))
    assert float(number) * 1.1 == (number * x).value


WHOLE = [np.int64, np.uint8, np.float64, np.float32, np.longdouble, np.array, lambda n: np.array(float(n)), Fraction]


@pytest.mark.parametrize("kind", WHOLE, ids=["i8", "u1", "f8", "f4", "g", "0-d int", "0-d float", "Fraction"])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 32])
def test_whole_exponents_of_any_type_make_products(tape, n, kind):
    """The rows and bits of a plain int exponent, for scalars, arrays and in np.power."""

    def rows_of(power, base):
        start = len(tape)
        value = power(base).value
        return names(tape)[start:], value

    for base in (tape.input(1.1), tape.inputs([1.1, -0.3])):
        expected, value = rows_of(lambda x: x**n, base)
        assert "pow" not in expected
        for power in (lambda x: x ** kind(n), lambda x: fad.pow(x, kind(n)), lambda x: np.power(x, n)):
            rows, got = rows_of(power, base)
            assert rows == expected
            assert_same_bits(got, value)
    assert_same_bits(fad.pow(1.1, kind(n)), (tape.input(1.1) ** n).value)


def test_negative_and_other_exponents(tape):
    x = tape.input(1.1)
    assert_same_bits((x ** np.int64(-3)).value, (x**-3).value)
    assert names(tape)[1:] == ["square", "mul", "reciprocal"] * 2
    for exponent in (np.float64(2.5), np.int64(33), np.int64(0), np.array(math.nan), np.array([2.0]), tape.input(2.0)):
        before = len(tape)
        x**exponent
        assert names(tape)[before:] == ["pow"]


@pytest.mark.parametrize("number", [NUMBERS["np.float64"], NUMBERS["np.float32"], 3, True], ids=repr)
def test_in_place_on_a_number(tape, number):
    total = number
    total += tape.input(2.0)
    total *= 2
    assert type(total) is fad.Active
    assert total.value == 2.0 * (float(number) + 2.0)
    assert tape.reverse(total) == 2.0


@pytest.mark.parametrize("other", [Decimal(1), "1", b"1", None, [1], {1}], ids=repr)
def test_what_is_no_real_number(tape, other):
    x = tape.input(2.0)
    for apply in ARITHMETIC:
        for operands in ((x, other), (other, x)):
            with pytest.raises(TypeError):
                apply(*operands)
    assert len(tape) == 1


def test_ufuncs_of_actives_and_numbers(tape):
    x = tape.input(2.5)
    for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.arctan2, np.copysign, np.power):
        for number in (np.float64(1.25), 1.25, 4, np.float32(4.0), np.int64(-1)):
            with np.errstate(invalid="ignore"):
                expected = ufunc(2.5, float(number)), ufunc(float(number), 2.5)
            for out, value in zip((ufunc(x, number), ufunc(number, x)), expected):
                assert type(out) is fad.Active
                assert out.value == pytest.approx(value, rel=1e-15, nan_ok=True)
    for ufunc in (np.sqrt, np.exp, np.square, np.reciprocal, np.log1p, np.floor, np.rint, np.sign, np.negative):
        out = ufunc(x)
        assert type(out) is fad.Active
        assert out.value == pytest.approx(float(ufunc(2.5)), rel=1e-15)


def test_every_ufunc_of_the_table_takes_an_active(tape):
    for op in OPS:
        if op.ufunc and op.name not in ("logical_and", "logical_or", "logical_not"):
            out = getattr(np, op.ufunc)(*[tape.input(0.5) for _ in range(op.arity)])
            assert type(out) is (fad.Condition if op.kind == "condition" else fad.Active), op.name


# -------------------- choices with conditions --------------------


def test_np_where_with_conditions(tape):
    x = tape.input(2.0)
    for condition, outcome in (
        (x > 1.0, True),
        (x < 1.0, False),
        (np.float64(3.0) > x, True),
        (np.isnan(x), False),
        (np.isfinite(x), True),
        (~(x > 1.0), False),
        ((x > 1.0) & (x < 3.0), True),
    ):
        for where in (np.where, fad.where):
            out = where(condition, x, np.float64(7.0))
            assert type(out) is fad.Active
            assert (out.value, tape.reverse(out).item()) == ((2.0, 1.0) if outcome else (7.0, 0.0))
    assert not tape._guard_rows
    with pytest.raises(TypeError, match="real numbers"):
        np.where(x > 1.0, "a", "b")


def test_np_where_of_arrays(tape):
    a = tape.inputs([1.0, 2.0, 3.0])
    out = np.where(a > 1.5, a, 0.0)
    assert out.value.tolist() == [0.0, 2.0, 3.0]
    assert tape.reverse(out, np.ones(3)).tolist() == [0.0, 1.0, 1.0]
    assert np.where([True, False, True], a, np.zeros(3)).value.tolist() == [1.0, 0.0, 3.0]
    assert np.where(a[0] < 5.0, a, 0.0).value.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "clip",
    [
        lambda x, lower, upper: np.clip(x, lower, upper),
        lambda x, lower, upper: np.clip(x, a_min=lower, a_max=upper),
        lambda x, lower, upper: np.clip(a=x, a_min=lower, a_max=upper),
        lambda x, lower, upper: fad.clip(x, lower, upper),
    ],
    ids=["np positional", "np keywords", "np all keywords", "fad"],
)
def test_np_clip(tape, clip):
    x, low = tape.input(2.5), tape.input(0.5)
    assert clip(x, 0.0, 2.0).value == 2.0
    assert clip(x, None, 2).value == 2.0
    assert clip(x, np.float32(3.0), None).value == 3.0
    assert clip(np.float64(0.0), low, 2.0).value == 0.5
    out = clip(tape.inputs([0.0, 1.0, 9.0]), low, 2.0)
    assert out.value.tolist() == [0.5, 1.0, 2.0]
    assert tape.reverse(out, np.ones(3)).tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]


def test_isnan_in_an_if_is_a_guard(tape):
    x = tape.input(2.0)
    for test, outcome in ((fad.isnan, False), (fad.isinf, False), (fad.isfinite, True)):
        before = len(tape._guard_rows)
        assert bool(test(x)) is outcome
        assert len(tape._guard_rows) == before + 1
    program = fad.record(lambda x: x * 2.0 if np.isfinite(x) else 0.0, 1.0)
    program.on_divergence = "raise"
    assert program(4.0) == 8.0
    for bad in (math.nan, math.inf):
        with pytest.raises(DivergenceError):
            program(bad)


def test_isnan_in_a_where_is_data():
    program = fad.record(lambda x: np.where(np.isnan(fad.log(x)), 0.0, fad.log(x)), 2.0)
    assert program(-1.0) == 0.0
    assert program.batch(np.array([1.0, -1.0, 2.0])).gradient.tolist() == [1.0, 0.0, 0.5]


def test_tests_of_plain_numbers_are_bools():
    assert fad.isnan(math.nan)
    assert not fad.isnan(1.0)
    assert fad.isnan(np.array([1.0, math.nan])).dtype == bool
    assert fad.isfinite(3)


# -------------------- builtins --------------------


def test_sum_and_prod(tape):
    xs = [tape.input(v) for v in (1.5, -2.0, 4.0)]
    assert tape.reverse(sum(xs)).tolist() == [1.0, 1.0, 1.0]
    assert sum(xs, 10.0).value == sum(xs, np.float64(10.0)).value == 13.5
    assert math.prod(xs).value == -12.0
    assert (sum(xs) / len(xs)).value == 3.5 / 3
    assert sum(tape.inputs([1.0, 2.0])).value == 3.0


def test_min_max_and_sorted_guard():
    for f, good, bad in (
        (lambda x, y: max(x, y), (3.0, 1.0), (1.0, 3.0)),
        (lambda x, y: min([x, y, 9.0]), (1.0, 3.0), (3.0, 1.0)),
        (lambda x, y: sorted([x, y])[0] * 2.0, (1.0, 3.0), (3.0, 1.0)),
        (lambda x, y: max([x, y], key=abs), (-3.0, 1.0), (1.0, -3.0)),
        (lambda x, y: [1.0, x * y].index(x * 2.0) * x, (2.0, 2.0), (2.0, 3.0)),
        (lambda x, y: x if 2.0 in (x, 5.0) else y, (2.0, 1.0), (3.0, 1.0)),
        (lambda x, y: x if any([x > 1.0, y > 1.0]) else y, (2.0, 0.0), (0.0, 0.0)),
        (lambda x, y: x if all(v > 0.0 for v in (x, y)) else y, (2.0, 1.0), (2.0, -1.0)),
        (lambda x, y: statistics.median([x, y, 2.0]), (1.0, 3.0), (3.0, 1.0)),
    ):
        program = fad.record(f, *good)
        program.on_divergence = "raise"
        assert program(*good) == f(*good)
        with pytest.raises(DivergenceError):
            program(*bad)


def test_statistics_that_call_float_name_the_way_out(tape):
    xs = [tape.input(1.0), tape.input(2.0)]
    for use in (statistics.fmean, math.fsum, lambda xs: math.dist(xs, [0.0, 0.0]), lambda xs: math.hypot(*xs)):
        with pytest.raises(TypeError, match=r"use fad\.exp / np\.exp, or fad\.value\(a\)"):
            use(xs)
    for use in (statistics.fmean, statistics.mean, statistics.variance):
        with pytest.raises(TypeError, match=r"sum\(v\) / len\(v\)"):
            use(xs)
    assert statistics.fmean(fad.value(xs)) == 1.5
    assert fad.array(xs).mean().value == 1.5


def test_np_reductions_of_lists_name_fad_array(tape):
    xs = [tape.input(1.0), tape.input(2.0)]
    for use in (np.array, np.sum, np.mean, np.max):
        with pytest.raises(TypeError, match=r"use fad\.array\("):
            use(xs)
    assert np.sum(fad.array(xs)).value == 3.0
    assert np.stack(xs).value.tolist() == [1.0, 2.0]  # its pieces are operands, as in np.hypot(x, y)


@pytest.mark.parametrize("value", VALUES)
def test_floor_ceil_trunc_round(tape, value):
    x = tape.input(value)
    for apply, row in ((math.floor, "floor"), (math.ceil, "ceil"), (math.trunc, "trunc"), (round, "rint")):
        out = apply(x)
        assert type(out) is fad.Active, "a whole number that may differ between scenarios"
        assert out.value == float(apply(value))
        assert math.copysign(1.0, out.value) == math.copysign(1.0, getattr(np, row)(value))
        assert names(tape)[-1] == row
        assert tape.reverse(out) == 0.0


@pytest.mark.parametrize("digits", [0, 1, 2, 6, -1, -2])
def test_round_to_digits(tape, digits):
    """As np.round: scaled, to the nearest, ties to even."""
    plain = [2.5, 3.14159, -2.71828, 1234.5678, 25.0, 350.0, -1250.0, 0.125, 0.0, -0.4, 1e15, 5.015, 1.005]
    plain += np.random.default_rng(5).uniform(-1e4, 1e4, 300).round(4).tolist()
    for value in plain:
        x = tape.input(value)
        for out in (round(x, digits), np.round(x, digits), np.around(x, decimals=digits)):
            assert type(out) is fad.Active
            assert_same_bits(out.value, np.round(value, digits))
        assert not tape.reverse(out).any()
    array = tape.inputs(plain)
    for out in (round(array, digits), array.round(digits), array.round(decimals=digits), np.round(array, digits)):
        assert type(out) is fad.ActiveArray
        assert_same_bits(out.value, np.round(plain, digits))


def test_round_to_whole_numbers_of_arrays(tape):
    array = tape.inputs([0.5, 1.5, 2.5, -0.5, math.nan, math.inf, 1e300])
    for out in (round(array), array.round(), np.round(array)):
        assert_same_bits(out.value, np.round(fad.value(array)))
    assert np.round(tape.input(2.5)).value == 2.0
    program = fad.record(lambda v: np.round(v, 1), np.ones(3))
    program.on_divergence = "raise"
    assert program(np.array([0.25, 1e308, -1e308])).tolist() == [0.2, 1e308, -1e308], "no branch decides it"


def test_round_at_the_limits(tape):
    x = tape.input(2.5)
    assert round(x, 0).value == 2.0
    assert round(x, None).value == 2.0
    for digits in (1.5, "2", x):
        with pytest.raises(TypeError):
            round(x, digits)
    assert round(tape.input(1e300), 10).value == 1e300
    assert round(x, 400).value == 2.5
    assert round(x, -400).value == 0.0
    assert np.isnan(round(tape.input(math.nan), 2).value)
    assert round(tape.input(math.inf), 2).value == math.inf


@pytest.mark.parametrize("value", VALUES)
def test_abs_and_signs(tape, value):
    x = tape.input(value)
    assert_same_bits(abs(x).value, abs(value))
    assert_same_bits((-x).value, -value)
    assert (+x) is x
    assert_same_bits(np.abs(x).value, abs(value))


@pytest.mark.skipif("floordiv" not in BY_NAME, reason="the table has no floordiv yet")
def test_divmod():
    for x in (7.5, -7.5, 0.0, 1e300):
        for y in (2.0, -2.0, 0.1, 3):
            tape = fad.Tape()
            a = tape.input(x)
            for got, expected in ((divmod(a, y), divmod(x, y)), ((a // y, a % y), (x // y, x % y))):
                assert [g.value for g in got] == list(expected)
                assert tape.reverse(got[0]) == 0.0
                assert tape.reverse(got[1]) == 1.0
            b = tape.input(float(y))
            assert [g.value for g in divmod(x, b)] == list(divmod(x, y))
            assert tape.reverse(x % b).tolist() == [0.0, -(x // y)]


# -------------------- being a number --------------------


def test_formatting_shows_the_value(tape):
    x = tape.input(1234.5678)
    for spec in ("", ".2f", ">12.3e", "+.0f", ",.1f", "%", "012.3f"):
        assert format(x, spec) == format(1234.5678, spec)
    assert f"{x!r}" == "Active(1234.5678)"
    assert str(x) == "Active(1234.5678)"
    assert "{:.1f}".format(x) == "1234.6"  # noqa: UP032
    with pytest.raises(ValueError, match="format"):
        f"{x:d}"
    with pytest.raises(TypeError, match=r"fad\.value"):
        "%.2f" % x  # noqa: UP031
    assert len(tape) == 1


def test_printing_leaves_no_guard():
    def f(x, y):
        text = f"{x:.3f} {y} {[x]} {(x > y)!r}"
        return x * y * (2.0 if text == "2.000 3.0 [Active(2.0)] Condition(False)" else 1.0)

    program = fad.record(f, 2.0, 3.0)
    assert program(5.0, 7.0) == 70.0, "frozen text, and no guard"


def test_an_active_is_not_registered_as_a_real_number(tape):
    """Decided and documented: code that asks for a Real goes on to call float."""
    x = tape.input(1.0)
    for kind in (numbers.Number, numbers.Complex, numbers.Real, numbers.Integral, float, int):
        assert not isinstance(x, kind)
    assert isinstance(x, fad.Active)
    assert "numbers.Real" in fad.Active.__doc__


def test_copies_of_values_and_conditions(tape):
    x, a = tape.input(1.0), tape.inputs([1.0, 2.0])
    c, ca = x > 0.0, a > 1.5
    assert copy.copy(x) is copy.deepcopy(x) is x
    for duplicate in (copy.copy, copy.deepcopy):
        b = duplicate(a)
        b[0] = 7.0
        assert (a.value.tolist(), b.tape) == ([1.0, 2.0], tape)
        assert fad.where(duplicate(c), x, 0.0).value == 1.0
        assert fad.where(duplicate(ca), a, 0.0).value.tolist() == [0.0, 2.0]
        assert duplicate({"k": [x, (a, c)]})["k"][0].tape is tape


def test_pickling_is_refused_with_the_way_out(tape):
    x, a = tape.input(1.0), tape.inputs([1.0, 2.0])
    for what in (x, a, x > 0.0, a > 0.0, [x], {"a": a}):
        with pytest.raises(TypeError, match="pickle the Program"):
            pickle.dumps(what)


def test_hash_and_equality(tape):
    x, a = tape.input(1.0), tape.inputs([1.0])
    for what in (x, a, x > 0.0, a > 0.0):
        with pytest.raises(TypeError, match="unhashable"):
            hash(what)
    assert (x == "text") is False
    assert (x != None) is True  # noqa: E711
    assert type(x == 1) is type(np.float64(1.0) == x) is fad.Condition
    assert [x, 2.0] == [x, 2.0], "lists compare by identity first"


def test_truth_of_arrays_is_that_of_numpy(tape):
    """One element: its truth, with a guard; several: an error that names what to write."""
    with pytest.raises(ValueError, match=r"ambiguous|\.any"):
        bool(tape.inputs([1.0, 2.0]))
    assert bool(tape.inputs([0.0])) is False
    assert bool(tape.inputs([3.0])) is True
    assert len(tape._guard_rows) == 2
