"""``fastad greeks FILE.py:payoff``: price and sensitivities of a payoff in a file, parameters from JSON."""

from __future__ import annotations

import argparse
import inspect
import json
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastad as fad

from ..montecarlo.prepare import Shape
from .errors import CommandError
from .ladder import require_matplotlib, save_ladder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("payoff", metavar="FILE.py:payoff", help="a function payoff(params, z[, u]) in a Python file")
    parser.add_argument("--params", required=True, metavar="FILE.json", help="numbers, lists and objects of them")
    parser.add_argument("--normals", type=_shape, default=0, metavar="N", help="normals per path: 24, or 2x24")
    parser.add_argument("--uniforms", type=_shape, default=0, metavar="N", help="uniforms per path")
    parser.add_argument("--paths", type=_whole, default=100_000, metavar="N", help="1e6 is welcome (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", choices=("philox", "sobol"), default="philox")
    parser.add_argument("--antithetic", action="store_true", help="pair each path with its mirror image")
    parser.add_argument("--bump", action="store_true", help="compare with central differences")
    parser.add_argument("--threads", type=int, metavar="N", help="all cores by default")
    parser.add_argument("--progress", action="store_true", help="show a bar (needs tqdm)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plot", metavar="FILE.png", help="also draw the sensitivities (needs matplotlib)")


def greeks(options: argparse.Namespace) -> int:
    """Run the command; returns the exit status: 1 where a number is not finite."""
    if options.plot:
        require_matplotlib()
    payoff, file = _payoff(options.payoff)
    params = _params(options.params)
    _check_signature(payoff, options)
    try:
        result = fad.monte_carlo(
            payoff,
            params,
            normals=options.normals,
            uniforms=options.uniforms,
            paths=options.paths,
            seed=options.seed,
            sampler=options.sampler,
            antithetic=options.antithetic,
            compare_with_bump=options.bump,
            threads=options.threads,
            progress=options.progress,
        )
    except Exception as error:
        raise CommandError(_explained(error, file)) from error
    print(result.to_json(indent=2) if options.json else result)
    if options.plot:
        save_ladder(result, options.plot)
    e = result.estimates
    finite = np.isfinite(e.value).all() and np.isfinite(e.gradient).all()
    if not finite:
        print("fastad: some results are not finite; see the warnings", file=sys.stderr)
    return 0 if finite else 1


def _payoff(place: str) -> tuple[Callable[..., Any], Path]:
    """Return the function at FILE.py:name, and the file."""
    path, colon, name = place.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise CommandError(f"{place}: expected FILE.py:payoff, a Python file and the name of a function in it")
    file = Path(path).resolve()
    if not file.is_file():
        raise CommandError(f"{path}: no such file")
    sys.path.insert(0, str(file.parent))  # what the file imports beside it
    try:
        namespace = runpy.run_path(str(file))
    except Exception as error:
        raise CommandError(f"{path} cannot be run: {_explained(error, file)}") from error
    if not callable(namespace.get(name)):
        functions = [key for key, value in namespace.items() if inspect.isfunction(value) and not key.startswith("_")]
        raise CommandError(f"{path} has no function {name}; it has {', '.join(sorted(functions)) or 'none'}")
    return namespace[name], file


def _params(path: str) -> Any:
    """Return the parameters in a JSON file, lists of numbers as arrays."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--params {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"--params {path}: expected JSON as UTF-8 text") from None
    try:
        return _arrays(json.loads(text))
    except json.JSONDecodeError as error:
        raise CommandError(f"--params {path}, line {error.lineno}, column {error.colno}: {error.msg}") from None


def _arrays(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _arrays(value) for key, value in node.items()}
    if isinstance(node, list):
        items = [_arrays(item) for item in node]
        shapes = {np.shape(item) if isinstance(item, float | int | np.ndarray) else None for item in items}
        plain = len(shapes) == 1 and None not in shapes and not any(isinstance(item, bool) for item in items)
        return np.array(items, dtype=np.float64) if plain else items
    return node


def _check_signature(payoff: Callable[..., Any], options: argparse.Namespace) -> None:
    given = ["params"] + ["z"] * (options.normals != 0) + ["u"] * (options.uniforms != 0)
    try:
        signature = inspect.signature(payoff)
    except (TypeError, ValueError):  # a callable that does not say
        return
    try:
        signature.bind(*given)
    except TypeError:
        name = getattr(payoff, "__name__", "payoff")
        raise CommandError(
            f"{name}{signature} would be called as {name}({', '.join(given)}): "
            "z comes with --normals, u with --uniforms"
        ) from None


def _explained(error: Exception, file: Path) -> str:
    """Message of an error, where in the user's file it was raised, and its notes."""
    where = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    place = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
    return "\n".join([f"{type(error).__name__}: {error}{place}", *getattr(error, "__notes__", ())])


def _whole(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _shape(text: str) -> Shape:
    sizes = tuple(_whole(part) for part in text.split("x"))
    return sizes[0] if len(sizes) == 1 else sizes


_whole.__name__, _shape.__name__ = "whole number", "number or shape such as 2x24"  # as argparse names them in errors
