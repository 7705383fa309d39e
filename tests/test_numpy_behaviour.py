"""What NumPy functions of active arrays do beside values and slopes: guards, views, writing in place, refusals."""

import operator

import numpy as np
import pytest

import fastad as fad
from fastad.errors import DivergenceError, ShapeError, TapeError

nan, inf = np.nan, np.inf


@pytest.fixture
def tape():
    return fad.Tape()


def indices(array):
    return array.index.tolist()


# -------------------- decisions --------------------

DECIDING = {
    "sort": lambda a: np.sort(a),
    "argsort": lambda a: a[np.argsort(a)] * np.arange(1.0, 5.0),
    "partition": lambda a: np.sort(np.partition(a, 1)),
    "argmax": lambda a: a * np.argmax(a),
    "argmin": lambda a: a * np.argmin(a),
    "max": lambda a: np.max(a) * np.ones(4),
    "min": lambda a: np.min(a) * np.ones(4),
    "median": lambda a: np.median(a) * np.ones(4),
    "quantile": lambda a: np.quantile(a, [0.1, 0.5, 0.9]),
    "searchsorted left": lambda a: a * np.searchsorted([0.0, 1.0, 2.0], a),
    "searchsorted right": lambda a: a * np.searchsorted([0.0, 1.0, 2.0], a, side="right"),
    "searchsorted in actives": lambda a: a * np.searchsorted(np.sort(a), 1.0),
    "digitize": lambda a: a * np.digitize(a, [0.0, 1.0, 2.0]),
    "digitize in actives": lambda a: a * np.digitize([0.5, 1.5], np.sort(a)[:2]).sum(),
    "digitize falling": lambda a: a * np.digitize(a, [2.0, 1.0, 0.0], right=True),
    "nonzero": lambda a: a * len(np.nonzero(a)[0]),
    "where": lambda a: a * len(np.where(a > 1.0)[0]),
    "argwhere": lambda a: a * len(np.argwhere(a - 1.0)),
    "flatnonzero": lambda a: a * np.flatnonzero(a > 0.5).sum(),
    "count_nonzero": lambda a: a * np.count_nonzero(a) + np.count_nonzero(a > 1.0),
    "any": lambda a: a * 2.0 if np.any(a > 1.5) else a,
    "all": lambda a: a * 2.0 if np.all(a) else a,
    "allclose": lambda a: a * 2.0 if np.allclose(a, [1.0, 2.0, 0.0, 1.0]) else a,
    "array_equal": lambda a: a * 2.0 if np.array_equal(a, [1.0, 2.0, 0.0, 1.0]) else a,
}
SCENARIOS = np.array(
    [
        [1.0, 2.0, 0.0, 1.0],
        [2.0, 1.0, 0.0, 3.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 1.0, 2.0, 2.0],
        [2.0, 2.0, 1.0, 1.0],
        [-1.0, 0.5, 1.5, 2.5],
        [1.0, nan, 0.0, 2.0],
        [nan, nan, 3.0, 1.0],
        [1.0, 2.0, 3.0, nan],
        [inf, -inf, nan, 0.0],
    ]
)


@pytest.mark.parametrize("first", [0, 3, 6])
@pytest.mark.parametrize("name", DECIDING)
def test_decisions_are_sound_in_replay(name, first):
    """Wherever it was recorded, a replay has NumPy's values, and the adjoints of a fresh recording."""

    def f(a):
        result = DECIDING[name](a)
        return np.where(abs(result) < 100.0, result, 0.0) @ np.array([1.0, 2.0, 3.0, 4.0])[: len(result)]

    program = fad.record(f, SCENARIOS[first])
    result = program.batch(SCENARIOS)
    for scenario, numbers in enumerate(SCENARIOS):
        with np.errstate(invalid="ignore"):
            assert result.value[scenario] == f(numbers)
        np.testing.assert_array_equal(result.gradient[scenario], fad.grad(f)(numbers))


def test_an_order_that_changes_diverges():
    program = fad.record(lambda a: np.sort(a)[0], np.array([1.0, 2.0, 3.0]))
    program.on_divergence = "raise"
    assert program(np.array([0.0, 5.0, 5.0])) == 0.0
    with pytest.raises(DivergenceError, match="test_numpy_behaviour"):
        program(np.array([2.0, 1.0, 3.0]))


@pytest.mark.parametrize("count", range(1, 20))
def test_medians_and_quantiles_are_data(count):
    """One recording serves every order; ties share out all of the adjoint."""
    rng = np.random.default_rng(count)
    scenarios = np.concatenate([rng.standard_normal((20, count)), rng.integers(0, 3, (20, count)).astype(float)])
    for f in (np.median, lambda a: np.quantile(a, 0.3), lambda a: np.percentile(a, 90)):
        program = fad.record(f, scenarios[0])
        result = program.batch(scenarios)
        np.testing.assert_allclose(result.value, [f(x) for x in scenarios], rtol=1e-15)
        np.testing.assert_allclose(result.gradient.sum(axis=1), 1.0, rtol=1e-15)
        assert len(program.variants) == 1


def test_extremes_are_data(tape):
    """At a tie the first element takes the adjoint; nothing is guarded."""
    a = tape.inputs([1.0, 3.0, 3.0, 2.0, 3.0])
    assert tape.reverse(np.max(a)).tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert tape.reverse(np.min(np.minimum(a, 2.0))).tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert np.isnan(np.max(fad.array([a[0], nan, a[1]])).value)
    assert (np.nanmax(fad.array([a[0], nan, a[1]])).value, np.nanmin(fad.array([nan, a[1]])).value) == (3.0, 3.0)
    assert not tape._guard_rows
    program = fad.record(lambda v: v.max(), np.array([1.0, 2.0]))
    assert program.batch(np.array([[1.0, 2.0], [5.0, 3.0]])).gradient.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert len(program.variants) == 1


NAN = np.array([[1.0, nan, 3.0], [nan, 5.0, 4.0]])


@pytest.mark.parametrize(
    "f", [np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nancumsum, np.nancumprod]
)
def test_nan_as_a_missing_number(f):
    for axis in (None, 0, 1):
        a = fad.Tape().inputs(NAN)
        np.testing.assert_allclose(fad.value(f(a, axis=axis)), f(NAN, axis=axis), rtol=1e-15)
    gradient = fad.grad(lambda v: np.sum(f(v)))(NAN)
    assert np.isfinite(gradient).all()
    assert (gradient[np.isnan(NAN)] == 0.0).all()


def test_places_of_numbers_beside_nan(tape):
    a = tape.inputs(NAN)
    assert (np.nanargmax(a), np.nanargmin(a)) == (4, 0)
    assert np.nanargmax(a, axis=1).tolist() == [2, 1]
    with pytest.raises(ValueError, match="All-NaN"):
        np.nanargmax(tape.inputs([nan, nan]))


def test_nan_to_num():
    x = np.array([0.5, nan, inf, -inf])
    tape = fad.Tape()
    np.testing.assert_array_equal(np.nan_to_num(tape.inputs(x)).value, np.nan_to_num(x))
    np.testing.assert_array_equal(
        np.nan_to_num(tape.inputs(x), nan=1.0, posinf=2.0, neginf=3.0).value, [0.5, 1.0, 2.0, 3.0]
    )
    assert fad.grad(lambda v: np.sum(np.nan_to_num(v)))(x).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_isclose_is_data(tape):
    x = np.array([1.0, 1.0 + 1e-9, 2.0, nan, inf])
    y = np.array([1.0, 1.0, 1.0, nan, inf])
    for more in ({}, {"equal_nan": True}, {"rtol": 2.0}, {"rtol": 0.0, "atol": 1e-10}):
        got = np.isclose(tape.inputs(x), y, **more)
        assert type(got) is fad.ConditionArray
        assert got.outcome.tolist() == np.isclose(x, y, **more).tolist()
    assert not tape._guard_rows
    assert type(np.allclose(tape.inputs(x[:2]), y[:2])) is bool
    assert tape._guard_rows


# -------------------- conditions --------------------


def test_logical_ufuncs(tape):
    numbers = np.array([0.0, 1.0, -2.0, 3.0])
    a, mask = tape.inputs(numbers), np.array([True, True, False, False])
    for ufunc in (np.logical_and, np.logical_or, np.logical_xor):
        for x, y, p, q in (
            (a > 0.0, mask, numbers > 0.0, mask),
            (mask, a > 0.0, mask, numbers > 0.0),
            (a, a, *[numbers] * 2),
        ):
            assert ufunc(x, y).outcome.tolist() == ufunc(p, q).tolist()
    for ufunc in (np.bitwise_and, np.bitwise_or, np.bitwise_xor):
        assert ufunc(mask, a > 0.0).outcome.tolist() == ufunc(mask, numbers > 0.0).tolist()
    assert np.logical_not(a).outcome.tolist() == [True, False, False, False]
    assert np.invert(a > 0.0).outcome.tolist() == [True, False, True, False]
    assert np.logical_and(a[1] > 0.0, a[3] > 5.0).outcome is False
    for true in (a[1] > 0.0, a[1] > 5.0):
        for other in (True, False, np.True_, np.False_):
            assert bool(np.logical_xor(true, other)) is (true.outcome != bool(other))
            assert bool(np.logical_xor(other, true)) is (true.outcome != bool(other))
    tape.rewind(4)
    assert np.logical_and(a[1] > 0.0, mask).outcome.tolist() == mask.tolist()
    assert not tape._guard_rows
    with pytest.raises(TypeError, match="conditions and bools"):
        np.bitwise_and(a, a)
    with pytest.raises(TypeError, match="no number"):
        np.add(a > 0.0, 1.0)


def test_reducing_conditions(tape):
    numbers = np.array([[1.0, -1.0], [2.0, 3.0]])
    a = tape.inputs(numbers)
    for axis in (None, 0, 1):
        for reduce, numpys in ((np.logical_or.reduce, np.any), (np.logical_and.reduce, np.all)):
            assert (
                np.array(getattr(reduce(a > 0.0, axis=axis), "outcome", None)).tolist()
                == numpys(numbers > 0.0, axis=axis).tolist()
            )
    assert not tape._guard_rows, "data"
    assert np.any(a > 2.5) is True
    assert np.all(a > 0.0, axis=1).tolist() == [False, True]
    assert (a > 0.0).any(axis=0).tolist() == [True, True]
    assert len(tape._guard_rows) == 12
    with pytest.raises(TypeError, match="no number"):
        np.sum(a > 0.0)


# -------------------- out=, where=, at --------------------


def test_out(tape):
    a, out = tape.inputs([1.0, 4.0]), fad.zeros(2, like=tape.input(1.0))
    assert np.sqrt(a, out=out) is out
    assert out.value.tolist() == [1.0, 2.0]
    tail = out[1:]
    np.add(a, a, out=(out,))
    assert (out.value.tolist(), tail.value.tolist()) == ([2.0, 8.0], [8.0])
    assert np.sum(a, axis=0, keepdims=True, out=out[:1]).value.tolist() == [5.0]
    assert np.cumsum(a, out=out) is out
    assert np.multiply.reduce(tape.inputs([[2.0, 3.0], [4.0, 5.0]]), out=out).value.tolist() == [8.0, 15.0]
    assert np.concatenate([a[:1], a[:1]], out=out).value.tolist() == [1.0, 1.0]
    assert a.sum(axis=0, keepdims=True, out=out[:1]).shape == (1,)
    whole, rest = np.divmod(a, 3.0, out=(out, None))
    assert whole is out
    assert (whole.value.tolist(), rest.value.tolist()) == ([0.0, 1.0], [1.0, 1.0])
    assert np.exp(np.zeros(2), out=out).value.tolist() == [1.0, 1.0]
    assert np.exp(np.zeros(2), out=out).index.tolist() == [-1, -1]


def test_out_that_cannot_be(tape):
    a, target = tape.inputs([1.0, 4.0]), np.zeros(2)
    for write in (
        lambda: np.exp(a, out=target),
        lambda: np.add(1.0, a, out=(target,)),
        lambda: np.sum(a, axis=0, out=target),
        lambda: np.dot(np.eye(2), a, out=target),
        lambda: np.copyto(target, a),
        lambda: np.put(target, [0], a[:1]),
        lambda: np.add.at(target, [0], a[:1]),
        lambda: np.put_along_axis(target, np.array([0]), a[:1], 0),
        lambda: operator.iadd(target, a),
    ):
        with pytest.raises(TypeError, match=r"float array: an active needs its row; .*fad\.zeros"):
            write()
    assert target.tolist() == [0.0, 0.0]
    for shape in ((3,), (1, 2), ()):
        with pytest.raises(ShapeError, match="out= of shape"):
            np.exp(a, out=fad.zeros(shape, like=a))
    other = fad.Tape().inputs([0.0, 0.0])
    with pytest.raises(TapeError, match="two tapes"):
        np.exp(a, out=other)
    with pytest.raises(TapeError, match="two tapes"):
        np.copyto(other, a)
    with pytest.raises(TypeError, match="active values are float64; drop dtype=float32"):
        np.sum(a, dtype=np.float32)
    assert np.sum(a, dtype=float).value == 5.0


def test_where_of_ufuncs(tape):
    a, out = tape.inputs([1.0, 4.0, 9.0]), tape.inputs([7.0, 7.0, 7.0])
    assert np.sqrt(a, out=out, where=[True, False, True]) is out
    assert out.value.tolist() == [1.0, 7.0, 3.0]
    assert indices(out)[1] == 4
    np.multiply(a, 2.0, out=out, where=a > 3.0)
    assert out.value.tolist() == [1.0, 8.0, 18.0]
    assert np.sqrt(a, where=True).value.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(TypeError, match=r"without out="):
        np.sqrt(a, where=[True, False, True])
    assert np.sum(a, where=a > 3.0).value == 13.0
    assert np.mean(a, where=a > 3.0).value == 6.5
    with pytest.raises(ValueError, match="needs initial"):
        np.max(a, where=a > 3.0)
    program = fad.record(lambda v: np.mean(v, where=v > 3.0), np.array([1.0, 4.0, 9.0]))
    assert program.batch(np.array([[1.0, 4.0, 9.0], [5.0, 4.0, 9.0]])).value.tolist() == [6.5, 6.0]
    assert len(program.variants) == 1, "a mask of conditions is data here"


def test_ufunc_at(tape):
    a = tape.inputs([1.0, 2.0, 3.0])
    b = a.copy()
    np.add.at(b, [0, 0, 2], a)
    assert b.value.tolist() == [4.0, 2.0, 6.0]
    assert tape.reverse(b.sum()).tolist() == [2.0, 2.0, 2.0]
    np.negative.at(b, [1])
    assert b.value.tolist() == [4.0, -2.0, 6.0]
    matrix = fad.zeros((2, 2), like=a)
    np.subtract.at(matrix, ([0, 1], [1, 1]), a[0])
    assert matrix.value.tolist() == [[0.0, -1.0], [0.0, -1.0]]
    with pytest.raises(TypeError, match="plain number"):
        np.add.at(b, a, 1.0)


# -------------------- writing in place --------------------


def test_functions_that_write(tape):
    numbers, given = np.arange(1.0, 7.0).reshape(2, 3), np.array([10.0, 20.0])
    for write in (
        lambda a, v: np.copyto(a[:, :2], v),
        lambda a, v: np.copyto(a, v[0], where=[True, False, True]),
        lambda a, v: np.put(a, [0, 4], v),
        lambda a, v: np.place(a, numbers > 2.0, v),
        lambda a, v: np.putmask(a, numbers > 2.0, v),
        lambda a, v: np.put_along_axis(a, np.array([[0], [2]]), v[:, None], 1),
        lambda a, v: np.fill_diagonal(a, v),
        lambda a, v: a.fill(v[1]),
        lambda a, v: a.put([1, 2], v),
        lambda a, v: a.flat.__setitem__(slice(1, 3), v),
        lambda a, v: a.T.flat.__setitem__(1, v[0]),
    ):
        plain = numbers.copy()
        write(plain, given)
        a, v = tape.inputs(numbers), tape.inputs(given)
        place = dict(zip(given, indices(v)))
        write(a, v)
        assert a.value.tolist() == plain.tolist()
        for number, row in zip(a.value.ravel().tolist(), a.index.ravel().tolist()):
            assert tape.value[row] == number
            assert number < 10.0 or row == place[number]


def test_sorting_in_place(tape):
    a = tape.inputs([3.0, 1.0, 2.0])
    view = a[::-1]
    assert a.sort() is None
    assert (a.value.tolist(), indices(a), indices(view)) == ([1.0, 2.0, 3.0], [1, 2, 0], [0, 2, 1])


VIEWS = {
    "reshape": lambda a: np.reshape(a, (3, 4)),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "swapaxes": lambda a: np.swapaxes(a, 0, 1),
    "moveaxis": lambda a: np.moveaxis(a, 0, 1),
    "squeeze": lambda a: np.squeeze(a[None]),
    "expand_dims": lambda a: np.expand_dims(a, 1),
    "flip": np.flip,
    "rot90": np.rot90,
    "split": lambda a: np.split(a, 2, axis=1)[0],
    "atleast_3d": np.atleast_3d,
    "newaxis": lambda a: a[:, None, ::-2],
    "Ellipsis": lambda a: a[..., 1],
    "0-d": lambda a: a[0, 0, ...],
    "einsum": lambda a: np.einsum("ij->ji", a),
    "astype": lambda a: a.astype(float, copy=False),
}
COPIES = {
    "flatten": lambda a: a.flatten(),
    "copy": np.copy,
    "roll": lambda a: np.roll(a, 1),
    "tile": lambda a: np.tile(a, 1),
    "repeat": lambda a: np.repeat(a, 1),
    "concatenate": lambda a: np.concatenate([a]),
    "pad": lambda a: np.pad(a, 0),
    "take": lambda a: np.take(a, [0], axis=0),
    "fancy": lambda a: a[[0]],
    "mask": lambda a: a[np.ones((2, 6), bool)],
    "tril": np.tril,
    "diag": np.diag,
    "positive": operator.pos,
    "first power": lambda a: a**1,
    "np.power": lambda a: np.power(a, 1.0),
    "clip without limits": lambda a: np.clip(a, None, None),
    "max of one": lambda a: np.max(a[None], axis=0),
    "product along no axis": lambda a: np.prod(a, axis=()),
}


@pytest.mark.parametrize("name", [*VIEWS, *COPIES])
def test_views_and_copies_are_numpys(tape, name):
    """Writing to the result changes the array, values and rows alike, or neither."""
    numbers = np.arange(12.0).reshape(2, 6) + 1.0
    a, x = tape.inputs(numbers), tape.input(100.0)
    part = (VIEWS | COPIES)[name](a)
    part[...] = x
    row = 12
    if name in VIEWS:
        assert (a.index == row).sum() == part.size
    else:
        assert (a.index == np.arange(12).reshape(2, 6)).all()
    assert ((a.value == 100.0) == (a.index == row)).all()


def test_views_that_cannot_be_written(tape):
    a = tape.inputs(np.ones((2, 2)))
    for view in (np.broadcast_to(a, (3, 2, 2)), np.diagonal(a)):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1.0
    assert (a.index >= 0).all()


def test_assignments_that_overlap(tape):
    a = tape.inputs(np.arange(5.0))
    a[1:] = a[:-1]
    assert (a.value.tolist(), indices(a)) == ([0.0, 0.0, 1.0, 2.0, 3.0], [0, 0, 1, 2, 3])
    a[::-1] = a
    assert indices(a) == [3, 2, 1, 0, 0]


def test_in_place_operators_through_keys(tape):
    numbers = np.arange(1.0, 13.0).reshape(3, 4)
    for key in (1, (..., 2), (slice(None, None, -2), slice(1, 3)), [0, 2], ([0, 1], [3, 3]), numbers > 5.0, (None, 1)):
        for change in (operator.iadd, operator.imul, operator.isub, operator.itruediv, operator.ipow, operator.imod):
            plain, a = numbers.copy(), tape.inputs(numbers)
            plain[key] = change(plain[key], 3.0)
            a[key] = change(a[key], 3.0)
            np.testing.assert_array_equal(a.value, plain)


def test_matrix_product_in_place(tape):
    numbers = np.arange(1.0, 10.0).reshape(3, 3)
    a = tape.inputs(numbers)
    whole, factor = a, np.triu(numbers)
    a @= factor
    assert a is whole
    np.testing.assert_allclose(whole.value, numbers @ factor)
    with pytest.raises(ShapeError, match="out="):
        a @= np.ones((3, 1))


def test_assignments_of_wrong_shapes(tape):
    a = tape.inputs(np.ones((2, 3)))
    for key, item in (
        (0, np.ones(2)),
        (..., np.ones((3, 2))),
        ([0, 1], np.ones((3, 3))),
        ((0, 0), tape.inputs([1.0, 2.0])),
    ):
        with pytest.raises(ValueError, match=r"broadcast|sequence"):
            a[key] = item
    assert a.index.tolist() == [[0, 1, 2], [3, 4, 5]]
    for item in (np.array([object()] * 3), "abc", [None] * 3, np.ones(3, complex)):
        with pytest.raises(TypeError):
            a[0] = item
    a[0] = np.arange(3, dtype=np.int8)
    a[1] = np.ones(3, np.float32)
    assert a.value.tolist() == [[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]


# -------------------- the rest --------------------


def test_empty_arrays(tape):
    empty = tape.inputs(np.zeros((0, 3)))
    assert np.sum(empty) == 0.0
    assert np.prod(empty) == 1.0
    assert (np.sum(empty, initial=2.0), np.prod(empty, initial=3.0), np.max(empty, initial=4.0)) == (2.0, 3.0, 4.0)
    assert np.sum(empty, axis=0).tolist() == [0.0] * 3
    assert np.cumsum(empty).shape == (0,)
    assert np.sort(empty, axis=0).shape == (0, 3)
    assert np.concatenate([empty, tape.inputs([[1.0, 2.0, 3.0]])]).shape == (1, 3)
    assert (empty.T @ empty).tolist() == [[0.0] * 3] * 3
    assert list(empty) == []
    for extreme in (np.max, np.argmax, np.median, np.nanmin):
        with pytest.raises(ValueError, match=r"empty|zero-size"):
            extreme(empty)


def test_numbers_and_actives_mixed(tape):
    x = tape.input(2.0)
    a = fad.array([x, 1.0, x * x, 5])
    assert np.sort(a).value.tolist() == [1.0, 2.0, 4.0, 5.0]
    assert a.tolist()[1] == 1.0
    assert type(a.tolist()[1]) is float
    assert tape.reverse(np.prod(a)).tolist() == [3 * 2.0**2 * 5]
    assert tape.reverse(np.dot(a, np.arange(4))).tolist() == [2.0 * 4.0]
    assert np.concatenate([np.arange(2, dtype=np.int8), a]).value.tolist() == [0.0, 1.0, 2.0, 1.0, 4.0, 5.0]
    assert np.max(x) is x or np.max(x).index == x.index
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((), 0, 1)
    assert np.atleast_1d(x).index.tolist() == [0]


def test_making_arrays_that_take_actives(tape):
    x, a = tape.input(2.0), tape.inputs([1.0, 2.0])
    for like in (x, a):
        for make, expected in (
            (lambda like: np.zeros(3, like=like), [0.0] * 3),
            (lambda like: np.ones((1, 2), like=like), [[1.0, 1.0]]),
            (lambda like: np.full(2, 5.0, like=like), [5.0, 5.0]),
            (lambda like: np.eye(2, like=like), [[1.0, 0.0], [0.0, 1.0]]),
            (lambda like: np.arange(3.0, like=like), [0.0, 1.0, 2.0]),
            (lambda like: np.array([[x, 1.0], [3, x]], like=like), [[2.0, 1.0], [3.0, 2.0]]),
            (lambda like: np.asarray([1.0, 2.0], like=like), [1.0, 2.0]),
        ):
            made = make(like)
            assert type(made) is fad.ActiveArray
            assert made.value.tolist() == expected
            made[(0,) * made.ndim] = x * x
            assert tape.reverse(made.sum(), wrt=x) >= 4.0
        assert np.zeros(2, int, like=like).dtype == int
    for made in (np.zeros_like(a), np.ones_like(a), np.empty_like(a, shape=(2, 2)), np.full_like(a, x)):
        made[0] = x
        assert (made.index[0] == x.index).all()
    assert np.zeros_like(a, dtype=bool).tolist() == [False, False]
    assert np.zeros_like(x).tolist() == 0.0
    with pytest.raises(TypeError, match="float64"):
        np.array([x], dtype=int, like=x)
    with pytest.raises(TypeError, match=r"fad\.array"):
        np.array([x])


def test_masks_of_conditions_among_other_keys():
    def f(a):
        return a[:, a[0] > 1.0].sum() + a[a[:, 0] > 0.0, 1].sum()

    numbers = np.array([[1.0, 2.0, 3.0], [-1.0, 5.0, 6.0]])
    program = fad.record(f, numbers)
    for other in (numbers, -numbers, numbers[:, ::-1]):
        assert program(other) == f(other)
        np.testing.assert_array_equal(program.grad(other), fad.grad(f)(other))


def test_a_scalar_has_what_a_float_has(tape):
    x = tape.input(2.0)
    assert x.real is x
    assert x.imag == 0.0
    assert x.conjugate() is x


def test_what_an_array_says_of_itself(tape):
    a = tape.inputs(np.ones((2, 3)))
    assert (a.dtype, a.itemsize, a.shape, a.ndim, a.size, len(a)) == (np.float64, 8, (2, 3), 2, 6, 2)
    assert np.iscomplexobj(a) is False
    assert np.result_type(a, np.float32) == np.float64
    assert np.shares_memory(a, a[0])
    assert not np.may_share_memory(a, a.copy())
    assert np.array2string(a[0]) == "[1. 1. 1.]"
    for wrong in (int, np.float32, complex, bool, object):
        with pytest.raises(TypeError, match=r"float64, not .*fad\.value"):
            a.astype(wrong)
    with pytest.raises(TypeError, match=r"fad\.take"):
        a.choose([1.0, 2.0])
    with pytest.raises(TypeError, match=r"fad\.take"):
        np.take(a, a)
    with pytest.raises(TypeError, match="wrong"):
        a.sum(wrong=1)
    with pytest.raises(ValueError, match="can only convert an array of size 1"):
        a.item()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: np.pad(a, 1, mode="empty"), "mode must be one of"),
        (lambda a: np.pad(a, 1, mode="reflect", reflect_type="odd"), "reflect_type='odd'"),
        (lambda a: np.quantile(a, 0.5, method="weibull"), "only 'linear'"),
        (lambda a: np.quantile([1.0, 2.0], a), "plain number"),
        (lambda a: np.linalg.norm(np.reshape(a, (2, 2)), 3), "ord=3 over 2 axes"),
        (lambda a: np.nan_to_num(a, copy=False), "copy=False"),
        (lambda a: np.average(a, weights=[1.0, 2.0]), "weights need the shape"),
        (lambda a: np.histogram(a), "np.histogram is not available"),
        (lambda a: np.linalg.eig(a), "np.linalg.eig is not available"),
        (lambda a: np.array([a, a]), r"fad\.value"),
        (lambda a: np.r_[a, a], "float array"),
        (lambda a: np.vectorize(lambda x: x)(a), "float array"),
    ],
)
def test_refusals_name_what_to_do(tape, call, message):
    with pytest.raises(TypeError, match=message):
        call(tape.inputs([1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda a: a @ a,
        lambda a: np.dot(a, a),
        lambda a: np.inner(a, a[:, :2]),
        lambda a: np.tensordot(a, a, 1),
        lambda a: np.matmul(a, 2.0),
        lambda a: np.einsum("ij,jk", a, a),
        lambda a: np.einsum("ij,k", a),
        lambda a: np.einsum("ijk", a),
        lambda a: np.einsum("...ijk", a),
        lambda a: np.cross(a[:, :2], a[:, :2]),
        lambda a: np.gradient(a[:, :1], axis=1),
        lambda a: np.concatenate([a, a.T]),
        lambda a: np.convolve(a[0], []),
        lambda a: np.digitize(a, [1.0, 3.0, 2.0]),
        lambda a: np.select([a > 0.0], [a, a]),
        lambda a: np.quantile(a, 1.5),
        lambda a: np.diff(a, -1),
    ],
)
def test_shapes_that_do_not_fit(tape, call):
    with pytest.raises(ValueError, match=r"\w"):
        call(tape.inputs(np.ones((2, 3))))


def test_weights_of_a_covariance_are_one_an_observation(tape):
    with pytest.raises(ValueError, match=r"a weight for each of 3 observations, got \[\(2,\)\]"):
        np.cov(tape.inputs([1.0, 2.0, 4.0]), aweights=[1.0, 2.0])


def test_any_and_all_where(tape):
    a = tape.inputs([[1.0, -2.0], [3.0, 4.0]])
    for mask in (np.array([[True, False], [True, True]]), np.array([False, True]), a > 2.0):
        outcome = mask if isinstance(mask, np.ndarray) else mask.outcome
        for f in (np.any, np.all):
            for axis in (None, 0):
                expected = f(a.value > 0.0, axis=axis, where=outcome)
                np.testing.assert_array_equal(f(a > 0.0, axis=axis, where=mask), expected)


def test_questions_of_shape_and_type(tape):
    a = tape.inputs(np.ones((3, 3)))
    for f in (np.isreal, np.iscomplex, np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
        np.testing.assert_array_equal(f(a), f(np.ones((3, 3))))
