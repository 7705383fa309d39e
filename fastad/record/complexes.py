"""Complex numbers as pairs of actives: enough for characteristic functions written in NumPy.

A part that is a plain 0.0 costs no row: products with it are left out, so ``1j * x`` has one active part. (In that it
differs from IEEE, where 0 times inf or NaN is NaN.) Branch cuts are NumPy's, and follow the scenario as data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .active import Active, is_whole, whole_power
from .array import ActiveArray
from .dispatch import COMPLEX_FUNCTIONS, COMPLEX_OPERATORS, COMPLEX_UFUNCS, deliver, full_name, is_complex
from .functions import FUNCTIONS, value, where
from .numpy_ufuncs import lifted

exp, log, sqrt, sin, cos = (FUNCTIONS[name] for name in ("exp", "log", "sqrt", "sin", "cos"))
tan, sinh, cosh, tanh = (FUNCTIONS[name] for name in ("tan", "sinh", "cosh", "tanh"))
arctan2, hypot, copysign = (FUNCTIONS[name] for name in ("arctan2", "hypot", "copysign"))

_NO_ORDER = "complex numbers have no order and are not compared here; compare z.real, z.imag or abs(z)"
_NO_COMPLEX = "an ActiveComplex has no plain complex value here; use np.exp / fad.exp and their like, or fad.value(z)"


class ActiveComplex:
    """A complex number, or an array of them, whose parts are actives or numbers.

    It comes from arithmetic of actives with complex numbers, such as ``1j * u * x``. Results of a function that is
    differentiated are real: return ``z.real``, ``z.imag`` or ``abs(z)``.

    Attributes
    ----------
    real, imag : float, ndarray, Active or ActiveArray
        The parts, of one shape.
    """

    __slots__ = ("imag", "real")
    __hash__ = None  # type: ignore[assignment]
    __pandas_priority__ = 10_000

    def __init__(self, real: Any, imag: Any) -> None:
        shape = np.broadcast_shapes(_shape(real), _shape(imag))
        self.real = real if _shape(real) == shape else np.broadcast_to(lifted(real), shape)
        self.imag = imag if _shape(imag) == shape else np.broadcast_to(lifted(imag), shape)

    # -------------------- as an array --------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, () for a scalar."""
        return _shape(self.real)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(lifted(self.real))

    def __getitem__(self, key: Any) -> ActiveComplex:
        return ActiveComplex(_element(lifted(self.real)[key]), _element(lifted(self.imag)[key]))

    def __iter__(self) -> Iterator[ActiveComplex]:
        return (self[i] for i in range(len(self)))

    def sum(self, axis: Any = None, **more: Any) -> ActiveComplex:
        """Sum over all elements or along axes."""
        return _by_parts(np.sum)(self, axis=axis, **more)

    def mean(self, axis: Any = None, **more: Any) -> ActiveComplex:
        """Mean of all elements or along axes."""
        return _by_parts(np.mean)(self, axis=axis, **more)

    def reshape(self, *shape: Any) -> ActiveComplex:
        """Array of another shape."""
        return ActiveComplex(lifted(self.real).reshape(*shape), lifted(self.imag).reshape(*shape))

    def conjugate(self) -> ActiveComplex:
        """Complex conjugate."""
        return ActiveComplex(self.real, -self.imag)

    conj = conjugate

    def __pos__(self) -> ActiveComplex:
        return ActiveComplex(_own(self.real), _own(self.imag))

    def _complex_value(self) -> Any:
        """The numbers, frozen as ``fad.value`` freezes."""
        return value(self.real) + 1j * value(self.imag)

    # -------------------- what it refuses --------------------

    def __complex__(self) -> complex:
        raise TypeError(_NO_COMPLEX)

    __float__ = __int__ = __complex__

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(_NO_COMPLEX)

    def _refuse_order(self, other: Any) -> Any:
        raise TypeError(_NO_ORDER)

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse_order

    def __bool__(self) -> bool:
        raise TypeError(_NO_ORDER)

    def __reduce__(self) -> Any:
        raise TypeError("an ActiveComplex cannot be pickled without its tape; pickle the Program instead")

    def __copy__(self) -> ActiveComplex:
        return self

    def __deepcopy__(self, memo: Any) -> ActiveComplex:
        return self

    def __repr__(self) -> str:
        return f"ActiveComplex({self.real!r}, {self.imag!r})"

    # -------------------- NumPy's protocols --------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.__name__ not in COMPLEX_UFUNCS:
            dotted = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise TypeError(f"np.{dotted} is not available for complex active values")
        return deliver(COMPLEX_UFUNCS[ufunc.__name__], f"np.{ufunc.__name__}", inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in OF_COMPLEX:
            raise TypeError(f"{full_name(func)} is not available for complex active values; use z.real and z.imag")
        return deliver(OF_COMPLEX[func], full_name(func), args, kwargs)


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, ActiveArray | np.ndarray) else ()


def _element(x: Any) -> Any:
    return float(x) if isinstance(x, np.floating) else x


def parts(x: Any) -> tuple[Any, Any]:
    """Real and imaginary part of a real or complex operand."""
    if isinstance(x, ActiveComplex):
        return x.real, x.imag
    if isinstance(x, Active | ActiveArray | float | int):
        return x, 0.0
    numbers = np.asarray(x)
    if numbers.dtype.kind not in "fiubc":
        raise TypeError(f"expected numbers, got {numbers.dtype} ({type(x).__name__})")
    if numbers.ndim == 0:
        return float(numbers.real), float(numbers.imag)
    return numbers.real.astype(float), numbers.imag.astype(float)


# -------------------- arithmetic --------------------


def _is_number(x: Any, number: float) -> bool:
    """Whether a part is passive, and everywhere this number."""
    return bool(x == number) if type(x) is float else isinstance(x, np.ndarray) and bool((x == number).all())


def _own(x: Any) -> Any:
    """A part as an element or an array of its own: what is written into the operand is not written into the result."""
    return x.copy() if isinstance(x, ActiveArray | np.ndarray) else x


def _times(a: Any, b: Any) -> Any:
    """A product of parts; none where a factor is a plain 0.0 or 1.0."""
    for x, y in ((a, b), (b, a)):
        if _is_number(x, 0.0):
            shape = np.broadcast_shapes(_shape(a), _shape(b))
            return np.zeros(shape) if shape else 0.0
        if _is_number(x, 1.0) and len(_shape(x)) == 0:
            return _own(y)
    return a * b


def _plus(a: Any, b: Any) -> Any:
    for x, y in ((a, b), (b, a)):
        if _is_number(x, 0.0) and _shape(x) in ((), _shape(y)):
            return _own(y)
    return a + b


def _minus(a: Any, b: Any) -> Any:
    return _own(a) if _is_number(b, 0.0) and _shape(b) in ((), _shape(a)) else -b if _is_number(a, 0.0) else a - b


def _over(a: Any, b: Any) -> Any:
    return _own(a) if _is_number(a, 0.0) and _shape(b) in ((), _shape(a)) else a / b


def add(z: Any, w: Any) -> ActiveComplex:
    """``z + w``."""
    (a, b), (c, d) = parts(z), parts(w)
    return ActiveComplex(_plus(a, c), _plus(b, d))


def subtract(z: Any, w: Any) -> ActiveComplex:
    """``z - w``."""
    (a, b), (c, d) = parts(z), parts(w)
    return ActiveComplex(_minus(a, c), _minus(b, d))


def multiply(z: Any, w: Any) -> ActiveComplex:
    """``z * w``."""
    (a, b), (c, d) = parts(z), parts(w)
    return ActiveComplex(_minus(_times(a, c), _times(b, d)), _plus(_times(a, d), _times(b, c)))


def divide(z: Any, w: Any) -> ActiveComplex:
    """``z / w``; the divisor is scaled, so that its square does not overflow."""
    (a, b), (c, d) = parts(z), parts(w)
    if _is_number(d, 0.0):
        return ActiveComplex(_over(a, c), _over(b, c))
    size = hypot(c, d)
    c, d = _over(c, size), _over(d, size)
    real, imag = _plus(_times(a, c), _times(b, d)), _minus(_times(b, c), _times(a, d))
    return ActiveComplex(_over(real, size), _over(imag, size))


def power(z: Any, w: Any) -> Any:
    """``z ** w``: products for small whole exponents, ``exp(w * log(z))`` else."""
    if not isinstance(w, ActiveComplex | Active | ActiveArray) and np.ndim(w) == 0:
        if w == 0:
            return add(_times(0.0, lifted(parts(z)[0])), 1.0)
        if not is_complex(w) and is_whole(w):
            product = whole_power(z, abs(int(w)), lambda x: multiply(x, x))
            return product if w > 0 else divide(1.0, product)
    return complex_exp(multiply(w, complex_log(z)))


def negative(z: Any) -> ActiveComplex:
    """``-z``."""
    return ActiveComplex(-z.real, -z.imag)


def absolute(z: Any) -> Any:
    """``abs(z)``: derivatives 0 at the origin."""
    if _is_number(z.imag, 0.0) or _is_number(z.real, 0.0):
        return abs(z.real if _is_number(z.imag, 0.0) else z.imag)
    return hypot(z.real, z.imag)


# -------------------- functions --------------------


def complex_exp(z: Any) -> ActiveComplex:
    """``exp(z)``."""
    x, y = parts(z)
    size = 1.0 if _is_number(x, 0.0) else exp(x)
    return ActiveComplex(_times(size, cos(y)), _times(size, sin(y)))


def complex_log(z: Any) -> ActiveComplex:
    """``log(z)``: its cut is the negative real axis."""
    x, y = parts(z)
    return ActiveComplex(log(hypot(x, y)), arctan2(y, x))


def complex_sqrt(z: Any) -> ActiveComplex:
    """``sqrt(z)``: the root with a real part of at least 0; its cut is the negative real axis."""
    x, y = parts(z)
    larger = sqrt(0.5 * (abs(x) + hypot(x, y)))
    smaller = abs(y) / (2.0 * where(larger > 0.0, larger, 1.0))
    right = lifted(x) >= 0.0 if _shape(x) else x >= 0.0
    return ActiveComplex(where(right, larger, smaller), copysign(where(right, smaller, larger), y))


def complex_sin(z: Any) -> ActiveComplex:
    """``sin(z)``."""
    x, y = parts(z)
    return ActiveComplex(sin(x) * cosh(y), cos(x) * sinh(y))


def complex_cos(z: Any) -> ActiveComplex:
    """``cos(z)``."""
    x, y = parts(z)
    return ActiveComplex(cos(x) * cosh(y), -(sin(x) * sinh(y)))


def complex_sinh(z: Any) -> ActiveComplex:
    """``sinh(z)``."""
    x, y = parts(z)
    return ActiveComplex(sinh(x) * cos(y), cosh(x) * sin(y))


def complex_cosh(z: Any) -> ActiveComplex:
    """``cosh(z)``."""
    x, y = parts(z)
    return ActiveComplex(cosh(x) * cos(y), sinh(x) * sin(y))


def complex_tanh(z: Any) -> ActiveComplex:
    """``tanh(z)``, in a form that does not overflow."""
    x, y = parts(z)
    t, u = tanh(x), tan(y)
    below = 1.0 + (t * u) * (t * u)
    return ActiveComplex(t * (1.0 + u * u) / below, u * (1.0 - t * t) / below)


def complex_tan(z: Any) -> ActiveComplex:
    """``tan(z)``."""
    turned = complex_tanh(multiply(1j, z))
    return ActiveComplex(turned.imag, -turned.real)


def complex_where(condition: Any, z: Any, w: Any) -> ActiveComplex:
    """Choose by a condition, as data."""
    (a, b), (c, d) = parts(z), parts(w)
    return ActiveComplex(where(condition, a, c), where(condition, b, d))


def _scaled_log(base: float) -> Callable[[Any], ActiveComplex]:
    return lambda z: divide(complex_log(z), math.log(base))


COMPLEX_UFUNCS.update(
    {
        "absolute": absolute,
        "add": add,
        "conjugate": lambda z: z.conjugate(),
        "cos": complex_cos,
        "cosh": complex_cosh,
        "divide": divide,
        "exp": complex_exp,
        "log": complex_log,
        "log10": _scaled_log(10.0),
        "log2": _scaled_log(2.0),
        "multiply": multiply,
        "negative": negative,
        "positive": lambda z: +z,
        "power": power,
        "reciprocal": lambda z: divide(1.0, z),
        "sin": complex_sin,
        "sinh": complex_sinh,
        "sqrt": complex_sqrt,
        "square": lambda z: multiply(z, z),
        "subtract": subtract,
        "tan": complex_tan,
        "tanh": complex_tanh,
        "where": complex_where,
    }
)

# -------------------- operators --------------------


def _operand(x: Any) -> bool:
    numbers = complex | float | int | np.number | np.bool_ | np.ndarray
    return isinstance(x, ActiveComplex | Active | ActiveArray | numbers)


def _operator(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    def method(self: Any, other: Any) -> Any:
        return function(self, other) if _operand(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return function(other, self) if _operand(other) else NotImplemented

    return method, reflected


for _name, _function in (("add", add), ("sub", subtract), ("mul", multiply), ("truediv", divide), ("pow", power)):
    for _dunder, _method in zip((f"__{_name}__", f"__r{_name}__"), _operator(_function)):
        setattr(ActiveComplex, _dunder, _method)
        COMPLEX_OPERATORS[_dunder] = _method
for _dunder, _method in (("__neg__", negative), ("__abs__", absolute)):
    setattr(ActiveComplex, _dunder, _method)


# -------------------- NumPy functions --------------------


def _by_parts(func: Any) -> Callable[..., Any]:
    """A linear function of its first argument, an array or a sequence of them."""

    def function(z: Any, *args: Any, **more: Any) -> ActiveComplex:
        if isinstance(z, list | tuple):
            items = [ActiveComplex(*parts(item)) for item in z]
            real = func([item.real for item in items], *args, **more)
            return ActiveComplex(real, func([item.imag for item in items], *args, **more))
        x, y = parts(z)
        return ActiveComplex(func(x, *args, **more), func(y, *args, **more))

    return function


def _prod(z: ActiveComplex, axis: int | None = None) -> Any:
    factors = z.reshape(-1) if axis is None else _by_parts(np.moveaxis)(z, axis, 0)
    product = factors[0]
    for n in range(1, len(factors)):
        product = multiply(product, factors[n])
    return product


def _angle(z: ActiveComplex, deg: bool = False) -> Any:
    turned = arctan2(z.imag, z.real)
    return turned * (180.0 / math.pi) if deg else turned


def _product(func: Any) -> Callable[..., Any]:
    """A function that is linear in each of its first two arguments."""

    def function(z: Any, w: Any, *args: Any, **more: Any) -> ActiveComplex:
        (a, b), (c, d) = _halves(z), _halves(w)

        def of(x: Any, y: Any) -> Any:
            return None if x is None or y is None else func(x, y, *args, **more)

        real, imag, crossed = of(a, c), of(a, d), of(b, c)
        real = real if b is None or d is None else real - of(b, d)
        return ActiveComplex(real, imag if crossed is None else crossed if imag is None else imag + crossed)

    return function


def _halves(z: Any) -> tuple[Any, Any]:
    """The parts of an operand, None in place of an imaginary part that a real one has not."""
    return parts(z) if is_complex(z) or isinstance(z, list | tuple) else (parts(z)[0], None)


def _norm(z: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    of_matrices = (z.ndim if axis is None else np.size(axis)) == 2
    if of_matrices and ((isinstance(ord, str) and ord == "nuc") or ord in (2, -2)):
        raise TypeError(f"np.linalg.norm of complex active values: ord={ord!r} is not available for matrices")
    return np.linalg.norm(absolute(z), ord, axis, keepdims)


for _func in (np.dot, np.inner, np.outer, np.kron, np.tensordot):
    COMPLEX_FUNCTIONS[_func] = _product(_func)
COMPLEX_FUNCTIONS[np.vdot] = lambda z, w: COMPLEX_FUNCTIONS[np.dot](np.ravel(z).conj(), np.ravel(w))
COMPLEX_UFUNCS["matmul"] = _product(np.matmul)
for _dunder, _method in zip(("__matmul__", "__rmatmul__"), _operator(COMPLEX_UFUNCS["matmul"])):
    setattr(ActiveComplex, _dunder, _method)
    COMPLEX_OPERATORS[_dunder] = _method


_LINEAR: Sequence[Any] = (
    np.sum, np.mean, np.cumsum, np.diff, np.trapezoid, np.reshape, np.ravel, np.transpose, np.squeeze, np.expand_dims,
    np.moveaxis, np.broadcast_to, np.flip, np.roll, np.tile, np.repeat, np.take, np.concatenate, np.stack, np.vstack,
    np.hstack, np.copy,
)  # fmt: skip
OF_COMPLEX: dict[Any, Callable[..., Any]] = {func: _by_parts(func) for func in _LINEAR} | COMPLEX_FUNCTIONS
OF_COMPLEX |= {
    np.angle: _angle,
    np.imag: lambda z: z.imag,
    np.iscomplexobj: lambda z: True,
    np.isrealobj: lambda z: False,
    np.linalg.norm: _norm,
    np.ndim: lambda z: z.ndim,
    np.prod: _prod,
    np.real: lambda z: z.real,
    np.shape: lambda z: z.shape,
    np.size: lambda z: z.size,
    np.where: where,
}
