"""Dr.Jit on the CPU through LLVM: arrays, traced and fused into kernels, which it caches.

No Monte Carlo problem: LLVM did not come to an end in minutes with the 499 steps of the down-and-out call.
"""

from __future__ import annotations

import drjit as dr
from drjit.llvm.ad import Float64


def lse(case, threads):
    x = Float64(case.params[0])

    def call():
        dr.set_thread_count(threads)
        dr.enable_grad(x)
        dr.backward(dr.log(dr.sum(dr.exp(x - dr.max(dr.detach(x))))))
        gradient = dr.grad(x).numpy()
        dr.disable_grad(x)
        return (gradient,)

    return call


WAYS = {"lse": lse}
