"""Flattening and rebuilding of nestings; the oracle is the structure itself."""

import dataclasses
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import fastad as fad
from fastad.structure import (
    flatten,
    flatten_like,
    is_active,
    is_float,
    is_number,
    is_result,
    leaf_shapes,
)

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Vol:
    level: float
    skew: float

    def __post_init__(self):
        if not self.level > 0.0:
            raise ValueError("a volatility is positive")


@dataclasses.dataclass
class Market:
    spot: float
    curve: list
    vol: Vol
    name: str = "desk"


STRUCTURES = {
    "number": (1.5, [1.5]),
    "tuple": ((1.0, 2.0), [1.0, 2.0]),
    "nested": ([1.0, (2.0, [3.0]), {"a": 4.0}], [1.0, 2.0, 3.0, 4.0]),
    "empty": ({"a": (), "b": [], "c": {}}, []),
    "dict keeps its order": ({"b": 1.0, "a": 2.0}, [1.0, 2.0]),
    "namedtuple": (Point(1.0, (2.0, 3.0)), [1.0, 2.0, 3.0]),
    "dataclass": (Market(1.0, [2.0, 3.0], Vol(4.0, 5.0)), [1.0, 2.0, 3.0, 4.0, 5.0]),
    "static ends": (("a", None, True, 1.0, b"x"), [1.0]),
}


@pytest.mark.parametrize(("structure", "leaves"), STRUCTURES.values(), ids=STRUCTURES)
def test_flatten_and_back(structure, leaves):
    found, spec = flatten(structure)
    assert found == leaves
    assert spec.n_leaves == len(leaves)
    rebuilt = spec.unflatten(found)
    assert rebuilt == structure
    assert type(rebuilt) is type(structure)
    assert repr(rebuilt) == repr(structure)  # dict order and classes at every depth
    doubled = spec.unflatten([2.0 * x for x in leaves])
    assert flatten(doubled)[0] == [2.0 * x for x in leaves]
    assert flatten(doubled)[1].key() == spec.key()


def test_static_ends_become_none_unless_kept():
    _, spec = flatten(Market(1.0, [2.0], Vol(3.0, 4.0)))
    gradient = spec.unflatten([10.0, 20.0, 30.0, 40.0], keep_static=False)
    assert gradient == Market(10.0, [20.0], Vol(30.0, 40.0), None)


def test_rebuilding_does_not_meet_validation():
    """A derivative may be negative where the value must not be."""
    _, spec = flatten(Vol(0.2, 0.0))
    vol = spec.unflatten([-1.0, 2.0])
    assert (type(vol), vol.level, vol.skew) == (Vol, -1.0, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        vol.level = 0.0


def test_rebuilding_does_not_touch_the_original():
    original = {"a": [1.0], "b": Market(1.0, [2.0], Vol(3.0, 4.0))}
    leaves, spec = flatten(original)
    rebuilt = spec.unflatten([-x for x in leaves])
    assert original == {"a": [1.0], "b": Market(1.0, [2.0], Vol(3.0, 4.0))}
    assert rebuilt["a"] is not original["a"]
    assert rebuilt["b"] is not original["b"]


DIFFERENT = [
    1.0,
    [1.0],
    (1.0,),
    (1.0, 2.0),
    {"a": 1.0},
    {"b": 1.0},
    OrderedDict(a=1.0),
    {"a": 1.0, "b": 2.0},
    {"b": 2.0, "a": 1.0},
    Point(1.0, 2.0),
    Vol(1.0, 2.0),
    (1.0, None),
    (1.0, "1.0"),
    (1.0, True),
    (1.0, 1),
    (1.0, 2),
    (1.0, np.array([1, 2])),
    (1.0, np.array([1, 3])),
    (1.0, np.array([[1, 2]])),
    (1.0, np.array([1, 2], np.int32)),
    (1.0, {1, 2}),
]


def test_keys_tell_structures_and_statics_apart():
    """All of these differ in kind, names, class or a static end, so a recording of one must not serve another."""
    keys = [flatten(s, is_float)[1].key() for s in DIFFERENT]
    assert len(set(keys)) == len(DIFFERENT)
    assert flatten({"a": 5.0}, is_float)[1].key() == flatten({"a": 1.0}, is_float)[1].key()
    first, second = (flatten((x, np.array([1, 2])), is_float)[1].key() for x in (1.0, 9.0))
    assert first == second


def test_paths_are_how_python_reaches_a_leaf():
    market = {"m": Market(1.0, [2.0, {"k": 3.0}], Vol(4.0, 5.0)), "p": Point(6.0, (7.0,)), 3: 8.0}
    leaves, spec = flatten(market)
    paths = spec.paths("data")
    assert paths == [
        "data.m.spot",
        "data.m.curve[0]",
        "data.m.curve[1].k",
        "data.m.vol.level",
        "data.m.vol.skew",
        "data.p.x",
        "data.p.y[0]",
        "data[3]",
    ]
    assert len(paths) == len(leaves)
    assert flatten(market)[1].paths()[0] == "m.spot"
    assert flatten(2.0)[1].paths("x") == ["x"]


@pytest.mark.parametrize(
    ("value", "number", "real"),
    [
        (1.0, True, True),
        (np.float64(1.0), True, True),
        (np.float32(1.0), True, True),
        (np.zeros(2, np.float32), True, True),
        (np.zeros(0), True, True),
        (1, True, False),
        (np.int64(1), True, False),
        (np.zeros(2, int), True, False),
        (np.zeros(2, np.uint8), True, False),
        (True, False, False),
        (np.bool_(True), False, False),
        (np.zeros(2, bool), False, False),
        (1j, False, False),
        (np.zeros(2, complex), False, False),
        (np.array(["a"]), False, False),
        ("1.0", False, False),
        (None, False, False),
    ],
)
def test_what_is_a_leaf(value, number, real):
    """design.md section 2: ints of a differentiated argument become floats, elsewhere they are static."""
    assert (is_number(value), is_float(value)) == (number, real)
    assert not is_active(value)
    assert is_result(value) == number


def test_actives_are_leaves_of_results_only():
    tape = fad.Tape()
    for value in (tape.input(1.0), tape.inputs([1.0, 2.0])):
        assert is_active(value)
        assert is_result(value)
        assert not is_number(value)
        assert not is_float(value)


def test_shapes():
    leaves, _ = flatten((1.0, np.zeros((2, 3)), {"a": np.zeros(0)}, np.float64(2.0), 3))
    assert leaf_shapes(leaves) == [(), (2, 3), (0,), (), ()]


def test_flatten_like_takes_integers_where_floats_were():
    _, like = flatten({"a": 1.0, "n": 3, "v": np.zeros(2)}, is_float)
    leaves, spec = flatten_like(like, {"a": 2, "n": 4, "v": np.array([1, 2])}, is_float)
    assert [type(leaf) for leaf in leaves] == [int, np.ndarray]
    assert spec.unflatten(leaves)["n"] == 4
    assert spec.key() == flatten({"a": 1.0, "n": 4, "v": np.zeros(2)}, is_float)[1].key()


def test_flatten_like_goes_by_name():
    """An integer stays static when a dict lists its keys in another order."""
    _, like = flatten({"a": 1.0, "n": 3}, is_float)
    leaves, _ = flatten_like(like, {"n": 3, "a": 1.0}, is_float)
    assert leaves == [1.0]


def test_flatten_like_of_another_structure_is_plain_flatten():
    _, like = flatten((1.0, 2.0), is_float)
    for other in ((1.0, 2.0, 3), 5.0, {"a": (1.0, 2)}, [3.0]):
        leaves, spec = flatten_like(like, other, is_float)
        expected, plain = flatten(other, is_float)
        assert leaves == expected
        assert spec.key() == plain.key()
