"""Inputs gathered into slots, against NumPy's indexing; batches read the caller's arrays where they lie."""

import tracemalloc

import numba
import numpy as np
import pytest
from helpers_core import assert_same_bits

import fastad as fad
from fastad.kernels._simd import address, transpose
from fastad.kernels.gather import gather
from fastad.program.batch import Gathered

CONSECUTIVE = np.empty(0, np.int64)


@numba.njit
def transposed(sources, source_offset, targets, target_offset):
    """The intrinsic under test on arrays of addresses."""
    transpose(address(sources), source_offset, address(targets), target_offset)


@pytest.mark.parametrize(("source_offset", "target_offset"), [(0, 0), (3, 0), (0, 5), (1, 7)])
def test_transpose(source_offset, target_offset):
    """64 different numbers, each in its place, and nothing written beside the tile."""
    source, target = np.arange(8 * 16, dtype=float).reshape(8, 16), np.full((8, 16), np.nan)
    rows, columns = (np.array([a[i].ctypes.data for i in range(8)]) for a in (source, target))
    transposed(rows, source_offset, columns, target_offset)
    expected = np.full((8, 16), np.nan)
    expected[:, target_offset : target_offset + 8] = source[:, source_offset : source_offset + 8].T
    assert_same_bits(target, expected)


def gathered(arrays, slots, scenarios, group, count, n_slots, strides=None):
    """The workspace after gathering one group; NaN where nothing was written, as in front of it and behind it."""
    memory = np.full((n_slots + 2, 64), np.nan)
    sizes = [len(s) for s in slots]
    strides = np.array(sizes if strides is None else strides, np.int64)
    starts = np.cumsum([0, *sizes])
    inputs = Gathered(arrays, strides, starts, np.concatenate(slots).astype(np.int32))
    gather(inputs.arguments(), scenarios, group, count, memory[1:-1])
    assert np.isnan(memory[[0, -1]]).all()
    return memory[1:-1]


def expected(arrays, slots, rows, n_slots):
    """The same by indexing: one row of each array per lane."""
    workspace = np.full((n_slots, 64), np.nan)
    for array, own in zip(arrays, slots):
        for column, slot in enumerate(own):
            if slot >= 0:
                workspace[slot] = array[rows, column]
    return workspace


def lanes(first, count):
    """Scenario of every lane of a group: those beyond its end repeat its last."""
    return first + np.minimum(np.arange(64), count - 1)


def numbers(*shape):
    return np.random.default_rng(3).normal(size=shape)


@pytest.mark.parametrize("columns", range(1, 21))
def test_columns(columns):
    """Whole tiles, a tile that covers elements again, and fewer columns than a tile; slots in any order."""
    array = numbers(140, columns)
    slots = [np.random.default_rng(columns).permutation(columns + 3)[:columns]]
    for group, count in ((0, 64), (1, 64), (2, 12)):
        got = gathered([array], slots, CONSECUTIVE, group, count, columns + 3)
        assert_same_bits(got, expected([array], slots, lanes(64 * group, count), columns + 3), f"group {group}")


@pytest.mark.parametrize("columns", [1, 7, 8, 13])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 63, 64])
def test_counts(columns, count):
    array = numbers(count, columns)
    slots = [np.arange(columns)]
    got = gathered([array], slots, CONSECUTIVE, 0, count, columns)
    assert_same_bits(got, expected([array], slots, lanes(0, count), columns))


@pytest.mark.parametrize("columns", [1, 8, 9, 16, 20])
def test_dropped_slots(columns):
    """Each input dropped in turn, then all but one: the others still stand where they should."""
    array = numbers(64, columns)
    for dropped in range(columns):
        for alone in (False, True):
            slots = np.arange(columns)
            slots[(slots == dropped) != alone] = -1
            got = gathered([array], [slots], CONSECUTIVE, 0, 64, columns)
            assert_same_bits(got, expected([array], [slots], lanes(0, 64), columns), f"{dropped} {alone}")


@pytest.mark.parametrize("columns", [1, 5, 8, 11])
def test_listed_scenarios(columns):
    """Scenarios in any order and repeated; the last one stands in for those that a group lacks."""
    array = numbers(300, columns)
    listed = np.random.default_rng(4).integers(0, 300, 64 + 17)
    slots = [np.arange(columns)[::-1]]
    for group, count in ((0, 64), (1, 17)):
        rows = listed[group * 64 + np.minimum(np.arange(64), count - 1)]
        got = gathered([array], slots, listed, group, count, columns)
        assert_same_bits(got, expected([array], slots, rows, columns))


def test_several_arrays_and_strides():
    """Arrays of several widths, one the same for all scenarios (step 0) and one that skips every other row."""
    wide, narrow, same, sparse = numbers(64, 17), numbers(64, 3), numbers(1, 9), numbers(128, 10)
    slots = np.split(np.random.default_rng(5).permutation(39), [17, 20, 29])
    slots[0][4] = slots[3][0] = -1
    got = gathered([wide, narrow, same, sparse], slots, CONSECUTIVE, 0, 50, 39, strides=[17, 3, 0, 20])
    shown = [wide, narrow, np.repeat(same, 64, axis=0), sparse[::2]]
    assert_same_bits(got, expected(shown, slots, lanes(0, 50), 39))


def test_no_inputs():
    assert np.isnan(gathered([], [np.empty(0, int)], CONSECUTIVE, 0, 64, 2, strides=[])).all()


# -------------------- through batches --------------------


def total(a, b):
    weights = np.arange(1.0, a.size + 1.0)
    return (a * weights).sum() + (b * b).sum()


def layouts(x):
    """The same numbers in other layouts and types, all exact in float32."""
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    unaligned[:] = x
    read_only = x.copy()
    read_only.setflags(write=False)
    return {
        "fortran": np.asfortranarray(x),
        "strided": np.repeat(x, 2, axis=0)[::2],
        "columns": np.repeat(x, 2, axis=1)[:, ::2],
        "backwards": np.ascontiguousarray(x[::-1])[::-1],
        "float32": x.astype(np.float32),
        "swapped": x.astype(">f8"),
        "unaligned": unaligned,
        "read-only": read_only,
        "subclass": x.view(np.recarray),
        "broadcast": np.broadcast_to(x, x.shape),
    }


@pytest.mark.parametrize("columns", [1, 8, 19])
def test_layouts_of_the_arrays(columns):
    """Which memory the numbers stand in does not matter, nor does a batch change it."""
    n = 131
    rng = np.random.default_rng(6)
    a, b = (rng.integers(-8, 8, (n, columns)) / 4.0 for _ in range(2))
    program = fad.record(total, a[0], b[0])
    weights = np.arange(1.0, columns + 1.0)
    for name, array in layouts(a).items():
        before = array.copy()
        result = program.batch(array, b, wrt=(0, 1))
        assert_same_bits(result.gradient[0], np.broadcast_to(weights, (n, columns)), name)
        assert_same_bits(result.gradient[1], 2.0 * b, name)
        np.testing.assert_array_equal(result.value, (a * weights).sum(1) + (b * b).sum(1), name)
        np.testing.assert_array_equal(array, before)


def test_a_result_is_no_view_of_the_arguments():
    program = fad.record(lambda x: x, np.ones(3))
    x = numbers(70, 3)
    result = program.batch(x)
    assert_same_bits(result.value, x)
    assert not np.shares_memory(result.value, x)


def test_batches_do_not_copy_their_arguments():
    """24 MB go in; what a batch takes for itself does not grow with the columns of its scenarios."""
    program = fad.record(lambda a, b: (a * b).sum(), np.ones(60), 2.0)
    a, b = np.ones((50_000, 60)), np.ones(50_000)
    program.batch(a, b, wrt=1, reduce="sum", threads=1)
    tracemalloc.start()
    try:
        program.batch(a, b, wrt=1, reduce="sum", threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < a.nbytes / 6
