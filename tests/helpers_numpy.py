"""Checks of a function written in NumPy: NumPy itself is the oracle of values, differences of derivatives."""

from __future__ import annotations

import numpy as np

import fastad as fad


def leaves(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def weighted(f):
    """A scalar of all that f returns, with another weight for every element."""

    def scalar(*args):
        total, used = 0.0, 0
        for leaf in leaves(f(*args)):
            flat = np.ravel(leaf)
            total = total + (flat * np.cos(1.0 + used + np.arange(flat.size))).sum()
            used += flat.size
        return total

    return scalar


def directional(f, args, directions, h=1e-6):
    """Central difference of f along directions of its arguments."""
    moved = [[x + s * h * u for x, u in zip(args, directions)] for s in (1.0, -1.0)]
    return (f(*moved[0]) - f(*moved[1])) / (2.0 * h)


def directions_like(args):
    return [np.sin(2.0 + k + np.arange(np.size(x)).reshape(np.shape(x))) for k, x in enumerate(args)]


def other_point(args):
    """Numbers near by, in the same order, as another scenario."""
    return [x + 0.01 * np.cos(np.asarray(x)) for x in args]


def check_values(f, args):
    tape = fad.Tape()
    got, expected = leaves(f(*(tape.inputs(x) for x in args))), leaves(f(*args))
    assert len(got) == len(expected)
    for mine, numpys in zip(got, expected):
        assert np.shape(mine) == np.shape(numpys)
        np.testing.assert_allclose(fad.value(mine), numpys, rtol=2e-14, atol=1e-14)


def check_gradient(f, args):
    scalar, along = weighted(f), directions_like(args)
    value, gradient = fad.value_and_grad(scalar, argnums=tuple(range(len(args))))(*args)
    np.testing.assert_allclose(value, scalar(*args), rtol=1e-13, atol=1e-14)
    slope = sum(np.sum(g * u) for g, u in zip(gradient, along))
    np.testing.assert_allclose(slope, directional(scalar, args, along), rtol=2e-6, atol=2e-8)


def check_second_order(f, args):
    """The slope of the slope, against differences of gradients."""
    scalar, along = weighted(f), directions_like(args)
    every = tuple(range(len(args)))

    def slope(*x):
        return sum(np.sum(g * u) for g, u in zip(fad.grad(scalar, argnums=every)(*x), along))

    _, (second,) = fad.hvp(lambda x: scalar(*x), (tuple(args),), (tuple(along),))
    curvature = sum(np.sum(g * u) for g, u in zip(second, along))
    np.testing.assert_allclose(curvature, directional(slope, args, along), rtol=5e-6, atol=1e-7)


def check_replay(f, args):
    """A recording at other numbers: bits of a fresh recording there, values of NumPy."""
    scalar, other = weighted(f), other_point(args)
    every = tuple(range(len(args)))
    program = fad.record(scalar, *args)
    batch = program.batch(*(np.stack(pair) for pair in zip(args, other)), wrt=every)
    for scenario, point in enumerate((args, other)):
        value, gradient = fad.value_and_grad(scalar, argnums=every)(*point)
        assert program(*point) == value
        assert batch.value[scenario] == value
        np.testing.assert_allclose(value, scalar(*point), rtol=1e-13, atol=1e-14)
        for got, expected in zip(batch.gradient, gradient):
            np.testing.assert_array_equal(got[scenario], expected)


def check(f, *args):
    args = [np.asarray(x, dtype=float) for x in args]
    check_values(f, args)
    check_gradient(f, args)
    check_replay(f, args)
