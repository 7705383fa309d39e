"""What a Monte Carlo run gives back: numbers in the structures of the user, a table, JSON, a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..program.variants import VariantInfo
from . import bump, control, runfile
from .checkpoint import Checkpoint, ended_variants
from .engine import Job
from .estimates import Estimates, interval, names_of
from .recorded import Recorded
from .selection import Selected
from .statistics import Samples, Tally
from .table import table


@dataclasses.dataclass(frozen=True)
class MonteCarloResult:
    """Estimates and standard errors.

    Attributes
    ----------
    value, stderr
        Structure of the payoff's result: means and their standard errors.
    gradient, gradient_stderr
        The payoff's structure with the structure of the parameters at each leaf (that of the parameters alone for
        ``gradient="sum"``); None where nothing was differentiated.
    paths : int
        Payoff evaluations, antithetic partners counted apart.
    seconds : float
        Wall time, recording included.
    threads : int
        Threads used.
    seed : int
        What reproduces the numbers.
    sampler : str
        Where the random numbers came from.
    warnings : tuple of str
        What to know before trusting them.
    variants : tuple of VariantInfo
        Recordings that the paths were replayed from: paths, share, rows, deciding lines of each.
    bumped, bump_scores
        For ``compare_with_bump=True``: central differences on the same random numbers, and how far they are from
        ``gradient`` in units of the standard error of the difference (or of the gradient, where that is larger).
    hessian, hessian_stderr
        For ``hessian=True`` and ``"bump"``: second derivatives and their standard errors, the payoff's structure with
        the structure of the parameters twice at each leaf. Symmetric to the last bit.
    path_values, path_gradients
        For ``per_path=True``: the payoff and its derivatives on every path (before controls), paths first.
    """

    value: Any
    stderr: Any
    gradient: Any
    gradient_stderr: Any
    paths: int
    seconds: float
    threads: int
    seed: int
    sampler: str
    warnings: tuple[str, ...]
    variants: tuple[VariantInfo, ...]
    bumped: Any = None
    bump_scores: Any = None
    hessian: Any = None
    hessian_stderr: Any = None
    path_values: Any = dataclasses.field(default=None, repr=False)
    path_gradients: Any = dataclasses.field(default=None, repr=False)
    _estimates: Estimates = dataclasses.field(repr=False, kw_only=True)
    _checkpoint: Checkpoint = dataclasses.field(repr=False, kw_only=True)

    def __str__(self) -> str:
        rate = self.paths / self.seconds / 1e6
        head = (
            f"Monte Carlo: {self.paths:,} paths, seed {self.seed}, {self.seconds:.3g} s on {self.threads} "
            f"thread{'s' if self.threads > 1 else ''} ({rate:.3g} million paths a second)"
        )
        return "\n".join([head, *table(self._estimates), *(f"warning: {text}" for text in self.warnings)])

    def interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Return the ends of the confidence intervals of all values, each in the structure of ``value``.

        By Student's t distribution, with as many degrees of freedom as there are independent samples less one.
        """
        e = self._estimates
        low, high = interval(e.value, e.value_error, e.value_freedom, level)
        return e.results.unpack(low), e.results.unpack(high)

    def gradient_interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Return the ends of the confidence intervals of all sensitivities, each in the structure of ``gradient``."""
        e = self._estimates
        low, high = interval(e.gradient, e.gradient_error, e.gradient_freedom, level)
        return e.nested(low), e.nested(high)

    def to_json(self, indent: int | None = None) -> str:
        """Return all numbers but those of single paths as JSON; NaN and inf stay as Python writes them."""
        names = [f.name for f in dataclasses.fields(self) if not f.name.startswith(("_", "path_"))]
        return json.dumps({name: _plain(getattr(self, name)) for name in names}, indent=indent)

    def save(self, path: Any) -> None:
        """Write everything to an ``.npz`` file, for `load` and for ``monte_carlo(..., resume=path)``."""
        run = {name: getattr(self, name) for name in _RUN}
        Path(path).write_bytes(runfile.to_bytes(run, self._estimates, self._checkpoint))

    @classmethod
    def load(cls, path: Any) -> MonteCarloResult:
        """Return a result saved by `save`; it can be continued, but does not hold the numbers of single paths.

        Raises
        ------
        ProgramFormatError
            The file is truncated, damaged, foreign, or of another fastad. Nothing in it is executed or unpickled.
        """
        run, estimates, checkpoint = runfile.from_bytes(Path(path).read_bytes())
        return cls(**estimates.structures(), **run, _estimates=estimates, _checkpoint=checkpoint)

    @property
    def estimates(self) -> Estimates:
        """The numbers as flat arrays, with their layouts."""
        return self._estimates

    def finished(self, warnings: list[str], seconds: float) -> MonteCarloResult:
        """Return the result with what was found out last."""
        return dataclasses.replace(self, warnings=(*self.warnings, *warnings), seconds=seconds)


_RUN = ("paths", "seconds", "threads", "seed", "sampler", "warnings", "variants")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def checkpoint_of(resume: Any) -> Checkpoint | None:
    """Return where a result, or the one saved at a path, may be continued; None for None."""
    if resume is None:
        return None
    result = resume if isinstance(resume, MonteCarloResult) else MonteCarloResult.load(resume)
    return result._checkpoint


def assemble(
    recorded: Recorded, selected: Selected | None, job: Job, checkpoint: Checkpoint, tally: Tally, **run: Any
) -> MonteCarloResult:
    """Make the result of a tally."""
    estimates = _estimates(recorded, selected, job, tally)
    paths: dict[str, Any] = {}
    if job.keep:
        values, gradients = (np.concatenate(parts) for parts in zip(*tally.kept))
        paths = {"path_values": recorded.results.unpack(values), "path_gradients": estimates.nested(gradients)}
    return MonteCarloResult(
        **estimates.structures(),
        **paths,
        **run,
        paths=tally.paths,
        warnings=_warnings(recorded, job, estimates, tally),
        variants=ended_variants(recorded.trie, tally, checkpoint.earlier),
        _estimates=estimates,
        _checkpoint=checkpoint.put_away(recorded.trie),
    )


def _estimates(recorded: Recorded, selected: Selected | None, job: Job, tally: Tally) -> Estimates:
    """Estimates of the payoff's own results: controls stand behind them."""
    n, m = job.n_values, job.n_results
    gradient, error = (x[:m] for x in _gradients(job, tally))
    more: dict[str, Any] = {}
    if tally.bumps is not None and job.steps is not None:
        difference, spread = (x.reshape(gradient.shape) for x in (tally.bumps.mean, tally.bumps.standard_error))
        rounding = 1e-14 * np.abs(tally.values.mean[:n]).sum() / job.steps
        scores = bump.scores(difference, spread, error, rounding)
        more = {"bumped": gradient + difference, "bump_scores": scores}
    if tally.hessians is not None:
        shape = (*gradient.shape, job.selected.size)
        found = (x.reshape(shape) for x in (tally.hessians.mean, tally.hessians.standard_error))
        more |= dict(zip(("hessian", "hessian_error"), found))
    return Estimates(
        recorded.results,
        recorded.gradient_results,
        None if selected is None else selected.packing,
        tally.values.mean[:n],
        tally.values.standard_error[:n],
        tally.values.freedom,
        gradient,
        error,
        tally.gradients.freedom,
        **more,
    )


def _warnings(recorded: Recorded, job: Job, e: Estimates, tally: Tally) -> tuple[str, ...]:
    warnings = []
    for what, mean, error, freedom in (
        ("value", e.value, e.value_error, e.value_freedom),
        ("sensitivity", e.gradient, e.gradient_error, e.gradient_freedom),
        ("second derivative", e.hessian, e.hessian_error, e.gradient_freedom),
    ):
        if mean is None or error is None:
            continue
        count = int((~np.isfinite(mean + error)).sum())
        if count and freedom > 0:
            verb = "s are" if count > 1 else " is"
            warnings.append(f"{count} {what} estimate{verb} not finite: some path gave NaN, inf or an overflow")
    if recorded.controls is not None and job.control is not None:
        names = names_of(recorded.controls, "")
        mean, error = tally.values.mean[job.n_values :], tally.values.standard_error[job.n_values :]
        warnings += control.suspicions(names, mean, error, job.control.rounding, "mean")
        slope, spread = (x[job.n_results :].ravel() for x in _gradients(job, tally))
        pairs = [f"{name} by {parameter}".strip() for name in names for parameter in e.wrt_names()]
        warnings += control.suspicions(pairs, slope, spread, job.control.slope_rounding.ravel(), "derivative")
    return tuple(warnings)


def _gradients(job: Job, tally: Tally) -> tuple[Samples, Samples]:
    """Means and standard errors of sensitivities, (differentiated, wrt), controls included."""
    shape = job.differentiated.size, job.selected.size
    return tally.gradients.mean.reshape(shape), tally.gradients.standard_error.reshape(shape)
