"""All problems by name, in the order in which they run."""

from ..core import Problem
from . import (
    cold_start,
    down_and_out,
    gmm,
    kmeans,
    libor,
    llsq,
    local_vol,
    long_tape,
    lse,
    many_paths,
    normals,
    ode,
    record_loop,
    record_mul,
    rosenbrock,
    scaling,
    vmath_accuracy,
)

PROBLEMS: dict[str, Problem] = {
    module.PROBLEM.name: module.PROBLEM
    for module in (
        rosenbrock,
        record_mul,
        record_loop,
        long_tape,
        down_and_out,
        libor,
        local_vol,
        scaling,
        many_paths,
        normals,
        lse,
        llsq,
        kmeans,
        gmm,
        ode,
        cold_start,
        vmath_accuracy,
    )
}
