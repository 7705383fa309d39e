"""Long arrays, whose rows are written late. Oracle: the same functions with every row written at once, bit for bit."""

import gc
import threading

import numpy as np
import pytest

import fastad as fad
from fastad import recorded
from fastad.kernels import stretches
from fastad.ops import OPS
from fastad.program import evaluator, runs
from fastad.record import bulk_sweep, storage

N = 1511  # more than the threshold, and no multiple of a vector or of a part
X = np.random.default_rng(3).uniform(0.3, 0.9, N)
OTHER = np.random.default_rng(4).uniform(0.3, 0.9, N)
COLUMNS = ("opcode", "arg0", "arg1", "partial0", "partial1", "value")


@pytest.fixture
def as_rows(monkeypatch):
    """Run a function with every row written at once."""

    def run(function, *args):
        with monkeypatch.context() as patch:
            patch.setattr(storage, "_BULK_FROM", 10**9)
            return function(*args)

    return run


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


ELEMENTWISE = [op for op in OPS if op.kind == "smooth"]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
@pytest.mark.parametrize("operands", ["arrays", "scalar first", "scalar second", "passive", "same", "picked"])
def test_every_operation_has_the_bits_of_its_rows(op, operands, as_rows):
    function = getattr(fad, op.name)
    if op.arity == 1 and operands not in ("arrays", "picked"):
        pytest.skip("of one operand")
    picked = np.random.default_rng(5).integers(0, N, N)

    def f(x):
        if op.arity == 1:
            y = function(x[picked] if operands == "picked" else x)
        else:
            pairs = {
                "arrays": (x, 1.0 - 0.5 * x),
                "scalar first": (x[3], x + 0.1),
                "scalar second": (x + 0.1, x[3]),
                "passive": (x, OTHER),
                "same": (x, x),
                "picked": (x[picked], 2.0 * x),
            }
            y = function(*pairs[operands])
        return np.sum(y * OTHER)

    value, gradient = fad.value_and_grad(f)(X)
    expected = as_rows(fad.value_and_grad(f), X)
    assert same(value, expected[0])
    assert same(gradient, expected[1])


MATRIX = np.random.default_rng(6).normal(size=(61, 29))

FUNCTIONS = {
    "overlapping operands": lambda x: np.sum(x[1:] * x[:-1] * x[0] - x[1:] / x[:-1]),
    "operands that share rows": lambda x: np.sum(np.outer(x[:40], x[:40]) ** 2) + x[50] * x[60],
    "broadcasting": lambda x: np.sum(np.exp(-((MATRIX - x[:29]) ** 2).sum(axis=1)) * x[100:161]),
    "sums along axes": lambda x: (
        np.sum(x[:1500].reshape(30, 50).sum(axis=0) ** 2) + (x[:1500].reshape(3, -1) ** 2).sum(1)[2]
    ),
    "sum of what is mixed": lambda x: np.sum(np.where(X > 0.5, x, 1.0) * 3.0),
    "a value used twice": lambda x: np.sum(x * x) * np.sum(x * np.sin(x)) + x[7],
    "transposed and reversed": lambda x: np.sum((x[:1500].reshape(30, 50).T.reshape(-1) * x[:1500][::-1]) ** 2),
    "written into": lambda x: _written(x),
    "conditions": lambda x: np.sum(np.where(x * 2.0 > 1.0, x * x, np.sqrt(x)) * x),
    "linear algebra between": lambda x: np.sum(x * np.linalg.det(np.reshape(x[:9] * x[9:18], (3, 3)) + np.eye(3)) * x),
}


def _written(x):
    y = x * 2.0
    y[::2] = x[::2] * x[0]
    z = y[:700] * x[700:1400]
    y[:] = 0.0
    return np.sum(z * z)


@pytest.fixture(params=FUNCTIONS, ids=FUNCTIONS)
def function(request):
    return FUNCTIONS[request.param]


def test_gradient_has_the_bits_of_rows(function, as_rows):
    expected = as_rows(fad.value_and_grad(function), X)
    value, gradient = fad.value_and_grad(function)(X)
    assert same(value, expected[0])
    assert same(gradient, expected[1])


@pytest.mark.parametrize("few", [0, 4096], ids=["any row", "rows looked at"])
def test_adjoints_that_wait_to_be_written(function, few, as_rows, monkeypatch):
    """What adds first to all elements of an array writes them; memory from before must not be read.

    Sevens are there, and not NaN, with which a sweep would be done again.
    """
    monkeypatch.setattr(bulk_sweep, "_LONG", 1)
    monkeypatch.setattr(bulk_sweep, "_FEW", few)
    expected = as_rows(fad.value_and_grad(function), X)
    tape = fad.Tape()
    x = tape.inputs(X)
    y = function(x)
    tape._adjoint_buffer(len(tape) + 1)[:] = 7.0
    assert same(tape.reverse(y), expected[1])
    tape._adjoint_buffer(len(tape) + 1)[:] = 7.0
    assert same(tape.reverse(y, wrt=[x[3], x[100:200], x[::-1]])[2], expected[1][::-1])


PARTS = {
    "an input not used": lambda x, y: np.sum(x * 2.0),
    "half of an input": lambda x, y: np.sum(x[: N // 2] * y[: N // 2]),
    "the same twice": lambda x, y: np.sum(x * x + y),
    "negative zeros": lambda x, y: np.sum(x * -0.0) + np.sum(y * 1e-320 * -1e-320),
    "several results": lambda x, y: [x * y, np.sum(y), x[5]],
    "a result inside": lambda x, y: [np.exp(x), np.sum(np.exp(x * y))],
    "one that only an unused result reads": lambda x, y: [np.sin(x), np.sum(y)][1],
    "the first element": lambda x, y: np.sum(x) * y[0],
    "a matrix": lambda x, y: np.sum((x[:1500].reshape(30, 50).sum(axis=1)[:, None] * y[:1500].reshape(30, 50)) ** 2),
    "a product of matrices": lambda x, y: np.sum((x[:1500].reshape(30, 50) @ y[:1500].reshape(50, 30)) ** 2),
    "one element of many": lambda x, y: x[7] * y[8] * np.sum(x),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("few", [0, 4096], ids=["any row", "rows looked at"])
def test_seeds_and_independents_of_waiting_adjoints(name, few, as_rows, monkeypatch):
    monkeypatch.setattr(bulk_sweep, "_LONG", 1)
    monkeypatch.setattr(bulk_sweep, "_FEW", few)

    def adjoints(f):
        tape = fad.Tape()
        x, y = tape.inputs(X), tape.inputs(OTHER)
        results = f(x, y)
        size = sum(np.size(fad.value(r)) for r in (results if isinstance(results, list) else [results]))
        seeds = np.cos(np.arange(size))
        tape._adjoint_buffer(len(tape) + 1)[:] = 7.0
        everything = tape.reverse(results, seeds)
        tape._adjoint_buffer(len(tape) + 1)[:] = 7.0
        return everything, tape.reverse(results, seeds, wrt=(y, x[3:9]))

    (late, (late_y, late_x)), (early, (early_y, early_x)) = adjoints(PARTS[name]), as_rows(adjoints, PARTS[name])
    for a, b in ((late, early), (late_y, early_y), (late_x, early_x)):
        assert same(a, b)
        assert same(np.signbit(a), np.signbit(b))


# -------------------- the same stretches of rows in a recording --------------------

RUNS = FUNCTIONS | {
    "running sums": lambda x: np.sum(np.cumsum(x) * OTHER) + np.cumsum(x * x)[700],
    "a sum that starts with an operand": lambda x: np.sum(x[5] + x[:900].sum() * x[900:]),
    "an element summed again and again": lambda x: np.sum(np.broadcast_to(x[3], (900,))) * x[4],
    "a sum of numbers and one active": lambda x: np.sum(np.where(X == X[7], x, X)) * x[0],
    "numbers on either side": lambda x: np.sum(OTHER * x - (2.0 - x) / (x + OTHER)),
    "one row for all": lambda x: np.sum(x[3] * x[600:] - x[7] / x[:911]) + np.sum(x[2] ** x[600:]),
    "an operand that overlaps": lambda x: np.sum(x[1:] * x[:-1]) + np.sum(x[3] * x[:900]) + np.sum(x[:800] - x[3]),
    "backwards": lambda x: np.sum(x[::-1] * OTHER * x),
    "a partial that is never anything": lambda x: np.sum(np.sign(x - 0.6) * x) + np.sum(np.floor(3.0 * x)),
    "special functions between": lambda x: np.sum(fad.lgamma(x) * x) + np.sum(np.arctan(x) * OTHER),
    "a number before the first input": lambda x: np.sum(np.concatenate([[2.0], x[:500]]) * x[600:1101]),
    "results inside": lambda x: (x * x * OTHER)[700],
}


@pytest.mark.parametrize("shortest", [2, 3, 50])
@pytest.mark.parametrize("name", RUNS)
def test_programs_replay_runs_with_the_bits_of_rows(name, shortest, monkeypatch):
    function = RUNS[name]
    monkeypatch.setattr(runs, "_SHORTEST", shortest)
    monkeypatch.setattr(evaluator, "_ENOUGH", 0)
    program = fad.record(function, X)
    found = runs.find(program._trie_for(*program._bind((X,))).root.recording)
    assert found or shortest == 50  # numbers and actives take turns in shorter stretches
    for at in (X, X[::-1] * 0.9 + 0.05, X):
        value, gradient = program.value_and_grad(at)
        again = program.value_and_grad(at)  # by the quick way, which the first call has taught
        expected = fad.value_and_grad(function)(at)
        assert same(program(at), expected[0])
        assert same(value, expected[0])
        assert same(again[0], expected[0])
        assert same(gradient, expected[1])
        assert same(again[1], expected[1])


def test_which_rows_are_runs():
    """Operations, a sum; not what reads a row of its own stretch, nor rows of two kinds in turn."""
    m = 4096

    def f(x):
        y = np.exp(x) * x
        total = np.sum(y - OTHER[:1].repeat(m))
        for k in range(3000):
            total = total * x[k]
        return total + sum(x[k] * x[k + 1] - x[0] for k in range(3000))

    program = fad.record(f, np.ones(m))
    found = runs.find(program._trie_for(*program._bind((np.ones(m),))).root.recording)
    assert [run.kind for run in found] == [stretches.ELEMENTWISE] * 3 + [stretches.SUM]
    assert [run.stop - run.start for run in found] == [m, m, m, m - 1]


def test_a_nan_in_a_run_is_masked(monkeypatch):
    """Rows of a run get the partials that the zero-factor rule needs when it does."""
    monkeypatch.setattr(runs, "_SHORTEST", 2)
    f = lambda x: np.sum(np.where(x > 0.0, 1.0, 0.0) * np.sqrt(x)) + np.sum(x * OTHER)  # noqa: E731
    program = fad.record(f, X)
    program.grad(X)
    at = X.copy()
    at[[3, 500]] = 0.0
    expected = OTHER + np.where(at > 0.0, 0.5 / np.sqrt(np.where(at > 0.0, at, 1.0)), 0.0)
    for _ in range(2):
        np.testing.assert_allclose(program.grad(at), expected, rtol=1e-15)
        assert same(program.grad(at), fad.grad(f)(at))
        assert same(program.grad(X), fad.grad(f)(X))


def test_columns_are_those_of_rows(function, as_rows):
    def columns():
        tape = fad.Tape()
        function(tape.inputs(X, name="x"))
        return {name: getattr(tape, name).copy() for name in COLUMNS}

    late, early = columns(), as_rows(columns)
    for name in COLUMNS:
        assert same(late[name], early[name]), name


def test_other_derivatives_read_rows(function, as_rows):
    direction = np.cos(np.arange(N))
    assert same(fad.jvp(function, (X,), (direction,))[1], as_rows(fad.jvp, function, (X,), (direction,))[1])
    small = np.zeros(3)
    outer = lambda s: function(X + s[0] * direction + s[1] * OTHER + s[2])  # noqa: E731
    assert same(fad.hessian(outer)(small), as_rows(fad.hessian(outer), small))


def test_several_seeds_and_repeated_sweeps():
    tape = fad.Tape()
    x = tape.inputs(X)
    y, z = np.sum(x * x * x), np.sum(np.sin(x))
    one, two = tape.reverse(y), tape.reverse(z)
    both = tape.reverse([y, z], np.eye(2))
    assert same(both.T, [one, two])
    assert same(tape.reverse(y), one)
    more = np.sum(x * y)
    assert same(tape.reverse(more), tape.reverse([more], [[1.0]])[:, 0])


def test_a_product_with_an_exactly_zero_factor_is_zero():
    x = X.copy()
    x[5] = -1.0

    def f(x):
        return np.sum(fad.where(x > 0.0, np.sqrt(x), 0.0) * 2.0)

    gradient = fad.grad(f)(x)
    assert gradient[5] == 0.0
    assert np.isfinite(gradient).all()


def test_rewinding_and_growing():
    tape = fad.Tape()
    x = tape.inputs(X)
    mark = tape.mark()
    y = x * x
    inside = tape.mark() - 5
    tape.rewind(inside)
    assert same(tape.opcode[mark:], np.full(N - 5, tape.opcode[mark]))
    with pytest.raises(fad.errors.TapeError):
        y * 2.0
    tape.rewind(mark)
    total = 0.0
    for _ in range(20):
        total = total + np.sum(x * x)
    assert tape.reverse(total) == pytest.approx(40.0 * X, rel=1e-14)
    assert tape.opcode.size == len(tape) == N + 20 * (2 * N - 1) + 20


def test_a_full_tape_says_so():
    tape = fad.Tape(max_bytes=33 * 3 * N)
    x = tape.inputs(X)
    y = x * x
    with pytest.raises(fad.errors.TapeFullError):
        np.sum(y * y)
    tape.rewind(N)
    assert same(tape.reverse(x[0] * x[1])[:2], X[1::-1])


def test_names_of_inputs():
    tape = fad.Tape()
    tape.input(1.0, name="a")
    tape.inputs(np.ones(2), name="v")
    tape.inputs(np.empty((0, 3)))
    tape.inputs(np.ones(1))
    tape.input(2.0)
    assert tape._input_names == ["a", "v[0]", "v[1]", None, None]
    assert tape._input_rows.tolist() == [0, 1, 2, 3, 4]
    tape.rewind(1)
    assert tape._input_names == ["a"]


VIEWS = {
    "reversed": lambda x: x[::-1],
    "every second": lambda x: x[::2],
    "a column": lambda x: x[1:].reshape(-1, 2)[:, 1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_that_are_not_contiguous(view):
    """The vector kernels must not read the memory beside them. Oracle: NumPy, and derivatives by hand."""

    def f(x):
        y = view(x)
        return np.sum(y * y[::-1] + np.sin(y))

    value, gradient = fad.value_and_grad(f)(X)
    expected = np.zeros(N)
    view(expected)[...] = 2.0 * view(X)[::-1] + np.cos(view(X))
    assert value == pytest.approx(f(X), rel=1e-13)
    assert gradient == pytest.approx(expected, rel=1e-12)


class TestTapesAreUsedAgain:
    def test_only_where_nothing_refers_to_them(self):
        kept = []

        def leaking(x):
            y = x * x
            kept.append(y)
            return np.sum(y)

        f = fad.grad(leaking)
        f(X)
        f(X + 1.0)
        assert kept[0].tape is not kept[1].tape
        assert same(kept[0].tape.reverse(kept[0][3] * 1.0)[:4], [0.0, 0.0, 0.0, 2.0 * X[3]])

    def test_also_not_those_of_pullbacks_and_results(self):
        _, first = fad.vjp(lambda x: np.sum(x * x), X)
        fad.grad(lambda x: np.sum(x * x * x))(X)
        _, second = fad.vjp(lambda x: np.sum(x * x * x), X)
        assert same(first(1.0)[0], 2.0 * X)
        assert second(1.0)[0] == pytest.approx(3.0 * X**2, rel=1e-14)

    def test_the_same_memory_serves_again(self):
        f = fad.grad(lambda x: np.sum(x * x))
        f(X)
        tape = recorded._spare.tape
        assert tape is not None
        assert len(tape) == 0
        del tape
        before = id(recorded._spare.tape)
        assert same(f(X), 2.0 * X)
        assert id(recorded._spare.tape) == before

    def test_errors_leave_no_trace(self):
        def broken(x):
            np.sum(x * x)
            raise RuntimeError("payoff")

        for _ in range(2):
            with pytest.raises(RuntimeError):
                fad.grad(broken)(X)
            gc.collect()
            assert same(fad.grad(lambda x: np.sum(x * x))(X), 2.0 * X)

    def test_every_thread_has_its_own(self):
        found = {}

        def work(n):
            for _ in range(20):
                found[n] = fad.grad(lambda x: np.sum(x * x * n))(X)

        threads = [threading.Thread(target=work, args=(float(n),)) for n in range(1, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n, gradient in found.items():
            assert gradient == pytest.approx(2.0 * n * X, rel=1e-14)

    def test_not_under_debug(self):
        fad.grad(lambda x: np.sum(x * x))(X)
        with fad.debug(), pytest.raises(fad.errors.NonFiniteError):
            fad.grad(lambda x: np.sum(np.log(x * 0.0)))(X)
