"""Programs at one point whose arrays are runs: which adjoints are written when, and with what."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastad as fad
from fastad.program import evaluator, frame, runs, schedule

N = 300
X, Y = np.random.default_rng(5).uniform(0.2, 1.8, (2, N))


def same(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b))


@pytest.fixture(autouse=True)
def stale_memory(monkeypatch):
    """Frames that hold sevens; not NaN, with which a sweep would be done again."""
    made = frame.Frame.__init__

    def sevens(self, *args):
        made(self, *args)
        for column in (self.value, self.adjoint, self.partial0, self.partial1):
            column[:] = 7.0

    monkeypatch.setattr(frame.Frame, "__init__", sevens)
    monkeypatch.setattr(evaluator, "_ENOUGH", 0)


# -------------------- the set of rows that nobody wrote --------------------

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.booleans()), max_size=30)


@given(INTERVALS)
def test_intervals_are_a_set(questions):
    intervals, left = schedule._Intervals(3, 35), set(range(3, 35))
    for start, size, removes in questions:
        asked = set(range(start, start + size))
        if size:
            assert intervals.cover(start, start + size) == (asked <= left)
        if removes:
            parts = intervals.remove(start, start + size)
            assert [k for low, high in parts for k in range(low, high)] == sorted(asked & left)
            left -= asked


# -------------------- functions of arrays, and their order of additions --------------------


def linear(x, y):
    a = np.arange(1.0, 1.0 + 20 * N).reshape(20, N) / N
    return (a @ x) * y[:20]


FUNCTIONS = {
    "a sum": lambda x, y: (x * y).sum(),
    "neighbours": lambda x, y: (x[1:] * x[:-1] - x[:-1] / x[1:]).sum(),
    "neighbours of results": lambda x, y: ((x * y)[2:] * (x * y)[:-2] + np.exp(x)[1:-1]).sum(),
    "overlapping by a few": lambda x, y: (x[:200] * x[90:290]).sum() + (x[100:] - x[:200]).sum(),
    "half of a result": lambda x, y: (x * y)[: N // 2].sum(),
    "a result unused": lambda x, y: [np.exp(x * y), (x + y).sum()][1],
    "zero seeds": lambda x, y: (0.0 * np.sin(x) * y).sum(),
    "scalars between": lambda x, y: (x * y[0] + y[1] * x[3]).sum() * y[2] + x[0] * (y / x[1]).sum(),
    "matrix rows": lambda x, y: (x.reshape(3, 100) * y[:100] + x[:3, None]).sum(axis=1).prod(),
    "running sums": lambda x, y: (np.cumsum(x) * y).sum(),
    "a running sum's middle": lambda x, y: np.cumsum(x * y)[150],
    "choices": lambda x, y: np.where(x > y, x * y, np.maximum(x, 0.9)).sum(),
    "look-ups": lambda x, y: (fad.take(x * y, fad.floor(y[:5] * 3.0)) * x[:5]).sum() + (x * y).sum(),
    "products of matrices": lambda x, y: ((x * y).reshape(10, 30) @ (x - y).reshape(30, 10)).sum() + (x * x).sum(),
    "a solve": lambda x, y: np.linalg.solve(np.diag(x[:9]) + 1.0, (x * y)[:9]).sum() + (x[9:] * y[9:]).sum(),
    "elements of a solve": lambda x, y: np.linalg.solve(np.diag(x[:9]) + 1.0, (x * y)[:9])[4] * (x * y).sum(),
    "a passive matrix": lambda x, y: linear(x, y).sum(),
    "numbers, all the same or not": lambda x, y: (x * 2.0 - 3.0 / y + x * X + Y).sum(),
    "partials that are no numbers": lambda x, y: np.where(x > 1.0, np.sqrt(x - 1.0), 0.0).sum() + (x * y).sum(),
    "not a number": lambda x, y: (x * np.log(y - 0.5)).sum(),
    "special functions": lambda x, y: (fad.lgamma(x) * np.arctan2(x, y) + fad.log2(x)).sum(),
    "one operand alone has a derivative": lambda x, y: (np.copysign(x, y - 1.0) * fad.polygamma(np.ones(N), x)).sum(),
}


@pytest.fixture(params=[2, 5, 64])
def shortest(request, monkeypatch):
    monkeypatch.setattr(runs, "_SHORTEST", request.param)


@pytest.mark.filterwarnings("ignore:(invalid|divide)")
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.usefixtures("shortest")
def test_programs_have_the_bits_of_transforms(name):
    f = FUNCTIONS[name]
    program = fad.record(f, X, Y)
    for x, y in ((X, Y), (Y, X), (X, X), (X, Y)):
        value, gradient = fad.value_and_grad(f, argnums=(0, 1))(x, y)
        for _ in range(2):
            found, adjoints = program.value_and_grad(x, y, argnums=(0, 1))
            assert same(found, value)
            assert same(program(x, y), value)
            assert same(program.grad(x, y, argnums=1), gradient[1])
            for a, b in zip(adjoints, gradient, strict=True):
                assert same(a, b)


RESULTS = {
    "arrays": lambda x, y: (x * y, x[3], np.exp(x)[1:]),
    "the same twice": lambda x, y: (x * y, (x * y).sum(), x, x),
    "parts": lambda x, y: ((x * y)[10:20], (x * y)[15:90:5], np.cumsum(x)[7]),
    "inputs and numbers": lambda x, y: (x[1:], 2.0, y.sum(), np.zeros(3)),
    "blocks": lambda x, y: (linear(x, y), (x * y).reshape(10, 30) @ (x - y).reshape(30, 10)),
    "nothing active": lambda x, y: (2.0, np.zeros(2)),
}


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.usefixtures("shortest")
def test_pullbacks_have_the_bits_of_transforms(name):
    f = RESULTS[name]
    program = fad.record(f, X, Y)
    rng = np.random.default_rng(1)
    for x, y in ((X, Y), (Y, X)):
        expected, pullback = fad.vjp(f, x, y)
        seeds = tuple(rng.normal(size=np.shape(part)) for part in expected)
        for seed in (seeds, tuple(-0.0 * part for part in seeds)):
            for _ in range(2):
                values, adjoints = program.vjp((x, y), seed)
                for a, b in zip((*values, *adjoints), (*expected, *pullback(seed)), strict=True):
                    assert same(a, b)


def test_threads_have_memory_of_their_own():
    f = FUNCTIONS["neighbours of results"]
    program = fad.record(f, X, Y)
    points = [(X, Y), (Y, X), (X * 0.5, Y), (X, Y * 2.0)]
    expected = [fad.grad(f)(*point) for point in points]

    def work(k):
        return all(same(program.grad(*points[(k + i) % 4]), expected[(k + i) % 4]) for i in range(300))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


# -------------------- programs at random --------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_programs_of_slices_at_random(seed):
    """Operations on slices of earlier arrays: they overlap, are left out, are read again, whole or in part."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 40))
    steps = [(rng.integers(0, 6), *rng.random(4)) for _ in range(int(rng.integers(1, 12)))]

    def f(x):
        arrays = [x]
        for what, first, second, low, high in steps:
            a, b = (arrays[int(part * len(arrays))] for part in (first, second))
            count = 1 + int(low * min(a.size, b.size))
            a, b = (part[int(high * (part.size - count + 1)) :][:count] for part in (a, b[::-1][::-1]))
            made = (a * b, a - b[:1], np.tanh(a) + 0.5, np.cumsum(a), a / (1.5 + b * b), b[0] * a)[what]
            arrays.append(made)
        return sum(part.sum() for part in arrays[len(arrays) // 2 :])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_SHORTEST", int(rng.integers(2, 6)))
        x = rng.uniform(-1.0, 1.0, size)
        program = fad.record(f, x)
        for at in (x, x[::-1].copy()):
            value, gradient = fad.value_and_grad(f)(at)
            for _ in range(2):
                found, adjoints = program.value_and_grad(at)
                assert same(found, value)
                assert same(adjoints, gradient)
