"""All problems by name, in the order in which they run."""

from bench.core import Problem
from bench.problems import cold_start, down_and_out, normals, record_loop, record_mul, rosenbrock, vmath_accuracy

PROBLEMS: dict[str, Problem] = {
    module.PROBLEM.name: module.PROBLEM
    for module in (rosenbrock, record_mul, record_loop, down_and_out, normals, cold_start, vmath_accuracy)
}
