"""All tools by name: the module ``bench.tools.<name>``, and the package or program that it needs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from bench.core import Way

TOOLS: dict[str, str] = {
    "fastad": "fastad",
    "fastad_value": "fastad",
    "numba_value": "numba",
    "numpy": "numpy",
    "jax": "jax",
    "autograd": "autograd",
    "torch": "torch",
    "casadi": "casadi",
    "ddx": "ddx-ad",
    "drjit": "drjit",
    "xad": "xad",
    "scipy": "scipy",
    "codipack": "a C++ compiler with the headers of CoDiPack (set CODIPACK_INCLUDE to their folder)",
}


MODULES = {"ddx-ad": "ddx"}  # where the package is imported by another name


def installed(tool: str) -> str | None:
    """Version of the package behind a tool, None where it is not installed."""
    if tool == "codipack":
        return import_module("bench.tools.codipack").found()
    try:
        return version(TOOLS[tool])
    except PackageNotFoundError:
        pass
    try:  # a checkout on the path, without installed metadata
        return getattr(import_module(MODULES.get(TOOLS[tool], TOOLS[tool])), "__version__", "unknown")
    except ImportError:
        return None


def ways(tool: str) -> dict[str, Way]:
    """What an installed tool can do: its function for each problem that it takes part in."""
    return import_module(f"bench.tools.{tool}").WAYS
