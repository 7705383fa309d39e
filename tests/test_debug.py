"""Lines of rows, the first number that is not finite, and values that outlived a rewind."""

import doctest
import inspect
import warnings

import numba
import numpy as np
import pytest

import fastad as fad
from fastad.errors import NonFiniteError, TapeError
from fastad.record import lines
from fastad.record.watched import WatchedTape


def line_of(text):
    """Number of the one line of this file that holds a text, as a comment at its end."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    return number


def lines_of(tape):
    return [place and place.line for place in tape._places()]


def test_a_line_for_every_row():
    tape = fad.Tape(lines=True)
    x = tape.input(2.0)  # an input
    v = tape.inputs(np.ones(2))  # inputs
    y = fad.exp(x) * 3.0  # two rows
    w = (v * x).sum()  # three rows
    if y > 1.0:  # a guard
        y = fad.where(y > w, y, w)  # a choice
    want = ["an input", *["inputs"] * 2, *["two rows"] * 2, *["three rows"] * 3, *["a guard"] * 2, *["a choice"] * 3]
    assert lines_of(tape) == [line_of(text) for text in want]
    assert {place.file for place in tape._places()} == {__file__}
    assert str(tape._places()[3]) == f"{__file__}:{line_of('two rows')} `y = fad.exp(x) * 3.0  # two rows`"


def test_lines_follow_a_rewind():
    tape = fad.Tape(lines=True)
    x = tape.input(2.0)
    mark = tape.mark()
    for _ in range(3):
        tape.rewind(mark)
        x * x
        x + x  # the second row
    assert len(tape) == 3
    assert lines_of(tape)[2] == line_of("the second row")


def test_a_plain_tape_knows_the_lines_of_guards_only():
    tape = fad.Tape()
    x = tape.input(2.0)
    if x * x > 1.0:  # the only guard
        pass
    assert type(tape) is fad.Tape
    assert lines_of(tape) == [None, None, None, line_of("the only guard")]


def test_a_watched_tape_records_the_same():
    """Values, rows and derivatives have the same bits, over flushes, arrays and rewinds."""

    def run(tape):
        x, v = tape.input(0.5), tape.inputs(np.linspace(0.1, 2.0, 50))
        mark = tape.mark()
        for _ in range(2):
            tape.rewind(mark)
            y = x
            for _ in range(3000):
                y = fad.sin(y) * 1.01 + x
            y = y + (v * y).sum() + fad.where(v[3] > x, v[4], 2.0) + fad.take(v, x * 3.0)
            y = y * fad.interp(x, np.arange(3.0), v[:3])
        columns = [getattr(tape, name) for name in ("opcode", "arg0", "arg1", "partial0", "partial1", "value")]
        return [*columns, tape.reverse(y), tape.forward(y, np.ones(51))]

    plain, watched = run(fad.Tape()), run(fad.Tape(lines=True))
    assert all(np.array_equal(a, b) for a, b in zip(plain, watched))
    with fad.debug():
        assert all(np.array_equal(a, b) for a, b in zip(plain, run(fad.Tape())))


# -------------------- values that outlived a rewind --------------------


@pytest.fixture
def rewound():
    """Inputs that are still there, and values whose rows other values of the same numbers have taken."""
    tape = fad.Tape(lines=True)
    x = tape.input(2.0)
    mark = tape.mark()
    stale = x * x
    tape.rewind(mark)
    fresh = x + x  # the row in its place
    assert (stale.index, stale._value) == (fresh.index, fresh._value)
    return tape, x, stale, fresh


@pytest.mark.parametrize(
    "use",
    [
        lambda tape, x, y: y * 2.0,
        lambda tape, x, y: 2.0 - y,
        lambda tape, x, y: x + y,
        lambda tape, x, y: y + x,
        lambda tape, x, y: fad.exp(y),
        lambda tape, x, y: -y,
        lambda tape, x, y: bool(y > 1.0),
        lambda tape, x, y: bool(x > y),
        lambda tape, x, y: bool(fad.isnan(y)),
        lambda tape, x, y: fad.where(x > 1.0, y, x),
        lambda tape, x, y: fad.take(np.ones(5), y),
        lambda tape, x, y: fad.interp(y, [0.0, 1.0], [0.0, 1.0]),
        lambda tape, x, y: tape.reverse(y),
        lambda tape, x, y: tape.reverse(x, wrt=y),
        lambda tape, x, y: tape.forward(y, np.ones(1)),
    ],
)
def test_a_stale_scalar_is_caught(rewound, use):
    tape, x, stale, fresh = rewound
    use(tape, x, fresh)
    rows = len(tape)
    with pytest.raises(TapeError, match="row 1 is used, but the tape was rewound since") as caught:
        use(tape, x, stale)
    assert f"test_debug.py:{line_of('the row in its place')}" in str(caught.value)
    assert len(tape) == rows or "where" in inspect.getsource(use)
    use(tape, x, fresh)  # the tape is usable again


def test_without_debug_a_recovered_row_goes_unnoticed():
    """The contract of the plain tape, and why debug exists."""
    tape = fad.Tape()
    x = tape.input(2.0)
    mark = tape.mark()
    stale = x * x
    tape.rewind(mark)
    x + x
    assert (stale * 2.0)._value == 8.0


def test_stale_arrays_are_told_by_their_numbers():
    tape = fad.Tape(lines=True)
    mark = tape.mark()
    v = tape.inputs([1.0, 2.0, 3.0])
    tape.rewind(mark)
    w = tape.inputs([1.0, 5.0, 3.0])
    for use in (lambda a: a + 1.0, lambda a: a.sum(), lambda a: a[1] * 2.0, lambda a: tape.reverse(a, np.ones(3))):
        use(w)
        with pytest.raises(TapeError, match="row 1 is used, but the tape was rewound since"):
            use(v)


def test_a_buffer_older_than_a_rewind_is_no_stale_value():
    tape = fad.Tape(lines=True)
    x = tape.input(2.0)
    out = fad.zeros(2, like=x)
    mark = tape.mark()
    for _ in range(2):
        tape.rewind(mark)
        out[0], out[1] = x * x, x + 1.0
        assert tape.reverse(out.sum()).tolist() == [5.0]


# -------------------- the first number that is not finite --------------------


def test_recording_raises_at_the_operation():
    def f(x):
        y = x - 3.0
        return fad.log(y) + 1.0  # the logarithm

    for derivative in (fad.grad(f), fad.jacobian(f)):
        assert np.isnan(derivative(1.0)) or derivative(1.0) == -0.5
        with fad.debug(), pytest.raises(NonFiniteError) as caught:
            derivative(1.0)
        found = caught.value.found
        assert (found.row, found.quantity, found.statement) == (2, "value", "v_2 = log(v_1)")
        assert found.operands == (("v_1", -2.0),)
        assert (found.place.file, found.place.line) == (__file__, line_of("the logarithm"))
        assert "the value of row 2 is nan: v_2 = log(v_1) with v_1 = -2.0, at " in str(caught.value)
        assert isinstance(caught.value, FloatingPointError)


def test_rows_behind_those_of_a_derivative_keep_their_lines():
    """Derivatives reserve more rows than they write."""

    def f(x):
        slope = fad.grad(lambda y: fad.maximum(fad.hypot(y, 2.0), y) * fad.sin(y))(x)
        return fad.log(slope - 10.0) * x  # the logarithm of a slope

    with fad.debug(), pytest.raises(NonFiniteError) as caught:
        fad.grad(f)(1.0)
    assert (caught.value.found.place.file, caught.value.found.place.line) == (
        __file__,
        line_of("the logarithm of a slope"),
    )


def test_arrays_raise_at_their_element():
    with fad.debug(), pytest.raises(NonFiniteError, match=r"row 4 is -inf: v_2 = log\(v_-1\) with v_-1 = 0.0"):
        fad.grad(lambda v: fad.log(v).sum())(np.array([1.0, 0.0, 2.0]))


def test_the_tape_is_as_it_was_before_the_row():
    with fad.debug():
        tape = fad.Tape()
    x = tape.input(0.0)
    y = x + 1.0
    with pytest.raises(NonFiniteError):
        1.0 / x
    assert len(tape) == 2
    assert tape.reverse(y * 3.0).tolist() == [3.0]


def test_derivatives_raise_where_they_go_wrong():
    def f(x):
        return 2.0 * fad.sqrt(x)  # the root

    assert fad.grad(f)(0.0) == np.inf
    with fad.debug(), pytest.raises(NonFiniteError, match=r"a partial of row 1 is inf: v_1 = sqrt\(v_0\)") as caught:
        fad.grad(f)(0.0)
    assert caught.value.found.place.line == line_of("the root")
    with fad.debug(), pytest.raises(NonFiniteError, match="the tangent of row 1 is inf"):
        fad.jvp(f, (0.0,), (1.0,))
    with fad.debug():  # a zero factor makes a zero product: nothing to raise
        assert fad.grad(lambda x: fad.where(x > 0.0, fad.sqrt(x), 0.0))(0.0) == 0.0


def test_debug_ends_with_its_context():
    with fad.debug():
        assert type(fad.Tape()) is WatchedTape
    assert type(fad.Tape()) is fad.Tape
    assert np.isnan(fad.grad(lambda x: fad.log(x) * 0.0 / x)(0.0))


def test_compiled_code_is_looked_at_when_it_returns():
    @numba.njit
    def f(x):
        return np.log(x - 3.0) * 2.0

    with (
        fad.debug(),
        pytest.raises(NonFiniteError, match=r"row 2 is nan: v_2 = log\(v_1\) with v_1 = -2.0"),
    ):
        fad.grad(f)(1.0)
    with fad.debug():
        assert fad.grad(f)(5.0) == 1.0


def root(x, z):
    return fad.sqrt(x) * z  # a root in a program


class TestPrograms:
    @pytest.fixture(scope="class")
    @classmethod
    def program(cls):
        with fad.debug():
            return fad.record(root, 1.0, 2.0)

    def test_finite_numbers_pass(self, program):
        x = np.linspace(0.5, 4.0, 200)
        plain = program.batch(x, 2.0, axes=(0, None))
        with fad.debug():
            watched = program.batch(x, 2.0, axes=(0, None))
            assert program(4.0, 2.0) == 4.0
            assert program.grad(4.0, 2.0) == 0.5
        assert np.array_equal(plain.value, watched.value)
        assert np.array_equal(plain.gradient, watched.gradient)

    @pytest.mark.parametrize(
        ("call", "what"),
        [
            (lambda p: p(-1.0, 1.0), "the value of row 2 is nan"),
            (lambda p: p.grad(0.0, 1.0), "a partial of row 2 is inf"),
            (lambda p: p.vjp((0.0, 1.0), 1.0), "a partial of row 2 is inf"),
            (lambda p: p.jvp((0.0, 1.0), (1.0, 0.0)), "the tangent of row 2 is inf"),
        ],
    )
    def test_one_point(self, program, call, what):
        with fad.debug(), pytest.raises(NonFiniteError, match=what) as caught:
            call(program)
        assert caught.value.found.place.line == line_of("a root in a program")
        call(program)  # outside, the number flows as in NumPy

    @pytest.mark.parametrize("reduce", [None, "mean"])
    @pytest.mark.parametrize(("wrt", "scenario"), [(None, 150), (0, 130)])
    def test_batches_name_the_scenario(self, program, reduce, wrt, scenario):
        x = np.ones(300)
        x[[130, 150]] = 0.0, -1.0  # an infinite derivative, then a value that is not a number
        with fad.debug(), pytest.raises(NonFiniteError, match=f"; scenario {scenario} of 300") as caught:
            program.batch(x, 2.0, axes=(0, None), wrt=wrt, reduce=reduce, threads=2)
        assert (caught.value.found.row, caught.value.found.scenario) == (2, scenario)
        assert caught.value.found.operands == (("v_-1", x[scenario]),)

    def test_scenarios_that_branch_away(self):
        def f(x):
            if x > 0.0:
                return fad.sqrt(x)
            return fad.log(x + 1.0)

        x = np.array([1.0, -0.5, 4.0, -1.0, -0.25])
        program = fad.record(f, 1.0)
        program.batch(x)
        with fad.debug(), pytest.raises(NonFiniteError, match=r"is -inf: v_\d = log\(v_\d\) .*; scenario 3 of 5"):
            program.batch(x)


def test_example_of_the_docstring():
    result = doctest.testmod(lines, optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed


def test_monte_carlo_names_the_path():
    def payoff(p, z):
        return fad.sqrt(p + z[0])

    with (
        warnings.catch_warnings(),
        fad.debug(),
        pytest.raises(NonFiniteError, match=r"sqrt.*; path \d+ of 5000, seed 3"),
    ):
        fad.monte_carlo(payoff, 2.0, normals=1, paths=5000, seed=3)
