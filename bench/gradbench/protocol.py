"""GradBench's protocol: a message per line, an answer per line with the same id."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from time import perf_counter_ns
from typing import Any, TextIO

import numpy as np

import fastad as fad

EVALS = ("ba", "det", "gmm", "hello", "ht", "kmeans", "llsq", "lse", "lstm", "ode", "particle", "saddle")


def serve(messages: Iterable[str], answers: TextIO, threads: int | None = 1) -> None:
    """Answer until the messages end; an error in a call is an answer too."""
    for line in messages:
        message = json.loads(line)
        try:
            answer = _answer(message, threads)
        except Exception:
            answer = {"success": False, "error": traceback.format_exc()}
        print(json.dumps({"id": message["id"]} | answer), file=answers, flush=True)


def _answer(message: dict[str, Any], threads: int | None) -> dict[str, Any]:
    match message["kind"]:
        case "start":
            return {"tool": "fastad", "config": {"version": fad.__version__, "threads": threads or "all"}}
        case "define":
            start = perf_counter_ns()
            _module(message["module"])
            return {"success": True, "timings": [_timing("import", start)]}
        case "evaluate":
            prepare = getattr(_module(message["module"]), message["function"])
            return _evaluate(prepare, message["input"], threads)
        case _:
            return {}


def _module(name: str) -> Any:
    if name not in EVALS:
        raise ValueError(f"fastad has no module {name!r}; it has {', '.join(EVALS)}")
    return import_module(f".{name}", __package__)


def _evaluate(prepare: Callable[..., Callable[[], Any]], data: Any, threads: int | None) -> dict[str, Any]:
    """Run the call as often and as long as the input asks, each run timed for itself."""
    runs, seconds = (data.get("min_runs", 1), data.get("min_seconds", 0.0)) if isinstance(data, dict) else (1, 0.0)
    call = prepare(data, threads)
    timings: list[dict[str, Any]] = []
    while len(timings) < max(runs, 1) or sum(timing["nanoseconds"] for timing in timings) < 1e9 * seconds:
        start = perf_counter_ns()
        output = call()
        timings.append(_timing("evaluate", start))
    return {"success": True, "output": plain(output), "timings": timings}


def _timing(name: str, start: int) -> dict[str, Any]:
    return {"name": name, "nanoseconds": perf_counter_ns() - start}


def plain(output: Any) -> Any:
    """What the json module takes, of an answer made of arrays and numbers, or of what shows itself as such."""
    if hasattr(output, "shown"):
        return plain(output.shown())
    if isinstance(output, dict):
        return {name: plain(item) for name, item in output.items()}
    if isinstance(output, list | tuple):
        return [plain(item) for item in output]
    return output.tolist() if isinstance(output, np.ndarray | np.generic) else output
