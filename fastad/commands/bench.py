"""``fastad bench``: the benchmarks, installed as ``fastad_bench``; in a checkout they are ``bench``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from .errors import CommandError


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks' own command line; returns its exit status."""
    package = next((name for name in ("fastad_bench", "bench") if find_spec(name) is not None), None)
    if package is None:
        raise CommandError("the benchmarks are not installed; pip install 'fastad[bench]', or run it in a checkout")
    status: int = import_module(f"{package}.__main__").main(list(arguments), prog="fastad bench")
    return status
