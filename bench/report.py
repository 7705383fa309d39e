"""Results: the JSON file, the table, and the comparison of two runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from statistics import median, quantiles

from .core import Row
from .problems import PROBLEMS
from .timing import cores
from .tools import TOOLS, installed

FORMAT = 1
NOISE_FLOOR = 0.05  # two runs of the same code on the same machine differ by a few percent however tight each one is
SIMD = ("avx2", "fma", "avx512f", "avx512vl", "neon", "sve")


# -------------------- the JSON file --------------------


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    packages = {tool: installed(tool) for tool in TOOLS} | {
        "numba": _version("numba"),
        "llvmlite": _version("llvmlite"),
    }
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "simd": _simd(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name, found in packages.items() if found},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _simd() -> list[str]:
    """The vector instructions that LLVM will use here."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return [binding.get_host_cpu_name(), *(name for name in SIMD if features.get(name))]


def save(path: str, rows: list[Row], quick: bool, skipped: list[str], load: float) -> None:
    """Write a result file; ``load`` is what else the machine was doing when the run began, in busy cores."""
    result = {
        "format": FORMAT,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "load": load,
        "machine": machine(),
        "skipped": skipped,
        "rows": [asdict(row) for row in rows],
    }
    Path(path).write_text(json.dumps(result, indent=1) + "\n")


def load(path: str) -> tuple[dict, list[Row]]:
    """The header of a result file, and its rows."""
    try:
        result = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:  # no JSON is a ValueError
        raise SystemExit(f"{path}: {getattr(error, 'strerror', None) or 'not a result file: not JSON'}") from None
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise SystemExit(f"{path}: not a result file of this version of the benchmarks")
    return result, [Row(**row) for row in result.pop("rows")]


# -------------------- the table --------------------


def spread(row: Row) -> float:
    """Interquartile range over the median."""
    low, middle, high = quantiles(row.samples, n=4, method="inclusive")
    return (high - low) / middle


def show(rows: Iterable[Row]) -> str:
    """One table per case of a problem, fastest first."""
    blocks = []
    for (name, case), found in groupby(rows, key=lambda row: (row.problem, row.case)):
        problem, group = PROBLEMS[name], list(found)
        timed = sorted((row for row in group if row.samples), key=lambda row: (row.threads, median(row.samples)))
        base = {row.threads: median(row.samples) for row in timed if row.tool == problem.baseline}
        head = ("tool", "threads", "median", "spread", f"/ {problem.baseline}", "first answer", "peak memory", "answer")
        body = [_cells(row, base.get(row.threads)) for row in timed]
        body += [(row.tool, str(row.threads), *["-"] * 5, "WRONG") for row in group if not row.samples]
        lines = [f"{name}, {case}: {problem.title} (time per {group[0].unit})", *_aligned([head, *body])]
        lines += [f"  {row.tool}, threads {row.threads}: {row.failure}" for row in group if row.failure]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cells(row: Row, base: float | None) -> tuple[str, ...]:
    middle = median(row.samples)
    return (
        row.tool,
        str(row.threads),
        duration(middle),
        f"{100 * spread(row):.1f} %",
        f"{middle / base:.2f}" if base else "-",
        duration(row.prepare + row.first) if row.first is not None else "-",
        f"{row.peak_bytes / 2**20:,.0f} MB" if row.peak_bytes is not None else "-",
        "right",
    )


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 100 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


# -------------------- two runs --------------------


def compare(old: list[Row], new: list[Row], tool: str = "fastad") -> tuple[str, bool]:
    """A table of the rows that both runs have, and whether ``tool`` has become slower beyond noise.

    What the other tools of the same case have gained or lost, on as many threads, is the machine's doing, as their
    code has not changed, and is divided out. A row is flagged when the rest exceeds both 5 % and the interquartile
    ranges involved.
    """
    before = {row.key: row for row in old if row.samples}
    pairs = [(before[row.key], row) for row in new if row.samples and row.key in before]
    head = ("problem", "case", "tool", "threads", "old", "new", "new / old", "machine", "limit", "verdict")
    body, slower = [], False
    for a, b in pairs:
        same_job = [p for p in pairs if p[0].key[:2] == a.key[:2] and p[0].threads == a.threads]
        peers = [p for p in same_job if p[0].tool not in (tool, a.tool)]
        ratio = _ratio(a, b)
        drift = median(_ratio(*p) for p in peers) if peers else 1.0
        noise = [spread(a), spread(b), *([median(spread(x) for p in peers for x in p)] if peers else [])]
        limit = max(NOISE_FLOOR, sum(x * x for x in noise) ** 0.5)
        change = ratio / drift - 1.0
        verdict = "SLOWER" if change > limit else "faster" if change < -limit / (1.0 + limit) else "same"
        slower |= verdict == "SLOWER" and b.tool == tool
        times = duration(median(a.samples)), duration(median(b.samples))
        body.append((*a.key[:3], str(a.threads), *times, f"{ratio:.2f}", f"{drift:.2f}", f"{limit:.0%}", verdict))
    return "\n".join(_aligned([head, *body])) if body else "no measurement in common", slower


def _ratio(old: Row, new: Row) -> float:
    return median(new.samples) / median(old.samples)
