"""The overloaded scalar: every operator and operand type, truths and their lines, and what it refuses to be.

Oracles: the same expression on Python floats, closed forms, and the messages that the design promises.
"""

import copy
import inspect
import itertools
import math
import operator
import pickle
from fractions import Fraction
from math import nan

import numpy as np
import pytest

import fastad as fad
from fastad.errors import DivergenceError
from fastad.ops import OPCODE, OPS

BINARY = {
    "add": (operator.add, lambda x, y: (1.0, 1.0)),
    "sub": (operator.sub, lambda x, y: (1.0, -1.0)),
    "mul": (operator.mul, lambda x, y: (y, x)),
    "truediv": (operator.truediv, lambda x, y: (1.0 / y, -x / y**2)),
    "pow": (operator.pow, lambda x, y: (y * x ** (y - 1.0), x**y * math.log(x))),
}
PASSIVE = {
    "float": 3.0,
    "int": 3,
    "bool": True,
    "np.float64": np.float64(3.0),
    "np.float32": np.float32(1.5),
    "np.int64": np.int64(3),
    "np.bool_": np.bool_(True),
    "0-d float array": np.array(3.0),
    "0-d int array": np.array(3),
    "Fraction": Fraction(3, 4),
}
passive = pytest.mark.parametrize("other", PASSIVE.values(), ids=PASSIVE.keys())


@pytest.fixture
def tape():
    return fad.Tape()


def names(tape):
    return [OPS[code].name for code in tape.opcode]


# -------------------- operators --------------------


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_of_actives(tape, name):
    apply, partials = BINARY[name]
    x, y = tape.input(1.75), tape.input(2.5)
    out = apply(x, y)
    assert type(out) is fad.Active
    assert out.value == pytest.approx(apply(1.75, 2.5), rel=4e-16)
    assert tape.reverse(out) == pytest.approx(partials(1.75, 2.5), rel=1e-15)
    assert tape.forward(out, np.eye(2)) == pytest.approx(partials(1.75, 2.5), rel=1e-15)


@passive
@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_with_passive_operands(tape, name, other):
    apply, partials = BINARY[name]
    number = float(other)
    x = tape.input(1.75)
    for out, value, partial in (
        (apply(x, other), apply(1.75, number), partials(1.75, number)[0]),
        (apply(other, x), apply(number, 1.75), partials(number, 1.75)[1]),
    ):
        assert type(out) is fad.Active
        assert out.value == pytest.approx(value, rel=4e-16)
        assert tape.reverse(out).tolist() == pytest.approx([partial], rel=1e-15)
        assert tape.forward(out, [1.0]) == pytest.approx(partial, rel=1e-15)


def test_unary_operators(tape):
    x = tape.input(-1.5)
    for out, value, derivative in ((-x, 1.5, -1.0), (abs(x), 1.5, -1.0), (+x, -1.5, 1.0)):
        assert (out.value, tape.reverse(out)) == (value, derivative)
    assert +x is x
    assert len(tape) == 3


@pytest.mark.parametrize("other", ["1", None, [1.0], (1.0,), {}, ...], ids=repr)
def test_operators_refuse_what_is_no_real_number(tape, other):
    x = tape.input(2.0)
    for apply, _ in BINARY.values():
        for operands in ((x, other), (other, x)):
            with pytest.raises(TypeError):
                apply(*operands)
    assert len(tape) == 1


def test_powers(tape):
    x = tape.input(3.0)
    for out, value, derivative in (
        (x**2, 9.0, 6.0),
        (x**2.0, 9.0, 6.0),
        (x**3, 27.0, 27.0),
        (x**-1, 1 / 3, -1 / 9),
        (x**0.5, 3.0**0.5, 0.5 / 3.0**0.5),
        (2.0**x, 8.0, 8.0 * math.log(2.0)),
        (x**0, 1.0, 0.0),
        (x**x, 27.0, 27.0 * (1.0 + math.log(3.0))),
    ):
        assert out.value == pytest.approx(value, rel=4e-16)
        assert tape.reverse(out) == pytest.approx(derivative, rel=1e-15)


def test_pow_with_a_modulus(tape):
    """As for floats: "pow() 3rd argument not allowed unless all arguments are integers"."""
    with pytest.raises(TypeError):
        pow(tape.input(3.0), 2, 5)


def test_in_place_operators(tape):
    x = tape.input(3.0)
    y = x
    y += 1.0
    y *= x
    y -= 2
    y /= x
    y **= 2
    # ((x + 1) x - 2) / x = x + 1 - 2 / x, squared
    assert x.value == 3.0
    assert y.value == pytest.approx((3 + 1 - 2 / 3) ** 2, rel=1e-15)
    assert tape.reverse(y) == pytest.approx(2 * (3 + 1 - 2 / 3) * (1 + 2 / 9), rel=1e-15)
    number = 2.0
    number *= x
    assert (number.value, tape.reverse(number)) == (6.0, 2.0)


def test_sum_and_polynomials_of_lists(tape):
    xs = [tape.input(float(i)) for i in range(5)]
    assert tape.reverse(sum(xs)).tolist() == [1.0] * 5
    assert tape.reverse(sum(x * x for x in xs)).tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert tape.reverse(math.prod(xs[1:])).tolist() == [0.0, 24.0, 12.0, 8.0, 6.0]


def test_integers_beyond_the_floats(tape):
    x = tape.input(2.0)
    assert (x * 10**300).value == 2e300
    assert (x + (2**53 + 1)).value == 2.0 + float(2**53 + 1)


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.array(2.0)], ids=["np.float64", "0-d array"])
def test_ufuncs_of_numpy_scalars(tape, scalar):
    x = tape.input(5.0)
    for out, value, derivative in (
        (np.multiply(scalar, x), 10.0, 2.0),
        (np.subtract(scalar, x), -3.0, -1.0),
        (np.divide(x, scalar), 2.5, 0.5),
        (np.maximum(scalar, x), 5.0, 1.0),
        (np.minimum(x, scalar), 2.0, 0.0),
        (np.negative(x), -5.0, -1.0),
        (np.absolute(x), 5.0, 1.0),
    ):
        assert type(out) is fad.Active
        assert (out.value, tape.reverse(out)) == (value, derivative)


def test_ufuncs_without_a_rule(tape):
    x = tape.input(2.0)
    with pytest.raises(TypeError, match=r"np\.nextafter has no rule .* operations table"):
        np.nextafter(x, 1.0)
    with pytest.raises(ValueError, match="axis 0 is out of bounds"):
        np.add.reduce(x)
    with pytest.raises(TypeError, match="where"):
        np.exp(x, where=False)
    with pytest.raises(TypeError, match=r"drop out=.*zeros"):
        np.exp(x, out=np.zeros(()))
    with pytest.raises(TypeError, match=r"np\.unique is not available"):
        np.unique(x)


# -------------------- comparisons and truths --------------------

COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@passive
def test_comparisons_give_conditions(tape, other):
    number = float(other)
    for compare, v in itertools.product(COMPARISONS, (number, number - 1.0, number + 1.0)):
        x = tape.input(v)
        for condition, expected in (
            (compare(x, other), compare(v, number)),
            (compare(other, x), compare(number, v)),
            (compare(x, tape.input(number)), compare(v, number)),
        ):
            assert type(condition) is fad.Condition
            assert condition.outcome is expected


def test_comparisons_with_nan(tape):
    x, y = tape.input(nan), tape.input(1.0)
    assert [c(x, y).outcome for c in COMPARISONS] == [False] * 5 + [True]
    assert [c(x, x).outcome for c in COMPARISONS] == [False] * 5 + [True]


@pytest.mark.parametrize("other", ["1", None, 1j, ..., [2.0], (2.0,), {}], ids=repr)
def test_equality_with_what_is_no_number(tape, other):
    x = tape.input(2.0)
    assert x.__eq__(other) is NotImplemented
    assert x.__ne__(other) is NotImplemented
    assert (x == other) is False
    assert (x != other) is True
    assert (other == x) is False
    with pytest.raises(TypeError):
        _ = x < other
    assert len(tape) == 1


def test_conditions_record_nothing_until_they_are_used(tape):
    x = tape.input(2.0)
    conditions = [x < 3.0, x == 2.0, ~(x > 5.0), (x > 1.0) & (x < 3.0)]
    assert repr(conditions[0]) == "Condition(True)"
    assert "guard" not in names(tape)
    assert not tape._guard_rows
    with pytest.raises(TypeError, match="unhashable"):
        hash(conditions[0])


def test_combining_leaves_no_guard(tape):
    x = tape.input(2.0)
    t, f = x < 3.0, x > 3.0
    assert [(a & b).outcome for a in (t, f) for b in (t, f)] == [True, False, False, False]
    assert [(a | b).outcome for a in (t, f) for b in (t, f)] == [True, True, True, False]
    assert [(~a).outcome for a in (t, f)] == [False, True]
    for true in (True, np.True_):
        assert (t & true).outcome is (true & t).outcome is True
        assert (t | true) is (true | f) is True
    for false in (False, np.False_):
        assert (t & false) is (false & t) is False
        assert (f | false).outcome is (false | f).outcome is False
    assert not tape._guard_rows
    for bad in (1, 1.0, "x", None):
        with pytest.raises(TypeError):
            t & bad
        with pytest.raises(TypeError):
            bad | t


def guards(tape):
    return [(int(tape.arg0[row]), bool(tape.value[row])) for row in tape._guard_rows]


def test_every_truth_is_a_guard(tape):
    x = tape.input(2.0)
    less = x < 3.0
    if less:
        pass
    assert names(tape) == ["input", "less", "guard"]
    assert guards(tape) == [(1, True)]
    assert less
    assert (less and x).index == 0
    assert bool(x > 3.0) is False
    assert guards(tape) == [(1, True)] * 3 + [(5, False)]
    assert 1.0 < x < 3.0
    assert len(guards(tape)) == 6
    while x < 1.0:
        raise AssertionError
    assert guards(tape)[-1][1] is False


def test_truth_of_an_active_is_a_guard(tape):
    assert bool(tape.input(2.0)) is True
    assert bool(tape.input(0.0)) is False
    assert bool(tape.input(-0.0)) is False
    assert bool(tape.input(nan)) is True
    assert [outcome for _, outcome in guards(tape)] == [True, False, False, True]
    assert names(tape)[:3] == ["input", "not_equal", "guard"]


def test_builtin_max_min_and_sorted_leave_guards(tape):
    x, y, z = (tape.input(v) for v in (3.0, 1.0, 2.0))
    assert max(x, y) is x
    assert min(x, y) is y
    assert sorted([x, y, z]) == [y, z, x]
    assert len(tape._guard_rows) >= 4
    n = len(tape)
    assert fad.maximum(x, y).value == 3.0
    assert names(tape)[n:] == ["maximum"]


def here():
    return inspect.currentframe().f_back.f_lineno


LINES = {}


def branch_if(x):
    LINES["if"] = here() + 1
    if x > 1.0:
        return x * 2.0
    return x


def branch_while(x):
    LINES["while"] = here() + 1
    while x < 10.0:
        x = x * 2.0
    return x


def branch_and(x):
    LINES["and"] = here() + 3
    return (
        x * 2.0
        if x > 0.5 and x < 3.0
        else x
    )  # fmt: skip


def branch_max(x):
    LINES["max"] = here() + 1
    return max(x, 1.0) * 2.0


def branch_min(x):
    LINES["min"] = here() + 1
    return min(5.0, x)


def branch_sorted(x):
    LINES["sorted"] = here() + 1
    return sorted([x, x * 0.0 + 1.0, x * 2.0])[1]


def branch_truth(x):
    LINES["truth"] = here() + 1
    if x - 2.0:
        return x
    return x * 3.0


def branch_array(x):
    LINES["array"] = here() + 1
    if (fad.array([x, 1.0]) < 5.0).all():
        return x
    return -x


def branch_mask(x):
    LINES["mask"] = here() + 1
    return fad.array([x, x * 2.0])[fad.array([x, 9.0]) < 5.0].sum()


def branch_value(x):
    LINES["value"] = here() + 1
    return x * x.value


def branch_fad_value(x):
    LINES["fad.value"] = here() + 1
    return x * fad.value(x)


def branch_numpy(x):
    LINES["numpy"] = here() + 1
    if np.float64(5.0) > x:
        return x
    return -x


@pytest.mark.parametrize(
    ("f", "where", "inside", "outside"),
    [
        (branch_if, "if", 2.0, 0.5),
        (branch_while, "while", 2.0, 0.5),
        (branch_and, "and", 2.0, 4.0),
        (branch_max, "max", 2.0, 0.5),
        (branch_min, "min", 2.0, 9.0),
        (branch_sorted, "sorted", 2.0, 0.5),
        (branch_truth, "truth", 2.5, 2.0),
        (branch_array, "array", 2.0, 6.0),
        (branch_mask, "mask", 2.0, 6.0),
        (branch_value, "value", 2.0, 3.0),
        (branch_fad_value, "fad.value", 2.0, 3.0),
        (branch_numpy, "numpy", 2.0, 6.0),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_guards_know_their_line(f, where, inside, outside):
    program = fad.record(f, inside)
    program.on_divergence = "raise"
    place = f"{__file__}:{LINES[where]}"
    with pytest.raises(DivergenceError) as single:
        program(outside)
    with pytest.raises(DivergenceError) as batch:
        program.batch(np.array([inside, outside, inside, outside]))
    for message in (str(single.value), str(batch.value)):
        assert place in message.split()[-1] or f"{place} " in message, message
    assert "scenarios 1, 3" in str(batch.value)
    remedy = {"max": "fad.maximum instead of the builtin max", "min": "fad.minimum instead of the builtin min"}
    remedy |= dict.fromkeys(("value", "fad.value"), "fad.stop_gradient")
    assert remedy.get(where, "fad.where") in str(single.value)


def test_guards_count_where_replay_agrees(tape):
    """Guards that hold do nothing to values and derivatives."""
    program = fad.record(branch_while, 2.0)
    assert program(2.2) == branch_while(2.2) == 17.6
    assert program.grad(2.2) == 8.0


# -------------------- what it refuses --------------------


@pytest.mark.parametrize(
    "use",
    [
        float,
        int,
        complex,
        math.exp,
        math.sqrt,
        math.isnan,
        lambda x: math.pow(x, 2.0),
        lambda x: [1, 2, 3][x],
        lambda x: range(x),
        lambda x: np.zeros(3).__setitem__(0, x),
        lambda x: np.zeros(3).__setitem__(slice(None), x),
        lambda x: np.full(3, x),
    ],
)
def test_an_active_is_no_float(tape, use):
    with pytest.raises(TypeError, match=r"fad\.(value|array)"):
        use(tape.input(2.0))


@pytest.mark.parametrize("use", [float, int, math.exp])
def test_the_message_names_both_ways_out(tape, use):
    message = "an Active has no float value here; use fad.exp / np.exp, or fad.value(a) to freeze it"
    with pytest.raises(TypeError) as caught:
        use(tape.input(2.0))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "use",
    [
        np.array,
        np.asarray,
        lambda x: np.array([x, x]),
        lambda x: np.asarray([[x, 1.0]]),
        lambda x: np.array([x, x], dtype=object),
        lambda x: np.array([x], dtype=float),
    ],
)
def test_no_object_arrays(tape, use):
    with pytest.raises(TypeError, match=r"fad\.array"):
        use(tape.input(2.0))


def test_unhashable(tape):
    x = tape.input(2.0)
    for use in (hash, lambda x: {x: 1}, lambda x: {x}):
        with pytest.raises(TypeError, match="unhashable"):
            use(x)


def test_copies_are_the_same_value(tape):
    x = tape.input(2.0)
    assert copy.copy(x) is x
    assert copy.deepcopy(x) is x
    nested = copy.deepcopy({"a": [x, 1.0]})
    assert nested["a"][0] is x


def test_pickling_names_the_program(tape):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickle the Program"):
            pickle.dumps(tape.input(2.0), protocol)


def test_actives_are_not_made_by_hand():
    with pytest.raises(TypeError, match=r"tape\.input"):
        fad.Active()


def test_attributes_are_those_of_a_value(tape):
    x = tape.input(2.0)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((), 0, 1, np.float64)
    with pytest.raises(AttributeError):
        x.value = 3.0
    with pytest.raises(AttributeError):
        x.other = 3.0


def test_formatting(tape):
    x = tape.input(1234.5678)
    assert f"{x}" == "1234.5678"
    assert f"{x:.2f}|{x:>10.1f}|{x:e}" == "1234.57|    1234.6|1.234568e+03"
    assert repr(x) == "Active(1234.5678)"
    assert "1234.5678" in str(x)
    tape._freezing_guards = True
    f"{x:.2f} {x} {x!r} {[x]}"
    assert len(tape) == 1, "printing records nothing"


# -------------------- value, stop_gradient --------------------


def test_value_of_structures(tape):
    x, v = tape.input(2.0), tape.inputs([1.0, 3.0])
    out = fad.value({"a": x, "b": [v, (x * v[1], 7, "text", None)], "c": np.ones(2)})
    assert out["a"] == 2.0
    assert type(out["a"]) is float
    assert out["b"][0].tolist() == [1.0, 3.0]
    assert type(out["b"][0]) is np.ndarray
    assert out["b"][1] == (6.0, 7, "text", None)
    assert type(out["b"][1][1]) is int
    assert out["c"].tolist() == [1.0, 1.0]
    assert len(tape) == 4, "nothing recorded outside of a recording for replay"


def test_value_is_the_identity_on_passive_values():
    array = np.ones(3)
    assert fad.value(array) is array
    for x in (2.0, 3, True, None, "s"):
        assert fad.value(x) is x


def test_value_is_a_copy(tape):
    v = tape.inputs([1.0, 3.0])
    frozen = fad.value(v)
    v[0] = 5.0
    frozen[1] = 9.0
    assert frozen.tolist() == [1.0, 9.0]
    assert v.value.tolist() == [5.0, 3.0]


def test_value_carries_no_derivative():
    assert fad.grad(lambda x: fad.value(x) * x)(3.0) == 3.0
    assert fad.grad(lambda x: x.value * x)(3.0) == 3.0
    assert fad.grad(lambda x: fad.value(x))(3.0) == 0.0


def test_a_frozen_value_cannot_be_stale():
    """In a recording for replay, reading a value is a comparison with it."""
    for read in (lambda x: x.value, fad.value, lambda x: fad.value([x])[0]):
        program = fad.record(lambda x, y, read=read: read(x) * y, 3.0, 2.0)
        program.on_divergence = "raise"
        assert program(3.0, 5.0) == 15.0
        with pytest.raises(DivergenceError):
            program(np.nextafter(3.0, 4.0), 5.0)


def test_stop_gradient_follows_the_scenario():
    def f(x):
        return fad.stop_gradient(x * x) * x

    assert fad.value_and_grad(f)(3.0) == (27.0, 9.0)
    program = fad.record(f, 3.0)
    assert program.value_and_grad(5.0) == (125.0, 25.0)
    assert program.batch(np.array([1.0, 2.0])).value.tolist() == [1.0, 8.0]
    tape = fad.Tape()
    x = tape.input(3.0)
    out = fad.stop_gradient(x)
    assert type(out) is fad.Active
    assert tape.opcode[-1] == OPCODE["stop_gradient"]
    assert fad.stop_gradient(3.0) == 3.0
