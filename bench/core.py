"""What a problem is, and what one measurement holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# A tool's way of doing a problem: way(data, threads) prepares (converts, records, declares) and returns the call to be
# timed, or None where it declines the case. The call returns its answer as NumPy values, and only when it is there:
# asynchronous tools are waited for.
Way = Callable[[Any, int], Callable[[], Any] | None]


class Timed(NamedTuple):
    """What a call gives that measures itself, in a process of its own."""

    seconds: float
    answer: Any
    peak_bytes: int | None


class Roughly(NamedTuple):
    """A way whose derivatives are right to a few digits only, as finite differences are."""

    way: Way

    def __call__(self, data: Any, threads: int) -> Callable[[], Any] | None:
        """As the way itself."""
        return self.way(data, threads)


@dataclass(frozen=True)
class Problem:
    """A problem: what to compute, at which sizes, and how to know that an answer is right.

    Parameters
    ----------
    cases
        ``cases(quick)`` gives the data of each case by name, a size for instance.
    check
        ``check(data, answer)`` is "" for a right answer, else a sentence saying what is wrong.
    rough
        The same for ways that are `Roughly` right.
    items
        ``items(data)``: times are divided by this number of things, each called ``unit``.
    baseline
        The tool that the others are compared with, at the same number of threads.
    threads
        Numbers of threads to run at.
    self_timed
        The call returns `Timed`, measured by itself in a fresh process.
    needs
        A package without which there are no answers to compare with.
    """

    name: str
    section: str
    title: str
    cases: Callable[[bool], dict[str, Any]]
    check: Callable[[Any, Any], str]
    baseline: str
    rough: Callable[[Any, Any], str] | None = None
    unit: str = "call"
    items: Callable[[Any], int] = lambda data: 1
    threads: tuple[int, ...] = (1,)
    self_timed: bool = False
    needs: str = "numpy"


@dataclass
class Row:
    """One measurement: a tool's way of doing one case of a problem on some threads. Times in seconds, samples per item.

    ``prepare`` and ``first`` (call) are of a tool's first number of threads: for the next, much is already compiled.
    """

    problem: str
    case: str
    tool: str
    threads: int
    unit: str
    prepare: float | None = None
    first: float | None = None
    samples: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    failure: str = ""
    items: int = 1

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes two rows of different runs the same measurement."""
        return self.problem, self.case, self.tool, self.threads
