"""Where a number stops being finite: in the values of rows, in tangents, in adjoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import NonFiniteError
from .notation import Rows, number

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class NonFinite:
    """The first number that is NaN or infinite.

    Attributes
    ----------
    row : int
        Row of the tape or of the recording.
    quantity : {"value", "partial", "tangent", "adjoint"}
        What is not finite.
    number : float
        NaN, inf or -inf.
    statement : str
        What the row computes, such as ``v_3 = log(v_1)``.
    operands : tuple of (str, float)
        Names and values of the operands.
    place : Place or None
        File and line, where rows have theirs.
    scenario : int or None
        Of a batch or a Monte Carlo run.
    """

    row: int
    quantity: str
    number: float
    statement: str
    operands: tuple[tuple[str, float], ...]
    place: Any = None
    scenario: int | None = None

    def __str__(self) -> str:
        article = "a partial" if self.quantity == "partial" else f"the {self.quantity}"
        with_ = ", ".join(f"{name} = {number(x)}" for name, x in self.operands)
        text = f"{article} of row {self.row} is {self.number}: {self.statement}"
        text += f" with {with_}" if with_ else ""
        text += f", at {self.place}" if self.place else "; record under fad.debug() to have its line"
        return text + (f"; scenario {self.scenario}" if self.scenario is not None else "")

    def error(self, note: str = "") -> NonFiniteError:
        """Return the error that tells of it."""
        return NonFiniteError(f"{replace(self, scenario=None)}{note}", self)

    def of_scenario(self, scenario: int) -> NonFinite:
        """Return the same with the number of the scenario."""
        return replace(self, scenario=scenario)


def report(rows: Rows, row: int, quantity: str, what: float) -> NonFinite:
    """Describe a row."""
    operands = tuple((rows.name(i), x) for i, x, _ in rows.operands(row) if i >= 0)
    statement = f"{rows.name(row)} = {rows.expression(row)}"
    return NonFinite(row, quantity, float(what), statement, tuple(dict.fromkeys(operands)), rows.place(row))


def first_of_rows(rows: Rows, tangent: Vector | None = None) -> NonFinite | None:
    """First row with a value, a partial or a tangent that is not finite."""
    columns = {"value": rows.value, "partial": np.where(rows.arg0 >= 0, rows.partial0, 0.0)}
    columns["second"] = np.where(rows.arg1 >= 0, rows.partial1, 0.0)
    if tangent is not None:
        columns["tangent"] = tangent
    bad = {name: np.flatnonzero(~np.isfinite(column)) for name, column in columns.items()}
    found = [(int(at[0]), order, name) for order, (name, at) in enumerate(bad.items()) if at.size]
    if not found:
        return None
    row, _, name = min(found)
    return report(rows, row, "partial" if name == "second" else name, columns[name][row])


def first_of_values(rows: Rows) -> NonFinite | None:
    """First row whose value is not finite."""
    bad = np.flatnonzero(~np.isfinite(rows.value))
    return report(rows, int(bad[0]), "value", rows.value[bad[0]]) if bad.size else None


def origin_of_value(rows: Rows, row: int) -> NonFinite | None:
    """The row where a value that is not finite arose, going back over operands that have a part in it."""
    if row < 0 or np.isfinite(rows.value[row]):
        return None
    while True:
        bad = [i for i, x, partial in rows.operands(row) if i >= 0 and not np.isfinite(x) and partial != 0.0]
        if not bad:
            return report(rows, row, "value", rows.value[row])
        row = bad[0]


def origin_of_tangent(rows: Rows, tangent: Vector) -> NonFinite | None:
    """The first row, in the order of the forward sweep, whose tangent is not finite."""
    bad = np.flatnonzero(~np.isfinite(tangent))
    return report(rows, int(bad[0]), "tangent", tangent[bad[0]]) if bad.size else None


def origin_of_adjoint(rows: Rows, adjoint: Vector) -> NonFinite | None:
    """The first row, in the order of the reverse sweep, whose adjoint or partial makes adjoints that are not finite."""
    for row in range(adjoint.size - 1, -1, -1):
        if not np.isfinite(adjoint[row]):
            return report(rows, row, "adjoint", adjoint[row])
        if adjoint[row] != 0.0:
            for i, _, partial in rows.operands(row):
                if i >= 0 and not np.isfinite(partial):
                    return report(rows, row, "partial", partial)
    return None
