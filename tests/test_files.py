"""Programs saved, loaded, pickled, damaged: the same numbers, or a clear error."""

import io
import pickle
import subprocess
import sys
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pytest

import fastad as fad
from fastad.errors import DivergenceError, FastadError, ProgramFormatError, StaticArgumentError
from fastad.program.files import from_bytes, to_bytes

DAMAGED_FILES = 10_000


class Point(NamedTuple):
    x: float
    y: float


def tariff(params, steps, point, z):
    """Branches, a choice as data, a static count, several outputs; module level, so that pickle finds it."""
    level = params["a"] * z[0] + point.x
    for _ in range(steps):
        level = level * 0.5 + z[1]
    if level > params["b"]:
        return {"v": level * level, "w": fad.where(z[1] > 0.0, point.y * z[1], level)}
    return {"v": fad.exp(level), "w": params["b"]}


PARAMS, POINT = {"a": 1.5, "b": 0.25}, Point(0.1, 2.0)
Z = np.random.default_rng(0).normal(size=(500, 2))


@pytest.fixture
def program():
    recorded = fad.record(tariff, PARAMS, 2, POINT, Z[0])
    recorded.batch(PARAMS, 2, POINT, Z, axes=(None, None, None, 0))
    recorded(PARAMS, 3, POINT, Z[0])  # another static argument: another trie
    return recorded


def numbers(program, **run):
    result = program.batch(PARAMS, 2, POINT, Z, axes=(None, None, None, 0), wrt=(0, 2), **run)
    leaves = []

    def visit(node):
        if isinstance(node, dict):
            node = list(node.values())
        if isinstance(node, list | tuple):
            for item in node:
                visit(item)
        elif node is not None:
            leaves.append(np.asarray(node))

    visit([result.value, result.gradient])
    return leaves


def same_bits(a, b):
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b))


@pytest.mark.parametrize("reduce", [None, "mean"])
def test_a_loaded_program_gives_the_same_bits(program, tmp_path, reduce):
    program.save(tmp_path / "f.npz")
    loaded = fad.load(tmp_path / "f.npz")
    assert len(loaded.variants) == len(program.variants) > 2
    assert same_bits(numbers(loaded, reduce=reduce), numbers(program, reduce=reduce))
    value = loaded(PARAMS, 3, POINT, Z[0])
    assert value == program(PARAMS, 3, POINT, Z[0]) == tariff(PARAMS, 3, POINT, Z[0])


def test_a_loaded_program_cannot_record(tmp_path):
    fad.record(tariff, PARAMS, 2, POINT, Z[0]).save(tmp_path / "f.npz")
    loaded = fad.load(tmp_path / "f.npz")
    assert loaded.on_divergence == "raise"
    with pytest.raises(DivergenceError, match=r"test_files\.py"):
        numbers(loaded)
    with pytest.raises(StaticArgumentError, match="without its function"):
        loaded(PARAMS, 5, POINT, Z[0])
    with pytest.raises(ValueError, match="cannot record again"):
        loaded.on_divergence = "rerecord"


def test_pickle_keeps_an_importable_function(program):
    copy = pickle.loads(pickle.dumps(program))
    assert copy.on_divergence == "rerecord"
    assert same_bits(numbers(copy), numbers(program))
    assert copy(PARAMS, 7, POINT, Z[0]) == tariff(PARAMS, 7, POINT, Z[0])


def test_pickle_drops_a_local_function():
    program = fad.record(lambda x: x * x if x > 0.0 else -x, 2.0)
    copy = pickle.loads(pickle.dumps(program))
    assert copy(3.0) == 9.0
    assert copy.on_divergence == "raise"
    with pytest.raises(DivergenceError):
        copy(-1.0)


def test_another_process_replays_without_compiling(program, tmp_path):
    """The oracle is this process: the bits must travel."""
    numbers(program)  # the kernels are in the cache now
    (tmp_path / "p.pickle").write_bytes(pickle.dumps(fad.record(np.square, 3.0)))
    code = (
        "import pickle, sys; from numba.core import event; seen = []\n"
        "class Count(event.Listener):\n"
        "    def on_start(self, e): seen.append(e.data['dispatcher'].py_func.__name__)\n"
        "    def on_end(self, e): pass\n"
        "event.register('numba:compile', Count())\n"
        "import numpy as np; p = pickle.load(open(sys.argv[1], 'rb'))\n"
        "r = p.batch(np.arange(70.0)); print(r.value.sum(), r.gradient.sum(), seen)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "p.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    x = np.arange(70.0)
    assert done.stdout.split() == [str((x * x).sum()), str((2.0 * x).sum()), "[]"]


def test_what_cannot_be_saved_says_so(tmp_path):
    program = fad.record(lambda x, flag: x * 2.0, 1.0, object)
    with pytest.raises(TypeError, match="static argument of type type cannot be saved"):
        program.save(tmp_path / "f.npz")


def test_a_class_that_is_not_imported_becomes_a_namedtuple_like_it(program, tmp_path, monkeypatch):
    program.save(tmp_path / "f.npz")
    monkeypatch.delattr(sys.modules[__name__], "Point")
    loaded = fad.load(tmp_path / "f.npz")
    point = loaded._like.spec.children[2].cls(0.1, 2.0)
    assert (type(point).__name__, point._fields) == ("Point", ("x", "y"))
    assert loaded(PARAMS, 2, point, Z[0]) == tariff(PARAMS, 2, POINT, Z[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h | {"format": "other"}, "not a saved Program"),
        (lambda h: h | {"version": 99}, "version is 99"),
        (lambda h: h | {"ops": 250}, "newer fastad"),
    ],
)
def test_foreign_and_newer_files(program, change, message):
    import json

    data = to_bytes(list(program._tries.values()))
    arrays = dict(np.load(io.BytesIO(data)))
    header = change(json.loads(bytes(arrays["header"])))
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with pytest.raises(ProgramFormatError, match=message):
        _read(_write(arrays))


def test_other_files(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ProgramFormatError):
        fad.load(tmp_path / "text.npz")
    np.savez(tmp_path / "array.npz", a=np.ones(3))
    with pytest.raises(ProgramFormatError):
        fad.load(tmp_path / "array.npz")
    with pytest.raises(FileNotFoundError):
        fad.load(tmp_path / "nothing.npz")


def _read(data):
    return from_bytes(data, None, lambda args: args, 1000)


def _write(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _damage(rng, data, arrays):
    """Flip bytes, truncate, or swap and alter whole arrays."""
    kind = rng.integers(4)
    if kind == 0:
        damaged = bytearray(data)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            damaged[at] ^= rng.integers(1, 256)
        return bytes(damaged)
    if kind == 1:
        return data[: rng.integers(len(data))]
    changed = dict(arrays)
    names = sorted(changed)
    a, b = rng.choice(names, 2, replace=False)
    if kind == 2:
        changed[a], changed[b] = changed[b], changed[a]
    else:
        raw = bytearray(changed[a].tobytes())
        if raw:
            raw[rng.integers(len(raw))] ^= rng.integers(1, 256)
        changed[a] = np.frombuffer(bytes(raw), changed[a].dtype).reshape(changed[a].shape)
    return _write(changed)


def test_damaged_files_are_refused_or_right(program):
    """Never a crash, never a wrong number: what still loads must give the numbers of the undamaged file."""
    data = to_bytes(list(program._tries.values()))
    arrays = dict(np.load(io.BytesIO(data)))
    rng = np.random.default_rng(7)
    survivors = 0
    for _ in range(DAMAGED_FILES):
        damaged = _damage(rng, data, arrays)
        try:
            tries = _read(damaged)
        except ProgramFormatError:
            continue
        survivors += 1
        again = dict(np.load(io.BytesIO(to_bytes(tries))))
        assert all(np.array_equal(again[name], arrays[name], equal_nan=name != "header") for name in arrays)
    assert survivors < DAMAGED_FILES / 4  # swaps of equal arrays, and damage to what a zip does not use


def test_valid_digests_do_not_excuse_bad_indices(program):
    """A file made with care: every index is still checked before a kernel sees it."""
    from fastad.program.files import _digest

    data = to_bytes(list(program._tries.values()))
    arrays = dict(np.load(io.BytesIO(data)))
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(1000):
        changed = dict(arrays)
        name = rng.choice([n for n in arrays if n.split(".")[-1] in ("opcode", "arg0", "arg1", "output_rows")])
        column = changed[name].copy()
        column[rng.integers(column.size)] = rng.integers(-1000, 1000) if "opcode" not in name else rng.integers(256)
        changed[name] = column
        changed["digest"] = _digest(changed)
        try:
            tries = _read(_write(changed))
        except ProgramFormatError:
            refused += 1
            continue
        loaded = fad.Program(None)
        for trie in tries:
            inputs = trie.root.recording.inputs
            loaded._tries[inputs.spec.key(), tuple(inputs.shapes)] = trie
            loaded._like = loaded._like or inputs
        with suppress(FastadError):
            numbers(loaded)
    assert refused > 500
