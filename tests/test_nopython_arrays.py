"""Arrays of actives and duals inside ``@numba.njit``: written to, views, arithmetic.

Oracles: NumPy on the same numbers, the same function recorded in Python, and derivatives written by hand.
"""

import math
import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from helpers_core import assert_same_bits

import fastad as fad


@numba.njit
def assign(x, y):
    """Elements, slices, views of views, a number into a part, a row into all, overlapping parts, views in place."""
    out = fad.zeros((3, 4), like=x)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = x[i] * y[j]
    part = out[1:]
    part[0, ::2] = x[0]
    part[-1, -1] += x[2]
    row = out[1]
    row[1:] = row[:-1]
    out[:, :2] = row[2:]
    last = out[2]
    last *= 2.0
    last[1:] += x
    whole = out
    whole -= y
    return out


@numba.njit
def arithmetic(x, y):
    """Broadcasting of arrays and numbers, functions, iteration over rows, sums."""
    column = fad.zeros((3, 1), like=x)
    for i, number in enumerate(x):
        column[i, 0] = number
    table = fad.exp(column * y)
    table -= np.arange(4.0)
    total = 0.0
    for row in table:
        for number in row:
            total = total * 0.5 + number
    return total + table.sum() / 3.0


@numba.njit
def states(x, y):
    """A chain of states in an array that grows into results: what payoffs do."""
    level = fad.zeros(len(y) + 1, like=x)
    level[0] = x[0]
    for i in range(len(y)):
        level[i + 1] = level[i] * (1.0 + x[1] * y[i]) + x[2]
    return level[1:], max(level), sum(level[::-1])


def flat(result):
    if isinstance(result, tuple):
        return np.concatenate([flat(part) for part in result])
    return np.ravel(result)


X, Y = np.array([0.7, -1.2, 2.0]), np.array([0.3, 1.5, -0.4, 0.9])
FUNCTIONS = pytest.mark.parametrize("f", [assign, arithmetic, states], ids=lambda f: f.py_func.__name__)


@FUNCTIONS
def test_all_number_types_agree(f):
    """Floats, recorded, replayed, and duals; oracles are NumPy and the function recorded in Python."""
    program, plain = fad.record(f, X, Y), fad.record(f.py_func, X, Y)
    for x, y in ((X, Y), (X + 0.1, Y - 0.2)):
        expected = flat(plain(x, y))
        np.testing.assert_allclose(expected, flat(f.py_func(x, y)), rtol=1e-14)  # NumPy adds in another order
        assert_same_bits(flat(f(x, y)), expected)
        assert_same_bits(flat(program(x, y)), expected)
    by_python = plain.jacobian(X, Y, argnums=(0, 1))
    for derivative in (
        program.jacobian(X, Y, argnums=(0, 1)),
        fad.jacobian(f, (0, 1))(X, Y),
        fad.jacobian(f, (0, 1), mode="forward")(X, Y),
    ):
        np.testing.assert_allclose(flat(derivative), flat(by_python), rtol=1e-13, atol=1e-15)


@FUNCTIONS
def test_rows_are_those_of_python(f):
    """The same operations on the same operands: equal opcodes, whatever the order of independent rows."""
    tapes = []
    for g in (f, f.py_func):
        tape = fad.Tape()
        g(tape.inputs(X), tape.inputs(Y))
        tapes.append(tape)
    np.testing.assert_array_equal(*(np.sort(tape.opcode) for tape in tapes))
    np.testing.assert_array_equal(*(np.sort(tape.value) for tape in tapes))


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: -x + abs(x),
        lambda x, y: 2.0 / (3.0 + y**2),
        lambda x, y: np.maximum(x, 0.5) % 0.4,
        lambda x, y: fad.norm_cdf(x) * np.sqrt(y[1:]),
        lambda x, y: np.array([1.0, 2.0, 3.0]) ** y[:3],
        lambda x, y: (x.mean(), np.sum(y), np.mean(y[1:])),
    ],
)
def test_operations_of_the_table(f):
    """Plain arrays and arrays of actives, against NumPy and the recording in Python."""
    jitted, y = numba.njit(f), np.array([0.3, 1.5, 0.4, 0.9])
    np.testing.assert_allclose(flat(jitted(X, y)), flat(fad.record(f, X, y)(X, y)), rtol=1e-14)
    for argnums in (0, 1):
        expected = fad.jacobian(f, argnums)(X, y)
        np.testing.assert_allclose(flat(fad.jacobian(jitted, argnums)(X, y)), flat(expected), rtol=1e-14)


def test_views_share_memory_with_python():
    tape = fad.Tape()
    x = tape.inputs(np.arange(6.0).reshape(2, 3))
    y = tape.input(10.0)

    @numba.njit
    def scale(part, factor):
        part[:] = part * factor
        return part[1:]

    column = scale(x[:, 1], y)  # a view with strides
    np.testing.assert_array_equal(fad.value(x), [[0.0, 10.0, 2.0], [3.0, 40.0, 5.0]])
    column[0] = 1.0
    assert fad.value(x[1, 1]) == 1.0
    assert x.index[1, 1] == -1
    np.testing.assert_array_equal(tape.reverse(x[0, 1]), [0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def test_an_array_that_is_contiguous_here_and_a_view_there():
    @numba.njit
    def f(x, every_other):
        part = x
        if every_other:
            part = x[::2]
        return part.sum()

    np.testing.assert_array_equal(fad.grad(f)(np.arange(4.0), True), [1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(fad.grad(f)(np.arange(4.0), False), np.ones(4))


def test_arrays_made_of_a_number_that_starts_as_a_float():
    @numba.njit
    def f(x):
        total = 0.0
        for number in x:
            total += number
        out = fad.zeros(2, like=total)
        out[0] = total
        return np.sum(np.arange(3.0) * total) + out[0]

    np.testing.assert_array_equal(fad.grad(f)(np.ones(3)), np.full(3, 4.0))
    assert f(np.ones(3)) == 12.0


def test_no_memory_is_lost():
    """In a process of its own, where numba counts."""
    code = """
import gc, numba, numpy as np, fastad as fad
from numba.core.runtime import rtsys

@numba.njit
def f(x):
    out = fad.zeros((3, 4), like=x)
    rows = [row for row in out]
    out[1] = rows[0]
    return out[::2], x + x

def run():
    f(fad.Tape().inputs(np.ones(3)))

run()
gc.collect()
before = rtsys.get_allocation_stats()
for _ in range(20):
    run()
gc.collect()
after = rtsys.get_allocation_stats()
assert after.alloc - before.alloc == after.free - before.free > 100, (before, after)
"""
    environment = os.environ | {"NUMBA_NRT_STATS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_arrays_travel_through_jitted_functions_lists_and_tuples():
    @numba.njit
    def double(x):
        return x + x, x.copy()

    @numba.njit
    def f(x):
        twice, same = double(x)
        same[0] = 0.0
        parts = [twice, same, x]
        return parts[0].sum() * parts[1].sum() + parts[2][0]

    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(fad.grad(f)(x), [2.0 * 6.0 + 1.0, 2.0 * 6.0 + 14.0, 2.0 * 6.0 + 14.0])
    assert f(x) == 14.0 * 6.0 + 1.0


def test_arrays_from_lists_and_numbers():
    @numba.njit
    def f(a, b):
        pair = fad.array([0.0 * b, a, b])
        pair[0] = 3.0
        return fad.array((a, b)).sum() * pair.sum() + (np.ones(2) * a).sum()

    assert fad.grad(f, argnums=(0, 1))(2.0, 5.0) == (10.0 + 7.0 + 2.0, 10.0 + 7.0)
    assert f(2.0, 5.0) == 74.0
    assert fad.derivative(numba.njit(lambda a: fad.array([a, a * a]).sum()), 3.0) == 7.0
    assert fad.jvp(f, (2.0, 5.0), (1.0, 0.0)) == (74.0, 19.0)


def test_results_that_depend_on_nothing_are_plain():
    tape = fad.Tape()
    x = tape.input(2.0)

    @numba.njit
    def f(x, n):
        level = 1.0 if n else x
        return fad.zeros(3, like=level), fad.zeros(2, like=1.0), fad.zeros((1, 2))

    plain = f(x, 1)
    assert all(type(part) is np.ndarray and not part.any() for part in plain)
    assert [part.shape for part in plain] == [(3,), (2,), (1, 2)]
    assert isinstance(f(x, 0)[0], fad.ActiveArray)


def test_derivative_of_an_array_by_a_number():
    @numba.njit
    def f(x):
        out = fad.zeros((2, 2), like=x)
        out[0] = x
        out[1, 1] = x * x
        return out

    np.testing.assert_array_equal(fad.derivative(f, 3.0), [[1.0, 1.0], [0.0, 6.0]])
    np.testing.assert_array_equal(fad.jacobian(f)(3.0), [[1.0, 1.0], [0.0, 6.0]])


def test_an_argument_overwritten_in_forward_mode():
    """More than eight inputs take two runs: the second one must see the argument as it was."""

    @numba.njit
    def f(x):
        x[0] = x[0] * x[1]
        return x.sum()

    x = np.arange(1.0, 13.0)
    expected = np.ones(12)
    expected[:2] = 2.0, 2.0
    np.testing.assert_array_equal(fad.jacobian(f, mode="forward")(x), expected)
    np.testing.assert_array_equal(fad.grad(f)(x), expected)
    np.testing.assert_array_equal(x, np.arange(1.0, 13.0))


def test_paths_recorded_one_by_one():
    @numba.njit
    def basket(p, z):
        spots = fad.zeros(3, like=p[0])
        for i in range(3):
            spots[i] = p[0][i] * fad.exp(p[1] * z[i] - 0.5 * p[1] ** 2)
        if spots[0] > spots[1]:
            spots[2] = spots[2] * 2.0
        return fad.maximum(spots.mean() - 1.0, 0.0)

    params = (np.array([1.0, 1.1, 0.9]), 0.2)
    run = dict(normals=3, paths=2048, seed=1, threads=1)
    jitted = fad.monte_carlo(basket, params, method="record", **run)
    plain = fad.monte_carlo(basket.py_func, params, **run)
    assert jitted.value == pytest.approx(plain.value, rel=1e-14)
    np.testing.assert_allclose(jitted.gradient[0], plain.gradient[0], rtol=1e-12)
    assert jitted.gradient[1] == pytest.approx(plain.gradient[1], rel=1e-12)


def test_ten_thousand_writes_stay_in_the_kernel():
    @numba.njit
    def heat(u, steps):
        for _ in range(steps):
            u[1:-1] = u[1:-1] + 0.25 * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        return u

    u = np.sin(np.linspace(0.0, math.pi, 9))
    tape = fad.Tape()
    ends = heat(tape.inputs(u), 20)
    step = np.eye(9)
    for i in range(1, 8):
        step[i, i - 1 : i + 2] = 0.25, 0.5, 0.25
    by_hand = np.linalg.matrix_power(step, 20)
    np.testing.assert_allclose(fad.value(ends), by_hand @ u, rtol=1e-13)
    np.testing.assert_allclose(tape.reverse(list(ends[1:-1]), np.eye(7)), by_hand[1:-1].T, rtol=1e-12, atol=1e-15)


# -------------------- what raises --------------------


def test_typing_errors_say_what_to_write_instead():
    tape = fad.Tape()
    x = tape.inputs(np.arange(4.0))

    def into_floats(x):
        out = np.zeros(4)
        out[0] = x[0]

    def floats_in_place(x):
        out = np.zeros(4)
        out += x
        return out

    def by_mask(x):
        return x[np.array([True, False, True, True])]

    def set_by_mask(x):
        x[np.array([True, False, True, True])] = 0.0

    def too_many(x):
        return x[0, 1]

    def of_a_tuple(x):
        return fad.zeros(2, like=(x, x))

    def from_a_tuple(x):
        x[:2] = (1.0, 2.0)

    def an_array_in_one_element(x):
        x[0] = x[1:]

    def of_mixed(x):
        return fad.array((x, 1.0))

    def compare(x):
        return x > 1.0

    def floats_here_and_actives_there(x):
        out = np.zeros(4)
        if len(x) > 2:
            out = x + 1.0
        return out

    for f, message in {
        floats_here_and_actives_there: r"start it with fad.zeros\(shape, like=x\)",
        into_floats: r"make it with fad.zeros\(shape, like=x\)",
        floats_in_place: r"write a = a \+ b",
        by_mask: "indexed by integers and slices",
        set_by_mask: "indexed by integers and slices",
        too_many: "2 indices for an array of 1 axes",
        of_a_tuple: "take a number in it",
        from_a_tuple: "by fad.array",
        an_array_in_one_element: "index with slices",
        of_mixed: "fill a fad.zeros",
        compare: "compare elements in a loop",
    }.items():
        with pytest.raises(numba.TypingError, match=message):
            numba.njit(f)(x)
    nested = fad.Dual(fad.Dual(1.0, 1.0), 1.0, level=2)
    with pytest.raises(numba.TypingError, match="nested duals are not available"):
        numba.njit(lambda x: fad.zeros(2, like=x))(nested)


def test_errors_at_run_time():
    one, other = fad.Tape(), fad.Tape()
    x = one.inputs(np.arange(4.0))

    @numba.njit
    def put(x, i, y):
        x[i] = y

    @numba.njit
    def put_part(x, y):
        x[1:] = y

    for i in (4, -5):
        with pytest.raises(IndexError):
            put(x, i, 1.0)
    with pytest.raises(fad.errors.TapeError, match="another tape"):
        put(x, 0, other.input(1.0))
    with pytest.raises(ValueError, match="broadcast"):
        put_part(x, np.ones(2))
    with pytest.raises(ValueError, match="broadcast"):
        numba.njit(lambda x: x + np.ones(3))(x)

    @numba.njit
    def on_no_tape(x, n):
        level = 1.0 if n else x
        out = fad.zeros(1, like=level)
        out[0] = x

    with pytest.raises(fad.errors.TapeError, match="is passive"):
        on_no_tape(x[1], 1)
    np.testing.assert_array_equal(fad.value(x), np.arange(4.0))


def test_numpy_functions_without_a_rule_say_what_to_write():
    x = fad.Tape().inputs(np.ones((2, 3)))
    for f, message in {
        (lambda x: np.dot(x[0], x[1])): r"np\.dot of actives is not available in a jitted function: loop",
        (lambda x: x[0] @ x[1]): r"@ of actives",
        (lambda x: np.linalg.norm(x)): r"np\.linalg\.norm of actives",
        (lambda x: np.max(x)): r"fad\.maximum",
        (lambda x: x.min()): r"fad\.maximum",
        (lambda x: np.array([x[0, 0], x[0, 1]])): r"fad\.array",
        (lambda x: np.interp(x[0, 0], np.arange(3.0), np.arange(3.0))): r"fad\.interp",
        (lambda x: np.concatenate((x[0], x[1]))): r"fill a fad\.zeros",
        (lambda x: x.T[0]): r"x\.T of actives .* pass the view",
        (lambda x: x.reshape(6)): r"x\.reshape of actives .* pass the view",
        (lambda x: x.sum(axis=0)): "summed as a whole",
        (lambda x: np.mean(x, axis=1)): "summed as a whole",
    }.items():
        with pytest.raises(numba.TypingError, match=message):
            numba.njit(f)(x)
    numbers = np.array([3.0, 1.0, 2.0])  # NumPy's functions of numbers are numba's
    assert numba.njit(lambda a: np.max(a) + np.dot(a, a) + np.sort(a)[0] + np.array([a[1]])[0])(numbers) == 19.0
    assert numba.njit(lambda x: np.sum(x) + x.sum(None) + np.mean(x))(x) == 13.0


def test_kernels_compile_as_if_nothing_was_registered():
    """What is registered while a kernel is being typed gives ``np.full`` two types, and the kernel fails to compile."""
    code = """
import sys, numba, numpy as np, fastad
def kernel(size):
    found = np.full(size, -1)
    for k in range(size):
        if k in (1, 2):
            found[k] = k
    return found
kernel.__module__ = "fastad.kernels.passes"
numba.njit(kernel)(3)
print("fastad.nopython.refusals" in sys.modules)
numba.njit(lambda x: x)(3)
print("fastad.nopython.refusals" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
