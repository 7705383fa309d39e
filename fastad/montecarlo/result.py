"""What a Monte Carlo run gives back: numbers in the structures of the user, a table, JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..packing import Packing, nest
from ..program.variants import VariantInfo


@dataclasses.dataclass(frozen=True)
class MonteCarloResult:
    """Estimates and standard errors.

    Attributes
    ----------
    value, stderr
        Structure of the payoff's result: means and their standard errors.
    gradient, gradient_stderr
        The payoff's structure with the structure of the parameters at each leaf; None where nothing was
        differentiated.
    paths : int
        Payoff evaluations, antithetic partners counted apart.
    seconds : float
        Wall time, recording included.
    threads : int
        Threads used.
    seed : int
        What reproduces the numbers.
    warnings : tuple of str
        What to know before trusting them.
    variants : tuple of VariantInfo
        Recordings that the paths were replayed from: paths, share, rows, deciding lines of each.
    """

    value: Any
    stderr: Any
    gradient: Any
    gradient_stderr: Any
    paths: int
    seconds: float
    threads: int
    seed: int
    warnings: tuple[str, ...]
    variants: tuple[VariantInfo, ...]
    _rows: tuple[tuple[str, float, float, tuple[tuple[str, float, float], ...]], ...] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        rate = self.paths / self.seconds / 1e6
        lines = [
            f"Monte Carlo: {self.paths:,} paths, seed {self.seed}, {self.seconds:.3g} s on {self.threads} "
            f"thread{'s' if self.threads > 1 else ''} ({rate:.3g} million paths a second)"
        ]
        names = [name for _, _, _, rows in self._rows for name, _, _ in rows] + [name for name, *_ in self._rows]
        width = max((len(name) for name in names), default=0) + 2
        header = f"{'':<{width}}{'estimate':>18}{'std. error':>14}"
        for name, value, error, rows in self._rows:
            lines += ["", header, _line(name, value, error, width)]
            lines += [_line("  " + sensitivity, estimate, se, width) for sensitivity, estimate, se in rows]
        lines += [f"warning: {text}" for text in self.warnings]
        return "\n".join(lines)

    def to_json(self, indent: int | None = None) -> str:
        """Return all numbers as JSON; arrays become lists, NaN and inf stay as Python writes them."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not f.name.startswith("_")}
        return json.dumps({name: _plain(value) for name, value in fields.items()}, indent=indent)


def _line(name: str, value: float, error: float, width: int) -> str:
    return f"{name:<{width}}{value:>18.8g}{error:>14.3g}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def assemble(
    outputs: Packing,
    inputs: Packing | None,
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    gradients: tuple[NDArray[np.float64], NDArray[np.float64]],
    **run: Any,
) -> MonteCarloResult:
    """Make the result from flat estimates and errors: values (outputs,), gradients (outputs, inputs)."""
    value, stderr = (outputs.unpack(v) for v in values)
    gradient = error = None
    input_names: list[str] = []
    if inputs is not None:
        gradient, error = (nest(outputs, inputs, g) for g in gradients)
        input_names = inputs.names() if inputs.spec.kind != "leaf" else inputs.names("param")
    rows = []
    for i, name in enumerate(outputs.names() if outputs.spec.kind != "leaf" else outputs.names("value")):
        sensitivities = tuple(zip(input_names, gradients[0][i].tolist(), gradients[1][i].tolist()))
        rows.append((name, float(values[0][i]), float(values[1][i]), sensitivities))
    return MonteCarloResult(value, stderr, gradient, error, _rows=tuple(rows), **run)
