"""Arrays of actives: NumPy is the oracle for values, shapes and views; Jacobians are written out or linear algebra."""

import copy
import operator
import pickle

import numpy as np
import pytest
from helpers_core import assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, mutually_broadcastable_shapes

import fastad as fad
from fastad.errors import DivergenceError, ShapeError
from fastad.kernels import bulk, rows
from fastad.ops import OPS

quick = settings(deadline=None, max_examples=60, derandomize=True, database=None)


@pytest.fixture
def tape():
    return fad.Tape()


@pytest.fixture
def cube(tape):
    return tape.inputs(np.arange(24.0).reshape(2, 3, 4))


def names(tape):
    return [OPS[code].name for code in tape.opcode]


# -------------------- indexing --------------------

KEYS = [
    0,
    -1,
    (1, 2),
    (slice(None), 1),
    (slice(None, None, -1), slice(1, 3)),
    (..., 0),
    (0, ..., None),
    None,
    [1, 0],
    ([0, 1], [2, 0]),
    (slice(None), np.array([True, False, True])),
    np.arange(24).reshape(2, 3, 4) % 5 == 0,
    ...,
    (slice(0, 0),),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_numpys(cube, key):
    numbers = np.arange(24.0).reshape(2, 3, 4)
    got, expected = cube[key], numbers[key]
    assert type(got) is fad.ActiveArray
    assert got.shape == expected.shape
    assert got.value.tolist() == expected.tolist()
    assert got.index.tolist() == expected.astype(int).tolist()
    assert (got.ndim, got.size) == (expected.ndim, expected.size)
    assert np.shares_memory(got._value, cube._value) == np.shares_memory(expected, numbers)


@quick
@given(basic_indices((2, 3, 4), allow_newaxis=True, allow_ellipsis=True))
def test_basic_indexing(key):
    cube = fad.Tape().inputs(np.arange(24.0).reshape(2, 3, 4))
    got, expected = cube[key], np.arange(24.0).reshape(2, 3, 4)[key]
    if isinstance(got, fad.Active):
        assert (got.value, got.index) == (expected, int(expected))
    else:
        assert got.value.tolist() == expected.tolist()
        assert got.index.tolist() == expected.tolist()


def test_elements_are_actives(tape, cube):
    x = cube[1, 2, 3]
    assert type(x) is fad.Active
    assert (x.value, x.index, x.tape) == (23.0, 23, tape)
    assert tape.reverse(cube[0, 1, 2] * cube[1, 0, 0], wrt=cube).tolist()[0][1][2] == 12.0


def test_index_errors_are_numpys(cube):
    for key in (2, (0, 3), (0, 0, 0, 0), "a", 1.5):
        with pytest.raises(IndexError):
            cube[key]
    with pytest.raises(TypeError):
        len(fad.Tape().inputs(1.0))


def test_iteration(tape):
    m = tape.inputs([[1.0, 2.0], [3.0, 4.0]])
    rows = list(m)
    assert [type(r) for r in rows] == [fad.ActiveArray] * 2
    assert [[x.index for x in row] for row in m] == [[0, 1], [2, 3]]
    assert len(m) == 2
    a, b = m[0]
    assert (type(a), a.value, b.index) == (fad.Active, 1.0, 1)
    assert sum(x * y for x, y in zip(m[0], m[1])).value == 11.0
    assert list(tape.inputs(np.zeros(0))) == []


def test_passive_elements_come_out_as_floats(tape):
    x = tape.input(2.0)
    a = fad.zeros((2, 2), like=x)
    assert type(a) is fad.ActiveArray
    a[0, 1] = x
    assert a.index.tolist() == [[-1, 0], [-1, -1]]
    assert (type(a[0, 0]), a[0, 0]) == (float, 0.0)
    assert type(a[0, 1]) is fad.Active
    assert [type(e) for e in a[0]] == [float, fad.Active]
    before = len(tape)
    b = a * 3.0 + 1.0
    assert b.value.tolist() == [[1.0, 7.0], [1.0, 1.0]]
    assert (b.index >= 0).tolist() == [[False, True], [False, False]]
    assert len(tape) == before + 2, "passive elements leave no row"
    assert tape.reverse(b[0, 1]) == 3.0
    assert (type(a[1].sum()), a[1].sum()) == (float, 0.0)
    assert tape.reverse(a.sum()) == 1.0


def test_views_are_read_only(cube):
    for view in (cube.value, cube.index):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    assert cube.index.dtype == np.int32
    assert cube.value.dtype == np.float64


# -------------------- views and assignment --------------------


def test_slices_are_views(tape):
    a = tape.inputs(np.arange(6.0).reshape(2, 3))
    row, flat, turned = a[1], a.reshape(6), a.T
    row[0] = 100.0
    flat[1] = a[0, 0] * 2.0
    turned[2, 0] = -1
    assert a.value.tolist() == [[0.0, 0.0, -1.0], [100.0, 4.0, 5.0]]
    assert a.index.tolist() == [[0, 6, -1], [-1, 4, 5]]
    assert flat.value.tolist() == a.ravel().value.tolist()
    assert turned.shape == (3, 2)


def test_copies_are_not_views(tape):
    a = tape.inputs([1.0, 2.0])
    for made in (a.copy(), copy.copy(a), copy.deepcopy(a), fad.array(a), a[[0, 1]]):
        made[0] = 9.0
        assert a.value.tolist() == [1.0, 2.0]
        assert a.index.tolist() == [0, 1]
        assert made.index.tolist() == [-1, 1]


def test_assignment(tape):
    x = tape.input(5.0)
    a = fad.zeros((2, 3), like=x)
    a[0] = x
    a[1, :2] = [x * 2.0, 7]
    a[1, 2] = np.float32(0.5)
    assert a.value.tolist() == [[5.0, 5.0, 5.0], [10.0, 7.0, 0.5]]
    assert a.index.tolist() == [[0, 0, 0], [1, -1, -1]]
    a[:, 0] = np.array([1.0, 2.0])
    a[...] = a * 2.0
    assert a.value.tolist() == [[2.0, 10.0, 10.0], [4.0, 14.0, 1.0]]
    assert tape.reverse(a.sum()).tolist() == [4.0]
    a[np.array([True, False])] = 0
    assert a.value.tolist() == [[0.0] * 3, [4.0, 14.0, 1.0]]
    with pytest.raises(ValueError, match="broadcast"):
        a[0] = [1.0, 2.0]
    with pytest.raises(TypeError, match="real numbers"):
        a[0] = 1j
    assert a.value.tolist() == [[0.0] * 3, [4.0, 14.0, 1.0]], "a failed assignment changes nothing"


def test_assignment_in_a_loop():
    """The recurrence s[i] = s[i-1] r[i] has the derivative product / r[i]."""

    def f(r):
        s = fad.zeros(len(r) + 1, like=r)
        s[0] = 1.0
        for i in range(len(r)):
            s[i + 1] = s[i] * r[i]
        return s[-1]

    r = np.array([1.5, 2.0, 0.5, 3.0])
    np.testing.assert_allclose(fad.grad(f)(r), r.prod() / r, rtol=1e-15)
    assert f(r) == r.prod()
    program = fad.record(f, r)
    np.testing.assert_allclose(program.grad(r + 1.0), (r + 1.0).prod() / (r + 1.0), rtol=1e-15)


def test_augmented_assignment_of_items(tape):
    a = tape.inputs([1.0, 2.0, 3.0])
    a[0] += 10.0
    a[1:] *= a[1:]
    a[-1] /= 3.0
    assert a.value.tolist() == [11.0, 4.0, 3.0]
    assert tape.reverse(a.sum()).tolist() == [1.0, 4.0, 2.0]


@pytest.mark.parametrize(
    "change", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow], ids=lambda f: f.__name__
)
def test_in_place_operators_write_through_views(tape, change):
    """As in NumPy: every name and view of the array sees the change."""
    numbers = np.array([1.0, 2.0, 4.0])
    a = tape.inputs(numbers)
    whole, tail, numbers_tail = a, a[1:], numbers[1:]
    whole = change(whole, 2.0)
    assert whole is a
    tail = change(tail, np.array([3.0, 5.0]))
    change(numbers, 2.0)
    change(numbers_tail, np.array([3.0, 5.0]))
    assert a.value.tolist() == numbers.tolist()
    assert tail.value.tolist() == numbers_tail.tolist()


def test_in_place_operators_keep_the_shape(tape):
    a = tape.inputs([1.0, 2.0])
    with pytest.raises(ValueError, match="broadcast"):
        a += np.ones((2, 2))


# -------------------- broadcasting --------------------

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
operators = pytest.mark.parametrize("apply", OPERATORS, ids=lambda f: f.__name__)

OTHERS = {
    "float": 3.0,
    "int": 3,
    "bool": True,
    "np.float64": np.float64(3.0),
    "np.float32": np.float32(1.5),
    "np.int64": np.int64(3),
    "0-d array": np.array(3.0),
    "row": np.array([1.0, 2.0, 3.0]),
    "column": np.array([[1.0], [2.0]]),
    "matrix": np.arange(1.0, 7.0).reshape(2, 3),
    "more axes": np.arange(1.0, 5.0).reshape(2, 2, 1, 1),
    "int array": np.array([1, 2, 3]),
    "float32 array": np.array([1.0, 2.0, 3.0], np.float32),
    "bool array": np.array([True, True, True]),
    "list": [1.0, 2.0, 3.0],
    "nested tuple": ((1.0,), (2.0,)),
    "not contiguous": np.arange(1.0, 7.0).reshape(3, 2).T,
}


@operators
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_broadcasting_with_everything(tape, apply, other):
    numbers = np.array([[1.5, 2.0, 0.5], [3.0, 0.25, 1.0]])
    plain = np.asarray(other, dtype=float)
    a = tape.inputs(numbers)
    for left, right, x, y in ((a, other, numbers, plain), (other, a, plain, numbers)):
        out = apply(left, right)
        assert type(out) is fad.ActiveArray
        expected = apply(x, y)
        assert out.shape == expected.shape
        np.testing.assert_allclose(out.value, expected, rtol=5e-16)
        # One direction along all inputs, against the elementwise derivative on complex numbers.
        h = 1e-40j
        step = apply(numbers + h, y) if left is a else apply(x, numbers + h)
        tangent = tape.forward(out, np.ones(6)).reshape(out.shape)
        np.testing.assert_allclose(tangent, step.imag / 1e-40, rtol=1e-14, atol=1e-15)


@operators
def test_scalar_actives_with_arrays(tape, apply):
    numbers = np.array([[1.5, 2.0, 0.5], [3.0, 0.25, 1.0]])
    x, a = tape.input(1.25), tape.inputs(numbers)
    for left, right, l, r in (  # noqa: E741
        (x, numbers, 1.25, numbers),
        (numbers, x, numbers, 1.25),
        (x, a, 1.25, numbers),
        (a, x, numbers, 1.25),
    ):
        out = apply(left, right)
        assert type(out) is fad.ActiveArray
        np.testing.assert_allclose(out.value, apply(l, r), rtol=5e-16)
        h = 1e-40
        step = apply(1.25 + h * 1j, r) if left is x else apply(l, 1.25 + h * 1j)
        only_x = np.eye(7)[0]
        np.testing.assert_allclose(tape.forward(out, only_x).reshape(2, 3), step.imag / h, rtol=1e-14, atol=1e-15)


@quick
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
def test_shapes_and_adjoints_of_broadcasting(shapes):
    """The adjoint of broadcasting is summing over the repeated axes."""
    (first, second), result = shapes.input_shapes, shapes.result_shape
    rng = np.random.default_rng(len(result))
    x, y, seeds = rng.standard_normal(first), rng.standard_normal(second), rng.standard_normal(result)
    tape = fad.Tape()
    a, b = tape.inputs(x), tape.inputs(y)
    out = a * b
    assert np.shape(fad.value(out)) == result
    np.testing.assert_array_equal(fad.value(out), x * y)
    seeds = np.asarray(seeds)
    x_bar, y_bar = tape.reverse([out], seeds.ravel(), wrt=(a, b))
    expand_x, expand_y = (np.broadcast_to(np.ones(s), result) for s in (first, second))
    for bar, other, shape, expand in ((x_bar, y, first, expand_x), (y_bar, x, second, expand_y)):
        full = seeds * np.broadcast_to(other, result) * expand
        lead = tuple(range(len(result) - len(shape)))
        repeated = tuple(i for i, n in enumerate(shape) if n == 1)
        summed = full.sum(axis=lead).sum(axis=repeated, keepdims=True) if repeated else full.sum(axis=lead)
        np.testing.assert_allclose(bar, summed, rtol=1e-13, atol=1e-14)


def test_shapes_that_do_not_broadcast(tape):
    a = tape.inputs(np.ones((2, 3)))
    for other in (np.ones(2), tape.inputs(np.ones(4)), [1.0, 2.0]):
        with pytest.raises(ValueError, match="broadcast"):
            a + other


@pytest.mark.parametrize("other", ["1", None, {}, ..., [1j], np.array(["a"])], ids=repr)
def test_operands_that_are_no_real_numbers(tape, other):
    a = tape.inputs(np.ones(3))
    for apply in OPERATORS:
        for operands in ((a, other), (other, a)):
            with pytest.raises(TypeError):
                apply(*operands)


@pytest.mark.parametrize("function", [fad.maximum, fad.hypot, fad.arctan2, np.maximum, np.copysign])
def test_no_second_operand_is_none(tape, function):
    """None is not a function of one operand: it would be taken as 0."""
    for shape in ((3,), (3, 1)):
        a = tape.inputs(np.ones(shape))
        for operands in ((a, None), (None, a)):
            with pytest.raises(TypeError, match="real numbers"):
                function(*operands)


def test_unary_operators(tape):
    a = tape.inputs([-1.0, 2.0, 0.0])
    assert (-a).value.tolist() == [1.0, -2.0, 0.0]
    assert abs(a).value.tolist() == [1.0, 2.0, 0.0]
    assert tape.reverse(abs(a), np.ones(3)).tolist() == [-1.0, 1.0, 0.0]
    assert (+a).value.tolist() == a.value.tolist()
    assert +a is not a, "a copy, as in NumPy"


def test_powers_of_two_are_products(tape):
    a = tape.inputs([1.1, -3.0])
    n = len(tape)
    assert (a**2).value.tolist() == [1.1 * 1.1, 9.0]
    assert (a**2.0).value.tolist() == [1.1 * 1.1, 9.0]
    assert names(tape)[n:] == ["square"] * 4
    n = len(tape)
    assert (a**4).value.tolist() == [(1.1 * 1.1) * (1.1 * 1.1), 81.0]
    assert names(tape)[n:] == ["square"] * 4


def test_ufuncs(tape):
    numbers = np.array([0.5, 1.0, 2.0])
    a = tape.inputs(numbers)
    for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "negative", "absolute"):
        ufunc = getattr(np, name)
        out = ufunc(a)
        assert type(out) is fad.ActiveArray
        np.testing.assert_allclose(out.value, ufunc(numbers), rtol=5e-16)
    for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"):
        ufunc = getattr(np, name)
        for left, right, expected in (
            (a, numbers[::-1], ufunc(numbers, numbers[::-1])),
            (numbers[::-1], a, ufunc(numbers[::-1], numbers)),
            (a, 1.0, ufunc(numbers, 1.0)),
        ):
            out = ufunc(left, right)
            assert type(out) is fad.ActiveArray
            np.testing.assert_allclose(out.value, expected, rtol=5e-16)


def test_ufuncs_refuse_what_they_cannot_do(tape):
    a, target = tape.inputs([1.0, 2.0]), np.zeros(2)
    for join in (lambda: np.array([a, a]), lambda: np.r_[a, a]):
        with pytest.raises(TypeError, match=r"fad\.array\(\[a, b\]\) and np\.concatenate"):
            join()
    with pytest.raises(TypeError, match=r"np\.linalg\.eig is not available .* fad\.custom"):
        np.linalg.eig(a)
    with pytest.raises(TypeError, match=r"np\.nextafter has no rule .* operations table"):
        np.nextafter(a, 1.0)
    with pytest.raises(TypeError, match="drop out="):
        np.exp(a, out=target)
    with pytest.raises(TypeError, match="drop out="):
        target += a
    with pytest.raises(TypeError, match=r"np\.add\.reduceat is not available"):
        np.add.reduceat(a, [0, 1])
    with pytest.raises(TypeError, match=r"where= leaves elements undefined without out="):
        np.exp(a, where=np.array([True, False]))
    with pytest.raises(TypeError, match=r"np\.unique is not available"):
        np.unique(a)
    assert target.tolist() == [0.0, 0.0]


# -------------------- sums --------------------


def test_sum(tape, cube):
    total = cube.sum()
    assert type(total) is fad.Active
    assert total.value == 276.0
    assert tape.reverse(total).tolist() == [1.0] * 24
    assert np.sum(cube).value == 276.0
    assert cube.mean().value == np.mean(cube).value == 11.5
    np.testing.assert_allclose(tape.reverse(cube.mean()), np.full(24, 1 / 24), rtol=1e-16)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_sum_along_an_axis(tape, cube, axis):
    numbers = np.arange(24.0).reshape(2, 3, 4)
    for out, expected, weight in (
        (cube.sum(axis), numbers.sum(axis), 1.0),
        (cube.sum(axis=axis), numbers.sum(axis), 1.0),
        (np.sum(cube, axis=axis), numbers.sum(axis), 1.0),
        (cube.mean(axis=axis), numbers.mean(axis), 1.0 / numbers.shape[axis]),
        (np.mean(cube, axis), numbers.mean(axis), 1.0 / numbers.shape[axis]),
    ):
        np.testing.assert_allclose(out.value, expected, rtol=1e-15)
        seeds = np.arange(1.0, expected.size + 1.0)
        adjoint = tape.reverse(out, seeds, wrt=cube)
        expanded = np.expand_dims(seeds.reshape(expected.shape), axis)
        np.testing.assert_allclose(adjoint, np.broadcast_to(expanded, numbers.shape) * weight, rtol=1e-15)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (0, -1), (-1, -2, -3), (1,), (), None], ids=str)
def test_sums_along_several_axes(tape, cube, axis, keepdims):
    numbers = np.arange(24.0).reshape(2, 3, 4)
    for method, function in ((cube.sum, np.sum), (cube.mean, np.mean)):
        expected = function(numbers, axis=axis, keepdims=keepdims)
        seeds = np.arange(1.0, expected.size + 1.0)
        spread = seeds.reshape(function(numbers, axis=axis, keepdims=True).shape) / (24 / expected.size) ** (
            function is np.mean
        )
        for out in (method(axis=axis, keepdims=keepdims), function(cube, axis=axis, keepdims=keepdims)):
            assert np.shape(out.value) == expected.shape
            np.testing.assert_allclose(out.value, expected, rtol=1e-15)
            adjoint = tape.reverse(out, seeds, wrt=cube)
            np.testing.assert_allclose(adjoint, np.broadcast_to(spread, numbers.shape), rtol=1e-15)


def test_wrong_axes(cube):
    for axis in (3, -4, (0, 3), (0, 0), (1, -2)):
        with pytest.raises(ValueError, match=r"ax[ei]s"):
            cube.sum(axis=axis)
    for axis in ("x", 0.5, (0.5,)):
        with pytest.raises(TypeError):
            cube.sum(axis=axis)


def test_divmod(tape):
    numbers, divisors = np.array([7.5, -7.5, 0.0]), np.array([2.0, -2.0, 0.1])
    a = tape.inputs(numbers)
    for other in (2.0, np.float64(-2.0), divisors, tape.input(2.0), tape.inputs(divisors)):
        plain = fad.value(other)
        for use, x, y in ((divmod, numbers, plain), (np.divmod, numbers, plain)):
            for part, expected in zip(use(a, other), np.divmod(x, y)):
                assert_same_bits(part.value, expected)
    for use in (divmod, np.divmod):
        for part, expected in zip(use(divisors, tape.inputs([2.0, 0.3, -7.0])), np.divmod(divisors, [2.0, 0.3, -7.0])):
            assert_same_bits(part.value, expected)
    quotient, rest = divmod(a, 2.0)
    assert tape.reverse(quotient, np.ones(3), wrt=a).tolist() == [0.0, 0.0, 0.0]
    assert tape.reverse(rest, np.ones(3), wrt=a).tolist() == [1.0, 1.0, 1.0]


def test_sums_of_little(tape):
    x = tape.input(2.0)
    one = fad.array([x])
    n = len(tape)
    assert one.sum().index == 0, "the sum of one element is the element"
    assert len(tape) == n
    assert tape.inputs(np.zeros(0)).sum() == 0.0
    assert tape.inputs(np.zeros((0, 2))).sum(axis=0).value.tolist() == [0.0, 0.0]
    assert tape.inputs(np.zeros((0, 2))).sum(axis=1).shape == (0,)
    assert tape.inputs([1.0, 2.0]).sum(axis=0).value == 3.0
    with pytest.raises(ValueError, match="axis"):
        one.sum(axis=1)


def test_sums_are_in_order(tape):
    """Added one by one, first to last, unlike NumPy's pairwise sum: replay and scalar code give the same bits."""
    numbers = np.random.default_rng(3).standard_normal(500) * 10.0 ** np.arange(500) ** 0.5
    expected = 0.0
    for v in numbers.tolist():
        expected += v
    assert_same_bits(tape.inputs(numbers).sum().value, expected)
    assert_same_bits(sum(tape.inputs(numbers)).value, expected)
    assert_same_bits(fad.record(lambda v: v.sum(), np.zeros(500))(numbers), expected)
    assert_same_bits(tape.inputs(numbers.reshape(1, 500, 1)).sum(axis=1).value[0, 0], expected)


def test_sums_of_mixed_arrays(tape):
    x = tape.input(2.0)
    mixed = fad.array([1.0, 10.0, x, 100.0, x * 3.0])
    n = len(tape)
    total = mixed.sum()
    assert (total.value, tape.reverse(total)) == (119.0, 4.0)
    assert len(tape) == n + 3, "passive sums leave no row"


# -------------------- conditions and where --------------------


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_comparisons(tape, compare):
    numbers = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, np.nan]])
    a = tape.inputs(numbers)
    x = tape.input(2.0)
    for left, right, expected in (
        (a, 2.0, compare(numbers, 2.0)),
        (2, a, compare(2, numbers)),
        (a, numbers[0], compare(numbers, numbers[0])),
        (numbers[:, :1], a, compare(numbers[:, :1], numbers)),
        (a, x, compare(numbers, 2.0)),
        (x, a, compare(2.0, numbers)),
        (x, numbers, compare(2.0, numbers)),
        (numbers, x, compare(numbers, 2.0)),
        (a, [2.0, 2.0, 2.0], compare(numbers, 2.0)),
    ):
        condition = compare(left, right)
        assert type(condition) is fad.ConditionArray
        assert condition.outcome.tolist() == expected.tolist()
        assert condition.shape == expected.shape
    assert not tape._guard_rows


def test_equality_with_what_is_no_number(tape):
    a = tape.inputs([1.0, 2.0])
    for other in (None, "a", object()):
        assert (a == other) is False
        assert (a != other) is True


def test_arrays_of_conditions(tape):
    a = tape.inputs([1.0, 2.0, 3.0])
    low, high = a < 2.5, a > 1.5
    assert (low & high).outcome.tolist() == [False, True, False]
    assert (low | high).outcome.tolist() == [True, True, True]
    assert (~low).outcome.tolist() == [False, False, True]
    mask = np.array([True, False, True])
    assert (low & mask).outcome.tolist() == (mask & low).outcome.tolist() == [True, False, False]
    assert (low | mask).outcome.tolist() == [True, True, True]
    assert (low & True).outcome.tolist() == [True, True, False]
    assert (low & (a[0] > 5.0)).outcome.tolist() == ((a[0] > 5.0) & low).outcome.tolist() == [False] * 3
    assert low[0].outcome is True
    assert type(low[0]) is fad.Condition
    assert low[1:].outcome.tolist() == [True, False]
    assert [c.outcome for c in low] == [True, True, False]
    assert len(low) == 3
    assert not tape._guard_rows, "none of this asked for a truth"
    assert "True" in repr(low)
    with pytest.raises(TypeError, match="unhashable"):
        hash(low)
    with pytest.raises(TypeError):
        low & "x"


def test_truths_of_arrays_are_guards(tape):
    a = tape.inputs([1.0, 2.0, 3.0])
    for ask, expected in (
        (lambda: (a < 2.5).any(), True),
        (lambda: (a < 2.5).all(), False),
        (lambda: (a > 0.5).all(), True),
        (lambda: (a > 9.0).any(), False),
    ):
        before = len(tape._guard_rows)
        assert ask() is expected
        assert len(tape._guard_rows) == before + 3
    with pytest.raises(ValueError, match="ambiguous"):
        bool(a < 2.0)
    assert bool(a[:1] < 2.0) is True


def test_masks_are_guards():
    """The shape of the result depends on them."""

    def f(v):
        return v[v > 1.0].sum()

    program = fad.record(f, np.array([0.5, 2.0, 3.0]))
    program.on_divergence = "raise"
    assert program(np.array([0.0, 5.0, 7.0])) == 12.0
    assert program.grad(np.array([0.0, 5.0, 7.0])).tolist() == [0.0, 1.0, 1.0]
    with pytest.raises(DivergenceError, match=r"scenario 1\b"):
        program.batch(np.array([[0.5, 2.0, 3.0], [1.5, 2.0, 3.0]]))

    def g(v):
        v = v.copy()
        v[v > 1.0] = 0.0
        return v.sum()

    assert fad.grad(g)(np.array([0.5, 2.0, 3.0])).tolist() == [1.0, 0.0, 0.0]
    program = fad.record(g, np.array([0.5, 2.0]))
    program.on_divergence = "raise"
    with pytest.raises(DivergenceError):
        program(np.array([0.5, 0.5]))


@pytest.mark.parametrize("choose", [fad.where, np.where], ids=["fad", "np"])
def test_where(tape, choose):
    numbers = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
    a, x = tape.inputs(numbers), tape.input(7.0)
    for out, expected, derivative in (
        (choose(a > 0.0, a, 0.0), np.where(numbers > 0, numbers, 0), numbers > 0),
        (choose(a > 0.0, 1.0, -a), np.where(numbers > 0, 1, -numbers), -1.0 * (numbers <= 0)),
        (choose(a > 0.0, a * a, numbers), np.where(numbers > 0, numbers**2, numbers), 2 * numbers * (numbers > 0)),
        (choose(a[0] > 0.0, a, 2.0), np.where(numbers[0] > 0, numbers, 2), np.tile(numbers[0] > 0, (2, 1))),
        (choose(x > 0.0, a, 0.0), numbers, np.ones((2, 3))),
        (choose(x < 0.0, a, np.zeros((2, 1))), np.zeros((2, 3)), np.zeros((2, 3))),
        (choose(numbers > 0, a, 0.0), np.where(numbers > 0, numbers, 0), numbers > 0),
        (choose(numbers > 0, a, x), np.where(numbers > 0, numbers, 7), numbers > 0),
        (choose([True, False, True], a, -a), np.where([1, 0, 1], numbers, -numbers), np.tile([1, -1, 1], (2, 1))),
        (choose(a > 0.0, [1.0, 2.0, 3.0], 0.0), np.where(numbers > 0, [1, 2, 3], 0), np.zeros((2, 3))),
        (choose(a > 0.0, 1, 2), np.where(numbers > 0, 1, 2), np.zeros((2, 3))),
    ):
        assert type(out) is fad.ActiveArray
        assert out.value.tolist() == expected.tolist()
        assert tape.reverse(out, np.ones(6), wrt=a).tolist() == np.asarray(derivative, float).tolist()
    assert not tape._guard_rows


def test_where_of_scalars(tape):
    x = tape.input(2.0)
    assert fad.where(True, x, 1.0) is x
    assert fad.where(np.False_, x, 1.0) == 1.0
    assert fad.where([True, False], 1.0, 2.0).tolist() == [1.0, 2.0]
    for out in (fad.where(x > 1.0, x, np.float64(3.0)), fad.where(x > 1.0, np.array(2.0), x)):
        assert type(out) is fad.Active
        assert out.value == 2.0
    with pytest.raises(TypeError):
        fad.where(x > 1.0, "a", x)
    with pytest.raises(TypeError, match=r"fad\."):
        fad.where(x, 1.0, 2.0)


def test_where_is_data_in_a_replay():
    program = fad.record(lambda v: fad.where(v > 1.0, v * v, -v).sum(), np.array([0.5, 2.0]))
    batch = np.array([[0.5, 2.0], [3.0, 0.0], [4.0, 4.0]])
    result = program.batch(batch)
    assert result.value.tolist() == [3.5, 9.0, 32.0]
    assert result.gradient.tolist() == [[-1.0, 4.0], [6.0, -1.0], [8.0, 8.0]]


# -------------------- making arrays --------------------


def test_array(tape):
    x, y = tape.input(1.0), tape.input(2.0)
    a = fad.array([[x, 2.0], [3, y]])
    assert type(a) is fad.ActiveArray
    assert a.value.tolist() == [[1.0, 2.0], [3.0, 2.0]]
    assert a.index.tolist() == [[0, -1], [-1, 1]]
    assert fad.array((x, y)).index.tolist() == [0, 1]
    assert fad.array([a, a]).shape == (2, 2, 2)
    assert fad.array(x).index == 0
    assert fad.array([x, np.float32(0.5), np.array(4)]).value.tolist() == [1.0, 0.5, 4.0]
    assert fad.array([[a[0, 0], a[0, 1]], a[1]]).index.tolist() == [[0, -1], [-1, 1]]


def test_array_of_numbers_is_a_float_array():
    for x in ([1, 2], (1.0, 2.0), [[1, 2], [3, 4]], np.arange(3), 2, []):
        a = fad.array(x)
        assert type(a) is np.ndarray
        assert a.dtype == np.float64
        assert a.tolist() == np.array(x, float).tolist()
    assert type(fad.zeros(3)) is np.ndarray
    assert type(fad.zeros((2, 2), like=np.ones(2))) is np.ndarray
    assert type(fad.stack([[1.0], [2.0]])) is np.ndarray


def test_ragged_arrays(tape):
    x = tape.input(1.0)
    for ragged in ([[x, 1.0], [x]], [x, [x]], [[1.0, 2.0], [x]]):
        with pytest.raises(ShapeError, match="different shapes"):
            fad.array(ragged)


def test_stack(tape):
    a, b = tape.inputs([1.0, 2.0]), tape.inputs([3.0, 4.0])
    out = fad.stack([a, b * 2.0, np.zeros(2)])
    assert out.shape == (3, 2)
    assert out.value.tolist() == [[1.0, 2.0], [6.0, 8.0], [0.0, 0.0]]
    assert out.index[2].tolist() == [-1, -1]
    assert tape.reverse(out[1, 1]).tolist() == [0.0, 0.0, 0.0, 2.0]
    with pytest.raises(ShapeError, match="different shapes"):
        fad.stack([a, 1.0])


# -------------------- what it refuses --------------------


@pytest.mark.parametrize(
    "use", [np.array, np.asarray, float, lambda a: np.zeros(2).__setitem__(slice(None), a), lambda a: np.array([a, a])]
)
def test_no_float_arrays(tape, use):
    with pytest.raises(TypeError, match=r"fad\.value"):
        use(tape.inputs([1.0, 2.0]))


def test_pickling_and_hashing(tape):
    a = tape.inputs([1.0, 2.0])
    with pytest.raises(TypeError, match="pickle the Program"):
        pickle.dumps(a)
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_functions_without_a_rule(tape):
    a = tape.inputs([1.0, 2.0])
    with pytest.raises(TypeError, match=r"np\.histogram is not available"):
        np.histogram(a)


def test_printing(tape):
    a = tape.inputs([1.0, 2.5])
    tape._freezing_guards = True
    assert repr(a) == "ActiveArray([1. , 2.5])"
    assert len(tape) == 2, "printing records nothing"


@quick
@given(st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=20))
def test_arrays_and_loops_are_one(numbers):
    """An expression on an array and the same on its elements: the same bits, values and adjoints."""

    def by_array(v):
        return (fad.exp(-v * v) * fad.sin(v) + fad.where(v > 0.0, v, 0.5)).sum()

    def by_loop(v):
        total = 0.0
        for i, x in enumerate(v):
            term = fad.exp(-x * x) * fad.sin(x) + fad.where(x > 0.0, x, 0.5)
            total = term if i == 0 else total + term
        return total

    first, second = (fad.value_and_grad(f)(np.array(numbers)) for f in (by_array, by_loop))
    assert_same_bits(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("size", [6, 600])
def test_views_compile_nothing_again(tape, size):
    """To numba an array that is strided, or read-only as those of broadcast_to are, is another type."""
    kernels = (rows.record_elementwise, rows.write_sum, rows.write_sums, bulk.evaluate, bulk.sums)
    x, numbers = tape.inputs(np.ones(size)), np.linspace(1.0, 2.0, size)

    def gradient(view, passive):
        y = np.sum(view * passive + np.exp(view) / view) + np.sum(view) + np.sum(np.reshape(view, (2, -1)), axis=1)[0]
        return tape.reverse(y + np.sum(np.where(view > 0.5, view, 2.0)))

    plain = gradient(x, numbers)
    compiled = [len(kernel.signatures) for kernel in kernels]
    frozen = numbers.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(gradient(np.broadcast_to(x, (1, size))[0], frozen), plain)
    gradient(x[::-1], np.repeat(numbers, 2)[::2])
    gradient(np.broadcast_to(x[0], (size,)), numbers[::-1])
    assert [len(kernel.signatures) for kernel in kernels] == compiled
