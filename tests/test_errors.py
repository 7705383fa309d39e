"""Every mistake of a new user raises an error whose message names what to do.

One section per line of the table of errors; what is wrongly given to a transform, a program, a batch or a tape
follows. Inputs that only look unusual (integers, float32, strided, read-only arrays) work, and are tested too.
"""

import operator
import re
import warnings
from math import nan

import numpy as np
import pytest

import fastad as fad
from fastad.errors import (
    DivergenceError,
    FastadError,
    NestingError,
    PatternError,
    ShapeError,
    StaticArgumentError,
    TapeError,
    TapeFullError,
)


@pytest.fixture
def tape():
    return fad.Tape()


@pytest.fixture
def program():
    return fad.record(lambda x, y: x * y, 1.0, 2.0)


@pytest.fixture
def norm():
    return fad.record(squares, np.ones(3))


def squares(v):
    return (v * v).sum()


def raises(error, pattern, use, *args):
    """The error, a message that matches, one line of it, and no address or internals in it but a tape's."""
    with pytest.raises(error) as caught:
        use(*args)
    message = str(caught.value)
    assert re.search(pattern, message), message
    assert "\n" not in message
    assert not message.startswith("'")


def test_every_error_is_a_fastad_error_and_a_builtin():
    fitting = {
        TapeError: RuntimeError,
        TapeFullError: MemoryError,
        ShapeError: ValueError,
        NestingError: NotImplementedError,
        DivergenceError: RuntimeError,
        PatternError: ValueError,
        StaticArgumentError: ValueError,
    }
    for error, builtin in fitting.items():
        assert issubclass(error, FastadError)
        assert issubclass(error, builtin)
        assert error.__doc__


# -------------------- two tapes; gone rows --------------------


def test_values_of_two_tapes(tape):
    other = fad.Tape()
    x, y = tape.input(1.0), other.input(2.0)
    a, b = tape.inputs([1.0, 2.0]), other.inputs([1.0, 2.0])
    for use in (
        lambda: x * y,
        lambda: a * b,
        lambda: a + y,
        lambda: np.hypot(x, y),
        lambda: fad.maximum(x, y),
        lambda: x < y,
        lambda: a < b,
        lambda: (x < 1.0) & (y < 1.0),
        lambda: (a < 1.0) | (b < 1.0),
        lambda: fad.where(x < 1.0, y, 0.0),
        lambda: fad.where(a < 1.0, b, 0.0),
        lambda: fad.array([x, y]),
        lambda: a.__setitem__(0, y),
        lambda: x**y,
        lambda: fad.clip(x, y, 1.0),
    ):
        raises(TapeError, "two tapes", use)
    with pytest.raises(TapeError) as caught:
        x * y
    assert repr(tape) in str(caught.value)
    assert repr(other) in str(caught.value)
    assert "use one tape, or fad.value(x) to freeze" in str(caught.value)
    assert (x * fad.value(y)).value == 2.0, "the message's way out"


def test_sweeps_of_another_tape(tape):
    x, y = tape.input(1.0), fad.Tape().input(2.0)
    for use in (lambda: tape.reverse(y), lambda: tape.reverse(x, wrt=y), lambda: tape.forward(y, [1.0])):
        raises(TapeError, "is on <fastad.Tape .*, not on <fastad.Tape", use)


def test_use_after_clear_and_rewind(tape):
    x = tape.input(1.0)
    mark = tape.mark()
    y, a = x * 2.0, tape.inputs([1.0, 2.0])
    c = a > 1.0
    tape.rewind(mark)
    for use in (
        lambda: y + 1.0,
        lambda: 1.0 - y,
        lambda: -y,
        lambda: x * y,
        lambda: a * 2.0,
        lambda: fad.exp(y),
        lambda: a.sum(),
        lambda: bool(y > 0.0),
        lambda: c.any(),
        lambda: fad.where(c, 1.0, 2.0),
        lambda: y**2,
        lambda: y**-1,
        lambda: round(y, 1),
        lambda: fad.where(y > 0.0, x, 0.0),
        lambda: fad.array([y, x]) * 2.0,
        lambda: tape.reverse(y),
        lambda: tape.forward(a, [1.0]),
    ):
        raises(TapeError, "rewound or cleared to 1 rows", use)
    assert len(tape) == 1
    tape.clear()
    raises(TapeError, "rewound or cleared to 0 rows", lambda: x + 1.0)


@pytest.mark.parametrize("mark", [3, -1, 10**20, 0.5, 1.5, nan, "1", None, 1j], ids=repr)
def test_rewind_to_what_is_no_mark(tape, mark):
    """Never half a row: the tape is as before."""
    x = tape.input(2.0)
    y = x * x
    assert tape.value.size == 2, "out of the stage"
    with pytest.raises((TapeError, TypeError)):
        tape.rewind(mark)
    assert len(tape) == tape.mark() == 2
    assert type(tape.mark()) is int
    assert tape.reverse(y * 1.5) == 6.0


# -------------------- sweeps: outputs, seeds, directions --------------------


def test_outputs_that_are_not_on_the_tape(tape):
    x = tape.input(1.0)
    for passive in (3.0, 3, np.float64(3.0), np.ones(2)):
        raises(TapeError, r"not on the tape.*tape\.input", tape.reverse, passive)
        raises(TapeError, r"not on the tape", tape.forward, passive, [1.0])
        raises(TapeError, r"not on the tape", tape.reverse, [x, passive])
    for nothing in ("x", None, [], {}, True, x > 0.0):
        with pytest.raises((ShapeError, TapeError, TypeError), match="output"):
            tape.reverse(nothing)


def test_wrt_by_name_is_refused(tape):
    """Inputs have names, but wrt takes the values."""
    x = tape.input(1.0, name="x")
    for wrong in ("x", ["x"], None, (x, "x"), 3.0):
        if wrong is not None:
            with pytest.raises((TapeError, TypeError)):
                tape.reverse(x * 2.0, wrt=wrong)


def test_seeds_and_directions(tape):
    x, y = tape.input(1.0), tape.input(2.0)
    outputs = [x * y, x + y]
    raises(ShapeError, r"seeds missing: expected shape \(2,\) or \(2, k\)", tape.reverse, outputs)
    for wrong in (np.ones(3), np.ones((3, 2)), 1.0, np.ones((2, 2, 2))):
        shape = re.escape(str(np.shape(wrong)))
        raises(ShapeError, rf"expected shape \(2,\) or \(2, k\), got {shape}", tape.reverse, outputs, wrong)
        raises(ShapeError, rf"expected shape \(2,\) or \(2, k\), got {shape}", tape.forward, outputs, wrong)
    for wrong in (["a", "b"], [1j, 2.0], {"a": 1.0}, [None, 1.0]):
        with pytest.raises((TypeError, ValueError)):
            tape.reverse(outputs, wrong)
        with pytest.raises((TypeError, ValueError)):
            tape.forward(outputs, wrong)


# -------------------- full tapes --------------------


def test_a_full_tape_names_rows_bytes_and_cap():
    tape = fad.Tape(max_bytes=330)
    x = tape.input(2.0)
    for _ in range(9):
        x = x * 1.5
    with pytest.raises(TapeFullError) as caught:
        x * 1.5
    for piece in (
        "10 rows",
        "330 bytes",
        "1 more asked for",
        "the cap is 10 rows",
        "Rewind",
        "max_bytes",
        "fastad.record",
    ):
        assert piece in str(caught.value), piece
    tape.rewind(1)
    assert tape.reverse(tape.input(3.0) * 2.0).tolist() == [0.0, 2.0]
    for wrong in ("1GB", 0, -1, 32):
        with pytest.raises((ValueError, TypeError)):
            fad.Tape(max_bytes=wrong)


# -------------------- actives as floats --------------------


def test_active_into_a_float_array(tape):
    x, a, target = tape.input(1.0), tape.inputs([1.0, 2.0]), np.zeros(2)
    for use in (
        lambda: target.__setitem__(0, x),
        lambda: target.__setitem__(slice(None), x),
        lambda: target.__setitem__(slice(None), a),
        lambda: target.__iadd__(x),
        lambda: target.__imul__(a),
        lambda: np.add(a, 1.0, out=target),
        lambda: np.copyto(target, a),
        lambda: target.fill(x),
        lambda: np.full(2, x),
        lambda: float(x),
        lambda: int(x),
        lambda: float(a),
        lambda: np.asarray(a),
        lambda: np.asarray(x),
        lambda: np.array([x, x]),
        lambda: np.array([x, 1.0], dtype=object),
        lambda: np.float64(x),
        lambda: np.unique(x),
        lambda: np.histogram(a, 3),
        lambda: np.random.default_rng(0).normal(x),
    ):
        raises(TypeError, r"fad\.|fastad", use)
    with pytest.raises(ValueError, match="sequence"):  # NumPy's own words
        target[0] = a
    assert target.tolist() == [0.0, 0.0]
    target = fad.zeros(2, like=x)
    target[0] = x
    assert tape.reverse(target.sum()).tolist() == [1.0, 0.0, 0.0], "the message's way out"


# -------------------- another branch --------------------


def test_another_branch_names_line_scenarios_and_remedy():
    program = fad.record(lambda x: max(x, 1.0) * 2.0, 2.0)
    line = (lambda: 0).__code__.co_firstlineno - 1
    program.on_divergence = "raise"
    where = re.escape(f"{__file__}:{line}")
    raises(DivergenceError, rf"{where}.*fad\.maximum instead of the builtin max", program, 0.5)
    raises(DivergenceError, rf"scenario 1 .*{where}", program.batch, np.array([2.0, 0.5]))
    frozen = fad.record(lambda x: x * fad.value(x), 2.0)
    frozen.on_divergence = "raise"
    raises(DivergenceError, r"frozen.*fad\.stop_gradient", frozen, 3.0)


# -------------------- NaN and infinity flow --------------------


def test_nan_and_infinity_flow_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program = fad.record(lambda x: fad.log(x) / x + fad.sqrt(x) * fad.exp(x), 1.0)
        for x in (0.0, -1.0, nan, np.inf, 1e308):
            program(x)
            program.grad(x)
            fad.grad(lambda x: fad.log(x) / x + fad.exp(x))(x)
        assert np.isnan(program.batch(np.array([nan, -1.0])).gradient).all()


# -------------------- wrong arguments of transforms --------------------

NOT_NUMBERS = [
    "a",
    None,
    1j,
    True,
    np.array(["a"]),
    np.array([1j]),
    np.array([1.0, None], dtype=object),
    {},
    {"k": "v"},
]


@pytest.mark.parametrize("argument", NOT_NUMBERS, ids=repr)
def test_nothing_to_differentiate_by(argument):
    for transform in (fad.grad, fad.value_and_grad, fad.jacobian):
        raises(TypeError, "argnums=0 holds no number to differentiate by", transform(lambda x: 1.0), argument)


def test_a_complex_argument_comes_in_parts():
    for z in (1.0 + 2.0j, np.ones(2, complex)):
        raises(TypeError, "pass the real and the imaginary part of a complex number", fad.grad(abs), z)


@pytest.mark.parametrize("result", ["a", None, 1j, True, [1.0, "a"], {"k": None}, np.array(["a"])], ids=repr)
def test_results_that_are_no_numbers(result):
    for use in (fad.grad(lambda x: result), fad.jacobian(lambda x: result), lambda x: fad.record(lambda x: result, x)):
        raises(TypeError, "the function returned .*; return a number, an array, or a structure of them", use, 1.0)


def test_a_condition_as_a_result(tape):
    x, v = tape.input(1.0), tape.inputs([1.0, 2.0])
    for condition in (lambda x: x > 1.0, lambda x: {"a": x, "b": [np.isnan(x)]}, lambda x: fad.array([x, x]) > 1.0):
        for use in (fad.grad, fad.jacobian, lambda f: lambda x: fad.record(f, x)):
            raises(TypeError, r"returned Condition.*derivative.*fad\.where", use(condition), 2.0)
    for outputs in (x > 0.0, v > 0.0, [x, x > 0.0]):
        raises(TypeError, r"output.*Condition.*no derivative.*fad\.where", tape.reverse, outputs)
        raises(TypeError, r"output.*Condition.*no derivative.*fad\.where", tape.forward, outputs, np.ones(3))
    out = fad.where(x > 0.0, x, 0.0)
    assert tape.reverse(out, wrt=x) == 1.0, "the message's way out"


def test_a_condition_as_a_number(tape):
    """``(x > 1.0) * y`` is what a bool does; ``(x > 1.0) == True`` would be False whatever x is."""
    x, v = tape.input(2.0), tape.inputs([1.0, 2.0])
    rows, guards = len(tape), len(tape._guard_rows)
    for c in (x > 1.0, v > 1.0):
        for use in (
            lambda c: c * 2.0,
            lambda c: np.float64(2.0) * c,
            lambda c: x * c,
            lambda c: c - v,
            lambda c: c**2,
            lambda c: c // 2,
            lambda c: 1 - c,
            lambda c: -c,
            abs,
            float,
            int,
            sum_of_one,
            np.sum,
            np.mean,
            np.array,
            fad.exp,
            lambda c: fad.maximum(x, c),
            lambda c: fad.array([c, x]),
            lambda c: c == True,  # noqa: E712
            lambda c: c != (x > 0.0),
            lambda c: x == c,
        ):
            raises(TypeError, r"Condition is no number.*fad\.where", use, c)
    assert len(tape._guard_rows) == guards
    assert len(tape) >= rows
    assert np.array([x > 1.0, x > 3.0], dtype=bool).tolist() == [True, False]
    assert np.asarray(v > 1.0, dtype=bool).tolist() == [False, True]
    assert len(tape._guard_rows) >= guards + 4, "bools that Python can see are guarded"


def sum_of_one(x):
    return sum([x])


def test_a_gradient_of_several_numbers():
    for f, x in ((lambda v: v * 2.0, np.ones(2)), (lambda x: (x, x), 1.0), (lambda x: {"a": x, "b": x}, 1.0)):
        raises(ShapeError, r"returns one number.*fad\.jacobian", fad.grad(f), x)


def test_the_differentiated_argument_by_keyword():
    for transform in (fad.grad, fad.value_and_grad, fad.jacobian):
        derivative = transform(lambda x, y=1.0: x * y)
        with pytest.raises(ShapeError, match="0 arguments here; what is differentiated is passed by position"):
            derivative(x=1.0)
        assert derivative(2.0, y=3.0) in (3.0, (6.0, 3.0)), "the others may come by keyword"
    raises(TypeError, r"fad\.grad\(f\)\(x\)", fad.grad(lambda x: x, 2.0), 1.0)


def test_argnums():
    f = fad.grad
    raises(ShapeError, "argnums=2: the function has 1 argument", f(lambda x: x, argnums=2), 1.0)
    raises(ShapeError, "twice", f(lambda x, y: x, argnums=(0, 0)), 1.0, 2.0)
    for wrong in ("x", 0.0, None):
        raises(TypeError, "argnums", f(lambda x: x, argnums=wrong), 1.0)


def test_a_number_instead_of_a_function():
    for transform in (fad.grad, fad.value_and_grad, fad.jacobian, lambda f: fad.record(f, 1.0)):
        with pytest.raises(TypeError, match=r"callable|function"):
            transform(3.0)(1.0)


def test_modes_tangents_and_seeds():
    raises(ValueError, "expected 'auto', 'forward' or 'reverse'", lambda: fad.jacobian(lambda x: x, mode="fwd")(1.0))
    raises(ShapeError, r"expected a structure like .*'float'.*got", fad.jvp, lambda x: x, (1.0,), (np.ones(2),))
    raises(ShapeError, "expected a structure like", fad.jvp, lambda x, y: x * y, (1.0, 2.0), (1.0,))
    raises(TypeError, r"primals|tuple", fad.jvp, lambda x: x, 1.0, 1.0)
    pullback = fad.vjp(lambda x: x * 2.0, 1.0)[1]
    for wrong in (np.ones(2), None, "a", (1.0,)):
        raises(ShapeError, "expected a structure like float, got", pullback, wrong)


def test_recording_inside_a_differentiated_function():
    raises(NestingError, "outside", fad.grad(lambda x: fad.record(lambda y: y * y, 1.0)(2.0) * x), 1.0)
    raises(ShapeError, "a Hessian needs a function that returns one number", fad.hessian(lambda x: (x, x)), 1.0)
    raises(ShapeError, "a Hessian needs a function that returns one number", fad.hvp, lambda x: (x, x), (1.0,), (1.0,))
    raises(TypeError, r"hvp\(f, \(x,\), \(v,\)\)", fad.hvp, lambda x: x, 1.0, 1.0)
    program = fad.record(lambda x: (x, x), 1.0)
    raises(ShapeError, "a Hessian needs a program that returns one number", program.hessian, 1.0)


# -------------------- unusual arrays that are right --------------------


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


UNUSUAL = {
    "float32": np.array([1.5, -2.0, 3.0], np.float32),
    "float16": np.array([1.5, -2.0, 3.0], np.float16),
    "big-endian": np.array([1.5, -2.0, 3.0], ">f8"),
    "strided": np.array([1.5, 9.0, -2.0, 9.0, 3.0])[::2],
    "reversed": np.array([3.0, -2.0, 1.5])[::-1],
    "column": np.asfortranarray(np.array([[1.5, 0.0], [-2.0, 0.0], [3.0, 0.0]]))[:, 0],
    "read-only": read_only(np.array([1.5, -2.0, 3.0])),
}


@pytest.mark.parametrize("v", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_arrays_are_converted(v, norm):
    """To float64, in the order of their elements."""
    plain, before = [1.5, -2.0, 3.0], v.copy()
    total, expected = 15.25, [3.0, -4.0, 6.0]

    def exact(gradient):
        assert gradient.dtype == np.float64
        assert gradient.tolist() == expected

    exact(fad.grad(squares)(v))
    exact(norm.grad(v))
    assert norm(v) == total
    exact(fad.record(squares, v).grad(v))
    exact(norm.batch(np.stack([v, v])).gradient[1])
    each = fad.record(lambda x: x * x, 1.0).batch(v)
    assert each.value.tolist() == [2.25, 4.0, 9.0]
    exact(each.gradient)
    tape = fad.Tape()
    a = tape.inputs(v)
    assert a.value.tolist() == plain
    exact(tape.reverse(a * v, np.ones(3)) + tape.reverse(v * a, np.ones(3)))
    assert tape.reverse(a, v).tolist() == plain
    exact(fad.jvp(lambda x: x * x, (np.array(plain),), (v / v,))[1])
    assert fad.square(v).dtype == np.float64
    assert (v.tolist(), v.dtype) == (before.tolist(), before.dtype), "left as it was"


def test_integer_arrays_are_numbers(norm):
    assert fad.grad(squares)(np.arange(3)).tolist() == [0.0, 2.0, 4.0]
    assert norm.grad(np.arange(3)).tolist() == [0.0, 2.0, 4.0]
    assert fad.Tape().inputs(np.arange(3, dtype=np.uint8)).value.tolist() == [0.0, 1.0, 2.0]


def test_fortran_order():
    m = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    weights = np.arange(6.0).reshape(2, 3) + 1.0

    def f(m):
        return (m * weights).sum()

    assert fad.grad(f)(m).tolist() == weights.tolist()
    assert fad.grad(lambda m: (m * weights.T).sum())(m.T).tolist() == weights.T.tolist()
    assert fad.record(f, m).grad(m).tolist() == weights.tolist()
    scenarios = np.asfortranarray(np.stack([m, 2.0 * m]))
    result = fad.record(f, m).batch(scenarios)
    assert result.value.tolist() == [(m * weights).sum(), 2.0 * (m * weights).sum()]


MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])


@pytest.mark.parametrize(
    "use",
    [
        lambda: fad.Tape().inputs(MASKED),
        lambda: fad.grad(squares)(MASKED),
        lambda: fad.record(squares, MASKED),
        lambda: fad.record(squares, np.ones(3))(MASKED),
        lambda: fad.record(lambda x: x * x, 1.0).batch(MASKED),
        lambda: fad.Tape().inputs(np.ones(3)) * MASKED,
        lambda: fad.Tape().input(1.0) * MASKED,
        lambda: fad.Tape().input(1.0) * np.ma.masked,
        lambda: fad.Tape().input(np.ma.masked),
        lambda: fad.exp(MASKED),
        lambda: fad.array(MASKED),
        lambda: fad.jacobian(lambda x: (x, MASKED))(1.0),
    ],
    ids=[
        "inputs",
        "grad",
        "record",
        "program",
        "batch",
        "a * m",
        "x * m",
        "x * masked",
        "input",
        "exp",
        "array",
        "result",
    ],
)
def test_masked_arrays_are_refused(use):
    """A mask that is dropped in silence would be a wrong number."""
    raises(TypeError, r"masked array.*\.filled\(value\), \.compressed\(\), or np\.where", use)


@pytest.mark.parametrize("masked", [MASKED, np.ma.masked], ids=["array", "masked"])
@pytest.mark.parametrize(
    "active", [fad.Tape().input(2.0), fad.Tape().inputs(np.ones(3))], ids=["Active", "ActiveArray"]
)
def test_masked_arrays_on_either_side(active, masked):
    """numpy.ma asks the active to become an array before fastad sees that there is a mask."""
    for use in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt, np.multiply):
        for operands in ((masked, active), (active, masked)):
            raises(TypeError, r"masked array.*\.filled.*np\.where", use, *operands)
    raises(TypeError, r"masked array.*\.filled", np.ma.multiply, masked, active)
    filled = np.ma.filled(masked, 0.0)
    assert np.isfinite(fad.value(active * filled)).all(), "the message's way out"


# -------------------- wrong arguments of programs and batches --------------------


def test_arguments_of_a_program(program):
    for wrong in ((1.0,), (1.0, 2.0, 3.0)):
        with pytest.raises(TypeError, match="argument"):
            program(*wrong)
    assert program(3, np.float32(2.0)) == 6.0
    assert program(True, 2.0) == 2.0
    assert program(np.ones(2), 3.0).tolist() == [3.0, 3.0], "another shape is recorded anew"
    for wrong in ("a", None, 1j, [1.0]):
        with pytest.raises(TypeError):
            program(wrong, 2.0)
    assert program(3.0, 2.0) == 6.0, "usable afterwards"
    raises(NestingError, r"fad\.value", program.grad, fad.Tape().input(1.0), 2.0)
    raises(ShapeError, "argnums=2: the function has 2 arguments", lambda: program.grad(1.0, 2.0, argnums=2))


def test_shapes_of_a_batch(program, norm):
    ones = np.ones
    raises(ShapeError, r"different lengths: \[3, 4\]", program.batch, ones(3), ones(4))
    raises(ShapeError, r"argument 1 has axis 0 .*axes=\(0, None\)", program.batch, ones(3), 1.0)
    raises(ShapeError, "expected 0 or None for each of the 2", lambda: program.batch(ones(3), ones(3), axes=(0,)))
    raises(ShapeError, "expected 0 or None for each of the 2", lambda: program.batch(ones(3), 1.0, axes=(0, 1)))
    raises(ShapeError, "no scenario axis", lambda: program.batch(1.0, 2.0, axes=None))
    raises(ShapeError, "no scenarios", program.batch, ones(0), ones(0))
    raises(ShapeError, "2 arguments", lambda: program.batch(ones(3), ones(3), wrt=5))
    raises(ShapeError, r"axis|array", program.batch, [1.0, 2.0], [1.0, 2.0])
    assert norm.batch(ones((2, 3))).value.tolist() == [3.0, 3.0]


def test_options_of_a_batch(program):
    ones = np.ones(3)
    raises(ValueError, "expected None, 'mean' or 'sum'", lambda: program.batch(ones, ones, reduce="avg"))
    raises(ValueError, "at least 1", lambda: program.batch(ones, ones, threads=0))
    for wrong in (
        np.array(["a", "b"]),
        np.array([1j, 1.0]),
        np.array([1.0, 2.0], dtype=object),
        np.array([True, False]),
    ):
        raises(TypeError, "argument 0", program.batch, wrong, np.ones(2))
    raises(NestingError, r"fad\.value", program.batch, fad.Tape().inputs([1.0, 2.0]), np.ones(2))


def test_strings_in_structures():
    """Names travel with the numbers; they are compared, and have no derivative."""

    def f(market):
        return market["spot"] * (2.0 if market["name"] == "desk" else 3.0)

    market = {"spot": 1.5, "name": "desk", "note": None}
    assert fad.grad(f)(market) == {"spot": 2.0, "name": None, "note": None}
    program = fad.record(f, market)
    assert program(market) == 3.0
    assert program({**market, "name": "other"}) == 4.5, "another string is recorded anew"
    assert program.grad({**market, "name": "other"})["spot"] == 3.0
    raises(ShapeError, "structure", lambda: program.jvp((market,), ({"spot": 1.0},)))


# -------------------- wrong values for a tape and for arrays --------------------


@pytest.mark.parametrize("wrong", ["2.0", None, 1j, [1.0], np.ones(2), {}, "x"], ids=repr)
def test_input_takes_a_number(tape, wrong):
    raises(TypeError, r"an input is a number, not \w+; arrays go through tape\.inputs", tape.input, wrong)
    assert len(tape) == 0


@pytest.mark.parametrize(
    "wrong",
    ["abc", ["1", "2"], None, [None, 1.0], [1j], {"a": 1.0}, [[1.0], [1.0, 2.0]], np.array(["2020-01-01"], "M8[D]")],
    ids=repr,
)
def test_inputs_take_numbers(tape, wrong):
    """Nothing is parsed, and None is not a NaN."""
    with pytest.raises((TypeError, ValueError)):
        tape.inputs(wrong)
    assert len(tape) == 0


def test_inputs_of_actives(tape):
    x = tape.input(1.0)
    raises(TypeError, r"fad\.array", tape.inputs, [x, x])
    raises(TypeError, r"an input is a number, not Active", tape.input, x)


@pytest.mark.parametrize("wrong", ["a", None, {}, np.array(["a"]), np.array([1.0, None], dtype=object)], ids=repr)
def test_functions_take_real_numbers(tape, wrong):
    x = tape.input(2.0)
    for name in ("exp", "sqrt", "erf", "square", "floor", "exp2"):
        raises(TypeError, "expected real numbers, got", getattr(fad, name), wrong)
    for name in ("maximum", "pow", "hypot", "copysign"):
        raises(TypeError, "expected real numbers, got", getattr(fad, name), x, wrong)
        raises(TypeError, "expected real numbers, got", getattr(fad, name), wrong, 1.5)
    raises(TypeError, "expected real numbers, got", fad.where, x > 1.0, wrong, 0.0)
    raises(TypeError, "expected real numbers, got", fad.where, x > 1.0, x, wrong)


def test_arrays_of_the_wrong_things(tape):
    x, a = tape.input(1.0), tape.inputs([1.0, 2.0])
    raises(ShapeError, r"different shapes: \[\(1,\), \(2,\)\]", fad.array, [[x], [x, 1.0]])
    raises(ShapeError, "different shapes", fad.stack, [a, np.ones(3)])
    for wrong in ("a", None, 1j, {"a": x}):
        raises(TypeError, "expected real numbers", fad.array, [x, wrong])
        raises(TypeError, "expected real numbers", a.__setitem__, 0, wrong)
    with pytest.raises(ValueError, match=r"shape|broadcast"):
        a[:] = np.ones(3)
    with pytest.raises(ValueError, match=r"shape|broadcast"):
        a + np.ones(3)
    with pytest.raises(IndexError):
        a[5]
    with pytest.raises(IndexError):
        a[5] = x
    for index in (0.5, "a"):
        with pytest.raises((IndexError, TypeError)):
            a[index]
    assert a.value.tolist() == [1.0, 2.0]


# -------------------- Monte Carlo --------------------


def test_arguments_of_monte_carlo():
    def run(payoff=lambda p, z: p * z[0], params=1.0, **options):
        return fad.monte_carlo(payoff, params, **{"normals": 1, "paths": 64, **options})

    raises(ValueError, "paths=0", lambda: run(paths=0))
    raises(TypeError, "the function returned None", lambda: run(lambda p, z: None))
    raises(TypeError, "argument", lambda: run(lambda p: p))
    with pytest.raises(ZeroDivisionError) as caught:
        run(lambda p, z: p * (1 / 0), seed=7)
    assert any("path" in note and "seed 7" in note for note in caught.value.__notes__)
    with pytest.raises((TypeError, ValueError)):
        run(seed="a")
