"""The tape: columns, growth, marks, caps, and sweeps against closed forms, NumPy and the adjoint identity."""

import threading
from math import cos, inf, nan, sin

import numpy as np
import pytest
from helpers_core import assert_same_bits, instructions, points, repeatable, run_program
from hypothesis import given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import FastadError, ShapeError, TapeError, TapeFullError
from fastad.ops import OPCODE, OPS

COLUMNS = {"opcode": "u1", "arg0": "i4", "arg1": "i4", "partial0": "f8", "partial1": "f8", "value": "f8"}


def names(tape):
    return [OPS[code].name for code in tape.opcode]


# -------------------- columns --------------------


def test_columns():
    """One row per operation; a passive operand has index -1 and its value where its partial would stand."""
    tape = fad.Tape()
    x, y = tape.input(2.0), tape.input(4.0)
    xy = x * y
    s = fad.sin(x)
    z = xy + s
    a, b, c = z * 3.0, 5.0 - z, 8.0 / y
    assert names(tape) == ["input", "input", "mul", "sin", "add", "mul", "sub", "div"]
    assert tape.arg0.tolist() == [-1, -1, 0, 0, 2, 4, -1, -1]
    assert tape.arg1.tolist() == [-1, -1, 1, -1, 3, -1, 4, 1]
    assert tape.value.tolist() == [2.0, 4.0, 8.0, s.value, z.value, a.value, b.value, 2.0]
    assert tape.partial0[2:].tolist() == [4.0, pytest.approx(cos(2.0), rel=4e-16), 1.0, 3.0, 5.0, 8.0]
    assert tape.partial1[[2, 4, 5, 6, 7]].tolist() == [2.0, 1.0, 3.0, -1.0, -0.5]
    assert (s.value, z.value) == (pytest.approx(sin(2.0), rel=4e-16), 8.0 + s.value)
    assert [v.index for v in (x, y, xy, s, z, a, b, c)] == list(range(8)) == list(range(len(tape)))
    assert all(v.tape is tape for v in (x, z, c))


def test_column_types_and_bytes():
    tape = fad.Tape()
    tape.inputs(np.zeros(5))
    for name, dtype in COLUMNS.items():
        column = getattr(tape, name)
        assert column.dtype == np.dtype(dtype)
        assert column.shape == (5,)
        assert column.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    assert sum(np.dtype(dtype).itemsize for dtype in COLUMNS.values()) == 33
    assert tape.nbytes % 33 == 0
    assert tape.nbytes >= 33 * 5


def test_array_rows_are_the_scalar_rows():
    """The two ways of recording fill the columns alike."""

    def f(xs, ys):
        return [fad.pow(x, y) * 2.0 - fad.where(x < y, x, 3.0) for x, y in zip(xs, ys)]

    x, y = [0.5, 2.0, 0.0], [3.0, -1.0, 0.0]
    scalar, array = fad.Tape(), fad.Tape()
    outs = f([scalar.input(v) for v in x], [scalar.input(v) for v in y])
    a = f([array.inputs(x)], [array.inputs(y)])[0]
    assert_same_bits([out.value for out in outs], a.value)

    def operations(tape):
        fields = [getattr(tape, name) for name in ("opcode", "partial0", "partial1", "value")]
        return sorted(zip(*(field.tolist() for field in fields)))

    compute = [[row for row in operations(t) if OPS[row[0]].name != "input"] for t in (scalar, array)]
    assert compute[0] == compute[1]
    assert len(compute[0]) == 18


def test_growth_keeps_views():
    tape = fad.Tape()
    x = tape.input(0.0)
    empty = fad.Tape().value
    before = tape.value, tape.opcode, tape.arg0
    kept = [view.copy() for view in before]
    out = x
    for i in range(1, 10_001):
        out = out + float(i)
        if i == 5_000:
            middle = tape.value
    assert empty.size == 0
    assert len(tape) == 10_001
    assert tape.value.tolist() == np.cumsum(np.arange(10_001.0)).tolist()
    assert middle.tolist() == np.cumsum(np.arange(5_001.0)).tolist()
    assert all(view.tolist() == old.tolist() for view, old in zip(before, kept))
    assert tape.reverse(out) == 1.0
    assert 33 * 10_001 <= tape.nbytes <= 2 * 33 * 10_001 + 33 * 8192


def test_staged_rows_reach_every_reader():
    """Rows wait in a stage; each way of looking at the tape sees them."""
    for look in (
        lambda t, z: len(t),
        lambda t, z: t.value.size,
        lambda t, z: t.opcode.size,
        lambda t, z: 3 if t.nbytes >= 99 else 0,
        lambda t, z: 3 if t.reverse(z).tolist() == [4.0, 2.0] else 0,
        lambda t, z: 3 if t.forward(z, [1.0, 0.0]) == 4.0 else 0,
    ):
        tape = fad.Tape()
        z = tape.input(2.0) * tape.input(4.0)
        assert look(tape, z) == 3


def test_repr_and_names():
    tape = fad.Tape()
    tape.input(1.0, name="x")
    tape.inputs([[1.0, 2.0]], name="v")
    tape.input(2)
    assert "4 rows, 4 inputs" in repr(tape)
    assert tape._input_names == ["x", "v[0]", "v[1]", None]


def test_inputs_copy_what_they_are_given():
    tape = fad.Tape()
    source = np.array([[1, 2], [3, 4]])
    v = tape.inputs(source)
    source[:] = 0
    assert v.value.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert v.index.tolist() == [[0, 1], [2, 3]]
    assert tape.inputs(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])).index.tolist() == [[4, 5], [6, 7]]
    assert tape.inputs(np.zeros((0, 3))).shape == (0, 3)
    assert tape.inputs(7.0)[()].value == 7.0
    assert len(tape) == 9


@pytest.mark.parametrize("bad", [1j, "1", None, np.ones(2), [1.0]])
def test_an_input_is_a_number(bad):
    with pytest.raises(TypeError, match="an input is a number"):
        fad.Tape().input(bad)


def test_two_threads_two_tapes():
    """No global state: tapes of two threads do not meet."""
    results = {}

    def work(k):
        tape = fad.Tape()
        x = tape.input(float(k))
        out = x
        for _ in range(3000):
            out = out * 1.0 + x
        results[k] = tape.reverse(out)[0]

    threads = [threading.Thread(target=work, args=(k,)) for k in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {1: 3001.0, 2: 3001.0, 3: 3001.0}


# -------------------- mark, rewind, clear --------------------


def test_rewind_and_record_again():
    tape = fad.Tape()
    x = tape.input(3.0)
    shared = x * x
    mark = tape.mark()
    gradients, lengths = [], []
    for k in range(5):
        y = tape.input(float(k))
        z = shared * y + fad.exp(y)
        gradients.append(tape.reverse(z).tolist())
        lengths.append(len(tape))
        tape.rewind(mark)
        assert len(tape) == mark == 2
    assert gradients == [[6.0 * k, pytest.approx(9.0 + np.exp(k), rel=1e-15)] for k in range(5)]
    assert lengths == [6] * 5
    assert tape.reverse(shared) == 6.0


def test_rewind_across_the_stage():
    """Marks in flushed rows and in staged ones."""
    for flush in (False, True):
        tape = fad.Tape()
        x = tape.input(2.0)
        y = x * 5.0
        mark = tape.mark()
        z = y + 1.0
        if flush:
            assert tape.value.tolist() == [2.0, 10.0, 11.0]
        z = z * 7.0
        tape.rewind(mark)
        w = y * 3.0
        assert names(tape) == ["input", "mul", "mul"]
        assert tape.value.tolist() == [2.0, 10.0, 30.0]
        assert tape.reverse(w) == 15.0
        tape.rewind(mark)
        tape.rewind(mark)
        assert tape.value.tolist() == [2.0, 10.0]


def test_rewind_keeps_memory_and_drops_inputs_and_guards():
    tape = fad.Tape()
    x = tape.input(1.0)
    mark = tape.mark()
    v = tape.inputs(np.arange(5000.0))
    assert v.sum() > 3.0
    held = tape.nbytes
    tape.rewind(mark)
    assert tape.nbytes == held
    assert tape.reverse(x * 2.0).tolist() == [2.0]
    assert tape._guard_rows == tape._guard_sites == []
    tape.clear()
    assert (len(tape), tape.nbytes) == (0, held)
    y = tape.input(4.0)
    assert (y.index, tape.reverse(y * y).tolist()) == (0, [8.0])


def test_rewind_to_what_is_no_mark():
    tape = fad.Tape()
    tape.input(1.0)
    for bad in (-1, 2):
        with pytest.raises(TapeError, match="not a mark"):
            tape.rewind(bad)
    assert len(tape) == 1


STALE_USES = {
    "binary, first": lambda x, y, v: y * x,
    "binary, second": lambda x, y, v: x * y,
    "passive": lambda x, y, v: y + 1.0,
    "reflected": lambda x, y, v: 1.0 - y,
    "unary": lambda x, y, v: fad.exp(y),
    "negative": lambda x, y, v: -y,
    "power": lambda x, y, v: y**2,
    "truth": lambda x, y, v: bool(x < y),
    "truth of itself": lambda x, y, v: bool(y),
    "combined": lambda x, y, v: (y < 1.0) & (x < 1.0),
    "where operand": lambda x, y, v: fad.where(x > 0.0, y, x),
    "where condition": lambda x, y, v: fad.where(y > 0.0, x, x),
    "array": lambda x, y, v: v * 2.0,
    "array and scalar": lambda x, y, v: x * v,
    "array sum": lambda x, y, v: v.sum(),
    "array mean": lambda x, y, v: v.mean(axis=0),
    "array comparison": lambda x, y, v: v < 1.0,
    "array where": lambda x, y, v: fad.where(x > 0.0, v, 0.0),
    "stack": lambda x, y, v: fad.stack([x, y]),
    "reverse": lambda x, y, v: x.tape.reverse(y),
    "reverse wrt": lambda x, y, v: x.tape.reverse(x, wrt=y),
    "reverse of an array": lambda x, y, v: x.tape.reverse(v, np.ones(3)),
    "forward": lambda x, y, v: x.tape.forward(y, [1.0]),
}


@pytest.mark.parametrize("use", STALE_USES.values(), ids=STALE_USES.keys())
@pytest.mark.parametrize("full", [False, True], ids=["rewind", "clear"])
def test_stale_values_raise(use, full):
    tape = fad.Tape()
    x = tape.input(2.0)
    mark = tape.mark()
    y, v = x * 3.0, tape.inputs(np.ones(3))
    tape.clear() if full else tape.rewind(mark)
    rows = len(tape)
    with pytest.raises(TapeError, match="rewound or cleared"):
        use(x, y, v)
    assert len(tape) <= rows + 2, "nothing but the rows of valid conditions was recorded"


STALE_CONDITION_USES = {
    "truth of an element": lambda m: bool(m[0]),
    "all": lambda m: m.all(),
    "any": lambda m: m.any(),
    "invert": lambda m: ~m,
    "and": lambda m: m & np.array([True, False]),
    "where": lambda m: fad.where(m, 1.0, 0.0),
}


@pytest.mark.parametrize("use", STALE_CONDITION_USES.values(), ids=STALE_CONDITION_USES.keys())
def test_stale_arrays_of_conditions_raise(use):
    tape = fad.Tape()
    v = tape.inputs([1.0, 2.0])
    mask = v < 1.5
    tape.rewind(2)
    with pytest.raises(TapeError, match="rewound or cleared"):
        use(mask)


def test_a_condition_outlives_its_row():
    """It was made before the mark; its row, made when it was first used, is gone and recorded again."""
    tape = fad.Tape()
    x = tape.input(2.0)
    condition = x > 1.0
    mark = tape.mark()
    first = fad.where(condition, x, 0.0)
    tape.rewind(mark)
    nothing = x * 0.0
    second = fad.where(condition, x * 3.0, nothing)
    assert (first.value, second.value, tape.reverse(second)) == (2.0, 6.0, 3.0)
    assert tape.opcode[tape.arg0[second.index - 1]] == OPCODE["greater"]


TWO_TAPES = {
    "scalars": lambda a, b, u, v: a + b,
    "comparison": lambda a, b, u, v: a < b,
    "equality": lambda a, b, u, v: a == b,
    "function": lambda a, b, u, v: fad.maximum(a, b),
    "ufunc": lambda a, b, u, v: np.power(a, b),
    "arrays": lambda a, b, u, v: u * v,
    "array and scalar": lambda a, b, u, v: u * b,
    "scalar and array": lambda a, b, u, v: a * v,
    "array comparison": lambda a, b, u, v: u < v,
    "where operand": lambda a, b, u, v: fad.where(a > 0.0, b, 0.0),
    "where operand, array": lambda a, b, u, v: fad.where(a > 0.0, v, 0.0),
    "where operands": lambda a, b, u, v: fad.where([True, False], u, v),
    "conditions": lambda a, b, u, v: (a > 0.0) & (b > 0.0),
    "arrays of conditions": lambda a, b, u, v: (u > 0.0) | (v > 0.0),
    "assignment": lambda a, b, u, v: u.__setitem__(0, b),
    "array": lambda a, b, u, v: fad.array([a, b]),
    "reverse": lambda a, b, u, v: a.tape.reverse(b),
    "reverse of several": lambda a, b, u, v: a.tape.reverse([a, b], np.ones(2)),
    "wrt": lambda a, b, u, v: a.tape.reverse(a, wrt=(a, v)),
    "forward": lambda a, b, u, v: a.tape.forward(v, np.ones(3)),
}


@pytest.mark.parametrize("use", TWO_TAPES.values(), ids=TWO_TAPES.keys())
def test_two_tapes_in_one_operation(use):
    tapes = fad.Tape(), fad.Tape()
    (a, u), (b, v) = ((tape.input(2.0), tape.inputs([1.0, 2.0])) for tape in tapes)
    with pytest.raises(TapeError) as caught:
        use(a, b, u, v)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, FastadError)
    if "where" not in str(caught.value):
        assert all(f"{id(tape):#x}" in str(caught.value) for tape in tapes), "both are named"


# -------------------- caps --------------------


def fill(tape):
    x = tape.input(1.0)
    while True:
        x = x + 1.0


@pytest.mark.parametrize("cap", [1, 2, 100, 5000])
def test_max_bytes(cap):
    tape = fad.Tape(max_bytes=33 * cap + 32)
    with pytest.raises(TapeFullError) as caught:
        fill(tape)
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, FastadError)
    for part in (f"{cap} rows", f"{33 * cap} bytes", "Rewind"):
        assert part in str(caught.value)
    assert len(tape) == cap
    assert tape.nbytes <= tape._max_bytes
    assert tape.value.tolist() == [float(i + 1) for i in range(cap)]
    with pytest.raises(TapeFullError):
        tape.inputs(np.ones(1))
    tape.rewind(0)
    x = tape.input(5.0)
    assert tape.reverse(x) == 1.0
    with pytest.raises(TapeFullError):
        fill(tape)
    assert len(tape) == cap


def test_a_full_tape_can_still_be_swept_and_rewound():
    tape = fad.Tape(max_bytes=33 * 3)
    x = tape.input(3.0)
    mark = tape.mark()
    z = x * x * x
    with pytest.raises(TapeFullError):
        z + 1.0
    assert tape.reverse(z) == 27.0
    tape.rewind(mark)
    assert tape.reverse(x * 2.0 + 1.0) == 2.0


def test_arrays_reach_the_cap_exactly():
    tape = fad.Tape(max_bytes=33 * 10)
    v = tape.inputs(np.ones(5))
    w = v * 2.0
    assert len(tape) == 10
    with pytest.raises(TapeFullError, match="5 more asked for"):
        w + v
    tape.rewind(5)
    assert tape.reverse(v * 3.0, np.ones(5)).tolist() == [3.0] * 5
    tape.rewind(5)
    assert tape.reverse(v.sum()).tolist() == [1.0] * 5
    assert len(tape) == 9


def test_row_cap(monkeypatch):
    """The int32 limit, lowered: the same error."""
    tape = fad.Tape()
    assert tape._max_rows == 2**31 - 2
    tape._max_rows = 50
    with pytest.raises(TapeFullError, match="the cap is 50 rows"):
        fill(tape)
    assert len(tape) == 50
    assert fad.Tape()._max_rows == 2**31 - 2
    monkeypatch.setattr(fad.Tape, "_max_rows", 7)
    with pytest.raises(TapeFullError):
        fad.Tape().inputs(np.ones(8))
    assert len(fad.Tape().inputs(np.ones(7))) == 7


def test_a_cap_that_holds_nothing():
    with pytest.raises(ValueError, match="max_bytes=32"):
        fad.Tape(max_bytes=32)


# -------------------- reverse --------------------


def two_by_two():
    """Inputs x, y; outputs x y and x + 3 y at (2, 5): Jacobian [[5, 2], [1, 3]]."""
    tape = fad.Tape()
    x, y = tape.input(2.0), tape.input(5.0)
    return tape, x, y, [x * y, x + 3.0 * y]


JACOBIAN = np.array([[5.0, 2.0], [1.0, 3.0]])


def test_reverse_of_one_output():
    tape, x, y, (z, w) = two_by_two()
    gradient = tape.reverse(z)
    assert (gradient.shape, gradient.dtype) == ((2,), np.float64)
    assert gradient.tolist() == [5.0, 2.0]
    assert tape.reverse(w, 2.0).tolist() == [2.0, 6.0]
    assert tape.reverse(w, [2.0]).tolist() == [2.0, 6.0]
    assert tape.reverse(w, [[2.0, 0.0, -1.0]]).tolist() == [[2.0, 0.0, -1.0], [6.0, 0.0, -3.0]]
    assert tape.reverse(x).tolist() == [1.0, 0.0]
    assert tape.reverse(y * 1.0).tolist() == [0.0, 1.0]


def test_reverse_with_k_seeds():
    tape, _, _, outputs = two_by_two()
    rng = np.random.default_rng(1)
    for k in (1, 2, 7, 64, 65):
        seeds = rng.integers(-9, 9, (2, k)).astype(float)
        adjoints = tape.reverse(outputs, seeds)
        assert adjoints.shape == (2, k)
        assert adjoints.tolist() == (JACOBIAN.T @ seeds).tolist()
    assert tape.reverse(outputs, [1.0, 10.0]).tolist() == [15.0, 32.0]
    assert tape.reverse(outputs, np.zeros((2, 0))).shape == (2, 0)


def test_seeds_of_one_row_add_up():
    tape, _, _, (z, _) = two_by_two()
    assert tape.reverse([z, z, z], [1.0, 2.0, 3.0]).tolist() == [30.0, 12.0]
    assert tape.reverse([z, z], np.eye(2)).tolist() == [[5.0, 5.0], [2.0, 2.0]]


def test_reverse_wrt_structures():
    tape = fad.Tape()
    v = tape.inputs(np.array([[1.0, 2.0], [3.0, 4.0]]))
    x = tape.input(10.0)
    u = v[0] * x
    z = (u * u).sum() + v[1, 0]
    got = tape.reverse(z, wrt={"x": x, "rest": [v, (u, v[1, 1])]})
    assert got["x"] == 2 * 10.0 * (1.0 + 4.0)
    assert np.ndim(got["x"]) == 0
    assert got["rest"][0].tolist() == [[200.0, 400.0], [1.0, 0.0]]
    assert got["rest"][1][0].tolist() == [20.0, 40.0], "intermediate values have adjoints too"
    assert got["rest"][1][1] == 0.0
    many = tape.reverse(z, [[1.0, -2.0, 0.0]], wrt=(v, x))
    assert (many[0].shape, many[1].shape) == ((2, 2, 3), (3,))
    assert many[1].tolist() == [100.0, -200.0, 0.0]
    assert many[0][0].tolist() == [[200.0, -400.0, 0.0], [400.0, -800.0, 0.0]]
    assert tape.reverse(z, wrt=x) == 100.0
    assert tape.reverse(z, wrt=v[:0]).shape == (0, 2)
    assert tape.reverse(z, wrt=()) == ()
    assert tape.reverse(x * 2.0, wrt=(x, x * 3.0)) == (2.0, 0.0), "rows behind the output"


def test_passive_elements_have_no_adjoint():
    """Index -1 stands for all passive operands: what they collect belongs to nobody."""
    tape = fad.Tape()
    x = tape.input(2.0)
    w = fad.zeros(3, like=x)
    w[1] = x * 4.0
    z = w[1] * 3.0 + 100.0
    assert tape.reverse(z, wrt=w).tolist() == [0.0, 1.0 * 3.0, 0.0]
    assert tape.reverse(z, [[1.0, 2.0]], wrt=w).tolist() == [[0.0, 0.0], [3.0, 6.0], [0.0, 0.0]]
    assert tape.reverse(w, [7.0, 1.0, 7.0]).tolist() == [4.0]
    assert tape.reverse(w, np.eye(3)).tolist() == [[0.0, 4.0, 0.0]]
    assert tape.forward(w, [1.0]).tolist() == [0.0, 4.0, 0.0]


def test_no_state_between_sweeps():
    tape, _, _, (z, w) = two_by_two()
    first = tape.reverse(z)
    tape.forward(w, np.ones((2, 3)))
    tape.reverse([z, w], np.full((2, 5), nan))
    assert tape.reverse(z).tolist() == first.tolist() == [5.0, 2.0]
    assert len(tape) == 5


def test_missing_seed():
    tape, _, _, outputs = two_by_two()
    v = tape.inputs(np.ones(3))
    for several, n in ((outputs, 2), (v, 3), (outputs[:1], 1), ({"a": v, "b": outputs}, 5)):
        with pytest.raises(ShapeError, match=rf"seeds missing: expected shape \({n},\)"):
            tape.reverse(several)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 2), (2, 2, 2), (0,)])
def test_wrong_seed_shapes(shape):
    tape, _, _, outputs = two_by_two()
    with pytest.raises(ShapeError) as caught:
        tape.reverse(outputs, np.ones(shape))
    assert isinstance(caught.value, ValueError)
    assert "(2,)" in str(caught.value)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("off", [3.0, np.ones(2), 7], ids=["float", "ndarray", "int"])
def test_passive_outputs(off):
    tape, x, _, _ = two_by_two()
    for use in (
        lambda: tape.reverse(off),
        lambda: tape.reverse([x, off], np.ones(2)),
        lambda: tape.forward(off, np.ones(2)),
        lambda: tape.reverse(x, wrt=off),
    ):
        with pytest.raises(TapeError, match="not on the tape"):
            use()
    with pytest.raises(ShapeError, match="no outputs"):
        tape.reverse([])


# -------------------- forward --------------------


def test_forward():
    tape, x, _, outputs = two_by_two()
    assert tape.forward(outputs[0], [1.0, 10.0]) == 25.0
    assert np.ndim(tape.forward(outputs[0], [1.0, 10.0])) == 0
    assert tape.forward(outputs, [1.0, 10.0]).tolist() == [25.0, 31.0]
    assert tape.forward(outputs[0], np.eye(2)).tolist() == [5.0, 2.0]
    assert tape.forward(outputs, np.eye(2)).tolist() == JACOBIAN.tolist()
    assert tape.forward(outputs[:1], np.eye(2)).shape == (1, 2)
    assert tape.forward([x, x], [7.0, 0.0]).tolist() == [7.0, 7.0]
    directions = np.random.default_rng(2).integers(-9, 9, (2, 65)).astype(float)
    assert tape.forward(outputs, directions).tolist() == (JACOBIAN @ directions).tolist()


def test_forward_of_an_array_is_flat():
    tape = fad.Tape()
    v = tape.inputs(np.arange(6.0).reshape(2, 3))
    assert tape.forward(v * 2.0, np.eye(6)).tolist() == (2.0 * np.eye(6)).tolist()
    assert tape.forward(v[1], np.arange(6.0)).tolist() == [3.0, 4.0, 5.0]


def test_inputs_created_after_the_output():
    tape, _, _, (z, _) = two_by_two()
    tape.input(1.0)
    assert tape.forward(z, [1.0, 0.0, 99.0]) == 5.0
    assert tape.reverse(z).tolist() == [5.0, 2.0, 0.0]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 2), (2, 2, 2)])
def test_wrong_directions(shape):
    tape, _, _, outputs = two_by_two()
    with pytest.raises(ShapeError) as caught:
        tape.forward(outputs, np.ones(shape))
    assert "(2,)" in str(caught.value)
    assert str(shape) in str(caught.value)


# -------------------- both sweeps --------------------


@repeatable
@given(instructions, points, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_adjoint_identity(program, x, n_outputs, k, seed):
    """<y_bar, J x_dot> = <J^T y_bar, x_dot> for random programs, seeds and directions."""
    tape = fad.Tape()
    values = run_program(program, [tape.input(v) for v in x], fad)
    outputs = values[-n_outputs:]
    rng = np.random.default_rng(seed)
    y_bar = rng.standard_normal((len(outputs), k))
    x_dot = rng.standard_normal((len(x), k))
    x_bar = tape.reverse(outputs, y_bar)
    y_dot = tape.forward(outputs, x_dot)
    for j in range(k):
        left, right = y_bar[:, j] @ y_dot[:, j], x_bar[:, j] @ x_dot[:, j]
        scale = np.abs(y_bar[:, j]) @ np.abs(y_dot[:, j]) + np.abs(x_bar[:, j]) @ np.abs(x_dot[:, j])
        assert abs(left - right) <= 1e-13 * scale
        # One seed and k seeds are two kernels with one arithmetic.
        np.testing.assert_array_equal(tape.reverse(outputs, y_bar[:, j]), x_bar[:, j])
        np.testing.assert_array_equal(tape.forward(outputs, x_dot[:, j]), y_dot[:, j])


def both_ways(f, *xs):
    """Gradient by one seed, by two seeds and by forward: three kernels, one answer."""
    tape = fad.Tape()
    inputs = [tape.input(x) for x in xs]
    out = f(*inputs)
    one = tape.reverse(out)
    two = tape.reverse(out, [[1.0, 1.0]])
    forward = tape.forward(out, np.eye(len(xs)))
    np.testing.assert_array_equal(two[:, 0], one)
    np.testing.assert_array_equal(two[:, 1], one)
    np.testing.assert_array_equal(forward, one)
    return one.tolist()


def huge(x):
    return x * 1e300 * 1e300


@pytest.mark.parametrize(
    ("f", "xs", "expected"),
    [
        (lambda x, y: fad.where(x > 0.0, fad.sqrt(x), y), (0.0, 1.0), [0.0, 1.0]),
        (lambda x, y: fad.where(x > 0.0, fad.log(x), y), (-1.0, 1.0), [0.0, 1.0]),
        (lambda x, y: fad.stop_gradient(fad.sqrt(x)) * y, (0.0, 1.0), [0.0, 0.0]),
        (lambda x, y: huge(fad.where(x > 0.0, x, y)), (1.0, 2.0), [inf, 0.0]),
        (lambda x, y: huge(fad.where(x > 0.0, x, y)), (-1.0, 2.0), [0.0, inf]),
        (lambda x, y: huge(fad.maximum(x, y) * -1.0), (1.0, 2.0), [0.0, -inf]),
        (lambda x, y: huge(fad.stop_gradient(x) + y), (1.0, 2.0), [0.0, inf]),
        (lambda x, y: fad.where(x > 0.0, huge(x), y), (-1.0, 2.0), [0.0, 1.0]),
        (lambda x, y: fad.sqrt(x) * 0.0 + y, (0.0, 1.0), [0.0, 1.0]),
        (lambda x, y: fad.sqrt(x) * y, (0.0, 0.0), [0.0, 0.0]),
        (lambda x, y: fad.sqrt(x) + y, (0.0, 1.0), [inf, 1.0]),
        (lambda x, y: fad.sqrt(x) + y, (-1.0, 1.0), [nan, 1.0]),
        (lambda x, y: fad.sqrt(x) - fad.sqrt(x) + y, (0.0, 1.0), [nan, 1.0]),
    ],
)
def test_zero_factor_rule(f, xs, expected):
    """0 * inf and 0 * nan are 0 in a sweep; infinities that meet anything else flow as in IEEE."""
    np.testing.assert_array_equal(both_ways(f, *xs), expected)


def test_zero_seeds_and_directions():
    """A zero seed sees nothing of a NaN elsewhere on the tape, a zero direction likewise."""
    tape = fad.Tape()
    x, y = tape.input(-1.0), tape.input(3.0)
    bad, good = fad.log(x) * y, y * y
    assert tape.reverse([bad, good], [0.0, 1.0]).tolist() == [0.0, 6.0]
    adjoints = tape.reverse([bad, good], np.eye(2))
    assert adjoints[:, 1].tolist() == [0.0, 6.0], "the NaN of one seed leaves the others alone"
    assert np.isnan(adjoints[1, 0])
    tangents = tape.forward([bad, good], np.eye(2))
    assert tangents[1].tolist() == [0.0, 6.0]
    assert tape.forward(good, [nan, 1.0]) == 6.0
    assert np.isnan(tape.forward(good, [0.0, nan]))
