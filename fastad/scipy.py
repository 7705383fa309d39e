"""Functions and their derivatives in the order of arguments of ``scipy.optimize``, which is not imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import ShapeError
from .packing import Vector, refuse_actives
from .program.program import Program
from .record.array import array
from .structure import flatten, is_number, open_node, real_array


def objective(f: Callable[..., Any], *, sparse: bool = False, max_variants: int = 1000) -> Objective:
    """Return value and derivatives of f as ``minimize``, ``root`` and ``least_squares`` of SciPy want them.

    f is recorded at the first point and replayed at all others; where it branches another way, or gets other
    ``args``, it is recorded again.

    Parameters
    ----------
    f : callable
        ``f(x, *args)``, plain or jitted: returns one number to minimise, or several (an array, a list) whose root
        or least squares are wanted.
    sparse : bool
        Give matrices (the Jacobian of several numbers, the Hessian) as ``scipy.sparse.csr_array``, from as many sweeps
        as their pattern has colours.
    max_variants : int
        Largest number of recordings, one per sequence of decisions that occurs.

    Returns
    -------
    Objective

    Examples
    --------
    >>> import fastad as fad
    >>> from scipy.optimize import minimize
    >>> bowl = fad.scipy.objective(lambda x, center: ((x - center) ** 2).sum())
    >>> found = minimize(bowl.fun, np.zeros(3), args=(2.0,), jac=bowl.jac, hess=bowl.hess, method="trust-exact")
    >>> found.x.round(6)
    array([2., 2., 2.])
    """
    return Objective(f, sparse, max_variants)


class Objective:
    """Value and derivatives of one function, for SciPy. Made by `objective`.

    Everything computed at the last point is kept, so asking for it again costs nothing. ``args`` are passive data;
    they are compared at each call (arrays by their contents, objects unknown to NumPy by their identity).
    """

    def __init__(self, f: Callable[..., Any], sparse: bool = False, max_variants: int = 1000) -> None:
        self._f = f
        self._sparse = sparse
        self._max_variants = max_variants
        self._last: _Point | None = None
        self._asked_for_gradients = False

    def __repr__(self) -> str:
        return f"<fastad.scipy.Objective of {getattr(self._f, '__name__', type(self._f).__name__)}>"

    def __reduce__(self) -> Any:
        return type(self), (self._f, self._sparse, self._max_variants)  # a worker records for itself

    @property
    def program(self) -> Program | None:
        """The Program of the last ``args``; None before the first call."""
        return None if self._last is None else self._last.recorded.program

    def fun(self, x: Any, *args: Any) -> Any:
        """Value at x: a float, or an array."""
        point = self._point(x, args)
        if self._asked_for_gradients:
            point.look_ahead()
        return _copy(point.value)

    def jac(self, x: Any, *args: Any) -> Any:
        """Gradient at x, shape of x; or Jacobian, shape of the value + shape of x."""
        self._asked_for_gradients = True
        return _copy(self._point(x, args).jacobian)

    def hess(self, x: Any, *args: Any) -> Any:
        """Hessian at x, shape (n, n), of a function that returns one number.

        Raises
        ------
        ShapeError
            The function returns several.
        """
        return _copy(self._point(x, args).hessian)

    def hessp(self, x: Any, p: Any, *args: Any) -> Vector:
        """Product of the Hessian at x with p: one forward sweep, without the matrix."""
        return self._point(x, args).hessian_times(p)

    def hess_dot(self, x: Any, v: Any, *args: Any) -> Any:
        """Hessian at x of ``dot(v, f)``: the ``hess`` of ``scipy.optimize.NonlinearConstraint``."""
        return self._point(x, args).hessian_of_weighted(v)

    def _point(self, x: Any, args: tuple[Any, ...]) -> _Point:
        """The last point, if it is this one; threads that race here compute the same numbers twice."""
        x, key, last = _numbers(x, "x"), _key(args), self._last
        if last is not None and key == last.recorded.key and _same(x, last.x):
            return last
        recorded = last.recorded if last is not None and key == last.recorded.key else self._record(args, key)
        self._last = point = _Point(recorded, x)
        return point

    def _record(self, args: tuple[Any, ...], key: Any) -> _Recorded:
        return _Recorded(self._f, args, key, self._sparse, self._max_variants)


class _Recorded:
    """A function of x at some args: recorded when first called."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], key: Any, sparse: bool, max_variants: int) -> None:
        def at(x: Any) -> Any:
            return _one_array(f(x, *args))

        self.key = key
        self.sparse = sparse
        self.one_number = False  # not known before the first value
        self.program = Program(at, max_variants)
        self.weighted = Program(lambda x, v: (v * at(x)).sum(), max_variants)


class _Point:
    """What has been computed at one x."""

    def __init__(self, recorded: _Recorded, x: Vector) -> None:
        self.recorded = recorded
        self.x = x
        self._x: Any = x if x.ndim else float(x)
        self._value: Any = None
        self._jacobian: Any = None
        self._hessian: Any = None
        self._product: Callable[[Vector], Vector] | None = None

    @property
    def value(self) -> Any:
        if self._value is None:
            self._value = self.recorded.program(self._x)
            self.recorded.one_number = isinstance(self._value, float)
        return self._value

    @property
    def jacobian(self) -> Any:
        if self._jacobian is None:
            program = self.recorded.program
            if isinstance(self.value, float):
                self._jacobian = program.grad(self._x)
            else:
                self._jacobian = program.jacobian(self._x, sparse=self.recorded.sparse, mode="auto")
        return self._jacobian

    @property
    def hessian(self) -> Any:
        if self._hessian is None:
            self._require_one_number()
            self._hessian = self.recorded.program.hessian(self._x, sparse=self.recorded.sparse)
        return self._hessian

    def look_ahead(self) -> None:
        """Compute value and gradient together, of a function that returns one number."""
        if self._value is None and self.recorded.one_number:
            self._value, self._jacobian = self.recorded.program.value_and_grad(self._x)

    def hessian_times(self, p: Any) -> Vector:
        direction = _numbers(p, "p")
        if direction.size != self.x.size:
            raise ShapeError(f"p of shape {direction.shape}: expected that of x, {self.x.shape}")
        if self._product is None:
            self._require_one_number()
            program, args = self.recorded.program, (self._x,)
            self._product = program._hessian_map(program._at(args)[0], args)
        return self._product(direction.ravel()).reshape(direction.shape)

    def hessian_of_weighted(self, v: Any) -> Any:
        weights = _numbers(v, "v")
        if weights.shape not in (np.shape(self.value), (1,)[: np.size(self.value)]):
            raise ShapeError(f"v of shape {weights.shape}: expected that of the value, {np.shape(self.value)}")
        return self.recorded.weighted.hessian(self._x, np.atleast_1d(weights), sparse=self.recorded.sparse)

    def _require_one_number(self) -> None:
        if not isinstance(self.value, float):
            raise ShapeError(
                f"a Hessian needs a function that returns one number, got shape {np.shape(self.value)}; "
                "hess_dot(x, v) is that of dot(v, f), for scipy.optimize.NonlinearConstraint"
            )


def _one_array(y: Any) -> Any:
    """The result of a function as SciPy takes it: one number, or one array."""
    if isinstance(y, list | tuple):
        return array(y)
    if open_node(y) is not None:
        raise TypeError(
            f"the function returned a {type(y).__name__}; SciPy takes a number, an array or a list of numbers"
        )
    return y


def _numbers(x: Any, name: str) -> Vector:
    refuse_actives([x])
    return real_array(x, name)  # a copy: solvers move x in place


def _same(x: Vector, y: Vector) -> bool:
    """Whether two arrays are equal bit by bit: -0.0 is another point than 0.0, and a NaN is the same one."""
    return x.shape == y.shape and bool((x.view(np.int64) == y.view(np.int64)).all())


def _key(args: tuple[Any, ...]) -> Any:
    if not args:
        return None
    leaves, spec = flatten(args, is_number)
    arrays = [np.asarray(leaf) for leaf in leaves]
    return spec.key(), [(array.shape, array.dtype, array.tobytes()) for array in arrays]


def _copy(x: Any) -> Any:
    return x if isinstance(x, float) else x.copy()
