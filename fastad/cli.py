"""The command line: ``fastad greeks``, ``info``, ``warmup``, ``bench`` (or ``python -m fastad ...``)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import fastad as fad

from .commands.bench import bench
from .commands.errors import CommandError
from .commands.greeks import add_arguments, greeks
from .commands.info import info
from .commands.warmup import warmup


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fastad", description="Derivatives of ordinary Python numerical code.")
    parser.add_argument("--version", action="version", version=f"fastad {fad.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("bench", help="benchmarks of fastad and its peers", add_help=False)
    add_arguments(commands.add_parser("greeks", help="price and sensitivities of a payoff in a Python file"))
    commands.add_parser("info", help="versions, processor, what is installed")
    commands.add_parser("warmup", help="compile all kernels now, into numba's cache")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "bench":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.command == "bench":
            return bench(rest)
        if options.command == "greeks":
            return greeks(options)
        if options.command == "info":
            print(info())
        else:
            print(f"fastad: all kernels compiled and cached, {warmup():.1f} s")
        return 0
    except CommandError as error:
        print(f"fastad {options.command}: {error}", file=sys.stderr)
        return 2
