"""Programs as ``.npz`` files: the columns of every recording, and a JSON header. Nothing is unpickled.

A file is untrusted until every opcode, index and shape in it has been checked: kernels do not check again.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import sys
import zipfile
import zlib
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramFormatError
from ..ops import OPCODE, OPS
from ..packing import Packing
from ..record.blocks import Rule
from ..structure import Spec
from .block_files import blocks_from_json, blocks_to_json, check
from .recording import Recording, Site
from .variants import Branch, Trie, Variant

FORMAT = "fastad-program"
VERSION = 1
_COLUMNS: dict[str, np.dtype[Any]] = {
    "opcode": np.dtype("u1"),
    "arg0": np.dtype("<i4"),
    "arg1": np.dtype("<i4"),
    "partial0": np.dtype("<f8"),
    "partial1": np.dtype("<f8"),
    "value": np.dtype("<f8"),
    "table_starts": np.dtype("<i4"),
    "table_rows": np.dtype("<i4"),
    "table_values": np.dtype("<f8"),
    "table_users": np.dtype("<i4"),
    "table_used": np.dtype("<i4"),
    "output_rows": np.dtype("<i4"),
    "output_constants": np.dtype("<f8"),
}
_ARITY = np.array([op.arity for op in OPS])
_INPUT, _COND, _WHERE, _GUARD = (OPCODE[name] for name in ("input", "cond", "where", "guard"))
_LOCATE, _TAKE, _BLOCK = OPCODE["locate"], OPCODE["take"], OPCODE["block"]
_KINDS = ("tuple", "list", "dict", "namedtuple", "dataclass")
# What reading a damaged zip of damaged arrays of damaged JSON can raise.
_DAMAGE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, EOFError, OverflowError, MemoryError,
    RecursionError, NotImplementedError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


# -------------------- writing --------------------


def to_bytes(tries: list[Trie], ops: int = len(OPS), rules: list[Rule] | None = None) -> bytes:
    """Return the file of a program's recordings; rules that have no name in a file are appended to ``rules``."""
    arrays: dict[str, NDArray[Any]] = {}
    header: dict[str, Any] = {"format": FORMAT, "version": VERSION, "ops": ops, "tries": []}
    for t, trie in enumerate(tries):
        variants = trie.variants()
        numbers = {id(v): i for i, v in enumerate(variants)}
        entries = []
        for i, variant in enumerate(variants):
            recording = variant.recording
            for name, dtype in _COLUMNS.items():
                arrays[f"{t}.{i}.{name}"] = getattr(recording, name).astype(dtype)
            parent = -1 if variant.parent is None else numbers[id(variant.parent)]
            sites = [[s.file, s.line, s.builtin, s.outcome] for s in recording.sites]
            branch = None if variant.branch is None else list(variant.branch)
            blocks = blocks_to_json(recording.blocks, rules)
            entry = {"parent": parent, "branch": branch, "scenarios": variant.scenarios, "sites": sites}
            entries.append({**entry, "blocks": blocks})
        root = trie.root.recording
        packings = {"inputs": packing_to_json(root.inputs), "outputs": packing_to_json(root.outputs)}
        header["tries"].append({**packings, "variants": entries})
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    arrays["digest"] = _digest(arrays)
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _digest(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Digest of everything in a file: swapped columns would be valid indices and wrong numbers."""
    digest = hashlib.sha256()
    for name in sorted(set(arrays) - {"digest"}):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def packing_to_json(packing: Packing) -> dict[str, Any]:
    """Return a layout as JSON can hold it; `packing_from_json` reads it."""
    return {"spec": _spec_to_json(packing.spec), "shapes": [list(shape) for shape in packing.shapes]}


def _spec_to_json(spec: Spec) -> Any:
    if spec.kind == "leaf":
        return "leaf"
    if spec.kind == "static":
        if not isinstance(spec.static, str | int | float | bool | None):
            raise TypeError(
                f"a static argument of type {type(spec.static).__name__} cannot be saved; pass it as numbers, strings, "
                "bools or None, or leave it to a closure"
            )
        return {"static": spec.static}
    cls = f"{spec.cls.__module__}:{spec.cls.__qualname__}" if spec.cls is not None else ""
    children = [_spec_to_json(child) for child in spec.children]
    return {"kind": spec.kind, "class": cls, "names": list(spec.names), "children": children}


# -------------------- reading --------------------


def from_bytes(
    data: bytes,
    f: Callable[..., Any] | None,
    to_args: Callable[[Any], Any],
    max_variants: int,
    rules: Sequence[Rule] = (),
) -> list[Trie]:
    """Return the recordings in a file.

    Raises
    ------
    ProgramFormatError
        The file is truncated, damaged, of another program or of a newer version of fastad.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            header = json.loads(bytes(arrays["header"]))
            check(header["format"] == FORMAT, "it is not a saved Program")
            check(header["version"] == VERSION, f"its version is {header['version']}, this fastad reads {VERSION}")
            check(header["ops"] <= len(OPS), "it was saved by a newer fastad, with operations that this one lacks")
            check(np.array_equal(arrays["digest"], _digest(arrays)), "its contents do not match its digest")
            return [_trie(arrays, t, entry, f, to_args, max_variants, rules) for t, entry in enumerate(header["tries"])]
    except ProgramFormatError:
        raise
    except _DAMAGE as error:
        raise ProgramFormatError(
            f"not a readable Program file ({type(error).__name__}): fad.load reads what program.save wrote"
        ) from error


def _trie(
    file: Mapping[str, NDArray[Any]],
    t: int,
    entry: Any,
    f: Callable[..., Any] | None,
    to_args: Callable[[Any], Any],
    max_variants: int,
    rules: Sequence[Rule],
) -> Trie:
    inputs, outputs = (packing_from_json(entry[name]) for name in ("inputs", "outputs"))
    variants: list[Variant] = []
    for i, item in enumerate(entry["variants"]):
        columns = {name: _column(file, f"{t}.{i}.{name}", dtype) for name, dtype in _COLUMNS.items()}
        sites = [
            Site(str(path), int(line), str(builtin), bool(outcome)) for path, line, builtin, outcome in item["sites"]
        ]
        _check_tables(columns)
        blocks = blocks_from_json(item.get("blocks", []), columns, rules)
        recording = Recording(columns, inputs, outputs, sites, blocks)
        _check_recording(recording)
        scenarios = int(item["scenarios"])
        check(scenarios >= 0, "a negative count")
        if i == 0:
            check(item["parent"] == -1 and item["branch"] is None, "its first recording is not a root")
            variants.append(Variant(recording, counted=scenarios))
            continue
        number, (guard, frozen) = int(item["parent"]), item["branch"]
        check(0 <= number < i, "a recording without a parent")
        parent, branch = variants[number], Branch(int(guard), int(frozen))
        check(0 <= branch.guard < parent.recording.guard_rows.size, "a branch at no guard")
        check(branch not in parent.children, "two recordings for one branch")
        variants.append(Variant(recording, parent, branch, scenarios))
        parent.children[branch] = variants[-1]
    check(variants, "it holds no recording")
    return Trie(f, inputs, to_args, max_variants, variants[0], len(variants))


def _column(file: Mapping[str, NDArray[Any]], name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    array = file[name]
    check(array.ndim == 1 and array.dtype == dtype, f"{name} is {array.dtype} of {array.ndim} axes")
    return np.ascontiguousarray(array, dtype=dtype.newbyteorder("="))


def _check_recording(r: Recording) -> None:
    """Raise unless every opcode, index and shape is one that the recorder could have written."""
    n = r.opcode.size
    check(
        all(getattr(r, name).size == n for name in ("arg0", "arg1", "partial0", "partial1", "value")),
        "columns of different lengths",
    )
    check(r.n_inputs <= n and r.outputs.size == r.output_rows.size == r.output_constants.size, "sizes that do not fit")
    check((r.opcode < len(OPS)).all(), "an unknown operation")
    rows = np.arange(n)
    for arg in (r.arg0, r.arg1):
        check(((arg >= -1) & (arg < rows)).all(), "an operand that is not an earlier row")
    is_input = r.opcode == _INPUT
    check((is_input == (rows < r.n_inputs)).all(), "inputs out of place")
    check((r.arg0[is_input] == -1).all(), "an input with an operand")
    check((r.arg1[_ARITY[r.opcode] == 1] == -1).all(), "a second operand of a unary operation")
    choices = np.flatnonzero(r.opcode == _WHERE)
    check((choices > 0).all() and (r.opcode[choices - 1] == _COND).all(), "a choice without a condition")
    check((r.arg0[(r.opcode == _COND) | (r.opcode == _GUARD)] >= 0).all(), "a condition of nothing")
    outcomes = r.value[r.guard_rows]
    check(((outcomes == 0.0) | (outcomes == 1.0)).all() and (r.partial1[r.guard_rows] == outcomes).all(), "an outcome")
    check(len(r.sites) == r.guard_rows.size, "guards without a line")
    check(((r.output_rows >= -1) & (r.output_rows < n)).all(), "an output that is not a row")


def _check_tables(c: dict[str, NDArray[Any]]) -> None:
    """Raise unless every lookup stays within its table, and every table within the rows before."""
    starts, rows, values = c["table_starts"], c["table_rows"], c["table_values"]
    users, used, opcode = c["table_users"], c["table_used"], c["opcode"]
    check(starts.size > 0 and starts[0] == 0 and starts[-1] == rows.size == values.size, "tables that do not fit")
    sizes = np.diff(starts)
    check((sizes >= 1).all(), "an empty table")
    lookups = np.flatnonzero((opcode == _LOCATE) | (opcode == _TAKE) | (opcode == _BLOCK))
    check(np.array_equal(users, lookups) and used.size == users.size, "a lookup without a table")
    check(((used >= 0) & (used < sizes.size)).all(), "a lookup in no table")
    check((rows >= -1).all(), "a table element that is not a row")
    for row, table in zip(users.tolist(), used.tolist()):
        elements = slice(starts[table], starts[table + 1])
        check((rows[elements] < row).all(), "a table element that is not an earlier row")
        if opcode[row] == _LOCATE:
            knots = values[elements]
            check(knots.size >= 2 and (rows[elements] < 0).all() and (np.diff(knots) > 0.0).all(), "a grid")


def packing_from_json(entry: Any) -> Packing:
    """Return the layout that `packing_to_json` wrote; raise ProgramFormatError for anything else."""
    spec = _spec_from_json(entry["spec"])
    shapes = [tuple(int(n) for n in shape) for shape in entry["shapes"]]
    check(len(shapes) == spec.n_leaves and all(n >= 0 for shape in shapes for n in shape), "shapes that do not fit")
    check(sum(math.prod(shape) for shape in shapes) < 2**31, "shapes that are too large")
    return Packing(spec, shapes)


def _spec_from_json(entry: Any) -> Spec:
    if entry == "leaf":
        return Spec("leaf")
    if "static" in entry:
        check(isinstance(entry["static"], str | int | float | bool | None), "a static argument")
        return Spec("static", static=entry["static"])
    kind, names = entry["kind"], tuple(entry["names"])
    check(kind in _KINDS and all(isinstance(name, str | int | float | bool | None) for name in names), "a structure")
    children = tuple(_spec_from_json(child) for child in entry["children"])
    check(len(children) == len(names), "a structure")
    return Spec(kind, _class(kind, str(entry["class"]), names), names, children)


def _class(kind: str, path: str, names: tuple[Any, ...]) -> type:
    """Return a class by its name if it is already imported (a file imports nothing), else a namedtuple like it."""
    builtin: dict[str, type] = {"tuple": tuple, "list": list, "dict": dict}
    if kind in builtin:
        return builtin[kind]
    module, _, qualname = path.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    fields = getattr(found, "_fields", None) if kind == "namedtuple" else getattr(found, "__dataclass_fields__", None)
    if isinstance(found, type) and fields is not None and tuple(fields) == names:
        return found
    return namedtuple(qualname.rpartition(".")[2] or "Structure", [str(name) for name in names])
