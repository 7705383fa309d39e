"""Transforms: functions in, functions or derivatives out, over structures of numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import forward
from .errors import NestingError, ShapeError
from .packing import argument_numbers, nest
from .record.active import passive_float
from .record.context import Outputs, is_jitted, outer_tape, refuse_dicts
from .record.dual import Dual
from .record.functions import value as frozen
from .recorded import Argnums, Nested, Recorded, run
from .sparse import Coloring, Direct, Pattern, cheapest, explanation, scipy_sparse
from .structure import flatten, is_active, is_result


def _is_outermost(args: tuple[Any, ...]) -> bool:
    """Whether a call of plain numbers is inside no other transform."""
    leaves, _ = flatten(args, lambda leaf: is_result(leaf) or isinstance(leaf, Dual))
    return outer_tape(leaves) is None and not any(isinstance(leaf, Dual) for leaf in leaves)


def _scalar_output(outputs: Outputs, name: str) -> None:
    if not outputs.is_scalar:
        raise ShapeError(
            f"{name} needs a function that returns one number, got {outputs.packing.describe()}; use fad.jacobian"
        )


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the value of f and its gradient.

    Parameters
    ----------
    f : callable
        Returns one number; with ``has_aux``, a pair (number, anything).
    argnums : int or sequence of int
        The arguments to differentiate by: structures of numbers.
    has_aux : bool
        Pass the second item of f's result through; its actives are frozen to numbers, unless this transform is
        inside another one.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> (value, gradient)``, or ``((value, aux), gradient)``; the gradient has the
        structure of the argument, a tuple of them for several ``argnums``.

    Raises
    ------
    ShapeError
        f does not return one number.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    return _value_and_gradient(f, argnums, "a gradient", has_aux)


def _value_and_gradient(
    f: Callable[..., Any], argnums: Argnums, what: str, has_aux: bool = False
) -> Callable[..., Any]:
    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        recorded = run(f, args, kwargs, argnums)
        result, aux = recorded.result if has_aux else (recorded.result, None)
        outputs = Outputs(recorded.tape, result)
        del result  # so that nothing but `recorded` refers to the tape at the end, which can be used again
        gradient = _reverse(recorded, outputs, what)
        value = outputs.packing.unpack(recorded.values(outputs))
        if not has_aux:
            return value, gradient
        return (value, aux if isinstance(recorded, Nested) else frozen(aux)), gradient

    return derivative


def _reverse(recorded: Recorded, outputs: Outputs, what: str) -> Any:
    _scalar_output(outputs, what)
    return recorded.inputs.unpack(recorded.jacobian(outputs, "reverse")[0])


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of f; see `value_and_grad`.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.grad(lambda p: p["a"] * fad.exp(p["b"]))({"a": 2.0, "b": 0.0})
    {'a': 1.0, 'b': 2.0}
    """
    return _gradient(f, argnums, "a gradient")


def _gradient(f: Callable[..., Any], argnums: Argnums, what: str) -> Callable[..., Any]:
    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        recorded = run(f, args, kwargs, argnums)
        return _reverse(recorded, Outputs(recorded.tape, recorded.result), what)

    return derivative


def jacobian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    mode: str = "auto",
    sparse: bool | Coloring = False,
    explain: bool = False,
) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of f.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays or a structure of them.
    argnums : int or sequence of int
        The arguments to differentiate by.
    mode : {"auto", "forward", "reverse"}
        Sweep direction; auto takes the smaller number of directions or seeds, and where both are more than 64
        tries whether fewer do for a compressed Jacobian. Forward through a jitted function runs it with duals, eight
        directions at a time, and records nothing.
    sparse : bool or Coloring
        Return one ``scipy.sparse.csr_array`` of all result elements by all argument elements, from as many sweeps
        as the pattern has colours; for ``mode="auto"`` element by element, where rows depend on so few inputs that
        carrying all their derivatives costs less. A colouring from an earlier `sparsity` is used as it is: its
        pattern must hold, which one more sweep checks.
    explain : bool
        Print what forward, reverse and compressed sweeps cost, and which is taken.

    Returns
    -------
    callable
        Gives the structure of f's result with the argument's structure at each leaf; leaf shape is result
        leaf shape + argument leaf shape. With ``sparse``, a matrix.

    Raises
    ------
    ImportError
        ``sparse`` without SciPy.
    NestingError
        ``sparse`` inside another transform.
    PatternError
        The derivative has elements outside the pattern of the colouring given.
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode={mode!r}: expected 'auto', 'forward' or 'reverse'")

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        if mode == "forward" and is_jitted(f) and not (sparse or explain) and _is_outermost(args):
            refuse_dicts(args)
            positions = argument_numbers(argnums, len(args))
            return forward.jacobian(f, args, kwargs, positions, isinstance(argnums, int))
        recorded = run(f, args, kwargs, argnums)
        outputs = Outputs(recorded.tape, recorded.result)
        if not isinstance(recorded, Nested) or sparse:
            data = _compressed(recorded, outputs, mode, sparse, explain)
            if sparse:
                return data
            if data is not None:
                return nest(outputs.packing, recorded.inputs, data)
        return nest(outputs.packing, recorded.inputs, recorded.jacobian(outputs, mode))

    return derivative


_FEW = 64  # directions or seeds: one sweep, which no compression can beat


def _compressed(recorded: Recorded, outputs: Outputs, mode: str, sparse: bool | Coloring, explain: bool) -> Any:
    """Jacobian by a colouring: sparse, or dense where that takes fewer sweeps; None where it does not."""
    least = min(outputs.rows.size, recorded.inputs.size)
    if not (sparse or explain or (mode == "auto" and least > _FEW)):
        return None
    _refuse_nested(recorded)
    if sparse:
        scipy_sparse()
    coloring, direct = _ways(recorded, outputs.rows, mode, sparse)
    compress = bool(sparse) or (mode == "auto" and least > _FEW and coloring.count < least)
    if explain:
        chosen = "compressed" if direct is None else f"element by element, {direct.elements_per_row:.2g} a row"
        if not compress:
            forward = outputs.rows.size > recorded.inputs.size
            chosen = ("forward" if forward else "reverse") if mode == "auto" else mode
        print(explanation(coloring.pattern, coloring, chosen))
    if not compress:
        return None
    data = _elements(recorded, outputs.rows, coloring, direct, check=sparse is coloring)
    return coloring.pattern.to_scipy(data) if sparse else coloring.pattern.to_dense(data)


def _ways(
    recorded: Recorded, rows: NDArray[np.int32], mode: str, sparse: bool | Coloring, symmetric: bool = False
) -> tuple[Coloring, Direct | None]:
    """The colouring given, or the one with the fewest colours; and what is cheaper than that, or None."""
    if not isinstance(sparse, Coloring):
        return cheapest(recorded.dependences(rows), mode, symmetric)
    if sparse.pattern.shape != (rows.size, recorded.inputs.size):
        raise ShapeError(f"sparse={sparse!r}: the derivative has shape {(rows.size, recorded.inputs.size)} here")
    return sparse, None


def _elements(
    recorded: Recorded, rows: NDArray[np.int32], coloring: Coloring, direct: Direct | None, check: bool
) -> NDArray[np.float64]:
    """Elements of the derivative of some rows; with a check for a colouring that was made somewhere else."""
    if direct is not None:
        return direct.differentiate(recorded.tape.partial0, recorded.tape.partial1)
    ways = (
        lambda directions: recorded.tangents_of(rows, directions),
        lambda seeds: recorded.adjoints_of(rows, seeds),
    )
    data = coloring.differentiate(*ways)
    if check:
        coloring.agree(data, *ways)
    return data


def _refuse_nested(recorded: Recorded) -> None:
    if isinstance(recorded, Nested):
        raise NestingError("sparse derivatives inside another transform are not available; leave out sparse there")


def sparsity(f: Callable[..., Any], *args: Any, argnums: Argnums = 0, hessian: bool = False) -> Pattern:
    """Return the pattern of the Jacobian of f at some arguments, or of its Hessian.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays or a structure of them; one number for ``hessian``.
    *args
        Arguments; the pattern holds wherever f takes the same branches and looks up the same elements.
    argnums : int or sequence of int
        The arguments to differentiate by.
    hessian : bool
        The pattern of the second derivative instead.

    Returns
    -------
    Pattern
        Of all result elements (of all argument elements for a Hessian) by all argument elements.

    Examples
    --------
    >>> import fastad as fad
    >>> pattern = fad.sparsity(lambda x: x[1:] * x[:-1], np.ones(4))
    >>> pattern.to_dense().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])
    >>> pattern.color_columns().count
    2
    """
    recorded = run(f, args, {}, argnums)
    _refuse_nested(recorded)
    outputs = Outputs(recorded.tape, recorded.result)
    if hessian:
        return recorded.dependences(_gradient_rows(recorded, outputs)).pattern().mirrored()
    return recorded.dependences(outputs.rows).pattern()


def _gradient_rows(recorded: Recorded, outputs: Outputs) -> NDArray[np.int32]:
    _scalar_output(outputs, "a Hessian")
    if outputs.rows[0] < 0:
        return np.full(recorded.inputs.size, -1, np.int32)
    return recorded.gradient_rows(int(outputs.rows[0]))


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return f(*primals) and its derivative in the direction of the tangents, by one forward sweep.

    Parameters
    ----------
    f : callable
        Function of ``len(primals)`` structures of numbers.
    primals, tangents : sequence
        Arguments, and directions of the same structure and shapes.

    Returns
    -------
    (y, y_dot)
        Both of the structure of f's result.
    """
    if not isinstance(primals, Sequence) or not isinstance(tangents, Sequence):
        raise TypeError("jvp takes its primals and tangents as tuples: jvp(f, (x,), (x_dot,))")
    recorded = run(f, tuple(primals), {}, range(len(primals)), tangents)
    outputs = Outputs(recorded.tape, recorded.result)
    y_dot = recorded.tangents(outputs, recorded.vector(recorded.inputs, tuple(tangents)))
    return outputs.packing.unpack(recorded.values(outputs)), outputs.packing.unpack(y_dot)


def derivative(f: Callable[[Any], Any], x: Any) -> Any:
    """Return the derivative of f at the number x, by one forward sweep; of a jitted f by one run with a dual.

    Parameters
    ----------
    f : callable
        Function of one number, plain or jitted, returning a number or a structure of numbers.
    x : float, Active or Dual
        Where; inside another transform its active, at a dual the derivative is by duals.

    Returns
    -------
    float or structure
        The structure of f's result. Derivatives nest: ``derivative(lambda x: derivative(f, x), x)`` is the second.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.derivative(lambda x: x * fad.derivative(lambda y: x + y, 1.0), 2.0)
    1.0
    """
    if isinstance(x, Dual) or (is_jitted(f) and outer_tape([x] if is_active(x) else []) is None):
        return forward.derivative(f, x)
    if not is_active(x) and passive_float(x) is NotImplemented:
        raise TypeError(f"derivative is by a number, not {type(x).__name__}; use fad.jacobian or fad.grad")
    return jvp(f, (x,), (1.0,))[1]


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return f(*primals) and its pullback: seeds of the result's structure to adjoints of the arguments.

    Returns
    -------
    (y, pullback)
        ``pullback(y_bar)`` gives a tuple, one structure per argument, by one reverse sweep; it can be called
        again with other seeds.
    """
    recorded = run(f, primals, {}, range(len(primals)))
    outputs = Outputs(recorded.tape, recorded.result)
    lock = threading.RLock()  # sweeps write rows and adjoints of the one tape, whichever thread asks for them

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        with lock:
            return recorded.inputs.unpack(recorded.adjoints(outputs, y_bar))

    return outputs.packing.unpack(recorded.values(outputs)), pullback


def hessian(f: Callable[..., Any], argnums: Argnums = 0, sparse: bool | Coloring = False) -> Callable[..., Any]:
    """Return a function that gives the Hessian of f: forward sweeps, 64 directions at once, over its gradient.

    Parameters
    ----------
    f : callable
        Returns one number.
    argnums : int or sequence of int
        The arguments to differentiate by.
    sparse : bool or Coloring
        Return one ``scipy.sparse.csr_array`` of all argument elements by themselves, from as many sweeps as a star
        colouring of the pattern has colours, or element by element. A colouring from an earlier `sparsity` (star, or
        acyclic with fewer colours and more rounding) is used as it is: its pattern must hold, which one more sweep
        checks.

    Returns
    -------
    callable
        Gives the structure of the argument with the structure of the argument at each leaf; leaf shape is leaf
        shape + leaf shape. With ``sparse``, a matrix.

    Raises
    ------
    ShapeError
        f does not return one number.
    ImportError
        ``sparse`` without SciPy.
    NestingError
        ``sparse`` inside another transform.

    Notes
    -----
    At a kink the second derivative is that of the branch that the first one takes: 0 for ``abs`` at 0 and for
    ``maximum`` at a tie. A jump of the first derivative is not seen.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.hessian(lambda x: x[0] * x[0] * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    if not sparse:
        return jacobian(_gradient(f, argnums, "a Hessian"), argnums, mode="forward")

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        scipy_sparse()
        recorded = run(f, args, kwargs, argnums)
        _refuse_nested(recorded)
        rows = _gradient_rows(recorded, Outputs(recorded.tape, recorded.result))
        coloring, direct = _ways(recorded, rows, "auto", sparse, symmetric=True)
        return coloring.pattern.to_scipy(_elements(recorded, rows, coloring, direct, check=sparse is coloring))

    return derivative


def hvp(f: Callable[..., Any], primals: Sequence[Any], v: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return f(*primals) and the product of its Hessian with v, by one forward sweep over its gradient.

    Parameters
    ----------
    f : callable
        Function of ``len(primals)`` structures of numbers that returns one number.
    primals, v : sequence
        Arguments, and a direction of the same structure and shapes.

    Returns
    -------
    (y, Hv)
        Hv is a tuple, one structure per argument.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.hvp(lambda x, y: x * x * y, (3.0, 5.0), (1.0, 0.0))
    (45.0, (10.0, 6.0))
    """
    if not isinstance(primals, Sequence) or not isinstance(v, Sequence):
        raise TypeError("hvp takes its primals and direction as tuples: hvp(f, (x,), (v,))")
    both = _value_and_gradient(f, range(len(primals)), "a Hessian")
    (y, _), (_, product) = jvp(both, primals, v)
    return y, product
