"""Random programs on arrays, done with NumPy and with actives side by side."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices

import fastad as fad

quick = settings(deadline=None, max_examples=40, derandomize=True, database=None)

# -------------------- einsum is linear in every operand --------------------

SIZES = {"a": 2, "b": 3, "c": 1, "d": 4}


@st.composite
def subscripts(draw):
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    names = sorted(set("".join(terms)))
    chosen = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    return ",".join(terms) + "->" + "".join(chosen)


@quick
@given(subscripts())
def test_einsum(text):
    """The tangent is a sum of einsums in which one operand is its own tangent."""
    terms = text.split("->")[0].split(",")
    rng = np.random.default_rng(len(text))
    arrays, dots = ([rng.standard_normal([SIZES[n] for n in term]) for term in terms] for _ in range(2))
    arrays, dots = ([np.asarray(x) for x in group] for group in (arrays, dots))
    tape = fad.Tape()
    result = np.einsum(text, *(tape.inputs(x) for x in arrays))
    expected = np.einsum(text, *arrays)
    assert np.shape(fad.value(result)) == expected.shape
    np.testing.assert_allclose(fad.value(result), expected, rtol=1e-13, atol=1e-14)
    tangent = tape.forward(result, np.concatenate([u.ravel() for u in dots]))
    each = [np.einsum(text, *arrays[:k], dots[k], *arrays[k + 1 :]) for k in range(len(arrays))]
    np.testing.assert_allclose(np.ravel(tangent), np.ravel(sum(each)), rtol=1e-12, atol=1e-13)


# -------------------- reductions of any axes of any shape --------------------


@quick
@given(array_shapes(max_dims=4, max_side=3, min_side=0), st.data())
def test_reductions(shape, data):
    axis = data.draw(st.none() | st.lists(st.integers(-len(shape), len(shape) - 1), max_size=3).map(tuple))
    keepdims = data.draw(st.booleans())
    numbers = np.random.default_rng(sum(shape)).standard_normal(shape)
    for f in (np.sum, np.prod, np.max, np.min, np.logaddexp.reduce, np.add.reduce):
        try:
            expected = f(numbers, axis=axis, keepdims=keepdims)
        except ValueError:
            with pytest.raises(ValueError, match=r"\w"):
                f(fad.Tape().inputs(numbers), axis=axis, keepdims=keepdims)
            continue
        got = f(fad.Tape().inputs(numbers), axis=axis, keepdims=keepdims)
        assert np.shape(got) == expected.shape
        np.testing.assert_allclose(fad.value(got), expected, rtol=1e-13, atol=1e-14)


# -------------------- views, assignments, operators in place --------------------

VIEWS = {
    "T": lambda a: a.T,
    "ravel": lambda a: a.ravel(),
    "flip": np.flip,
    "new axis": lambda a: a[None],
    "swap": lambda a: np.swapaxes(a, 0, -1) if a.ndim else a,
    "copy": np.copy,
    "roll": lambda a: np.roll(a, 1),
}
CHANGES = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
RIGHT = (2.0, np.float32(0.5), 3)


@quick
@given(st.data())
def test_programs_of_views_and_assignments(data):
    """Every array that a program makes: NumPy's numbers, and rows that hold them."""
    tape = fad.Tape()
    numbers = np.arange(1.0, 13.0).reshape(3, 4)
    pairs = [(numbers, tape.inputs(numbers))]
    numbers = pairs[0][0].copy()
    pairs[0] = (numbers, pairs[0][1])
    for _ in range(data.draw(st.integers(1, 10))):
        plain, active = pairs[data.draw(st.integers(0, len(pairs) - 1))]
        action = data.draw(st.sampled_from(["view", "key", "assign", "assign other", "change", "fancy"]))
        if action == "view":
            view = VIEWS[data.draw(st.sampled_from(sorted(VIEWS)))]
            pairs.append((view(plain), view(active)))
            continue
        if action == "fancy":
            mask = np.arange(plain.size).reshape(plain.shape) % 3 == 0
            plain[mask] = plain[mask][::-1]
            active[mask] = active[mask][::-1]
            continue
        key = data.draw(basic_indices(plain.shape, allow_ellipsis=True, allow_newaxis=True))
        if action == "key":
            if isinstance(plain[key], np.ndarray) and plain[key].ndim:
                pairs.append((plain[key], active[key]))
        elif action == "assign":
            plain[key] = active[key] = data.draw(st.sampled_from(RIGHT))
        elif action == "assign other" and plain[key].size:
            plain[key] = np.flip(plain[key])
            active[key] = np.flip(active[key])
        elif action == "change":
            change, other = data.draw(st.sampled_from(CHANGES)), data.draw(st.sampled_from(RIGHT))
            plain[key] = change(plain[key].copy(), other)
            active[key] = (
                change(active[key], other) if isinstance(active[key], float) else change(active[key] + 0.0, other)
            )
    for plain, active in pairs:
        np.testing.assert_array_equal(active.value, plain)
        rows, values = active.index.ravel(), active.value.ravel()
        np.testing.assert_array_equal(tape.value[rows[rows >= 0]], values[rows >= 0])


@quick
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8), st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_orders_with_ties(first, second):
    """A recording at one list of numbers, replayed at another of the same length."""
    size = min(len(first), len(second))
    here, there = (np.array(x[:size], dtype=float) for x in (first, second))

    def f(a):
        weights = np.arange(1.0, size + 1.0)
        return (np.sort(a) * weights).sum() + a[np.argsort(a)[0]] * np.argmax(a) + np.median(a) * np.argmin(a)

    program = fad.record(f, here)
    assert program(there) == f(there)
    np.testing.assert_array_equal(program.grad(there), fad.grad(f)(there))
    np.testing.assert_allclose(np.sum(fad.grad(lambda a: np.sort(a).sum())(there)), size)
