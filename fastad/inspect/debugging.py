"""Where a number stops being finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ..errors import NonFiniteError
from ..nonfinite import NonFinite, first_of_rows, origin_of_adjoint
from ..program.program import Program
from ..record.lines import debug
from .view import view_of


def first_nonfinite(
    source: Any,
    output: Any = None,
    *,
    direction: ArrayLike | None = None,
    args: Sequence[Any] | None = None,
    axes: Any = None,
) -> NonFinite | None:
    """Return the first row with a value, partial, tangent or adjoint that is NaN or infinite, None if there is none.

    Parameters
    ----------
    source : Tape or Program
        What to look at.
    output : Active or int, optional
        Look at adjoints of this output too: of a tape, a value on it; of a Program, the number of an output.
    direction : array_like, shape (inputs,), optional
        Look at tangents in this direction too.
    args : sequence, optional
        Of a Program, the arguments: by default where it was recorded.
    axes : optional
        Of a Program, as for `Program.batch`: look through scenarios, for one whose results are not finite.

    Returns
    -------
    NonFinite or None
        Row, quantity, operands, place, scenario; ``print`` it. Rows count in the order of the tape, at a row first
        its value, then its partials, then its tangent. Adjoints come last, from the output back. The line of a
        row that is no guard is known where it was recorded on ``Tape(lines=True)`` or under ``fad.debug()``.

    Examples
    --------
    >>> import fastad as fad
    >>> tape = fad.Tape()
    >>> x = tape.input(0.0)
    >>> y = fad.log(x) * x
    >>> found = fad.inspect.first_nonfinite(tape)
    >>> found.row, found.quantity, found.number, found.statement
    (1, 'value', -inf, 'v_1 = log(v_0)')
    """
    if axes is not None:
        return _of_batch(source, args, axes)
    view = view_of(source, output, args)
    found = first_of_rows(view.rows, None if direction is None else view.tangents(direction))
    if found is None and output is not None:
        found = origin_of_adjoint(view.rows, view.adjoints(view.one_output()))
    return found


def _of_batch(source: Any, args: Sequence[Any] | None, axes: Any) -> NonFinite | None:
    if not isinstance(source, Program) or args is None:
        raise TypeError("axes= looks through the scenarios of a Program: first_nonfinite(program, args=(...), axes=0)")
    children = next(iter(source._tries.values())).root.recording.inputs.spec.children
    wrt = [k for k, child in enumerate(children) if child.n_leaves]
    try:
        with debug(), np.errstate(all="ignore"):
            source.batch(*args, axes=axes, wrt=wrt)
    except NonFiniteError as error:
        return cast(NonFinite, error.found)
    return None
