"""Calling a function with actives in place of its numbers, and what came out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from ..errors import NestingError, TapeError
from ..packing import Packing
from ..structure import Spec, flatten, is_active, is_result, leaf_shapes, real_array, refuse_foreign
from .active import Active, two_tapes
from .condition import refuse_condition
from .tape import Tape

_current: ContextVar[Tape | None] = ContextVar("fastad_recording", default=None)


def current_tape() -> Tape | None:
    """Return the tape that a transform records on in this context."""
    return _current.get()


def refuse_nesting() -> None:
    """Raise NestingError inside a function that is being recorded."""
    if _current.get() is not None:
        raise NestingError(
            "fad.record or fad.monte_carlo was called inside a function that is being differentiated: its recording "
            "would know nothing of the outer one. Call it outside; transforms such as fad.grad do nest"
        )


def outer_tape(leaves: Iterable[Any]) -> Tape | None:
    """Return the tape that a transform of these leaves records on, None where it is not inside another one.

    Raises
    ------
    TapeError
        The leaves are on different tapes.
    """
    tape: Tape | None = None
    for leaf in leaves:
        if is_active(leaf):
            if tape is not None and leaf.tape is not tape:
                raise two_tapes(tape, leaf.tape)
            tape = leaf.tape
    return _current.get() if tape is None else tape


@contextmanager
def recording(tape: Tape) -> Iterator[Tape]:
    """Mark a tape as the one that a transform records on in this context."""
    token = _current.set(tape)
    try:
        yield tape
    finally:
        _current.reset(token)


@contextmanager
def isolated() -> Iterator[None]:
    """Run on numbers as if no transform were recording."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def activate(tape: Tape, packing: Packing, vector: Any) -> Any:
    """Return the structure of a packing with new inputs of the tape as its leaves."""
    leaves = []
    for i, j, shape in zip(packing.ends, packing.ends[1:], packing.shapes):
        leaves.append(tape.inputs(vector[i:j].reshape(shape)) if shape else tape.input(float(vector[i])))
    return packing.spec.unflatten(leaves)


def is_jitted(function: Any) -> bool:
    """Whether a function is compiled by numba."""
    return isinstance(function, Dispatcher)


def refuse_dicts(args: Any) -> None:
    """Raise TypeError for what a jitted function cannot take, before numba does at greater length."""
    for arg in args:
        if isinstance(arg, dict) or (dataclasses.is_dataclass(arg) and not isinstance(arg, type)):
            kind = "dict" if isinstance(arg, dict) else f"dataclass ({type(arg).__name__})"
            raise TypeError(
                f"a jitted function cannot take a {kind}: pass numbers, arrays, a tuple or a namedtuple, "
                "or leave the outer function to Python"
            )
        if isinstance(arg, tuple | list):
            refuse_dicts(arg)


_NUMBER = Packing(Spec("leaf"), [()])


class Outputs:
    """Leaves of a recorded function's result: rows where active, numbers where not."""

    def __init__(self, tape: Tape, result: Any) -> None:
        if type(result) is Active and result.tape is tape:  # what follows, written out for the commonest result
            self.packing = _NUMBER
            self.rows, self.values = np.array([result._rows()], np.int32), np.array([result._value])
            return
        leaves, spec = flatten(result, is_result)
        self.packing = Packing(spec, leaf_shapes(leaves))
        if spec.kind != "leaf":
            _reject_static(spec)
        rows: list[Any] = []
        values: list[Any] = []
        for leaf in leaves:
            if is_active(leaf):
                if leaf.tape is not tape:
                    raise TapeError(f"the function returned a value of another tape: {leaf.tape!r}, not {tape!r}")
                rows.append(np.array(leaf._rows(), np.int32).reshape(-1))
                values.append(np.array(leaf._value).reshape(-1))
            else:
                values.append(real_array(leaf, "a result").ravel())
                rows.append(np.full(values[-1].size, -1, np.int32))
        self.rows = rows[0] if len(rows) == 1 else np.concatenate([np.empty(0, np.int32), *rows])
        self.values = values[0] if len(values) == 1 else np.concatenate([np.empty(0), *values])

    @property
    def is_scalar(self) -> bool:
        """Whether the result is one number."""
        return self.packing.shapes == [()] and self.packing.spec.kind == "leaf"


def _reject_static(spec: Spec) -> None:
    for static in spec.statics():
        refuse_condition(static, "the function returned Condition")
        refuse_foreign(static, "a result")
        kind = type(static).__name__
        raise TypeError(f"the function returned {static!r} ({kind}); return a number, an array, or a structure of them")


def call(tape: Tape, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run a function whose actives are on the tape."""
    if is_jitted(function):
        refuse_dicts(args)
    token = _current.set(tape)  # `recording` written out: a context manager takes 2 us
    try:
        return function(*args, **kwargs)
    finally:
        _current.reset(token)
