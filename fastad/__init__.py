"""fastad: derivatives of ordinary Python numerical code, recorded once and replayed over scenarios."""

from typing import TYPE_CHECKING, Any

from . import errors, inspect, nopython, scipy, smooth
from .checking import check_gradient
from .extend.checkpoint import checkpoint, scan
from .extend.custom import custom
from .extend.implicit import implicit
from .montecarlo.driver import monte_carlo
from .montecarlo.ordering import brownian_bridge, brownian_pca
from .montecarlo.result import MonteCarloResult
from .program.program import BatchResult, Program, load, record
from .record import fourier as _fourier  # what np.fft means for active arrays
from .record import singular as _singular  # what np.linalg does
from .record.active import Active
from .record.array import array, stack, zeros
from .record.complexes import ActiveComplex
from .record.condition import Condition, ConditionArray
from .record.dual import Dual
from .record.functions import FUNCTIONS, TESTS, clip, value, where
from .record.lines import debug
from .record.lookup import interp, interp2, take
from .record.methods import ActiveArray
from .record.tape import Tape
from .record.watched import WatchedTape as _WatchedTape  # what Tape(lines=True) is
from .sparse import Coloring, Pattern
from .taylor import taylor
from .transforms import derivative, grad, hessian, hvp, jacobian, jvp, sparsity, value_and_grad, vjp

globals().update(FUNCTIONS, **TESTS)  # one public function per row of the op table

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


__version__ = "0.1.0"

__all__ = sorted(
    [
        "Active",
        "ActiveArray",
        "ActiveComplex",
        "Condition",
        "ConditionArray",
        "BatchResult",
        "Coloring",
        "Dual",
        "MonteCarloResult",
        "Pattern",
        "Program",
        "Tape",
        "array",
        "brownian_bridge",
        "brownian_pca",
        "check_gradient",
        "checkpoint",
        "clip",
        "custom",
        "debug",
        "derivative",
        "errors",
        "grad",
        "hessian",
        "hvp",
        "implicit",
        "inspect",
        "interp",
        "interp2",
        "jacobian",
        "jvp",
        "load",
        "monte_carlo",
        "record",
        "scan",
        "scipy",
        "smooth",
        "sparsity",
        "stack",
        "take",
        "taylor",
        "value",
        "value_and_grad",
        "vjp",
        "where",
        "zeros",
        *FUNCTIONS,
        *TESTS,
    ]
)
