"""All problems by name, in the order in which they run."""

from ..core import Problem
from . import (
    asian,
    break_even,
    cold_start,
    down_and_out,
    gmm,
    heston,
    jacobians,
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
    record_operations,
    rosenbrock,
    scaling,
    sensitivities,
    vmath_accuracy,
)

PROBLEMS: dict[str, Problem] = {
    module.PROBLEM.name: module.PROBLEM
    for module in (
        rosenbrock,
        record_mul,
        record_operations,
        record_loop,
        long_tape,
        down_and_out,
        asian,
        heston,
        libor,
        local_vol,
        sensitivities,
        scaling,
        jacobians,
        break_even,
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
