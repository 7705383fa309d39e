"""Small calls of a Program: the quick way gives the bits of the general way, or leaves the call to it."""

import dataclasses
import pickle
import threading
from collections import OrderedDict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from helpers_core import Market, assert_same_bits, assert_same_numbers, repeatable
from helpers_passes import codes, run
from hypothesis import given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import DivergenceError, ShapeError, StaticArgumentError
from fastad.kernels import point as kernels
from fastad.kernels import point as point_kernels
from fastad.program.program import Program
from fastad.program.quick import Quick
from fastad.structure import flatten

Point = namedtuple("Point", "x y")
NAN = float("nan")


class Watch:
    """How often the quick way answered, and how often it passed a call on."""

    def __init__(self, monkeypatch):
        self.answers = []
        for name in ("value", "value_and_grad", "vjp"):
            monkeypatch.setattr(Quick, name, self._watched(getattr(Quick, name)))

    def _watched(self, method):
        def watched(quick, *args):
            answer = method(quick, *args)
            self.answers.append(answer is not None)
            return answer

        return watched

    def last(self):
        return self.answers[-1]


@pytest.fixture
def watch(monkeypatch):
    return Watch(monkeypatch)


class General(Program):
    """A Program that never takes the quick way."""

    _quick = property(lambda self: None, lambda self, quick: None)


def general(program):
    """A program with the same recordings that takes the general way."""
    twin = General(program._f, program._max_variants)
    twin._tries, twin._like, twin._on_divergence = program._tries, program._like, program._on_divergence
    return twin


def assert_same_structures(actual, expected, same=assert_same_bits):
    (a, spec_a), (b, spec_b) = flatten(actual), flatten(expected)
    assert spec_a.key() == spec_b.key()
    assert len(a) == len(b)
    for x, y in zip(a, b):
        assert type(x) is type(y)
        same(x, y)


def assert_alike(program, *args, argnums=0):
    """Value and gradient the quick way, asked twice (the first call may only learn), and the general way."""
    slow = general(program)
    for _ in range(2):
        assert_same_structures(program(*args), slow(*args))
        value, gradient = program.value_and_grad(*args, argnums=argnums)
        slow_value, slow_gradient = slow.value_and_grad(*args, argnums=argnums)
        assert_same_structures(value, slow_value)
        assert_same_structures(gradient, slow_gradient, assert_same_numbers)
        assert_same_structures(program.grad(*args, argnums=argnums), slow_gradient, assert_same_numbers)
        assert_same_structures(program.vjp(args, 1.5), slow.vjp(args, 1.5), assert_same_numbers)


# -------------------- the same numbers --------------------


@repeatable
@given(code=codes, seed=st.integers(0, 100), argnums=st.sampled_from([0, 1, 2, -1, -3, True]))
def test_random_programs(code, seed, argnums):
    """Straight lines, tables, guards that decide otherwise at the second point; one number and several."""
    rng = np.random.default_rng(seed)
    program = fad.record(lambda *x: run(code, x)[-1], *rng.uniform(-1.5, 1.5, 3))
    several = fad.record(lambda *x: {"last": run(code, x)[-1], "all": fad.array([*x, 2.0])}, *rng.uniform(-1.5, 1.5, 3))
    for _ in range(4):
        point = rng.uniform(-1.5, 1.5, 3).tolist()
        assert_alike(program, *point, argnums=argnums)
        assert_same_structures(several(*point), general(several)(*point))
        seeds = {"last": 0.7, "all": np.array([1.0, -2.0, 0.0, 3.0])}
        assert_same_structures(several.vjp(point, seeds), general(several).vjp(point, seeds), assert_same_numbers)


@dataclasses.dataclass(frozen=True)
class Leg:
    """A structure with a number, a vector and something static."""

    rate: float
    flows: np.ndarray
    name: str


def quadratic(x):
    return (x * x).sum() + x.ravel()[0] * 3.0


def block_of(x):
    """Rows, a block, rows."""
    return np.sum(np.linalg.solve(x * x + 1.0, x[:, 0]) ** 2)


def behind(x):
    """A block that the result does not depend on, and that stands behind it."""
    result = x[0, 0] * x[1, 0]
    np.linalg.det(x)
    return result


# Function, arguments it was recorded at, others, and whether the quick way takes those.
CASES = {
    "scalar": (lambda x: x * x, (1.0,), (3.0,), True),
    "scalars": (lambda x, y: x * fad.exp(y), (1.0, 0.5), (3.0, -0.5), True),
    "vector": (quadratic, (np.ones(4),), (np.arange(4.0),), True),
    "matrix": (quadratic, (np.ones((2, 3)),), (np.arange(6.0).reshape(2, 3),), True),
    "fortran": (quadratic, (np.ones((2, 3)),), (np.arange(6.0).reshape(3, 2).T,), True),
    "cube": (quadratic, (np.ones((2, 1, 3)),), (np.arange(6.0).reshape(2, 1, 3),), True),
    "point array": (lambda x: x * x, (np.array(2.0),), (np.array(3.0),), False),
    "float for a point array": (lambda x: x * x, (np.array(2.0),), (3.0,), True),
    "numpy float": (lambda x: x * x, (2.0,), (np.float64(3.0),), True),
    "float32": (lambda x: x * x, (2.0,), (np.float32(3.1),), False),
    "integer": (lambda x: x * x, (2.0,), (3,), True),
    "big integer": (lambda x: x * x, (2.0,), (2**70 + 1,), True),
    "numpy integer": (lambda x: x * x, (2.0,), (np.int64(3),), False),
    "integers in an array": (quadratic, (np.ones(4),), (np.arange(4),), False),
    "array and scalars": (lambda a, x, b: x * a.sum() + b[1, 0], (np.ones(3), 1.0, np.ones((2, 2))),
                          (np.arange(3.0), 2.0, np.arange(4.0).reshape(2, 2)), True),
    "no elements": (lambda x, a: a.sum() + x, (1.0, np.ones(0)), (2.0, np.ones(0)), True),
    "tuple": (lambda p: p[0] * p[1] - p[0], ((1.0, 2.0),), ((3.0, 4.0),), True),
    "list": (lambda p: p[0] * p[1] - p[0], ([1.0, 2.0],), ([3.0, 4.0],), True),
    "nested": (lambda p: p[0][0] * p[1]["a"], (((1.0,), {"a": 2.0}),), (((3.0,), {"a": 4.0}),), True),
    "namedtuple": (lambda p: p.x * p.y - p.x, (Point(1.0, 2.0),), (Point(3.0, 4.0),), True),
    "dict": (lambda d: d["a"] - 2.0 * d["b"] * d["b"], ({"a": 1.0, "b": 2.0},), ({"a": 3.0, "b": 4.0},), True),
    "keys in another order": (lambda d: d["a"] - 2.0 * d["b"] * d["b"], ({"a": 1.0, "b": 2.0},),
                              ({"b": 4.0, "a": 3.0},), False),
    "dataclass": (lambda leg: leg.rate * leg.flows.sum(), (Leg(1.0, np.ones(2), "pay"),),
                  (Leg(2.0, np.arange(2.0), "pay"),), True),
    "market": (lambda m: m.spot * m.vols[1] + m.curve["1y"] * m.vols[0],
               (Market(1.0, np.ones(2), {"1y": 0.1}),), (Market(2.0, np.arange(2.0), {"1y": 0.3}),), True),
    "static": (lambda x, n, kind: x**n if kind else x, (2.0, 3, "call"), (4.0, 3, "call"), True),
    "nothing static": (lambda x, a, b: x * x, (2.0, None, True), (4.0, None, True), True),
    "table": (lambda x, y: fad.interp(x, [0.0, 1.0, 2.0], [y, 2.0 * y, 7.0]), (0.3, 1.0), (1.7, 2.0), True),
    "block": (block_of, (np.eye(3) + 0.1,), (np.arange(9.0).reshape(3, 3) + 7.0 * np.eye(3),), True),
    "result in a block": (lambda x, y: np.linalg.solve(x, y)[1],
                          (np.eye(3) + 0.1, np.ones(3)), (np.eye(3) + 0.3, np.arange(3.0)), True),
    "block alone": (np.linalg.det, (np.eye(3) + 0.1,), (np.eye(3) + 0.3,), True),
    "blocks between rows": (lambda x: np.linalg.det(np.linalg.inv(x * x + np.eye(3)) * fad.exp(x[0, 1])) * x[2, 2],
                            (np.eye(3) + 0.1,), (np.eye(3) + 0.3,), True),
    "block behind the result": (behind, (np.eye(2) + 0.1,), (np.eye(2) + 0.3,), True),
    "block in another branch": (lambda x: np.linalg.det(x) if x[0, 0] > 0.0 else x[1, 1] * 2.0,
                                (np.eye(2) + 0.1,), (np.eye(2) - 3.0,), False),
    "constant": (lambda x: 4.0, (1.0,), (3.0,), True),
    "input": (lambda x, y: x, (1.0, 2.0), (3.0, 4.0), True),
    "input not used": (lambda x, y: y * y, (1.0, 2.0), (3.0, 4.0), True),
    "nan": (lambda x: x * 2.0, (1.0,), (NAN,), True),
    "no derivative at 0": (lambda x: fad.sqrt(x), (1.0,), (0.0,), True),
    "other branch": (lambda x: x * x if x > 0.0 else -3.0 * x, (1.0,), (-1.0,), False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_structures_and_types(name, watch):
    f, start, args, quick = CASES[name]
    program = fad.record(f, *start)
    program.grad(*start)
    assert_alike(program, *args)
    watch.answers.clear()
    program(*args)
    program.value_and_grad(*args)
    program.vjp(args, 1.0)
    assert watch.answers == [quick] * 3


def memory(x):
    """The same numbers in memory of other kinds, and whether they are taken where they lie or copied."""
    read_only = x.copy()
    read_only.setflags(write=False)
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    unaligned[...] = x
    return {
        "read-only": (read_only, True),
        "strided": (np.repeat(x, 3, axis=-1)[..., ::3], True),
        "backwards": (np.ascontiguousarray(x[..., ::-1])[..., ::-1], True),
        "fortran": (np.asfortranarray(x), True),
        "unaligned": (unaligned, True),
        "broadcast": (np.broadcast_to(x, x.shape), True),
        "float32": (x.astype(np.float32), False),
        "swapped": (x.astype(">f8"), False),
        "subclass": (x.view(np.recarray), False),
    }


@pytest.mark.parametrize("shape", [(1,), (6,), (2, 3)])
@pytest.mark.parametrize("alone", [True, False])
def test_memory_of_the_arguments(shape, alone, watch):
    """Every kind of array is understood; none makes numba compile the kernel again, which takes seconds."""
    x = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape) / 4.0
    rest = () if alone else (2.0,)
    program = fad.record(lambda x, y=0.5: quadratic(x) * y, np.ones(shape), *rest)
    expected = program(x, *rest), program.grad(x, *rest)
    compiled = len(kernels.point.signatures)
    for name, (array, quick) in memory(x).items():
        before = array.copy()
        for _ in range(2):
            value, gradient = program.value_and_grad(array, *rest)
            assert value == program(array, *rest) == expected[0], name
            assert_same_bits(gradient, expected[1], name)
        assert watch.last() == quick, name
        np.testing.assert_array_equal(array, before)
    assert len(kernels.point.signatures) == compiled


def test_masked_and_labelled_arrays_are_refused():
    program = fad.record(quadratic, np.ones(3))
    program.grad(np.ones(3))
    for call in (program, program.grad):
        with pytest.raises(TypeError, match="masked"):
            call(np.ma.masked_array(np.ones(3), [True, False, False]))


def test_pullbacks_of_several_results(watch):
    """Results that are inputs, numbers, the same row twice; arrays of the answer are the caller's own."""
    f = lambda x, y: [x, x[1] * y, x[1] * y, 4.0, [np.linalg.solve(np.eye(2) * y, x[:2])], x * y]  # noqa: E731
    program = fad.record(f, np.ones(3), 2.0)
    at = (np.array([1.0, 2.0, 5.0]), 3.0)
    seeds = [np.array([1.0, 10.0, 100.0]), 2.0, 3.0, 7.0, [np.array([1.0, 0.5])], np.zeros(3)]
    first = program.vjp(at, seeds)
    assert watch.last()
    assert_same_structures(first, general(program).vjp(at, seeds), assert_same_numbers)
    expected = fad.vjp(f, *at)[1](seeds)
    for ours, theirs in zip(first[1], expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-15)
    program.vjp((np.zeros(3), 1.0), seeds)
    assert_same_structures(first, general(program).vjp(at, seeds), assert_same_numbers)
    for wrong in (seeds[:-1], "seeds", np.ones(13)):
        with pytest.raises(ShapeError, match="expected a structure like"):
            program.vjp(at, wrong)


def test_a_nan_in_a_block_is_masked():
    """An infinite partial behind a block that it has no part in; the zero-factor rule, as in the general way."""
    program = fad.record(lambda x: np.linalg.det(x) + fad.where(x[0, 0] > 0.0, fad.sqrt(x[0, 0]), 0.0), np.eye(2))
    at = np.array([[0.0, 2.0], [3.0, 0.0]])
    assert_alike(program, at)
    np.testing.assert_allclose(program.grad(at), [[0.0, -3.0], [-2.0, 0.0]], atol=1e-14)


def test_blocks_that_raise(watch):
    """The error of the rule, and no frame is lost: the next call answers."""
    program = fad.record(lambda x: np.sum(np.linalg.inv(x)), np.eye(2))
    program.grad(np.eye(2))
    for _ in range(3):
        with pytest.raises(np.linalg.LinAlgError):
            program.grad(np.zeros((2, 2)))
        np.testing.assert_allclose(program.grad(2.0 * np.eye(2)), np.full((2, 2), -0.25))
        assert watch.last()


def test_a_guard_before_a_block_spares_it():
    """The other branch does not ask the rule at all, which would raise there."""
    program = fad.record(lambda x: np.sum(np.linalg.inv(x)) if x[0, 0] > 0.0 else x[1, 1] * 2.0, np.eye(2))
    program.grad(np.eye(2))
    np.testing.assert_array_equal(program.grad(np.zeros((2, 2))), [[0.0, 0.0], [0.0, 2.0]])


@pytest.mark.parametrize(
    "result",
    [
        lambda x: (x, x * x),
        lambda x: {"a": x.sum(), "b": [x, 3.0]},
        lambda x: x[:0],
        lambda x: np.outer(x, np.linalg.inv(x[:1, None] + 1.0))[:0],
        lambda x: [np.linalg.inv(x[:1, None] + 1.0), x, 3.0],
    ],
)
def test_structured_results(result, watch):
    program = fad.record(result, np.ones(3))
    x = np.array([3.0, -0.0, NAN])
    got = program(x)
    assert watch.last()
    assert_same_structures(got, general(program)(x))
    program(np.zeros(3))
    assert_same_structures(got, general(program)(x))  # no view of memory that the next call uses
    with pytest.raises(ShapeError):
        program.value_and_grad(x)
    with pytest.raises(ShapeError):
        program.value_and_grad(x)


def test_a_nan_on_the_way_is_masked():
    """0 * inf in a branch that was not taken: the plain sweep finds NaN, the masked one the derivative."""
    program = fad.record(lambda x, y: fad.where(x > 0.0, fad.sqrt(x), 0.0) + y * y, 1.0, 2.0)
    program.value_and_grad(1.0, 3.0, argnums=1)
    for argnums, expected in ((0, 0.0), (1, 6.0)):
        for x in (0.0, -0.0, 0.0):
            assert program.value_and_grad(x, 3.0, argnums=argnums) == (9.0, expected)
    assert_alike(program, 0.0, 3.0)
    assert program.grad(4.0, 3.0) == 0.25
    swapped = fad.record(lambda y, x: program._f(x, y), 2.0, 1.0)
    for _ in range(2):
        assert swapped.grad(3.0, 0.0, argnums=1) == 0.0


# -------------------- what is static --------------------


def powered(x, n, kind="a"):
    return (x**n if isinstance(n, int) else x + n) * (1.0 if kind == "a" else 10.0)


def test_static_arguments_that_change():
    program = fad.record(powered, 3.0, 2)
    for _ in range(3):
        for n, expected in ((2, 9.0), (3, 27.0), (2.0, 5.0), (2, 9.0), (True, 3.0)):
            assert program(3.0, n) == expected
            assert program(3.0, n) == expected
            assert program(3, n) == expected
            assert program.value_and_grad(3.0, n)[0] == expected
    assert len(program.variants) == 4


def test_integers_are_static_where_the_first_recording_has_one():
    """Also after a call with a float there, and inside a structure that the first recording did not have."""
    program = fad.record(powered, 3.0, 2)
    for kind in ("a", "b"):
        program(3.0, 2.0, kind)
        assert program(3.0, 2, kind) == (9.0 if kind == "a" else 90.0)
    other = fad.record(lambda d: d["a"] * 2.0 if isinstance(d, dict) else d, 1.0)
    other({"a": 1.0})
    assert other({"a": 3}) == 6.0
    with pytest.raises(TypeError, match="without a float"):
        other.grad({"a": 3})
    assert len(other.variants) == 3


def test_statics_compare_by_type():
    program = fad.record(lambda x, n: x * (2.0 if n is True else 3.0), 1.0, True)
    assert [program(1.0, n) for n in (True, 1, True, 1)] == [2.0, 3.0, 2.0, 3.0]


def test_structures_that_look_alike():
    """A list is no tuple, an OrderedDict no dict, two keys are not others: each is recorded, none mistaken."""
    names = {tuple: 1.0, list: 2.0, Point: 3.0, dict: 4.0}

    def f(p):
        return names[type(p)] * (p["x"] - p["y"] if isinstance(p, dict) else p[0] - p[1])

    program = fad.record(f, (1.0, 2.0))
    args = [(5.0, 3.0), [5.0, 3.0], Point(5.0, 3.0), {"x": 5.0, "y": 3.0}, OrderedDict(x=5.0, y=3.0)]
    for _ in range(2):
        for arg in args:
            for _ in range(2):
                value, gradient = program.value_and_grad(arg)
                kind = dict if isinstance(arg, dict) else type(arg)
                assert (value, type(gradient)) == (2.0 * names[kind], kind)
    assert len(program.variants) == 5
    with pytest.raises(KeyError):
        program({"x": 5.0, "z": 3.0})
    with pytest.raises(IndexError):
        program((5.0,))


def test_shapes_and_numbers_of_arguments_that_change():
    program = fad.record(lambda *args: sum(a.sum() for a in args), np.ones(3))
    assert [program(np.ones(k)) for k in (3, 4, 3)] == [3.0, 4.0, 3.0]
    assert program(np.ones((3, 1))) == 3.0
    assert program(np.ones(3)) == 3.0
    assert program(np.ones(3), np.ones(2)) == 5.0
    assert program(np.ones(3), np.ones(2), np.ones(1)) == 6.0
    assert program(np.ones(3), np.ones(2)) == 5.0


def test_the_order_of_keys_does_not_matter():
    program = fad.record(lambda d: d["a"] - 2.0 * d["b"], {"a": 1.0, "b": 2.0})
    for _ in range(2):
        assert program({"b": 4.0, "a": 3.0}) == program({"a": 3.0, "b": 4.0}) == -5.0
        assert program.grad({"b": 4.0, "a": 3.0}) == {"a": 1.0, "b": -2.0}
    assert len(program.variants) == 1


# -------------------- guards --------------------


def tariff(x):
    return x * x if x > 1.0 else 5.0 * x if x > 0.0 else -x


def test_branches_and_back(watch):
    program = fad.record(tariff, 2.0)
    program.grad(2.0)
    expected = {3.0: (9.0, 6.0), 0.5: (2.5, 5.0), -4.0: (4.0, -1.0)}
    watch.answers.clear()
    for x in (3.0, 0.5, 3.0, -4.0, 0.5, 3.0):
        assert program(x) == expected[x][0]
        assert program.value_and_grad(x) == expected[x]
        assert watch.answers[-2:] == [x == 3.0] * 2
    counts = [variant.scenarios for variant in program.variants]
    assert counts == [7, 4, 2]  # with the first gradient


def test_modes():
    program = fad.record(tariff, 2.0)
    program.grad(2.0)
    program.on_divergence = "raise"
    out = np.array([7.0])
    with pytest.raises(DivergenceError, match=r"x > 1\.0"):
        program(0.5)
    with pytest.raises(DivergenceError):
        program.grad(0.5)
    assert program.value_and_grad(3.0) == (9.0, 6.0)
    program.on_divergence = "ignore"
    assert program.value_and_grad(0.5) == (0.25, 1.0)
    program.on_divergence = "rerecord"
    assert program.value_and_grad(0.5) == (2.5, 5.0)
    vector = fad.record(lambda x: tariff(x[0]), np.array([2.0]))
    vector.grad(np.array([2.0]))
    vector.on_divergence = "raise"
    with pytest.raises(DivergenceError):
        vector.grad(np.array([0.5]), out=out)
    assert out == [7.0]


def test_frozen_numbers_guard():
    program = fad.record(lambda x, y: x * fad.value(y), 1.0, 2.0)
    for y in (2.0, 3.0, 2.0, 4.0):
        assert program.value_and_grad(5.0, y) == (5.0 * y, y)
    assert [v.scenarios for v in program.variants] == [2, 1, 1]


def test_counts_of_both_ways_agree():
    quick, slow = fad.record(tariff, 2.0), general(fad.record(tariff, 2.0))
    for x in (2.0, 3.0, 0.5, -1.0, 2.0):
        for program in (quick, slow):
            program(x)
            program.grad(x)
    assert quick.variants == slow.variants


# -------------------- argnums and out --------------------


def test_argnums(watch):
    program = fad.record(lambda x, y, z: x * y + z[0] * z[1] * x, 2.0, 3.0, np.ones(2))
    args = (5.0, 7.0, np.array([2.0, 3.0]))
    by_x, by_y, by_z = 13.0, 5.0, np.array([15.0, 10.0])
    gradients = ((0, by_x), (1, by_y), (2, by_z), (-1, by_z), (-3, by_x), (True, by_y), (False, by_x))
    gradients += (((0, 1), (by_x, by_y)), ([2, 0], (by_z, by_x)), ((-2,), (by_y,)), ((1, 2), (by_y, by_z)))
    for _ in range(2):
        for argnums, expected in gradients:
            for call in range(2):
                assert_same_structures(program.grad(*args, argnums=argnums), expected)
                assert watch.last() or call == 0
        assert program.grad(*args, argnums=[1, 0]) == (5.0, 13.0)
        assert program.grad(*args, argnums=(0,)) == (13.0,)
        for wrong in (0.0, 1.0, np.int64(0), "0", None, [0.0], {0}):
            with pytest.raises(TypeError):
                program.grad(*args, argnums=wrong)
        for wrong in (3, -4, [0, 0], (0, -3)):
            with pytest.raises(ShapeError):
                program.grad(*args, argnums=wrong)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 1, 2), (0,)])
def test_out(shape, watch):
    program = fad.record(lambda x, y: (x * x).sum() * y, np.ones(shape), 2.0)
    x = np.arange(float(np.prod(shape))).reshape(shape)
    for _ in range(3):
        out = np.full(shape, NAN)
        value, gradient = program.value_and_grad(x, 3.0, out=out)
        assert gradient is out
        assert_same_bits(out, 6.0 * x)
        assert value == 3.0 * (x * x).sum()
        assert program.grad(x, 3.0, out=out) is out
    assert watch.last() or not x.size  # without elements there is nothing to be quick about


def test_out_of_every_layout():
    program = fad.record(lambda x: (x * x).sum(), np.ones((2, 3)))
    x = np.arange(6.0).reshape(2, 3)
    program(x)
    outs = [np.zeros((3, 2)).T, np.zeros((2, 6))[:, ::2], np.zeros((2, 3)).view(np.recarray), np.zeros((2, 3))[::-1]]
    compiled = len(kernels.point.signatures)
    for _ in range(2):
        for out in outs:
            out[...] = NAN
            assert program.grad(x, out=out) is out
            assert_same_bits(np.asarray(out), 2.0 * x)
    assert len(kernels.point.signatures) == compiled


def test_out_that_is_the_argument():
    """Gradient descent in place, and memory that overlaps by half: the argument is read before it is written."""
    program = fad.record(lambda x: (x * x * x).sum(), np.ones(4))
    for _ in range(3):
        x = np.arange(1.0, 5.0)
        assert program.value_and_grad(x, out=x) == (100.0, x)
        assert_same_bits(x, 3.0 * np.arange(1.0, 5.0) ** 2)
        both = np.arange(1.0, 7.0)
        program.grad(both[:4], out=both[2:])
        assert_same_bits(both[2:], 3.0 * np.arange(1.0, 5.0) ** 2)


READ_ONLY = np.zeros(3)
READ_ONLY.setflags(write=False)
WRONG_OUT = {
    "short": (np.zeros(2), ShapeError),
    "column": (np.zeros((3, 1)), ShapeError),
    "list": ([0.0] * 3, ShapeError),
    "point": (np.zeros(()), ShapeError),
    "float32": (np.zeros(3, np.float32), TypeError),
    "integers": (np.zeros(3, int), TypeError),
    "swapped": (np.zeros(3, ">f8"), TypeError),
    "read-only": (READ_ONLY, ValueError),
}


@pytest.mark.parametrize("name", WRONG_OUT)
def test_wrong_out(name):
    """The same error in every call, and nothing written."""
    out, error = WRONG_OUT[name]
    program = fad.record(quadratic, np.ones(3))
    program(np.ones(3))
    compiled = len(kernels.point.signatures)
    for _ in range(3):
        with pytest.raises(error):
            program.grad(np.ones(3), out=out)
        assert not np.any(out)
        program.grad(np.ones(3))
    assert len(kernels.point.signatures) == compiled


@pytest.mark.parametrize(
    ("f", "args", "size"),
    [
        (lambda x: x * x, (2.0,), 1),
        (lambda p: p[0] * p[1], ((2.0, 3.0),), 2),
        (lambda d: d["a"] * d["b"].sum(), ({"a": 2.0, "b": np.ones(2)},), 3),
        (quadratic, (np.ones((2, 3)),), 6),
    ],
)
def test_flat_out_of_a_structure(f, args, size):
    """Only a gradient that is one array has an out, of its own shape: learning the layout changes nothing."""
    program = fad.record(f, *args)
    for _ in range(3):
        for out in (np.zeros(size), np.zeros(())):
            with pytest.raises(ShapeError):
                program.grad(*args, out=out)
        program.grad(*args)


def test_results_are_not_shared_between_calls():
    program = fad.record(lambda x: (x * x).sum(), np.ones(3))
    gradients = [program.grad(np.full(3, float(i))) for i in range(4)]
    for i, gradient in enumerate(gradients):
        assert_same_bits(gradient, np.full(3, 2.0 * i))
        assert gradient.flags.writeable


# -------------------- actives, files, threads --------------------


def test_actives_are_not_taken_for_numbers():
    program = fad.record(lambda x: x * x, 2.0)
    program.grad(2.0)
    assert fad.grad(lambda x: program(x))(3.0) == 6.0
    assert fad.grad(lambda x: x * program(3.0))(2.0) == 9.0


def test_pickled_and_loaded_programs(tmp_path):
    program = fad.record(tariff, 2.0)
    program.grad(0.5)
    program.save(tmp_path / "tariff.npz")
    for copy in (pickle.loads(pickle.dumps(program)), fad.load(tmp_path / "tariff.npz")):
        for _ in range(3):
            for x in (3.0, 4, 0.5):
                assert copy(x) == program(x)
                assert copy.value_and_grad(x) == program.value_and_grad(x)
    with pytest.raises(DivergenceError):
        copy(-1.0)
    with pytest.raises(StaticArgumentError):
        copy("text")


def long_function(x):
    s, p = x[0], x[1]
    for i in range(400):
        s, p = fad.sin(s + 0.1 * p) + x[i % x.size], fad.tanh(p * s)
    return s * p


@pytest.mark.parametrize("sizes", [(5,), (5, 7)])
def test_threads(sizes):
    """Eight threads in one program, with branches, of one shape and of two: each gets the bits of its own point."""
    program = fad.record(lambda x: long_function(x) if x[0] > -0.5 else x.sum(), np.linspace(0.0, 1.0, 5))
    rng = np.random.default_rng(7)
    points = [rng.normal(size=sizes[i % len(sizes)]) for i in range(24)]
    slow = general(program)
    expected = [slow.value_and_grad(x) for x in points]

    def work(seed):
        for i in np.random.default_rng(seed).integers(0, len(points), 150):
            value, gradient = program.value_and_grad(points[i])
            if value != expected[i][0] or (gradient != expected[i][1]).any() or program(points[i]) != value:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_calls_at_the_same_time_have_memory_of_their_own():
    """Three calls meet inside the kernel: no two may hold one frame, and afterwards all are used again."""
    meeting, frames, plain = threading.Barrier(3, timeout=20.0), [], point_kernels.entry(point_kernels.point)

    def point(frame, *rest):
        frames.append(frame)
        meeting.wait()
        return plain(frame, *rest)

    def calls():
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(program.value_and_grad, (1.0, 2.0, 3.0)))

    with mock.patch.object(point_kernels, "entry", return_value=point):
        program = fad.record(lambda x: x * x, 2.0)
        program.grad(2.0)
    for _ in range(2):
        assert calls() == [(1.0, 2.0), (4.0, 4.0), (9.0, 6.0)]
    assert len(set(frames[:3])) == 3
    assert set(frames[3:]) == set(frames[:3])


def test_memory_is_given_back_after_an_error():
    plain = mock.Mock(side_effect=point_kernels.entry(point_kernels.point))
    with mock.patch.object(point_kernels, "entry", return_value=plain):
        program = fad.record(lambda x: x * x, 2.0)
        program(1.0)
    works, plain.side_effect = plain.side_effect, MemoryError
    with pytest.raises(MemoryError):
        program(3.0)
    plain.side_effect = works
    assert program(3.0) == 9.0
    assert len({call.args[0] for call in plain.call_args_list}) == 1  # always the same frame
    assert plain.call_count >= 2


def test_programs_without_rows_or_inputs():
    nothing = fad.record(lambda a: 1.5, np.zeros(0))
    for _ in range(2):
        assert nothing(np.zeros(0)) == 1.5
        value, gradient = nothing.value_and_grad(np.zeros(0))
        assert (value, gradient.size) == (1.5, 0)
    static = fad.record(lambda n: float(n), 3)
    assert [static(n) for n in (3, 4, 3)] == [3.0, 4.0, 3.0]
