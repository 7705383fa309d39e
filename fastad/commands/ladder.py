"""The plot of ``fastad greeks``: a bar per sensitivity with its standard error."""

from __future__ import annotations

from typing import Any

from ..montecarlo.result import MonteCarloResult
from .errors import CommandError


def require_matplotlib() -> None:
    """Raise where there is no matplotlib: before the run, not after it."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise CommandError("--plot needs matplotlib: pip install 'fastad[plot]'") from None


def save_ladder(result: MonteCarloResult, path: str) -> None:
    """Write a picture of all sensitivities, a panel per result of the payoff."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    e = result.estimates
    names, wrt = e.result_names(), e.wrt_names()
    titles = names if len(e.gradient) == len(names) else ["sum of all"]
    figure: Any = Figure(figsize=(7.0, 1.0 + len(titles) * (0.8 + 0.28 * len(wrt))), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(titles), 1, squeeze=False)[:, 0]
    for k, (panel, title) in enumerate(zip(panels, titles)):
        panel.barh(wrt, e.gradient[k], xerr=2.0 * e.gradient_error[k], color="#4477aa", ecolor="#222222", capsize=2.0)
        panel.invert_yaxis()
        panel.axvline(0.0, color="#222222", linewidth=0.8)
        panel.set_title(f"{title}: {e.value[k]:.6g} ± {e.value_error[k]:.2g}" if titles is names else title)
        panel.set_xlabel("sensitivity, ± 2 standard errors")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise CommandError(f"--plot {path}: {error}") from None
