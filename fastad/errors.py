"""Every error that fastad raises on purpose: a ``FastadError`` and the builtin it fits."""

from __future__ import annotations


class FastadError(Exception):
    """Base class of all errors raised by fastad."""


class TapeError(FastadError, RuntimeError):
    """A value does not belong to the tape, or no longer does."""


class TapeFullError(FastadError, MemoryError):
    """The tape has reached ``max_bytes`` or the largest row number that an int32 can hold."""


class ShapeError(FastadError, ValueError):
    """An array or a structure has another shape than the one expected."""


class NestingError(FastadError, NotImplementedError):
    """An active value met a call that takes numbers, or a function was to be recorded inside another one."""


class PurityError(FastadError, RuntimeError):
    """A recorded function depends on something other than its arguments."""


class DivergenceError(FastadError, RuntimeError):
    """A replayed scenario decides a recorded comparison differently."""


class ProgramFormatError(FastadError, ValueError):
    """A file does not hold a program, or one that is damaged or too new."""


class PatternError(FastadError, ValueError):
    """A sparsity pattern or a colouring does not fit the derivative it is used for."""


class GradientError(FastadError, AssertionError):
    """A derivative does not agree with the function; ``differences`` lists the wrong ones, the worst first."""

    def __init__(self, message: str, differences: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.differences = differences


class NonFiniteError(FastadError, FloatingPointError):
    """Under ``fad.debug()``, a number is NaN or infinite; ``found`` says which."""

    def __init__(self, message: str, found: object = None) -> None:
        super().__init__(message)
        self.found = found


class StaticArgumentError(FastadError, ValueError):
    """A static argument differs from the recorded one and there is no function to record again."""


class ConvergenceError(FastadError, ArithmeticError):
    """A solver stopped where its equations do not hold, so that no derivative of the solution can be had."""
