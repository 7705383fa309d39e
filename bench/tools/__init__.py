"""All tools by name: the module ``tools.<name>``, and the package or program that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from ..core import Way

TOOLS: dict[str, str] = {
    "fastad": "fastad",
    "fastad_value": "fastad",
    "numba_value": "numba",
    "finite_differences": "numba",
    "numpy": "numpy",
    "jax": "jax",
    "autograd": "autograd",
    "torch": "torch",
    "casadi": "casadi",
    "aadc": "aadc",
    "ddx": "ddx-ad",
    "drjit": "drjit",
    "xad": "xad",
    "scipy": "scipy",
    "codipack": "a C++ compiler with the headers of CoDiPack (set CODIPACK_INCLUDE to their folder)",
    "adept": "a C++ compiler with adept_source.h of Adept 2 (set ADEPT_INCLUDE to its folder)",
    "adolc": "a C++ compiler with ADOL-C (set ADOLC_INCLUDE to the folder that adolc/adolc.h is in)",
}

IN_CPP = ("codipack", "adept", "adolc")  # compiled here

MODULES = {"ddx-ad": "ddx"}  # where the package is imported by another name


def installed(tool: str) -> str | None:
    """Version of the package behind a tool, None where it is not installed."""
    if tool in IN_CPP:
        return import_module(f".{tool}", __package__).LIBRARY.found()
    try:
        return version(TOOLS[tool])
    except PackageNotFoundError:
        pass
    try:  # a checkout on the path, without installed metadata
        return getattr(import_module(MODULES.get(TOOLS[tool], TOOLS[tool])), "__version__", "unknown")
    except ImportError:
        return None


def usable(tools: Iterable[str]) -> tuple[dict[str, dict[str, Way]], list[str]]:
    """What the tools that are installed can do, and a line for each that is not."""
    doing, skipped = {}, []
    for tool in tools:
        try:
            if installed(tool):
                doing[tool] = ways(tool)
            else:
                skipped.append(f"{tool}: skipped, {TOOLS[tool]} is not installed")
        except ImportError as error:  # something that it needs in turn
            skipped.append(f"{tool}: skipped, {error}")
    return doing, skipped


def ways(tool: str) -> dict[str, Way]:
    """What an installed tool can do: its function for each problem that it takes part in."""
    return import_module(f".{tool}", __package__).WAYS
