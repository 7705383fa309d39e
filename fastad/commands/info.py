"""``fastad info``: what is installed and what it runs on, for bug reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import llvmlite.binding
import numba

import fastad as fad

from ..program.batch import checked_threads

_PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "tqdm", "matplotlib")


def info() -> str:
    """Return the report."""
    lines = [
        ("fastad", fad.__version__),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("system", platform.platform()),
        ("processor", f"{llvmlite.binding.get_host_cpu_name()}, {_vectors()}"),
        ("cores", f"{checked_threads(None)} usable of {os.cpu_count()}"),
        (
            "kernel cache",
            getattr(numba.config, "CACHE_DIR", "") or "beside the package, or numba's user-wide directory",
        ),
        *((name, _version(name)) for name in _PACKAGES),
    ]
    return "\n".join(f"{name:<14}{text}" for name, text in lines)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _vectors() -> str:
    features = llvmlite.binding.get_host_cpu_features()
    known = [name for name in ("avx512f", "avx2", "avx", "neon") if features.get(name)]
    return known[0] if known else "no wide vectors"
