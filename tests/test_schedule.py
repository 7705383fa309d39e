"""Programs at one point whose arrays are runs: which adjoints are written when, and with what."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastad as fad
from fastad.program import evaluator, frame, runs, schedule

N = 300
ORDER = np.random.default_rng(6).permutation(N)
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
        self.value[:] = self.adjoint[:] = 7.0

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
    "choices of choices": lambda x, y: (np.where((x > y) & (y > 0.5), np.where(x > 1.0, x * y, 2.0), y[0]) * x).sum(),
    "choices of what was": lambda x, y: (np.where(x > 1.0, x * x, x) + np.where(x > y, x, 0.0)).sum(),
    "every other": lambda x, y: (x[::2] * y[1::2] + x[1::2] / (x * y)[::2]).sum(),
    "every other of the same": lambda x, y: (x[::2] * x[1::2] - x[:150] * x[::2] + x[3] * x[::2]).sum(),
    "backwards": lambda x, y: (x[::-1] * x - x / x[::-1]).sum() * x[::-3].sum(),
    "permuted": lambda x, y: (x[ORDER] * y).sum() + (y[ORDER[:100]] * y[ORDER[50:150]]).sum(),
    "often the same": lambda x, y: (x[ORDER % 7] * x[ORDER % 5] - y[ORDER % 3]).sum(),
    "broadcast": lambda x, y: (x[:30, None] * y[:7] + x[:7] * np.exp(x[30:60, None]) - x[:30, None] / x[:7]).sum(),
    "short rows": lambda x, y: ((x.reshape(100, 3) - x[:3]) ** 2 * y[:3]).sum(axis=1).max(),
    "columns": lambda x, y: (x.reshape(100, 3)[:, 1] * y.reshape(3, 100).T[:, 2] + x.reshape(100, 3).T[2]).sum(),
    "scattered, then consecutive": lambda x, y: (
        np.concatenate([x[::3], x[:100]]) * np.concatenate([y[::3], y[7:107]])
    ).sum(),
    "running sums of every other": lambda x, y: (np.cumsum(x[::2]) * y[:150]).sum() + np.cumsum(x[::3])[50],
    "interpolation": lambda x, y: fad.interp(x[:70], np.linspace(0.0, 2.0, 9), (x * y)[:9]).sum() * (x * y).sum(),
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


def test_long_arrays_in_any_order():
    """More elements than are looked up at once."""
    x = np.random.default_rng(8).uniform(0.5, 1.5, 20_000)
    order = np.random.default_rng(9).permutation(x.size)

    def f(x):
        return (x[order] * x[::-1] / x + np.where(x > x[order], x, x[order])).sum()

    program = fad.record(f, np.ones(x.size))
    value, gradient = fad.value_and_grad(f)(x)
    for _ in range(2):
        found, adjoints = program.value_and_grad(x)
        assert same(found, value)
        assert same(adjoints, gradient)


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


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_programs_at_random(seed):
    """Operations on parts of earlier arrays, in any order: they overlap, are left out, are read again."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, int(rng.integers(2, 40)))
    steps, sizes = [], [x.size]
    for _ in range(int(rng.integers(1, 12))):
        first, second = rng.integers(0, len(sizes), 2)
        count = int(rng.integers(1, min(sizes[first], sizes[second]) + 1))
        steps.append((rng.integers(0, 9), first, second, *(part(rng, sizes[k], count) for k in (first, second))))
        sizes.append(count)

    def f(x):
        arrays = [x]
        for what, first, second, in_first, in_second in steps:
            a, b = arrays[first][in_first], arrays[second][in_second]
            arrays.append(OPERATIONS[what](a, b))
        return sum(array.sum() for array in arrays[len(arrays) // 2 :])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_SHORTEST", int(rng.integers(2, 6)))
        program = fad.record(f, x)
        for at in (x, x[::-1].copy()):
            value, gradient = fad.value_and_grad(f)(at)
            for _ in range(2):
                found, adjoints = program.value_and_grad(at)
                assert same(found, value)
                assert same(adjoints, gradient)


OPERATIONS = (
    lambda a, b: a * b,
    lambda a, b: a - b[:1],
    lambda a, b: np.tanh(a) + 0.5,
    lambda a, b: np.cumsum(a),
    lambda a, b: a / (1.5 + b * b),
    lambda a, b: b[0] * a,
    lambda a, b: np.where(a > b, a, 0.3 * b),
    lambda a, b: np.where(b > 0.0, 1.0, a),
    lambda a, b: a + a.sum() * b,
)


def part(rng, size, count):
    """Which elements: in a row, every so many of them, or any."""
    step = int(rng.integers(1, max(size // count, 1) + 1))
    start = int(rng.integers(0, size - (count - 1) * step))
    stride = np.arange(start, start + count * step, step)
    return (slice(start, start + count * step, step), stride, stride[::-1], rng.integers(0, size, count))[
        rng.integers(0, 4)
    ]
