"""Five sigmoid layers, the rim of the plateau: which solvers get away, and what of them does it?

Seven solvers from ten starts. Then their parts by themselves: a damping from strong to none; a
radius round Newton's model, the Gauss-Newton model and L-BFGS's; an inner loop without a bound.
"""

from .depth import EVERY, run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}


def grid(quick=False):
    return [
        settings(
            solver,
            seed,
            activation="sigmoid",
            depth=5,
            maxiter=3 if quick else max(100, iterations),
        )
        for solver, (_, iterations) in EVERY.items()
        for seed in range(1 if quick else 10)
    ]
