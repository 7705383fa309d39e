"""Results as ``.npz`` files: a JSON header and arrays. Nothing is unpickled."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramFormatError
from ..program.files import packing_from_json, packing_to_json
from ..program.variants import VariantInfo
from .checkpoint import Checkpoint
from .estimates import Estimates
from .statistics import Tally, restore

FORMAT = "fastad-montecarlo"
VERSION = 1
_PACKINGS = ("results", "differentiated", "wrt")
_ARRAYS = ("value", "value_error", "gradient", "gradient_error", "bumped", "bump_scores", "hessian", "hessian_error")
_NUMBERS = ("value_freedom", "gradient_freedom")
_STATISTICS = ("values", "gradients", "bumps", "hessians")
_DAMAGE = (ValueError, KeyError, TypeError, IndexError, OSError, EOFError, zlib.error, zipfile.BadZipFile)


def to_bytes(run: dict[str, Any], estimates: Estimates, checkpoint: Checkpoint) -> bytes:
    """Return the file of a result."""
    arrays: dict[str, NDArray[Any]] = {}
    packings = {name: getattr(estimates, name) for name in _PACKINGS}
    for name in _ARRAYS:
        if getattr(estimates, name) is not None:
            arrays[f"estimate.{name}"] = getattr(estimates, name)
    tally = checkpoint.tally
    if tally is not None:
        for name in _STATISTICS:
            statistic = getattr(tally, name)
            if statistic is not None:
                arrays |= {f"tally.{name}.{key}": array for key, array in statistic.arrays().items()}
        for number, name in enumerate(("values", "gradients")):
            if tally.kept:
                arrays[f"kept.{name}"] = np.concatenate([chunk[number] for chunk in tally.kept])
    header = {
        "format": FORMAT,
        "version": VERSION,
        "run": run,
        "packings": {name: p if p is None else packing_to_json(p) for name, p in packings.items()},
        "numbers": {name: getattr(estimates, name) for name in _NUMBERS},
        "fingerprint": checkpoint.fingerprint,
        "blocks": checkpoint.blocks,
        "paths": checkpoint.paths,
        "earlier": checkpoint.earlier,
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(data: bytes) -> tuple[dict[str, Any], Estimates, Checkpoint]:
    """Return the fields of a run, its estimates, and where to go on."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(bytes(arrays["header"]))
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise ValueError(f"it is a {header['format']} of version {header['version']}, not {FORMAT} {VERSION}")
        return _run(header["run"]), _estimates(header, arrays), _checkpoint(header, arrays)
    except _DAMAGE as error:
        raise ProgramFormatError(f"not a readable Monte Carlo result: {type(error).__name__}: {error}") from error


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return run | {"warnings": tuple(run["warnings"]), "variants": _variants(run["variants"])}


def _variants(entries: list[Any]) -> tuple[VariantInfo, ...]:
    return tuple(VariantInfo(int(n), float(share), int(rows), tuple(lines)) for n, share, rows, lines in entries)


def _estimates(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Estimates:
    packings: dict[str, Any] = {
        name: p if p is None else packing_from_json(p) for name, p in header["packings"].items()
    }
    flat: dict[str, Any] = {name: arrays.get(f"estimate.{name}") for name in _ARRAYS}
    freedom: dict[str, Any] = {name: int(header["numbers"][name]) for name in _NUMBERS}
    estimates = Estimates(**packings, **flat, **freedom)
    shape = (estimates.differentiated.size, 0 if estimates.wrt is None else estimates.wrt.size)
    if estimates.value.shape != (estimates.results.size,) or estimates.gradient.shape != shape:
        raise ValueError("arrays that do not fit the structures")
    if estimates.hessian is not None and estimates.hessian.shape != (*shape, shape[1]):
        raise ValueError("second derivatives that do not fit the structures")
    return estimates


def _checkpoint(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Checkpoint:
    tally = None
    if header["blocks"]:
        statistics: dict[str, Any] = {}
        for name in _STATISTICS:
            prefix = f"tally.{name}."
            found = {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}
            statistics[name] = restore(found) if found else None
        kept = ((arrays["kept.values"], arrays["kept.gradients"]),) if "kept.values" in arrays else ()
        tally = Tally(int(header["paths"]), **statistics, kept=kept)
    return Checkpoint(header["fingerprint"], int(header["blocks"]), tally, _variants(header["earlier"]))
