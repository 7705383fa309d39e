"""Structures as vectors and back; the oracle is NumPy's own ravel and reshape."""

from collections import namedtuple

import numpy as np
import pytest

import fastad as fad
from fastad.errors import NestingError, ShapeError
from fastad.packing import Packing, nest, pack

Curve = namedtuple("Curve", "rate vols")
STRUCTURE = {"spot": 100, "curve": Curve(0.05, np.arange(6.0).reshape(2, 3)), "name": "x", "n": [np.float32(0.5), ()]}
VECTOR = [100.0, 0.05, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.5]


def same(a, b):
    return repr(a) == repr(b)  # arrays inside a structure have no ==


def test_layout():
    packing, vector = Packing.of(STRUCTURE)
    assert vector.dtype == np.float64
    assert vector.tolist() == VECTOR
    assert packing.size == 9
    assert packing.shapes == [(), (), (2, 3), ()]
    assert packing.sizes == [1, 1, 6, 1]
    assert packing.ends == [0, 1, 2, 8, 9]
    assert packing.names() == [
        "spot",
        "curve.rate",
        *(f"curve.vols[{i}][{j}]" for i in range(2) for j in range(3)),
        "n[0]",
    ]


def test_unpack_is_the_inverse():
    packing, vector = Packing.of(STRUCTURE)
    back = packing.unpack(vector, keep_static=True)
    expected = {"spot": 100.0, "curve": Curve(0.05, np.arange(6.0).reshape(2, 3)), "name": "x", "n": [0.5, ()]}
    assert same(back, expected)
    assert isinstance(back["spot"], float)
    assert packing.unpack(vector)["name"] is None


def test_unpack_keeps_leading_axes():
    packing, _ = Packing.of(STRUCTURE)
    rows = np.arange(2 * 4 * 9.0).reshape(2, 4, 9)
    back = packing.unpack(rows)
    np.testing.assert_array_equal(back["spot"], rows[..., 0])
    np.testing.assert_array_equal(back["curve"].vols, rows[..., 2:8].reshape(2, 4, 2, 3))
    assert back["n"][0].shape == (2, 4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_laid_out_in_c_order(order):
    array = np.array(np.arange(6).reshape(2, 3), order=order)
    packing, vector = Packing.of((array, array.T, array[:, ::2]))
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 0, 3, 1, 4, 2, 5, 0, 2, 3, 5]
    for got, want in zip(packing.unpack(vector), (array, array.T, array[:, ::2])):
        np.testing.assert_array_equal(got, want)


def test_nothing():
    packing, vector = Packing.of(("a", None, []))
    assert (packing.size, vector.shape, packing.names(), packing.shapes) == (0, (0,), [], [])
    empty, vector = Packing.of((np.zeros((0, 3)), 1.0))
    assert (empty.size, vector.tolist(), empty.names()) == (1, [1.0], ["[1]"])
    assert empty.unpack(vector)[0].shape == (0, 3)


def test_matches():
    packing, _ = Packing.of({"a": 1.0, "b": np.zeros(2)})
    assert packing.matches({"a": 3, "b": np.array([4, 5])}).tolist() == [3.0, 4.0, 5.0]
    for other in ({"a": 1.0, "b": np.zeros(3)}, {"a": 1.0}, [1.0, np.zeros(2)], {"a": np.zeros(1), "b": np.zeros(2)}):
        with pytest.raises(ShapeError, match=r"expected a structure like .*float\[2\]"):
            packing.matches(other)


def test_actives_do_not_pack():
    tape = fad.Tape()
    with pytest.raises(NestingError, match=r"fad\.value"):
        pack([1.0, tape.input(2.0)])


def test_nest():
    """Leaf shape is the result's plus the argument's: the derivative of output i by input j at its own place."""
    outputs, _ = Packing.of((1.0, {"v": np.zeros((2, 2))}))
    inputs, _ = Packing.of({"s": 1.0, "w": np.zeros(3), "name": "x"})
    derivative = np.arange(5 * 4.0).reshape(5, 4)
    got = nest(outputs, inputs, derivative)
    assert same(got[0], {"s": 0.0, "w": np.array([1.0, 2.0, 3.0]), "name": None})
    assert got[1]["v"]["s"].shape == (2, 2)
    assert got[1]["v"]["w"].shape == (2, 2, 3)
    np.testing.assert_array_equal(got[1]["v"]["s"], derivative[1:, 0].reshape(2, 2))
    np.testing.assert_array_equal(got[1]["v"]["w"], derivative[1:, 1:].reshape(2, 2, 3))
    stacked = nest(outputs, inputs, np.stack([derivative, -derivative]))
    assert stacked[1]["v"]["w"].shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(stacked[1]["v"]["w"][1], -got[1]["v"]["w"])
