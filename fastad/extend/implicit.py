"""Solutions of equations: derivatives by the implicit function theorem, not through the solver."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import transforms
from ..errors import ConvergenceError
from ..packing import Packing
from ..program.program import Program
from ..record.algebra import solve as solve_linear
from ..record.array import flat
from ..record.context import isolated
from ..structure import Spec, flatten, is_active, is_input, is_result, leaf_shapes
from .rule import FunctionRule, Leaves, called, joined, plain, zeros_like

__all__ = ["implicit"]


def implicit(solve: Callable[..., Any], residual: Callable[..., Any], tol: float = 1e-6) -> Callable[..., Any]:
    """Return a function that solves residual(x, *args) = 0 for x, differentiated without looking into the solver.

    Parameters
    ----------
    solve : callable
        ``solve(*args)`` gives the solution, a number, an array or a structure of them, from plain numbers: by SciPy, a
        library, a table; nothing in it is recorded.
    residual : callable
        ``residual(x, *args)`` is zero at the solution: as many numbers as x, written in operations of fastad or NumPy.
        For a fixed point x = g(x), ``g(x, ...) - x``. With more numbers than x it is a least-squares problem, and
        what is zero is the derivative of half their sum of squares.
    tol : float
        Largest step that Newton's method would still make, relative to max(1, largest absolute value of x).

    Returns
    -------
    callable
        ``(*args) -> x``. Recorded as one BLOCK row; a replay solves again. Its adjoint is one solve with the transposed
        Jacobian of the residual, whatever the number of arguments: with dx/dargs = -(dr/dx)^-1 dr/dargs.

    Raises
    ------
    ConvergenceError
        The residual is not zero where ``solve`` stopped, or its Jacobian is singular there; a batch names the scenario.

    Notes
    -----
    The theorem needs a residual that is differentiable at the solution. Derivatives have any order: the derivative of
    the solution is itself made of the solution and the residual (Griewank and Walther, Evaluating Derivatives, 2nd ed.,
    section 15).

    Examples
    --------
    >>> import fastad as fad
    >>> root = fad.implicit(lambda a: a**0.5, lambda x, a: x * x - a)
    >>> fad.grad(root)(4.0)
    0.25
    """
    name = f"implicit {getattr(solve, '__name__', type(solve).__name__)}"

    @functools.wraps(solve, updated=())
    def function(*args: Any) -> Any:
        return called(lambda spec: _Implicit(name, spec, solve, residual, tol), solve, args, name)

    return function


class _Implicit(FunctionRule):
    is_output = staticmethod(is_result)

    def __init__(
        self, name: str, spec: Spec, solve: Callable[..., Any], residual: Callable[..., Any], tol: float
    ) -> None:
        super().__init__(name, spec)
        self._solve, self._residual, self._tol = solve, residual, tol
        self._equations: Callable[..., Any] | None = None
        self._program: Program | None = None

    def value(self, leaves: Leaves) -> Any:
        solution = self._solve(*self.arguments(leaves))
        numbers, spec = self.flattened(solution)
        self._check(Packing(spec, leaf_shapes(numbers)), flat(numbers), leaves)
        return solution

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_equations": None, "_program": None}

    def _equations_at(self, unknowns: Packing, x: Any, leaves: Leaves) -> Callable[..., Any]:
        """Equations as a function of the unknowns as one vector and of the leaves; made when first needed."""
        if self._equations is None:
            with isolated():
                self._equations = self._as_many(unknowns, plain(x), [plain(leaf) for leaf in leaves])
            self._program = Program(self._equations)
        return self._equations

    def _as_many(self, unknowns: Packing, x: Any, leaves: Leaves) -> Callable[..., Any]:
        """The residual as a vector, of as many equations as there are unknowns."""

        @joined
        def residual(x: Any, *leaves: Any) -> Any:
            return self._residual(unknowns.unpack(x), *self.arguments(list(leaves)))

        count = residual(x, *leaves).size
        if count < x.size:
            raise ValueError(f"{self.name}: a residual of {count} numbers cannot determine {x.size} unknowns")
        if count == x.size:
            return residual

        def stationary(x: Any, *leaves: Any) -> Any:
            r, pullback = transforms.vjp(lambda x: residual(x, *leaves), x)
            return pullback(r)[0]

        return stationary

    def _check(self, unknowns: Packing, x: Any, leaves: Leaves) -> None:
        """Raise unless Newton's method would stay where the solver stopped."""
        self._equations_at(unknowns, x, leaves)
        assert self._program is not None
        r, slopes = self._program(x, *leaves), self._program.jacobian(x, *leaves)
        try:
            step = np.linalg.solve(slopes, r)
        except np.linalg.LinAlgError:
            raise ConvergenceError(
                f"{self.name}: the residual's Jacobian is singular at the solution, x = {x}"
            ) from None
        # A NaN fails the comparison.
        if not np.abs(step).max(initial=0.0) <= self._tol * max(1.0, np.abs(x).max(initial=0.0)):
            raise ConvergenceError(
                f"{self.name} has not converged: at x = {x} the residual is {r}, and Newton's method would go on by "
                f"{-step}; tighten the solver, or raise tol={self._tol}"
            )

    def _slopes(self, equations: Callable[..., Any], x: Any, leaves: Leaves) -> Any:
        """Jacobian of the equations by the unknowns."""
        if any(map(is_active, [x, *leaves])):
            return transforms.jacobian(equations)(x, *leaves)
        assert self._program is not None
        return self._program.jacobian(x, *leaves)

    def pull(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        assert self.outputs is not None
        x, weights = flat(flatten(result, is_input)[0]), flat(flatten(bar, is_input)[0])
        equations = self._equations_at(self.outputs, x, leaves)
        multipliers = solve_linear(self._slopes(equations, x, leaves).T, weights)
        return list(transforms.vjp(lambda *leaves: equations(x, *leaves), *leaves)[1](-multipliers))

    def push(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        assert self.outputs is not None
        x = flat(flatten(result, is_input)[0])
        equations = self._equations_at(self.outputs, x, leaves)
        directions = [zeros_like(leaf) if dot is None else dot for leaf, dot in zip(leaves, dots)]
        _, change = transforms.jvp(lambda *leaves: equations(x, *leaves), tuple(leaves), tuple(directions))
        return self.outputs.unpack(solve_linear(self._slopes(equations, x, leaves), -change))
