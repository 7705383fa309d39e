"""The command line: ``python -m bench list | run | compare | report``."""

from __future__ import annotations

import argparse
import sys

from . import plots, report, timing
from .core import Row
from .problems import PROBLEMS
from .tools import TOOLS, installed, usable


def main(arguments: list[str] | None = None, prog: str = "python -m bench") -> int:
    options = _parser(prog).parse_args(arguments)
    return options.verb(options)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Benchmarks of fastad and its peers.")
    verbs = parser.add_subparsers(required=True, metavar="list | run | compare | report")

    verb = verbs.add_parser("list", help="problems and tools")
    verb.set_defaults(verb=list_all)

    verb = verbs.add_parser("run", help="check every answer, then time the tools in turn")
    verb.add_argument("problems", nargs="*", metavar="problem", help="default: all")
    verb.add_argument("--tools", default=",".join(TOOLS), help="comma-separated; default: %(default)s")
    verb.add_argument(
        "--threads", type=_threads, help="comma-separated numbers of threads, for the problems that use several"
    )
    verb.add_argument("--quick", action="store_true", help="small sizes, few rounds: for correctness, not for numbers")
    verb.add_argument("--json", metavar="FILE", help="write every sample, the versions and the machine")
    verb.add_argument("--plot", metavar="DIR", help="draw a picture of each problem into this folder")
    verb.set_defaults(verb=run)

    verb = verbs.add_parser("compare", help="two result files; exit code 1 if fastad has become slower beyond noise")
    verb.add_argument("old")
    verb.add_argument("new")
    verb.set_defaults(verb=compare)

    verb = verbs.add_parser("report", help="the table of a result file")
    verb.add_argument("file")
    verb.add_argument("--plot", metavar="DIR", help="draw a picture of each problem into this folder")
    verb.set_defaults(verb=show)
    return parser


def _threads(text: str) -> tuple[int, ...]:
    threads = tuple(int(n) for n in text.split(","))
    if not all(1 <= n <= timing.cores() for n in threads):
        raise argparse.ArgumentTypeError(f"1 to {timing.cores()} on this machine, got {text}")
    return threads


_threads.__name__ = "numbers such as 1,2"  # as argparse names it in errors


def list_all(options: argparse.Namespace) -> int:
    doing, _ = usable(TOOLS)
    for name, problem in PROBLEMS.items():
        print(f"{name:14} {problem.section}: {problem.title}")
        print(f"{'':14} by {', '.join(tool for tool, can in doing.items() if name in can)}")
    print()
    for tool in TOOLS:
        print(f"{tool:14} {installed(tool) or 'not installed'}")
    return 0


def run(options: argparse.Namespace) -> int:
    chosen = options.problems or list(PROBLEMS)
    tools = options.tools.split(",")
    for name, known in (*((p, PROBLEMS) for p in chosen), *((t, TOOLS) for t in tools)):
        if name not in known:
            sys.exit(f"{name!r} is none of: {', '.join(known)}")

    doing, skipped = usable(tools)
    for line in skipped:
        timing.say(line)
    load = timing.load()
    if load > 0.3 and not options.quick:
        timing.say(f"The machine is busy (load {load:.1f}): the times will tell little.")
    rows = []
    for problem in (PROBLEMS[name] for name in chosen):
        can = {tool: able[problem.name] for tool, able in doing.items() if problem.name in able}
        rows += timing.measure(problem, can, options.quick, options.threads if len(problem.threads) > 1 else None)
        if options.json:  # so far: a run of all takes an hour
            report.save(options.json, rows, options.quick, skipped, load)
    print(report.show(rows))
    draw(rows, options.plot)
    return int(any(row.failure for row in rows))


def draw(rows: list[Row], folder: str | None) -> None:
    if folder:
        for file in plots.draw(rows, folder):
            timing.say(f"drew {file}")


def compare(options: argparse.Namespace) -> int:
    (before, old), (after, new) = report.load(options.old), report.load(options.new)
    for name in ("cpu", "simd", "python"):
        if before["machine"][name] != after["machine"][name]:
            print(f"different {name}: {before['machine'][name]} and {after['machine'][name]}")
    table, slower = report.compare(old, new)
    print(table)
    return int(slower)


def show(options: argparse.Namespace) -> int:
    header, rows = report.load(options.file)
    machine = header["machine"]
    print(f"{header['when']}, load {header['load']:.1f}{', quick: for correctness only' if header['quick'] else ''}")
    print(f"{machine['cpu']}, {machine['cores']} cores, {' '.join(machine['simd'])}; {machine['system']}")
    print(f"Python {machine['python']}; " + ", ".join(f"{name} {v}" for name, v in machine["versions"].items()))
    for line in header["skipped"]:
        print(line)
    print()
    print(report.show(rows))
    draw(rows, options.plot)
    return int(any(row.failure for row in rows))


if __name__ == "__main__":
    sys.exit(main())
