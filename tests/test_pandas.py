"""pandas objects are refused wherever fastad would lose their labels, and never hold actives in silence."""

import operator

import numpy as np
import pytest

import fastad as fad

pd = pytest.importorskip("pandas")

SERIES = pd.Series([1.0, 2.0, 3.0], index=["a", "b", "c"])
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
LABELLED = {"Series": SERIES, "DataFrame": FRAME, "Index": pd.Index([1.0, 2.0]), "FloatingArray": pd.array([1.0, 2.0])}
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod]
OPERATORS += [operator.lt, operator.ge, operator.eq, operator.ne, divmod]

labelled = pytest.mark.parametrize("x", LABELLED.values(), ids=LABELLED.keys())


def total(v):
    return (v * v).sum()


def refused(x, use, *operands):
    with pytest.raises(TypeError, match=rf"{type(x).__name__}: its labels would be lost; use \.to_numpy\(\)"):
        use(*operands)


@labelled
@pytest.mark.parametrize("use", OPERATORS, ids=lambda f: f.__name__)
def test_operations_with_actives(x, use):
    tape = fad.Tape()
    for active in (tape.input(2.0), tape.inputs([1.0, 2.0])):
        refused(x, use, x, active)
        refused(x, use, active, x)


@labelled
@pytest.mark.parametrize("use", [operator.iadd, np.multiply, np.maximum], ids=lambda f: f.__name__)
def test_where_pandas_itself_stumbles(x, use):
    """pandas sees NotImplemented or an ActiveArray where it expects its own kind; never a result of another kind."""
    target = x.copy()
    for active in (fad.Tape().input(1.0), fad.Tape().inputs([1.0, 2.0])):
        with pytest.raises((TypeError, AttributeError)):
            use(target, active)
    assert (np.asarray(target) == np.asarray(x)).all()


def test_conditions():
    c = fad.Tape().input(2.0) > 1.0
    for use in (operator.and_, operator.or_, operator.mul):
        for operands in ((SERIES > 1.0, c), (c, SERIES > 1.0)):
            with pytest.raises(TypeError):
                use(*operands)


@labelled
def test_functions_and_tapes(x):
    tape = fad.Tape()
    active = tape.input(1.0)
    for use in (fad.exp, fad.array, tape.inputs, tape.input, lambda x: fad.where(active > 0.0, x, active)):
        refused(x, use, x)
    refused(x, fad.maximum, x, 1.0)


@labelled
def test_arguments(x):
    """Also inside structures: dropping them as static would leave them without a derivative, and stale."""
    for argument in (x, {"curve": x, "spot": 1.0}):
        for transform in (fad.grad, fad.value_and_grad, fad.jacobian):
            refused(x, transform(lambda p: 1.0), argument)
        refused(x, fad.record, lambda p: 1.0, argument)
        refused(x, fad.record(lambda p: 1.0, 1.0), argument)
        refused(x, fad.record(lambda p: 1.0, 1.0).batch, argument)
        refused(x, lambda p: fad.monte_carlo(lambda p, z: z[0], p, normals=1, paths=64), argument)
    refused(x, fad.jvp, lambda v: v, (np.ones(2),), (x,))


@labelled
def test_results(x):
    for use in (fad.grad, fad.jacobian, lambda f: lambda y: fad.record(f, y)):
        refused(x, use(lambda y: {"a": y, "b": x}), 1.0)


def test_the_ways_out():
    assert fad.grad(total)(SERIES.to_numpy()).tolist() == [2.0, 4.0, 6.0]
    assert fad.grad(lambda p: p["a"] * p["c"])(SERIES.to_dict()) == {"a": 3.0, "b": 0.0, "c": 1.0}
    assert fad.grad(lambda m: (m * m).sum())(FRAME.to_numpy()).tolist() == [[2.0, 6.0], [4.0, 8.0]]
    assert fad.grad(lambda p: p["b"][1] * 2.0)(FRAME.to_dict())["b"] == {0: 0.0, 1: 2.0}


def test_passive_data_stays_what_it_is():
    """Arguments that are not differentiated reach the function untouched, labels and all."""
    assert fad.grad(lambda x, s: x * s["b"] * s.sum())(1.0, SERIES) == 12.0
    assert fad.value(SERIES) is SERIES
    result = fad.monte_carlo(lambda p, z, s: p * s["c"] + 0.0 * z[0], 2.0, normals=1, paths=64, args=(SERIES,))
    assert (result.value, result.gradient) == (6.0, 3.0)
