"""The table that ``print(result)`` shows."""

from __future__ import annotations

from .estimates import Estimates

_MOST = 8  # parameters whose second derivatives are shown: 36 lines


def table(e: Estimates) -> list[str]:
    """Return the lines: each result with its sensitivities below it, or those of the sum at the end."""
    names, wrt = e.result_names(), e.wrt_names()
    summed = e.differentiated.size != e.results.size
    pairs = [f"{a}, {b}" for a in wrt for b in wrt] if e.hessian is not None and len(wrt) <= _MOST else []
    width = max((len(name) for name in [*names, *wrt, *pairs, "sum of all" * summed]), default=0) + 2
    header = f"{'':<{width}}{'estimate':>18}{'std. error':>14}"
    if e.bumped is not None:
        header += f"{'bumped':>18}{'difference':>12}"
    lines: list[str] = []
    for i, name in enumerate(names):
        lines += ["", header] if i == 0 or not summed else []
        lines.append(_line(name, width, e.value[i], e.value_error[i]))
        if not summed:
            lines += _sensitivities(e, i, wrt, width)
    if summed and wrt:
        lines += ["", header, f"{'sum of all':<{width}}{e.value.sum():>18.8g}", *_sensitivities(e, 0, wrt, width)]
    return lines


def _sensitivities(e: Estimates, i: int, wrt: list[str], width: int) -> list[str]:
    lines = []
    for j, name in enumerate(wrt):
        line = _line("  " + name, width, e.gradient[i, j], e.gradient_error[i, j])
        if e.bumped is not None and e.bump_scores is not None:
            line += f"{e.bumped[i, j]:>18.8g}{e.bump_scores[i, j]:>12.2f}"
        lines.append(line)
    return lines + _second(e, i, wrt, width)


def _second(e: Estimates, i: int, wrt: list[str], width: int) -> list[str]:
    if e.hessian is None or e.hessian_error is None:
        return []
    if len(wrt) > _MOST:
        return [f"  ({len(wrt)} x {len(wrt)} second derivatives in result.hessian)"]
    pairs = [(j, k) for j in range(len(wrt)) for k in range(j, len(wrt))]
    return [_line(f"  {wrt[j]}, {wrt[k]}", width, e.hessian[i, j, k], e.hessian_error[i, j, k]) for j, k in pairs]


def _line(name: str, width: int, value: float, error: float) -> str:
    return f"{name:<{width}}{value:>18.8g}{error:>14.3g}"
