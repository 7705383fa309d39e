"""NumPy functions that move elements without computing: no rows are recorded.

NumPy itself moves the values and, in the same way, the row numbers. Where it fills in zeros, rows are counted from
1 while it does, so that its zero stands for a passive element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..structure import flatten
from .array import ActiveArray, common_tape, operand
from .condition import ConditionArray
from .dispatch import ARRAY_FUNCTIONS, require_passive
from .storage import Storage

_OF_FIRST = (
    "reshape ravel transpose permute_dims swapaxes moveaxis rollaxis squeeze expand_dims broadcast_to flip fliplr "
    "flipud rot90 diagonal matrix_transpose split array_split hsplit vsplit dsplit unstack roll tile repeat take "
    "take_along_axis delete resize copy"
)
_FILLING = "diag diagflat tril triu"
_JOINING = "concatenate stack vstack hstack dstack column_stack"
_OF_ALL = "atleast_1d atleast_2d atleast_3d broadcast_arrays meshgrid"


def moved(call: Callable[..., Any], *operands: Any, filling: bool = False) -> Any:
    """Return what ``call`` makes of arrays, for arrays with active elements.

    Parameters
    ----------
    call
        Moves elements of as many arrays as there are operands.
    operands
        Anything that `operand` takes.
    filling
        Whether it also fills in zeros.
    """
    parts = [operand(x) for x in operands]
    tape = common_tape(parts)
    values = call(*(value for value, _, _ in parts))
    if tape is None:
        return values
    if filling:  # both copies: a view of the values beside a copy of the rows would come apart
        return _paired(np.array(values), call(*(index + 1 for _, index, _ in parts)) - 1, tape)
    return _paired(values, call(*(index for _, index, _ in parts)), tape)


def _paired(values: Any, rows: Any, tape: Storage) -> Any:
    if isinstance(values, list | tuple):
        return type(values)(_paired(v, r, tape) for v, r in zip(values, rows))
    return ActiveArray(values, rows, tape) if np.ndim(values) else _element(values, rows, tape)


def _element(value: Any, row: Any, tape: Storage) -> Any:
    """An element as indexing gives it: active, or a float."""
    return tape._active(float(value), int(row)) if row >= 0 else float(value)


def plain_key(name: str, key: Any) -> Any:
    """A mask of conditions as booleans, with guards; other parameters must be passive."""
    if isinstance(key, ConditionArray):
        return key._guarded()
    require_passive(name, key)
    return key


def _of_first(func: Any) -> Callable[..., Any]:
    name = f"np.{func.__name__}"
    filling = func.__name__ in _FILLING.split()

    def function(a: Any, *parameters: Any, **more: Any) -> Any:
        parameters = tuple(plain_key(name, p) for p in parameters)
        more = {k: plain_key(name, p) for k, p in more.items()}
        return moved(lambda x: func(x, *parameters, **more), a, filling=filling)

    return function


def _joining(func: Any) -> Callable[..., Any]:
    def function(arrays: Iterable[Any], *parameters: Any, **more: Any) -> Any:
        return moved(lambda *x: func(x, *parameters, **more), *arrays)

    return function


def _of_all(func: Any) -> Callable[..., Any]:
    return lambda *arrays, **more: moved(lambda *x: func(*x, **more), *arrays)


def _block(arrays: Any) -> Any:
    leaves, spec = flatten(arrays, lambda x: not isinstance(x, list))
    return moved(lambda *x: np.block(spec.unflatten(x)), *leaves)


def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return moved(lambda a, v: np.append(a, v, axis), arr, values)


def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    obj = plain_key("np.insert", obj)
    return moved(lambda a, v: np.insert(a, obj, v, axis), arr, values)


def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    condition = plain_key("np.compress", condition)
    return moved(lambda x: np.compress(condition, x, axis), a)


def _extract(condition: Any, arr: Any) -> Any:
    condition = plain_key("np.extract", condition)
    return moved(lambda x: np.extract(condition, x), arr)


def _choose(a: Any, choices: Any, *, mode: Any = "raise") -> Any:
    require_passive("np.choose; fad.take follows an active position", a)
    return moved(lambda *x: np.choose(a, x, mode=mode), *choices)


def _take(a: Any, indices: Any, axis: int | None = None, *, mode: Any = "raise") -> Any:
    require_passive("np.take; fad.take follows an active position", indices)
    return moved(lambda x: np.take(x, indices, axis, mode=mode), a)


# -------------------- writing in place --------------------


def _writing(func: Any, target: Any, call: Callable[[Any, Any], Any], source: Any) -> None:
    if not isinstance(target, ActiveArray):
        raise TypeError(
            f"np.{func.__name__} cannot write an active value into a float array: an active needs its row; "
            "write into fad.zeros(shape, like=x) or fad.array(a)"
        )
    value, index, _ = parts = operand(source)
    common_tape([operand(target), parts])
    call(target._value, value)
    call(target._index, index)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    where = plain_key("np.copyto", where)
    _writing(np.copyto, dst, lambda a, v: np.copyto(a, v, where=where), src)


def _put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> None:
    _writing(np.put, a, lambda x, values: np.put(x, ind, values, mode=mode), v)


def _place(arr: Any, mask: Any, vals: Any) -> None:
    mask = plain_key("np.place", mask)
    _writing(np.place, arr, lambda a, v: np.place(a, mask, v.ravel()), vals)


def _putmask(a: Any, mask: Any, values: Any) -> None:
    mask = plain_key("np.putmask", mask)
    _writing(np.putmask, a, lambda x, v: np.putmask(x, mask, v), values)


def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    _writing(np.put_along_axis, arr, lambda a, v: np.put_along_axis(a, indices, v, axis), values)


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    _writing(np.fill_diagonal, a, lambda x, v: np.fill_diagonal(x, v, wrap), val)


# -------------------- what only asks --------------------


def _asking(func: Any) -> Callable[..., Any]:
    """Answered by NumPy from the numbers: depends on shapes, types and memory alone."""

    def function(*operands: Any, **more: Any) -> Any:
        return func(*(operand(x)[0] if hasattr(x, "tape") else x for x in operands), **more)

    return function


def register(names: str, made_by: Callable[[Any], Callable[..., Any]]) -> None:
    """Enter the NumPy functions of these names, as far as the installed NumPy has them."""
    for name in names.split():
        if hasattr(np, name):
            func = getattr(np, name)
            ARRAY_FUNCTIONS[func] = made_by(func)


register(_OF_FIRST + " " + _FILLING, _of_first)
register(_JOINING, _joining)
register(_OF_ALL, _of_all)
register(
    "ndim shape size iscomplex isreal iscomplexobj isrealobj may_share_memory shares_memory diag_indices_from", _asking
)
register("tril_indices_from triu_indices_from", _asking)
register("array2string array_repr array_str result_type can_cast common_type", _asking)
ARRAY_FUNCTIONS.update(
    {
        np.append: _append,
        np.block: _block,
        np.choose: _choose,
        np.compress: _compress,
        np.copyto: _copyto,
        np.extract: _extract,
        np.fill_diagonal: _fill_diagonal,
        np.insert: _insert,
        np.linalg.diagonal: _of_first(np.linalg.diagonal),
        np.linalg.matrix_transpose: _of_first(np.linalg.matrix_transpose),
        np.place: _place,
        np.put: _put,
        np.put_along_axis: _put_along_axis,
        np.putmask: _putmask,
        np.take: _take,
        np.lib.stride_tricks.sliding_window_view: _of_first(np.lib.stride_tricks.sliding_window_view),
    }
)
