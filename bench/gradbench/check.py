"""``python -m bench.gradbench.check GRADBENCH``: GradBench's own evals, as they are, against fastad or another tool.

GRADBENCH is a clone of the repository; see README.md for what it needs. Exit code 1 if an answer is not valid.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from .protocol import EVALS

# Sizes that take seconds, in the options of each eval; without --small, the eval's own.
SMALL = {
    "ba": "--max 2",
    "det": "-l 5 7 8 9",
    "gmm": "-d 2 10 20 -k 5 10",
    "ht": "--max 3",
    "kmeans": "-k 10 100 -n 1000",
    "llsq": "-n 16 1024 16392",
    "lse": "-n 2500 160000",
    "lstm": "-l 2 4 -c 1024",
    "ode": "-n 1000 10000 -s 1 10",
}


@dataclass
class Answer:
    """One evaluation, and what the eval said of it."""

    function: str
    description: str
    nanoseconds: list[int] = field(default_factory=list)
    error: str = "no analysis"

    def line(self, eval_name: str) -> str:
        first, steady = self.nanoseconds[0] / 1e6, median(self.nanoseconds[1:] or self.nanoseconds) / 1e6
        times = f"first {first:10.3f} ms, then {steady:10.3f} ms"
        verdict = (self.error or "valid").splitlines()[0]
        return f"{eval_name:9}{self.function:10}{self.description:24}{times}  {verdict}"


def start(command: list[str], folder: Path | None = None, path: str = "") -> subprocess.Popen[str]:
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=folder, env=environment)


def run(eval_process: subprocess.Popen[str], tool: subprocess.Popen[str], name: str) -> list[Answer]:
    """Carry messages to the tool and answers back until the eval has no more."""
    answers: dict[int, Answer] = {}
    assert eval_process.stdout is not None
    assert eval_process.stdin is not None
    assert tool.stdin is not None
    assert tool.stdout is not None
    for line in eval_process.stdout:
        message = json.loads(line)
        tool.stdin.write(line)
        tool.stdin.flush()
        reply = tool.stdout.readline()
        if not reply:
            raise SystemExit(f"{name}: the tool ended at {message['kind']} {message.get('description', '')}")
        _note(answers, message, json.loads(reply), name)
        eval_process.stdin.write(reply)
        eval_process.stdin.flush()
    if eval_process.wait():
        raise SystemExit(f"{name}: the eval itself failed")
    return list(answers.values())


def _note(answers: dict[int, Answer], message: dict[str, Any], reply: dict[str, Any], name: str) -> None:
    number = message["id"]
    if message["kind"] == "define" and not reply["success"]:
        raise SystemExit(f"{name}: {reply.get('error', 'the tool does not have it')}")
    if message["kind"] == "evaluate":
        answers[number] = Answer(message["function"], message.get("description", ""))
        if reply["success"]:
            answers[number].nanoseconds = [t["nanoseconds"] for t in reply["timings"] if t["name"] == "evaluate"]
        else:
            raise SystemExit(f"{name} {message['function']}: {reply.get('error', 'failed')}")
    if message["kind"] == "analysis":
        answer = answers[message["of"]]
        answer.error = "" if message["valid"] else message.get("error", "not valid")
        print(answer.line(name), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gradbench", type=Path, metavar="GRADBENCH", help="a clone of the repository")
    parser.add_argument("evals", nargs="*", metavar="eval", help=f"default: {', '.join(EVALS)}")
    parser.add_argument("--small", action="store_true", help="sizes that take seconds")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of each evaluation (default: 1)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the evals, with their packages")
    parser.add_argument("--tool", help="command of another tool, run in GRADBENCH; default: fastad, from here")
    options = parser.parse_args(arguments)
    path = str(options.gradbench.resolve() / "python/gradbench")
    valid = True
    for name in options.evals or EVALS:
        command = [options.python, f"python/gradbench/gradbench/evals/{name}/run.py"]
        if name != "hello":
            command += ["--min-seconds", str(options.seconds), "--min-runs", "2"]
        command += shlex.split(SMALL.get(name, "")) if options.small else []
        eval_process = start(command, options.gradbench, path)
        if options.tool:
            tool = start(shlex.split(options.tool), options.gradbench, path)
        else:
            tool = start([sys.executable, "-m", __package__])
        try:
            found = run(eval_process, tool, name)
        finally:
            eval_process.kill()
            tool.kill()
        valid = valid and bool(found) and not any(answer.error for answer in found)
    return int(not valid)


if __name__ == "__main__":
    sys.exit(main())
